//! When each message of an open loop is due: constant rates and stages, as exact arithmetic.

use std::time::Duration;

/// Stages of rates, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stage {
    /// When it starts, counted from the schedule's start.
    start: Duration,
    /// Messages due before it starts.
    before: u64,
    /// Messages a second while it lasts.
    rate: f64,
    /// How many it has; none is without end.
    count: Option<u64>,
}

impl Schedule {
    /// One rate, without end.
    pub fn constant(per_second: f64) -> Self {
        Self { stages: vec![Stage { start: Duration::ZERO, before: 0, rate: per_second, count: None }] }
    }

    /// Stages of (length, messages a second), one after the other; ends with the last.
    ///
    /// Rates do not ramp: a stage begins at its own rate. A stage holds the whole messages due in it.
    pub fn stages(stages: impl IntoIterator<Item = (Duration, f64)>) -> Self {
        let mut out = Vec::new();
        let (mut start, mut before) = (Duration::ZERO, 0);
        for (length, rate) in stages {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rates are below 1e8 and lengths below a year: far below 2^63"
            )]
            let count = (length.as_secs_f64() * rate).round() as u64;
            out.push(Stage { start, before, rate, count: Some(count) });
            start += length;
            before += count;
        }
        Self { stages: out }
    }

    /// How many messages it holds; none is without end.
    pub fn total(&self) -> Option<u64> {
        let last = self.stages.last()?;
        last.count.map(|count| last.before + count)
    }

    /// When message `index` (from 0) is due, counted from the schedule's start; none past its end.
    pub fn due(&self, index: u64) -> Option<Duration> {
        let at = self.stages.partition_point(|s| s.before <= index);
        let stage = self.stages[..at].iter().rev().find(|s| s.count != Some(0))?;
        let within = index - stage.before;
        if stage.count.is_some_and(|count| within >= count) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "indices stay below 2^53")]
        let offset = within as f64 / stage.rate;
        Some(stage.start + Duration::from_secs_f64(offset))
    }

    /// How long it takes as a whole; none is without end.
    pub fn length(&self, messages: Option<u64>) -> Option<Duration> {
        let total = match (self.total(), messages) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        if total == 0 {
            return Some(Duration::ZERO);
        }
        self.due(total - 1)
    }

    /// Messages a second on average over its first `messages`, or over all of them.
    pub fn mean_rate(&self) -> f64 {
        match self.stages.as_slice() {
            [one] => one.rate,
            stages => {
                let seconds: f64 = stages
                    .iter()
                    .map(|s| match s.count {
                        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
                        Some(count) => count as f64 / s.rate,
                        None => 0.0,
                    })
                    .sum();
                #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
                let total = self.total().unwrap_or(0) as f64;
                if seconds > 0.0 { total / seconds } else { 0.0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_rate_is_exact_at_any_index() {
        let s = Schedule::constant(50.0);
        assert_eq!(s.due(0), Some(Duration::ZERO));
        assert_eq!(s.due(1), Some(Duration::from_millis(20)));
        assert_eq!(s.due(1_000_000), Some(Duration::from_secs(20_000)));
        assert_eq!(s.total(), None);
        assert_eq!(s.length(Some(1000)), Some(Duration::from_millis(19_980)));
    }

    #[test]
    fn stages_follow_each_other() {
        let s = Schedule::stages([(Duration::from_secs(2), 10.0), (Duration::from_secs(1), 100.0)]);
        assert_eq!(s.total(), Some(120));
        assert_eq!(s.due(19), Some(Duration::from_millis(1900)));
        assert_eq!(s.due(20), Some(Duration::from_secs(2)));
        assert_eq!(s.due(119), Some(Duration::from_millis(2990)));
        assert_eq!(s.due(120), None);
        assert!((s.mean_rate() - 40.0).abs() < 1e-9);
    }

    #[test]
    fn a_stage_too_short_for_a_message_is_passed_over() {
        let s = Schedule::stages([(Duration::from_millis(10), 1.0), (Duration::from_secs(1), 5.0)]);
        assert_eq!(s.due(0), Some(Duration::from_millis(10)));
        assert_eq!(s.total(), Some(5));
    }
}
