//! `throughput_drops`: did the rate drop while a fault was active, by at least the expected share?
//!
//! Compares whole buckets of the timeline: from the first ack or read to the fault's start, and while the
//! fault was in full effect.

use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::{as_f64, per_second, percent, span};
use crate::plan::Plan;

/// The rate drops during a fault.
pub(crate) struct ThroughputDrops<'a> {
    pub(crate) during: &'a str,
    pub(crate) at_least: &'a f64,
}

impl Check for ThroughputDrops<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::load(plan)
    }

    fn expected(&self) -> String {
        format!("at least {} less", percent(*self.at_least))
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let (fault, expected) = (self.during, self.expected());
        let span_of = match case.proven_span_of(fault) {
            Ok(span) => span,
            Err(unknown) => return Answer::inconclusive(expected, "not measured", &unknown),
        };
        let before = match case.rate_before(fault, span_of.0, &expected) {
            Ok(before) => before,
            Err(none) => return none,
        };
        let own = case.own_stalls();
        let steady = before.without_stalls(own);
        let first = before.parts.first().map_or(span_of.0, |(from, _)| *from);
        let before = before.rate;
        let (start, end) = case.effect_of(fault, span_of);
        let name = &case.scenario.name;
        // A scenario that stops because it is done proves nothing about the fault.
        let until = end.min(case.work_end());
        let part = case.scenario.counts.timeline.window(start, until);
        let Some(during) = part.rate_per_s() else {
            let width = case.scenario.counts.timeline.width_ms();
            let why = if until <= start {
                format!("scenario `{name}` ended before `{fault}`")
            } else {
                format!(
                    "scenario `{name}` and `{fault}` have no complete {width} ms interval in \
                common"
                )
            };
            let unknown = UnknownBecause::new(why, format!("run `{name}` longer"));
            return Answer::inconclusive(expected, "not measured", &unknown);
        };
        let seconds = part.length.as_secs_f64();
        let wanted = case.target(before, &part, until) / seconds;
        if wanted == 0.0 {
            let unknown = case.idle_during(fault).unwrap_or_else(|| too_little_to_do(case, fault));
            return Answer::inconclusive(expected, "no work due", &unknown);
        }
        let drop = 1.0 - during / wanted;
        let much =
            if drop < 0.0 { format!("{} more", percent(-drop)) } else { format!("{} less", percent(drop)) };
        let less = if wanted < before { format!(", {} due", per_second(wanted)) } else { String::new() };
        let actual = format!("{much} ({} before, {} during{less})", per_second(before), per_second(during));
        let asked = as_f64(part.due()) / seconds;
        if drop < *self.at_least && asked > before && 1.0 - during / asked >= *self.at_least {
            let unknown = UnknownBecause::new(
                format!(
                    "{} became due during `{fault}`, more than before it, so the drop may come \
                    only from the higher load",
                    per_second(asked)
                ),
                format!("use the same `rate` before and during `{fault}`"),
            );
            return Answer::inconclusive(expected, actual, &unknown);
        }
        let covers = format!("`{name}` before and during `{fault}`, {}", span((start, until)));
        let domain = Domain::judged_all(1, covers).without(case.ended_before(end));
        let answer = Answer::pass_if(drop >= *self.at_least, expected, actual, domain);
        // A stall of kaf6 lowers the rate before the fault, or delays messages until the fault is active.
        let late = own.over((first, until)).filter(|(from, to)| *to + (*to - *from) > start);
        let late: f64 = late.map(|(from, to)| (to - from).as_secs_f64()).sum();
        let done = during * seconds;
        let steadily = case.target(steady, &part, until).max(wanted * seconds);
        let likely = 1.0 - (done - before * late).max(0.0) / steadily;
        let answer = match own.during((first, until)).filter(|_| likely >= *self.at_least) {
            Some(unknown) => answer.explained_by(&unknown),
            None => answer,
        };
        // A stall during the fault lowers the rate as well.
        let awake = own.alone((start, until)).as_secs_f64();
        let likely = if awake > 0.0 { 1.0 - done / awake / wanted } else { 0.0 };
        match own.during((start, until)).filter(|_| likely < *self.at_least) {
            Some(unknown) => answer.unless(&unknown),
            None => answer,
        }
    }
}

/// The whole buckets of the fault had no work. The partial ones at its ends may have had some.
fn too_little_to_do(case: &CheckedScenario<'_>, fault: &str) -> UnknownBecause {
    let name = &case.scenario.name;
    UnknownBecause::new(
        format!("`{name}` had too little work during `{fault}`"),
        format!("increase `rate` of `{name}`"),
    )
}
