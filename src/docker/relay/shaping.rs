//! Traffic shaping of a link: delays, bytes per second, and statistics of both.
//!
//! This module only calculates. `pump` forwards the bytes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::lock::lock;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shaping {
    /// Added to bytes from the client to the target, not to answers, so that it is added once per request.
    pub latency: Duration,
    /// Random difference from the latency, at most this much, uniformly distributed. The order is kept.
    pub jitter: Duration,
    /// Bytes per second in each direction, of all connections together. `None`: unlimited.
    pub bandwidth: Option<u64>,
}

/// The directions of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client to the target. Only these bytes are delayed.
    Out,
    Back,
}

/// The state of one link, for all its connections.
pub(crate) struct LinkState {
    slow: watch::Sender<Shaping>,
    lines: [SharedBandwidth; 2],
    dice: AtomicU64,
    connections: AtomicU64,
    refused: AtomicU64,
    bytes: [AtomicU64; 2],
    pieces: AtomicU64,
    slowed: AtomicU64,
    delayed: AtomicU64,
    delay_nanos: AtomicU64,
}

/// The bandwidth of one direction, for all connections.
#[derive(Default)]
struct SharedBandwidth(Mutex<LineState>);

#[derive(Default)]
struct LineState {
    /// When the next piece may pass.
    free: Option<Instant>,
    /// The number of waiting pieces, and since when at least one waits.
    waiting: Option<(u32, Instant)>,
    limited: Limited,
}

/// The effect of a bandwidth limit in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limited {
    /// Bytes that passed, delayed or not.
    pub through: u64,
    /// The time during which at least one piece waited.
    pub held: Duration,
}

/// A piece that waits because of the bandwidth, until this value is dropped.
pub(crate) struct Hold<'a> {
    line: &'a SharedBandwidth,
    /// When the piece may pass.
    pub until: Instant,
}

/// Maximum delay of a timer that later pieces make up for. Timers are late by a few milliseconds, which is too
/// short for a burst.
const SLACK: Duration = Duration::from_millis(5);

/// Traffic since the start of the relay, or between two times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub connections: u64,
    /// Connections whose target could not be reached.
    pub refused: u64,
    /// Bytes to the target.
    pub out: u64,
    /// Bytes from the target.
    pub back: u64,
    /// Pieces to the target.
    pub pieces: u64,
    /// How many of these had a latency added.
    pub slowed: u64,
    /// How many of these waited for the full latency. The others still wait, or the latency was removed.
    pub delayed: u64,
    /// The sum of their delays.
    pub delay: Duration,
    /// The effect of a bandwidth limit, to the target and back.
    pub limited: [Limited; 2],
}

impl LinkState {
    pub(crate) fn new() -> Self {
        Self {
            slow: watch::Sender::new(Shaping::default()),
            lines: Default::default(),
            dice: AtomicU64::new(uuid::Uuid::new_v4().as_u64_pair().0),
            connections: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            bytes: Default::default(),
            pieces: AtomicU64::new(0),
            slowed: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
            delay_nanos: AtomicU64::new(0),
        }
    }

    /// Shapes all bytes that are read from now on. If there is no latency, waiting pieces are sent at once.
    pub(crate) fn set(&self, slow: Shaping) {
        for line in &self.lines {
            lock(&line.0).free = None;
        }
        self.slow.send_replace(slow);
    }

    /// The current shaping and its changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Shaping> {
        self.slow.subscribe()
    }

    /// Traffic since the start.
    pub(crate) fn passed(&self) -> Passed {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Passed {
            connections: read(&self.connections),
            refused: read(&self.refused),
            out: read(&self.bytes[0]),
            back: read(&self.bytes[1]),
            pieces: read(&self.pieces),
            slowed: read(&self.slowed),
            delayed: read(&self.delayed),
            delay: Duration::from_nanos(read(&self.delay_nanos)),
            limited: [&self.lines[0], &self.lines[1]].map(|line| lock(&line.0).limited_at(Instant::now())),
        }
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unreachable(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes that arrived.
    pub(crate) fn arrived(&self, direction: Direction, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes[direction.index()].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a piece that the bandwidth lets pass. `slowed`: a latency was added to it.
    pub(crate) fn goes_on(&self, direction: Direction, bytes: usize, slowed: bool) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let mut state = lock(&self.lines[direction.index()].0);
        state.limited.through = state.limited.through.saturating_add(bytes);
        if direction == Direction::Out {
            self.pieces.fetch_add(1, Ordering::Relaxed);
            self.slowed.fetch_add(u64::from(slowed), Ordering::Relaxed);
        }
    }

    /// Counts the delay of a piece that waited for its full latency.
    pub(crate) fn delayed_by(&self, delay: Duration) {
        self.delayed.fetch_add(1, Ordering::Relaxed);
        self.delay_nanos.fetch_add(nanos(delay), Ordering::Relaxed);
    }

    /// When bytes that are read now may pass at this bandwidth, after all earlier bytes of all connections.
    pub(crate) fn hold(&self, direction: Direction, bytes: usize, bandwidth: u64) -> Hold<'_> {
        let line = &self.lines[direction.index()];
        let mut state = lock(&line.0);
        let now = Instant::now();
        let start = state.free.map_or(now, |free| free.max(now.checked_sub(SLACK).unwrap_or(now)));
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let nanos = u128::from(bytes).saturating_mul(1_000_000_000) / u128::from(bandwidth.max(1));
        let until = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 4));
        state.free = Some(until);
        let (others, since) = state.waiting.unwrap_or((0, now));
        state.waiting = Some((others + 1, since));
        Hold { line, until }
    }

    /// The delay of the next piece.
    pub(crate) fn delay(&self, direction: Direction, slow: Shaping) -> Duration {
        if direction == Direction::Back {
            return Duration::ZERO;
        }
        let spread = nanos(slow.jitter.saturating_mul(2));
        let more = if spread == 0 { 0 } else { self.roll() % (spread + 1) };
        (slow.latency + Duration::from_nanos(more)).saturating_sub(slow.jitter)
    }

    /// A random number (splitmix64, because it need not be secure).
    fn roll(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.dice.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl LineState {
    /// The effect of the bandwidth limit until now, including current waits.
    fn limited_at(&self, now: Instant) -> Limited {
        let waits = self.waiting.map_or(Duration::ZERO, |(_, since)| now.saturating_duration_since(since));
        Limited { held: self.limited.held + waits, ..self.limited }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.line.0);
        state.waiting = match state.waiting {
            Some((others, since)) if others > 1 => Some((others - 1, since)),
            Some((_, since)) => {
                state.limited.held += Instant::now().saturating_duration_since(since);
                None
            }
            None => None,
        };
    }
}

impl Limited {
    /// The effect since an earlier time.
    pub(crate) const fn since(&self, earlier: &Self) -> Self {
        Self {
            through: self.through.saturating_sub(earlier.through),
            held: self.held.saturating_sub(earlier.held),
        }
    }
}

impl Direction {
    pub(crate) const fn reverse(self) -> Self {
        match self {
            Self::Out => Self::Back,
            Self::Back => Self::Out,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Out => 0,
            Self::Back => 1,
        }
    }
}

impl Shaping {
    pub(crate) const fn delays(&self) -> bool {
        !self.latency.is_zero() || !self.jitter.is_zero()
    }
}

impl Passed {
    /// Traffic since an earlier time.
    pub(crate) const fn since(&self, earlier: &Self) -> Self {
        Self {
            connections: self.connections.saturating_sub(earlier.connections),
            refused: self.refused.saturating_sub(earlier.refused),
            out: self.out.saturating_sub(earlier.out),
            back: self.back.saturating_sub(earlier.back),
            pieces: self.pieces.saturating_sub(earlier.pieces),
            slowed: self.slowed.saturating_sub(earlier.slowed),
            delayed: self.delayed.saturating_sub(earlier.delayed),
            delay: self.delay.saturating_sub(earlier.delay),
            limited: [self.limited[0].since(&earlier.limited[0]), self.limited[1].since(&earlier.limited[1])],
        }
    }

    /// The mean delay of pieces that waited for the full latency.
    pub(crate) fn mean_delay(&self) -> Duration {
        let mean = nanos(self.delay).checked_div(self.delayed).unwrap_or(0);
        Duration::from_nanos(mean)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_take_their_time_one_after_another() {
        let way = LinkState::new();
        let start = Instant::now();
        let until = |direction, bytes| way.hold(direction, bytes, 1000).until - start;
        assert_eq!(until(Direction::Out, 500), Duration::from_millis(500));
        assert_eq!(until(Direction::Out, 500), Duration::from_secs(1));
        assert_eq!(until(Direction::Back, 100), Duration::from_millis(100));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(until(Direction::Out, 1000), Duration::from_millis(5995), "next to no burst is saved up");
        way.set(Shaping::default());
        assert_eq!(until(Direction::Out, 1), Duration::from_millis(5001));
    }

    /// Timers tick in milliseconds.
    fn near(found: Duration, wanted: Duration) -> bool {
        found.abs_diff(wanted) <= Duration::from_millis(2)
    }

    /// Waits for a piece's time, as the pump does.
    async fn pass(way: &LinkState, bytes: usize) {
        let hold = way.hold(Direction::Out, bytes, 1000);
        tokio::time::sleep_until(hold.until).await;
        drop(hold);
        way.goes_on(Direction::Out, bytes, false);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_some_waited_is_counted_once() {
        let (way, ms) = (LinkState::new(), Duration::from_millis);
        // Two wait side by side for a second, and after a while one for half a second.
        tokio::join!(pass(&way, 500), pass(&way, 500));
        tokio::time::sleep(ms(2000)).await;
        pass(&way, 505).await;
        tokio::time::sleep(ms(1000)).await;
        let all = way.passed().limited[0];
        assert_eq!(all.through, 1505);
        assert!(near(all.held, ms(1500)), "{all:?}");
        // One that is still waiting counts as far as it has, beside another that begins to wait.
        let before = way.passed();
        let holds = way.hold(Direction::Out, 500, 1000);
        tokio::time::advance(ms(200)).await;
        let other = way.hold(Direction::Out, 500, 1000);
        tokio::time::advance(ms(100)).await;
        let soon = way.passed().since(&before).limited[0];
        assert_eq!(soon, Limited { through: 0, held: ms(300) });
        drop((holds, other));
        assert_eq!(way.passed().since(&before).limited[0], soon);
        assert_eq!(way.passed().limited[1], Limited::default());
    }

    #[tokio::test(start_paused = true)]
    async fn what_asks_for_less_than_the_bandwidth_waits_for_nothing() {
        let way = LinkState::new();
        pass(&way, 1).await;
        let before = way.passed();
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            pass(&way, 5).await;
        }
        let limited = way.passed().since(&before).limited[0];
        assert_eq!(limited, Limited { through: 5000, held: Duration::ZERO });
    }

    #[test]
    fn jitter_spreads_evenly_around_the_latency_on_the_way_out_only() {
        let way = LinkState::new();
        let ms = Duration::from_millis;
        let slow = Shaping { latency: ms(200), jitter: ms(50), bandwidth: None };
        let all: Vec<Duration> = (0..10_000).map(|_| way.delay(Direction::Out, slow)).collect();
        assert!(all.iter().all(|delay| (ms(150)..=ms(250)).contains(delay)));
        let mean = all.iter().sum::<Duration>() / 10_000;
        assert!((ms(198)..ms(202)).contains(&mean), "{mean:?}");
        assert_eq!(way.delay(Direction::Back, slow), Duration::ZERO);
        let wide = Shaping { latency: ms(10), jitter: ms(50), bandwidth: None };
        assert!((0..1000).any(|_| way.delay(Direction::Out, wide).is_zero()), "never below nothing");
    }
}
