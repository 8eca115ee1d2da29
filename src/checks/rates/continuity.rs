//! `continuity`: was there no longer time without an ack, or without a read, than the file allows?
//!
//! Only a time counts in which an ack or read was to come: something was due, open or unread. Metrics keep those times; the one at
//! the end is added here.

use std::time::Duration;

use crate::anomaly::Anomaly;
use crate::checks::answer::{Answer, Domain};
use crate::checks::case::CheckedScenario;
use crate::checks::check::{Check, CheckDescription};
use crate::checks::targets;
use crate::checks::text::{span, time};
use crate::plan::{CheckKind, Plan, Work};

/// No longer gap than this.
pub(crate) struct Continuity<'a> {
    pub(crate) max_gap: &'a Duration,
}

impl CheckDescription for Continuity<'_> {
    const KIND: CheckKind = CheckKind::Continuity;
    const ANOMALIES: &'static [Anomaly] =
        &[Anomaly::Lost, Anomaly::Unreadable, Anomaly::Skipped, Anomaly::Unread];
}

impl Check for Continuity<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        let own = targets::of(plan, |work| {
            matches!(work, Work::Produce(_) | Work::Consume(_) | Work::Roundtrip(_))
        });
        own.into_iter().filter(|index| !targets::is_added(plan, *index)).collect()
    }

    fn expected(&self) -> String {
        format!("no gap over {}", time(*self.max_gap))
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let counts = &case.scenario.counts;
        let tail = stall_at_end(case);
        if counts.gaps.first().is_none() && (tail.is_none() || counts.sent == 0 && waiting(case) == 0) {
            return self.without_data(case);
        }
        let moments = counts.acked.max(counts.received).max(counts.records).max(1);
        let domain = Domain::judged_all(moments, case.span_in_words())
            .without(case.ended_early())
            .without(case.all_idle_during_a_fault());
        let longest = counts.gaps.longest_within(Duration::ZERO, Duration::MAX, tail);
        let Some((from, to)) = longest else {
            let actual = format!("none over {}", time(crate::metrics::RESOLUTION));
            return Answer::pass(self.expected(), actual, domain);
        };
        let actual =
            format!("{} without {}", time(to - from), if case.sends() { "an ack" } else { "a read" });
        let during = case.during(from, to);
        let unread = waiting(case);
        let unread = if unread > 0 { format!("; {unread} acked messages unread") } else { String::new() };
        Answer::pass_if(to - from <= *self.max_gap, self.expected(), actual, domain)
            .because(format!("from {}{during}{unread}", span((from, to))))
    }
}

impl Continuity<'_> {
    /// Neither an ack nor a read, and nothing that waited for one.
    fn without_data(&self, case: &CheckedScenario<'_>) -> Answer {
        let readings = case.readings();
        let measured = readings.count(Anomaly::Unread).is_some();
        if case.consume().is_some() && measured && readings.wanted() == 0 {
            let domain = readings.domain(case).without(case.ended_early());
            return Answer::pass(self.expected(), "no read", domain);
        }
        case.no_data(self.expected())
    }
}

/// Acked messages that wait for this reader.
fn waiting(case: &CheckedScenario<'_>) -> u64 {
    let readings = case.readings();
    readings.unread() + readings.number(Anomaly::Unreadable)
}

/// The time after the last ack or read in which another one was to come; none where nothing more was.
pub(crate) fn stall_at_end(case: &CheckedScenario<'_>) -> Option<(Duration, Duration)> {
    // What is stopped from outside leaves sends open through no fault of the broker.
    if case.scenario.ended.cut_short() {
        return None;
    }
    let gaps = &case.scenario.counts.gaps;
    let known = !matches!(case.work(), Work::Consume(_)) || case.work().knows_acks(case.plan);
    let end = if known { case.whole_span().1 } else { case.work_end() };
    // A reader that never saw its partition told nothing of what was to be read there.
    let unread = || (waiting(case) > 0).then(|| gaps.last().unwrap_or_default().max(case.work_end()));
    let since = gaps.waiting().or_else(unread)?;
    Some((since, end.max(since)))
}
