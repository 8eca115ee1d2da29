//! `continuity`: was there no longer time without an ack, or without a read, than the file allows?
//!
//! A stall before a producer's first ack counts as well, and one at the end: while sends were still open, or while others still wrote what was to be read.

use std::time::Duration;

use super::answer::Answer;
use super::case::{Case, time};

/// What is wanted, in words.
pub(super) fn expected(max_gap: Duration) -> String {
    format!("no gap over {}", time(max_gap))
}

/// No longer gap than this.
pub(super) fn continuity(case: &Case<'_>, max_gap: Duration) -> Answer {
    let expected = expected(max_gap);
    let gaps = &case.scenario.counts.gaps;
    if gaps.first().is_none() {
        return Answer::no_data(expected);
    }
    // A producer waits for its first ack from its start on; a reader's first read waits for others.
    let begun = case.scenario.span.map(|(start, _)| start).filter(|_| case.sends());
    let longest = gaps.longest_within(Duration::ZERO, Duration::MAX, begun, trailing(case));
    let Some((from, to)) = longest else {
        return Answer::passes_if(true, expected, format!("none over {}", time(crate::metrics::RESOLUTION)));
    };
    let actual = format!("{} without {}", time(to - from), if case.sends() { "an ack" } else { "a read" });
    let answer = Answer::passes_if(to - from <= max_gap, expected, actual);
    let during = case.during(from, to);
    answer.because(format!("from {:.3} s to {:.3} s{during}", from.as_secs_f64(), to.as_secs_f64()))
}

/// Until when an ack or read was still to come after the last one.
pub(super) fn trailing(case: &Case<'_>) -> Option<Duration> {
    let counts = &case.scenario.counts;
    // Who is stopped from outside leaves sends open through no fault of the broker.
    if case.scenario.ended.cut_short() {
        return None;
    }
    let open = match case.scenario.kind {
        "consume" => true,
        "roundtrip" => counts.received < counts.sent,
        _ => counts.acked < counts.sent,
    };
    open.then(|| case.work_end())
}
