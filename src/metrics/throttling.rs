//! Throttling by brokers: how long brokers delayed their responses because of quotas, by request type.

use std::time::Duration;

/// Throttling over the whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throttling {
    pub produce: Throttled,
    pub fetch: Throttled,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throttled {
    pub answers: u64,
    /// Sum of the throttle times.
    pub total: Duration,
    pub longest: Duration,
}

impl Throttled {
    /// Counts one response. A response without throttle time is ignored.
    pub fn add(&mut self, time: Duration) {
        if !time.is_zero() {
            self.answers += 1;
            self.total += time;
            self.longest = self.longest.max(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_without_throttle_time_do_not_count() {
        let mut seen = Throttled::default();
        [0, 30, 10, 0].into_iter().for_each(|ms| seen.add(Duration::from_millis(ms)));
        let ms = Duration::from_millis;
        assert_eq!(seen, Throttled { answers: 2, total: ms(40), longest: ms(30) });
    }
}
