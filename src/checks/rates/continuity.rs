//! `continuity`: was the time between two acks, or two reads, never longer than the file allows?
//!
//! Only periods count in which an ack or read was expected, because a message was due, in flight or unread.
//! `metrics::gaps` records them during the run. The period at the end of the run is added here.

use std::time::Duration;

use crate::anomaly::Anomaly;
use crate::checks::answer::{Answer, Domain};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::{counted, span, time};
use crate::plan::{Plan, Work};

/// No gap is longer than `max_gap`.
pub(crate) struct Continuity<'a> {
    pub(crate) max_gap: &'a Duration,
}

impl Check for Continuity<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        let own = targets::of(plan, Work::has_messages);
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
        let own = case.own_stalls();
        let domain = Domain::judged_all(moments, covered(case))
            .without(case.ended_early())
            .without(case.all_idle_during_a_fault())
            .without(own.longer_than(*self.max_gap, case.whole_span()));
        // A gap that is too long even without the time in which kaf6 itself made no progress.
        let too_long = counts.gaps.stalls(tail).filter(|gap| own.alone(*gap) > *self.max_gap);
        let longest = too_long.max_by_key(|(from, to)| *to - *from);
        let explained = longest.is_none();
        let longest = longest.or_else(|| counts.gaps.longest_within(Duration::ZERO, Duration::MAX, tail));
        let Some((from, to)) = longest else {
            let actual = format!("no gap over {}", time(crate::metrics::RESOLUTION));
            return Answer::pass(self.expected(), actual, domain);
        };
        let actual =
            format!("{} without {}", time(to - from), if case.sends() { "an ack" } else { "a read" });
        let during = case.during(from, to);
        let unread = waiting(case);
        let unread = if unread > 0 {
            format!("; {} unread", counted(unread, "acked message", "acked messages"))
        } else {
            String::new()
        };
        let answer = Answer::pass_if(to - from <= *self.max_gap, self.expected(), actual, domain)
            .because(format!("from {}{during}{unread}", span((from, to))));
        match own.during((from, to)).filter(|_| explained) {
            Some(unknown) => answer.explained_by(&unknown),
            None => answer,
        }
    }
}

impl Continuity<'_> {
    /// There was neither an ack nor a read, and none was expected.
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

/// The time that the result covers. In the warm-up of a round trip, no gap is measured.
fn covered(case: &CheckedScenario<'_>) -> String {
    match case.work() {
        Work::Roundtrip(plan) if plan.warmup > 0 => format!("{}, except its warm-up", case.span_in_words()),
        _ => case.span_in_words(),
    }
}

/// Number of acked messages that this reader has not read.
fn waiting(case: &CheckedScenario<'_>) -> u64 {
    let readings = case.readings();
    readings.unread() + readings.number(Anomaly::Unreadable)
}

/// The time after the last ack or read during which another one was expected. `None` if nothing was.
pub(crate) fn stall_at_end(case: &CheckedScenario<'_>) -> Option<(Duration, Duration)> {
    // If something else ends the scenario, messages stay in flight for no fault of the broker.
    if case.scenario.ended.cut_short() {
        return None;
    }
    let gaps = &case.scenario.counts.gaps;
    let known = !matches!(case.work(), Work::Consume(_)) || case.work().knows_acks(case.plan);
    let end = if known { case.whole_span().1 } else { case.work_end() };
    // A reader that never reached its partition did not record what was expected there.
    let unread = || (waiting(case) > 0).then(|| gaps.last().unwrap_or_default().max(case.work_end()));
    let since = gaps.waiting().or_else(unread)?;
    Some((since, end.max(since)))
}
