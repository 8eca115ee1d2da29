//! The schedule of an open loop: when each message is due, for constant rates and stages, in exact
//! arithmetic.

use std::time::Duration;

/// Stages of rates, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    stages: Vec<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Stage {
    /// Start of the stage, from the start of the schedule.
    start: Duration,
    /// Number of messages due before the stage.
    before: u64,
    /// Messages per second.
    rate: f64,
    /// Number of messages in the stage. `None` means no end.
    count: Option<u64>,
}

impl Schedule {
    /// One rate without end.
    pub fn constant(per_second: f64) -> Self {
        Self { stages: vec![Stage { start: Duration::ZERO, before: 0, rate: per_second, count: None }] }
    }

    /// Stages of (length, messages per second), one after the other. The schedule ends with the last stage.
    ///
    /// Rates do not ramp: a stage starts with its own rate. A stage contains the whole messages that are due
    /// in it.
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

    /// Total number of messages. `None` means no end.
    pub fn total(&self) -> Option<u64> {
        let last = self.stages.last()?;
        last.count.map(|count| last.before + count)
    }

    /// When message `index` (from 0) is due, from the start of the schedule. `None` after its end.
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

    /// Number of messages that are due before this time, from the start of the schedule.
    pub fn due_before(&self, time: Duration) -> u64 {
        let at = self.stages.partition_point(|s| s.start < time);
        let Some(stage) = at.checked_sub(1).map(|at| self.stages[at]) else { return 0 };
        let most = stage.count.unwrap_or(u64::MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rates are below 1e8 and times below a year: far below 2^63"
        )]
        let about = ((time - stage.start).as_secs_f64() * stage.rate).ceil() as u64;
        let mut count = stage.before.saturating_add(about.min(most));
        // Uses the same arithmetic as the due times.
        while count > stage.before && self.due(count - 1).is_none_or(|due| due >= time) {
            count -= 1;
        }
        while self.due(count).is_some_and(|due| due < time) {
            count += 1;
        }
        count
    }

    /// Length of the schedule. `None` means no end.
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

    /// Average rate of its first `messages`, or of all messages, in messages per second.
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

    use proptest::prelude::*;

    fn stages() -> impl Strategy<Value = Vec<(Duration, f64)>> {
        let stage = (1_u64..5_000, 0.1_f64..5_000.0).prop_map(|(ms, rate)| (Duration::from_millis(ms), rate));
        proptest::collection::vec(stage, 1..6)
    }

    proptest! {
        #[test]
        fn the_mean_of_a_constant_rate_is_that_rate(rate in 0.01_f64..1e6, count in 1_000_u64..1_000_000) {
            let last = Schedule::constant(rate).due(count).expect("without end").as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let mean = count as f64 / last;
            prop_assert!((mean / rate - 1.0).abs() < 1e-3, "{mean} for {rate}");
        }

        #[test]
        fn due_times_never_go_back_and_stay_in_their_stages(stages in stages()) {
            let schedule = Schedule::stages(stages.clone());
            let total = schedule.total().expect("stages end");
            let whole: Duration = stages.iter().map(|(length, _)| *length).sum();
            let mut before = Duration::ZERO;
            let times: Vec<Duration> = (0..total).map(|it| schedule.due(it).expect("it is one of them")).collect();
            for (index, due) in times.iter().enumerate() {
                prop_assert!(*due >= before && *due <= whole, "{index}: {due:?} after {before:?}");
                before = *due;
            }
            for at in [Duration::ZERO, whole / 3, whole / 2, whole, before, before + Duration::from_nanos(1)] {
                let due = times.partition_point(|due| *due < at);
                prop_assert_eq!(schedule.due_before(at), due as u64, "before {:?}", at);
            }
            prop_assert_eq!(schedule.due(total), None);
            prop_assert_eq!(schedule.length(None).unwrap_or_default(), before);
            prop_assert_eq!(schedule.length(Some(total + 5)), schedule.length(None));
        }

        #[test]
        fn stages_hold_what_their_rates_say(stages in stages()) {
            let wanted: f64 = stages.iter().map(|(length, rate)| length.as_secs_f64() * rate).sum();
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let total = Schedule::stages(stages.clone()).total().expect("stages end") as f64;
            #[expect(clippy::cast_precision_loss, reason = "a handful of stages")]
            let slack = stages.len() as f64 / 2.0 + 1e-6;
            prop_assert!((total - wanted).abs() <= slack, "{total} for {wanted}");
        }
    }
}
