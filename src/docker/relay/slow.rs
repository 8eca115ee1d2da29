//! How slow a way is made, and what came of it: delays, bytes a second, and counts of both.
//!
//! Owns the arithmetic; moving bytes is `pump`'s.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::lock::lock;

/// How slow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slow {
    /// Added to what goes from who connected to whom it connected to. Answers come back undelayed, so that a request
    /// takes this much longer, once.
    pub latency: Duration,
    /// Up to so much more or less, evenly spread; order is kept.
    pub jitter: Duration,
    /// Bytes a second in each direction, over all connections; none is unlimited.
    pub bandwidth: Option<u64>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From who connected; delayed.
    Out,
    /// Answers.
    Back,
}

/// The state of one way: shared by all of its connections.
pub(crate) struct Way {
    slow: watch::Sender<Slow>,
    lines: [Line; 2],
    dice: AtomicU64,
    connections: AtomicU64,
    refused: AtomicU64,
    bytes: [AtomicU64; 2],
    delayed: AtomicU64,
    delay_nanos: AtomicU64,
    held_nanos: AtomicU64,
}

/// When the line is free again, where its bandwidth is limited.
#[derive(Default)]
struct Line(Mutex<Option<Instant>>);

/// What passed, from the relay's start or between two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Connections that were opened.
    pub connections: u64,
    /// Connections whose target could not be reached.
    pub refused: u64,
    /// Bytes to the target.
    pub out: u64,
    /// Bytes from it.
    pub back: u64,
    /// Chunks that were delayed.
    pub delayed: u64,
    /// Their delays, summed up.
    pub delay: Duration,
    /// What the bandwidth held back, summed up over all chunks.
    pub held: Duration,
}

impl Way {
    /// One at full speed.
    pub(crate) fn new() -> Self {
        Self {
            slow: watch::Sender::new(Slow::default()),
            lines: Default::default(),
            dice: AtomicU64::new(uuid::Uuid::new_v4().as_u64_pair().0),
            connections: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            bytes: Default::default(),
            delayed: AtomicU64::new(0),
            delay_nanos: AtomicU64::new(0),
            held_nanos: AtomicU64::new(0),
        }
    }

    /// Makes it as slow as that, for what is read from now on. What waits is let go where there is no latency.
    pub(crate) fn set(&self, slow: Slow) {
        for line in &self.lines {
            *lock(&line.0) = None;
        }
        self.slow.send_replace(slow);
    }

    /// How slow it is, and word of changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Slow> {
        self.slow.subscribe()
    }

    /// What passed since the start.
    pub(crate) fn passed(&self) -> Passed {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Passed {
            connections: read(&self.connections),
            refused: read(&self.refused),
            out: read(&self.bytes[0]),
            back: read(&self.bytes[1]),
            delayed: read(&self.delayed),
            delay: Duration::from_nanos(read(&self.delay_nanos)),
            held: Duration::from_nanos(read(&self.held_nanos)),
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

    /// Counts a delay that a chunk had.
    pub(crate) fn delayed_by(&self, delay: Duration) {
        self.delayed.fetch_add(1, Ordering::Relaxed);
        self.delay_nanos.fetch_add(nanos(delay), Ordering::Relaxed);
    }

    /// Counts what the bandwidth held back.
    pub(crate) fn held_for(&self, time: Duration) {
        self.held_nanos.fetch_add(nanos(time), Ordering::Relaxed);
    }

    /// When bytes read now may have left, at that bandwidth: one after another over all connections.
    pub(crate) fn takes_until(&self, direction: Direction, bytes: usize, bandwidth: u64) -> Instant {
        let mut free = lock(&self.lines[direction.index()].0);
        let start = free.unwrap_or_else(Instant::now).max(Instant::now());
        let nanos =
            u128::try_from(bytes).unwrap_or(0).saturating_mul(1_000_000_000) / u128::from(bandwidth.max(1));
        let end = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 4));
        *free = Some(end);
        end
    }

    /// The delay of the next chunk.
    pub(crate) fn delay(&self, direction: Direction, slow: Slow) -> Duration {
        if direction == Direction::Back {
            return Duration::ZERO;
        }
        let spread = nanos(slow.jitter.saturating_mul(2));
        let more = if spread == 0 { 0 } else { self.roll() % (spread + 1) };
        (slow.latency + Duration::from_nanos(more)).saturating_sub(slow.jitter)
    }

    /// A random number; splitmix64, since it need not be hard to guess.
    fn roll(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.dice.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Direction {
    const fn index(self) -> usize {
        match self {
            Self::Out => 0,
            Self::Back => 1,
        }
    }
}

impl Slow {
    /// Chunks are delayed.
    pub(crate) const fn delays(&self) -> bool {
        !self.latency.is_zero() || !self.jitter.is_zero()
    }
}

impl Passed {
    /// What passed since an earlier look.
    pub(crate) const fn since(&self, earlier: &Self) -> Self {
        Self {
            connections: self.connections.saturating_sub(earlier.connections),
            refused: self.refused.saturating_sub(earlier.refused),
            out: self.out.saturating_sub(earlier.out),
            back: self.back.saturating_sub(earlier.back),
            delayed: self.delayed.saturating_sub(earlier.delayed),
            delay: self.delay.saturating_sub(earlier.delay),
            held: self.held.saturating_sub(earlier.held),
        }
    }

    /// The mean delay of those that were delayed.
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
        let way = Way::new();
        let start = Instant::now();
        let at = |instant: Instant| instant - start;
        assert_eq!(at(way.takes_until(Direction::Out, 500, 1000)), Duration::from_millis(500));
        assert_eq!(at(way.takes_until(Direction::Out, 500, 1000)), Duration::from_secs(1));
        assert_eq!(at(way.takes_until(Direction::Back, 100, 1000)), Duration::from_millis(100));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(
            at(way.takes_until(Direction::Out, 1000, 1000)),
            Duration::from_secs(6),
            "no burst is saved up"
        );
        way.set(Slow::default());
        assert_eq!(at(way.takes_until(Direction::Out, 1, 1000)), Duration::from_millis(5001));
    }

    #[test]
    fn jitter_spreads_evenly_around_the_latency_on_the_way_out_only() {
        let way = Way::new();
        let ms = Duration::from_millis;
        let slow = Slow { latency: ms(200), jitter: ms(50), bandwidth: None };
        let all: Vec<Duration> = (0..10_000).map(|_| way.delay(Direction::Out, slow)).collect();
        assert!(all.iter().all(|delay| (ms(150)..=ms(250)).contains(delay)));
        let mean = all.iter().sum::<Duration>() / 10_000;
        assert!((ms(198)..ms(202)).contains(&mean), "{mean:?}");
        assert_eq!(way.delay(Direction::Back, slow), Duration::ZERO);
        let wide = Slow { latency: ms(10), jitter: ms(50), bandwidth: None };
        assert!((0..1000).any(|_| way.delay(Direction::Out, wide).is_zero()), "never below nothing");
    }
}
