//! `throughput_drops`: did the rate fall while a fault lasted, by as much as the file wants?
//!
//! Compares whole buckets of the timeline: from the first ack or read to the fault's start, and within the fault.

use super::answer::{Answer, Outcome};
use super::case::{Case, per_second, percent};

/// What is wanted, in words.
pub(super) fn expected(at_least: f64) -> String {
    format!("at least {} less", percent(at_least))
}

/// The rate during the fault is less than that before it, by at least this share.
pub(super) fn throughput_drops(case: &Case<'_>, fault: &str, at_least: f64) -> Answer {
    let expected = expected(at_least);
    let unknown = |why: String| Answer::new(Outcome::Inconclusive, &expected, "not measured").because(why);
    let (start, end) = match case.proven_span_of(fault) {
        Ok(span) => span,
        Err(why) => return unknown(why),
    };
    let before = match case.rate_before(fault, start, &expected) {
        Ok(rate) => rate,
        Err(none) => return none,
    };
    let name = &case.scenario.name;
    // What stands still because it is done tells nothing of the fault.
    let until = end.min(case.work_end());
    let Some(during) = case.scenario.counts.timeline.window(start, until).rate_per_s() else {
        let width = case.scenario.counts.timeline.width_ms();
        return unknown(if until <= start {
            format!("scenario `{name}` had ended before `{fault}`")
        } else {
            format!("scenario `{name}` and `{fault}` have no whole {width} ms in common")
        });
    };
    let drop = 1.0 - during / before;
    let much =
        if drop < 0.0 { format!("{} more", percent(-drop)) } else { format!("{} less", percent(drop)) };
    let actual = format!("{much} ({} before, {} during)", per_second(before), per_second(during));
    Answer::passes_if(drop >= at_least, expected, actual)
}
