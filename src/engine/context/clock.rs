//! The run's clock: microseconds since the start of the run, on a monotonic clock, and their conversion to
//! and from wall-clock time.
//!
//! Messages carry wall-clock time, so that a reader on another machine can use it. The two clocks are read
//! together once, at the start of the run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that starts once.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    zero: OnceLock<(Instant, i64)>,
    stepped: AtomicBool,
}

/// Tolerated drift between the system clock and the monotonic clock. NTP slews both alike, but only the
/// system clock can be set.
const DRIFT: Duration = Duration::from_millis(200);

impl Clock {
    pub(crate) fn start(&self) {
        self.pair();
    }

    fn pair(&self) -> (Instant, i64) {
        *self.zero.get_or_init(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            (Instant::now(), i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        })
    }

    pub(crate) fn zero(&self) -> Instant {
        self.pair().0
    }

    /// Checks whether the system clock was set since the start of the run. Call it regularly: a clock that
    /// was set and then set back is not noticed.
    pub(crate) fn look(&self) {
        let (zero, wall) = self.pair();
        let elapsed = i64::try_from(zero.elapsed().as_micros()).unwrap_or(i64::MAX);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let apart = now.saturating_sub(wall).saturating_sub(elapsed).unsigned_abs();
        if Duration::from_micros(apart) > DRIFT {
            self.stepped.store(true, Ordering::Relaxed);
        }
    }

    /// Whether [`look`](Self::look) noticed that the system clock was set.
    pub(crate) fn was_set(&self) -> bool {
        self.look();
        self.stepped.load(Ordering::Relaxed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.zero().elapsed()
    }

    /// Time from the start of the run to an instant; zero for earlier instants.
    pub(crate) fn at(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.zero())
    }

    /// Microseconds since the start of the run.
    pub(crate) fn now_us(&self) -> u64 {
        self.us(Instant::now())
    }

    /// Microseconds from the start of the run to an instant.
    pub(crate) fn us(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.zero()).as_micros()).unwrap_or(u64::MAX)
    }

    /// Converts microseconds since the start of the run to microseconds since 1970.
    pub(crate) fn of_day(&self, at_us: u64) -> i64 {
        self.pair().1.saturating_add_unsigned(at_us)
    }

    /// Converts microseconds since 1970 to microseconds since the start of the run; 0 for earlier times.
    pub(crate) fn of_run(&self, of_day_us: i64) -> u64 {
        u64::try_from(of_day_us.saturating_sub(self.pair().1)).unwrap_or(0)
    }
}
