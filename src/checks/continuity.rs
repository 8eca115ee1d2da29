//! `continuity`: was there no longer time without an ack, or without a read, than the file allows?
//!
//! A stall before a producer's first ack counts, and one at the end: while sends were still open, while others still wrote
//! what was to be read, or while acked messages were unread.

use std::time::Duration;

use super::answer::{Answer, Domain};
use super::case::Case;
use super::check::{Check, Described};
use super::targets;
use super::text::{span, time};
use crate::anomaly::Anomaly;
use crate::plan::{Plan, Work};

/// No longer gap than this.
pub(super) struct Continuity<'a> {
    pub(super) max_gap: &'a Duration,
}

impl Described for Continuity<'_> {
    const KIND: &'static str = "continuity";
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

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        let counts = &case.scenario.counts;
        let waited = waited_until(case);
        if counts.gaps.first().is_none() && (waited.is_none() || counts.sent == 0 && waiting(case) == 0) {
            return self.without_data(case);
        }
        let moments = counts.acked.max(counts.received).max(counts.records).max(1);
        let domain = Domain::all(moments, case.span_in_words()).without(case.ended_early());
        let longest = counts.gaps.longest_within(Duration::ZERO, Duration::MAX, begun(case), waited);
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
    fn without_data(&self, case: &Case<'_>) -> Answer {
        let readings = case.readings();
        let measured = readings.count(Anomaly::Unread).is_some();
        if case.consume().is_some() && measured && readings.wanted() == 0 {
            let domain = readings.domain(case).without(case.ended_early());
            return Answer::pass(self.expected(), "no read", domain);
        }
        case.no_data(self.expected())
    }
}

/// Since when something was missing before the first ack or read: a producer waits for its first ack from its start on. A
/// reader's first read waits for others, at the latest until they have ended.
fn begun(case: &Case<'_>) -> Option<Duration> {
    if case.sends() {
        return case.scenario.span.map(|(start, _)| start);
    }
    (case.scenario.counts.gaps.first().is_none() && waiting(case) > 0).then(|| case.work_end())
}

/// Acked messages that wait for this reader.
fn waiting(case: &Case<'_>) -> u64 {
    let readings = case.readings();
    readings.unread() + readings.number(Anomaly::Unreadable)
}

/// Until when an ack or read was still to come after the last one; none where nothing more was to come.
pub(super) fn waited_until(case: &Case<'_>) -> Option<Duration> {
    let counts = &case.scenario.counts;
    // What is stopped from outside leaves sends open through no fault of the broker.
    if case.scenario.ended.cut_short() {
        return None;
    }
    if case.consume().is_some() {
        let own = case.scenario.span.map(|(_, end)| end);
        return own.filter(|_| waiting(case) > 0).or_else(|| Some(case.work_end()));
    }
    let open = if case.sends_only() { counts.acked < counts.sent } else { counts.received < counts.sent };
    open.then(|| case.work_end())
}
