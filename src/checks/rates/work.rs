//! How much work a scenario had: in a part of the run, during a fault, and relative to an earlier rate.

use std::time::Duration;

use crate::checks::answer::UnknownBecause;
use crate::checks::case::CheckedScenario;
use crate::checks::proof::fault_seen;
use crate::checks::text::as_f64;
use crate::metrics::BucketWindow;
use crate::plan::Work;

impl CheckedScenario<'_> {
    /// Until when the scenario always had more work, from its start. `None` if the amount of work is known.
    fn endless(&self) -> Option<Duration> {
        match self.work() {
            Work::Produce(produce) if produce.schedule.is_some() => None,
            Work::Roundtrip(roundtrip) if roundtrip.every.is_some() => None,
            Work::Consume(_) if self.work().knows_acks(self.plan) => None,
            _ => Some(self.scenario.counts.sent_all.unwrap_or(Duration::MAX).min(self.work_end())),
        }
    }

    /// How many messages should be done in a part of the run that ends at `end`: as many as at this rate, or
    /// all that were available.
    pub(crate) fn target(&self, rate: f64, part: &BucketWindow, end: Duration) -> f64 {
        let at_rate = rate * part.length.as_secs_f64();
        if self.endless().is_some_and(|until| end <= until) {
            return at_rate;
        }
        at_rate.min(as_f64(part.to_do()))
    }

    /// From a fault's start until its targets were ready again.
    fn felt(&self, fault: &str) -> Option<(Duration, Duration)> {
        let seen = fault_seen(self.seen, fault)?;
        let (start, end) = seen.span?;
        Some((start, seen.settled.map_or(end, |settled| settled.max(end))))
    }

    /// Whether the scenario had work in this period.
    fn is_busy(&self, (from, to): (Duration, Duration)) -> bool {
        let endless = self.scenario.span.zip(self.endless());
        endless.is_some_and(|((start, _), until)| start <= to && until > from)
            || self.scenario.counts.timeline.is_busy(from, to)
    }

    /// States that this scenario had no work during a fault. `None` if it had.
    pub(crate) fn idle_during(&self, fault: &str) -> Option<UnknownBecause> {
        let idle = self.felt(fault).is_some_and(|felt| !self.is_busy(felt));
        idle.then(|| {
            let name = &self.scenario.name;
            UnknownBecause::new(
                format!("`{name}` had no work during `{fault}` (no message due, unacked or unread)"),
                format!("keep `{name}` running during `{fault}`"),
            )
        })
    }

    /// States that no scenario had work during a fault that took effect. `None` if at least one had, for each
    /// fault.
    pub(crate) fn all_idle_during_a_fault(&self) -> Option<UnknownBecause> {
        let idle = |fault: &str| {
            let mut others = self.seen.scenarios.iter().enumerate();
            let mut any_busy = |felt| {
                others.any(|(index, scenario)| {
                    let case = CheckedScenario { index, scenario, ..*self };
                    case.work().has_messages() && case.is_busy(felt)
                })
            };
            self.felt(fault).is_some_and(|felt| !any_busy(felt))
        };
        let fault = self.seen.faults.iter().find(|fault| fault.effective && idle(&fault.name))?;
        Some(UnknownBecause::new(
            format!("no scenario had work during `{}` (no message due, unacked or unread)", fault.name),
            format!("keep the load running during `{}`", fault.name),
        ))
    }
}
