//! Slows down a client that fetches again immediately.
//!
//! librdkafka drops a response with null records and fetches again without a backoff: 12,000 times per second
//! if the broker answers immediately, as KafScale does while its store is unreachable. It logs a line for
//! each, on the fetching thread, and a client reads one partition. So a pause in the log callback delays
//! nothing else.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// librdkafka's text for a response with null records.
const NULL_RECORDS: &str = "invalid MessageSetSize -1";

/// Pauses the logging thread, so that two responses with null records are at least this far apart.
pub(crate) struct Brake {
    apart: Duration,
    last: Mutex<Option<Instant>>,
}

impl Brake {
    pub(crate) fn new(apart: Duration) -> Self {
        Self { apart, last: Mutex::default() }
    }

    /// Processes a log line, and pauses if necessary.
    pub(crate) fn see(&self, text: &str) {
        if !text.contains(NULL_RECORDS) {
            return;
        }
        let pause = self.pause(Instant::now());
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }

    /// The pause after an answer that arrives now.
    fn pause(&self, now: Instant) -> Duration {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = last.map_or(now, |last| (last + self.apart).max(now));
        // The time at which the pause ends. The next answer arrives later.
        *last = Some(next);
        next - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_come_at_once_are_spread_and_slow_ones_are_not_delayed() {
        let brake = Brake::new(Duration::from_millis(50));
        let start = Instant::now();
        assert_eq!(brake.pause(start), Duration::ZERO, "the first");
        assert_eq!(brake.pause(start + Duration::from_millis(10)), Duration::from_millis(40));
        assert_eq!(brake.pause(start + Duration::from_millis(51)), Duration::from_millis(49));
        assert_eq!(brake.pause(start + Duration::from_millis(300)), Duration::ZERO);
    }

    #[test]
    fn a_second_holds_twenty_fetches_and_other_lines_cost_nothing() {
        let brake = Brake::new(Duration::from_millis(50));
        let start = Instant::now();
        for _ in 0..1000 {
            brake.see("127.0.0.1:9092/0: Disconnected");
        }
        assert_eq!(brake.pause(start), Duration::ZERO, "none of them counted");
        for _ in 0..5 {
            brake.see(
                "127.0.0.1:9092/0: Protocol parse failure at 79/94: orders [0]: invalid MessageSetSize -1",
            );
        }
        assert!(start.elapsed() >= Duration::from_millis(200));
    }
}
