//! `recovers`: did the rate come back after a fault, soon enough and near enough to what it was before?
//!
//! Recovered is the first bucket from which the mean rate over a second (at least 3 buckets) is near enough.

use std::time::Duration;

use super::answer::{Answer, Domain, Unknown};
use super::case::Case;
use super::check::{Check, Described};
use super::targets;
use super::text::{per_second, percent, span, time};
use crate::plan::Plan;

/// The mean is taken over so long.
const OVER: Duration = Duration::from_secs(1);
/// And over so many buckets at least.
const BUCKETS: usize = 3;

/// The rate comes back after a fault.
pub(super) struct Recovers<'a> {
    pub(super) after: &'a str,
    pub(super) within: &'a Duration,
    pub(super) tolerance: &'a f64,
}

impl Described for Recovers<'_> {
    const KIND: &'static str = "recovers";
}

impl Check for Recovers<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::load(plan)
    }

    fn expected(&self) -> String {
        format!("{} of the rate within {}", percent(1.0 - self.tolerance), time(*self.within))
    }

    fn fault(&self) -> Option<&str> {
        Some(self.after)
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        let expected = self.expected();
        let (start, end) = match case.span_of(self.after) {
            Ok(span) => span,
            Err(unknown) => return Answer::inconclusive(expected, "not measured", &unknown),
        };
        match case.rate_before(self.after, start, &expected) {
            Ok(before) => recovers(case, self, before, end),
            Err(none) => none,
        }
    }
}

/// Within this time from the fault's end, the rate is what it was before, less at most `tolerance` of it.
fn recovers(case: &Case<'_>, check: &Recovers<'_>, before: f64, end: Duration) -> Answer {
    let Recovers { after: fault, within, tolerance } = *check;
    let (within, expected) = (*within, check.expected());
    let name = &case.scenario.name;
    let wanted = (1.0 - tolerance) * before;
    let timeline = &case.scenario.counts.timeline;
    let width = Duration::from_millis(timeline.width_ms().max(1));
    let over = usize::try_from(OVER.as_millis().div_ceil(width.as_millis())).unwrap_or(BUCKETS).max(BUCKETS);
    let (first, last) = timeline.whole(end, case.work_end());
    let mut best: Option<f64> = None;
    let mut looked_until = None;
    // The bucket in which the fault ended comes first: where even that and those behind it are near enough, the rate was
    // back at once, which the next bucket, up to its width later, could not tell.
    let begun = if timeline.start_of(first) > end { first.saturating_sub(1) } else { first };
    for bucket in begun..(last + 1).saturating_sub(over) {
        let from = timeline.start_of(bucket);
        let Some(rate) = timeline.window(from, timeline.start_of(bucket + over)).rate_per_s() else {
            continue;
        };
        let took = from.saturating_sub(end);
        if rate >= wanted {
            let actual = format!("{} after {} ({} before)", per_second(rate), time(took), per_second(before));
            if took > within && bucket == first {
                let unknown = Unknown::new(
                    format!(
                        "this run's rates are known for each {} only, which does not show whether that was in time",
                        time(width)
                    ),
                    "make the run shorter, or `within` longer",
                );
                return Answer::inconclusive(expected, actual, &unknown);
            }
            let until = timeline.start_of(bucket + over);
            let covers = format!("`{name}` before and after `{fault}`, {}", span((end, until)));
            return Answer::pass_if(took <= within, expected, actual, Domain::all(1, covers));
        }
        if bucket < first {
            continue;
        }
        looked_until = Some(took);
        best = Some(best.map_or(rate, |best| best.max(rate)));
    }
    // The next bucket to look at would have been too late, or was never there.
    let enough = looked_until.is_some_and(|took| took + width > within);
    let best = best.map_or_else(|| "nothing".to_owned(), |rate| format!("at most {}", per_second(rate)));
    let actual = format!("{best} ({} before)", per_second(before));
    if enough {
        return Answer::fail(expected, actual, "");
    }
    let left = case.work_end().saturating_sub(end);
    let why = if left.is_zero() {
        format!("the load of `{name}` had ended before `{fault}` was over")
    } else {
        format!("the load of `{name}` ended {} after `{fault}`, before that could be seen", time(left))
    };
    Answer::inconclusive(expected, actual, &Unknown::new(why, format!("let `{name}` go on for longer")))
}
