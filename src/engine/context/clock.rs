//! The run's clock: microseconds from its zero, on a clock that never jumps, and the same as time of day.
//!
//! Messages carry time of day, so that a reader elsewhere could use it; both are tied together once, at zero.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that starts once.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    zero: OnceLock<(Instant, i64)>,
    stepped: AtomicBool,
}

/// The system's clock and the run's may drift apart by so much: both are slowed and hastened alike, and one of them can be set.
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

    /// Looks whether the system's clock was set since zero. To be asked now and then: one that was set back in time is not noticed.
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

    /// The system's clock was set since zero, as far as that was noticed.
    pub(crate) fn was_set(&self) -> bool {
        self.look();
        self.stepped.load(Ordering::Relaxed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.zero().elapsed()
    }

    /// From zero to an instant; zero for all before it.
    pub(crate) fn at(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.zero())
    }

    /// Microseconds since zero.
    pub(crate) fn now_us(&self) -> u64 {
        self.us(Instant::now())
    }

    /// Microseconds from zero to an instant.
    pub(crate) fn us(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.zero()).as_micros()).unwrap_or(u64::MAX)
    }

    /// Microseconds since 1970 of a time counted from zero.
    pub(crate) fn of_day(&self, at_us: u64) -> i64 {
        self.pair().1.saturating_add_unsigned(at_us)
    }

    /// Microseconds since zero of a time of day; 0 for all before zero.
    pub(crate) fn of_run(&self, of_day_us: i64) -> u64 {
        u64::try_from(of_day_us.saturating_sub(self.pair().1)).unwrap_or(0)
    }
}
