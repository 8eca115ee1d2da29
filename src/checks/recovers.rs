//! `recovers`: did the rate come back after a fault, soon enough and near enough to what it was before?
//!
//! Recovered is the first bucket from which the mean rate over a second (at least 3 buckets) is near enough.

use std::time::Duration;

use super::answer::{Answer, Outcome};
use super::case::{Case, per_second, percent, time};

/// The mean is taken over so long.
const OVER: Duration = Duration::from_secs(1);
/// And over so many buckets at least.
const BUCKETS: usize = 3;

/// What is wanted, in words.
pub(super) fn expected(within: Duration, tolerance: f64) -> String {
    format!("{} of the rate within {}", percent(1.0 - tolerance), time(within))
}

/// Within this time from the fault's end, the rate is what it was before, less at most `tolerance` of it.
pub(super) fn recovers(case: &Case<'_>, fault: &str, within: Duration, tolerance: f64) -> Answer {
    let expected = expected(within, tolerance);
    let unknown = |why: String| Answer::new(Outcome::Inconclusive, &expected, "not measured").because(why);
    let (start, end) = match case.span_of(fault) {
        Ok(span) => span,
        Err(why) => return unknown(why),
    };
    let before = match case.rate_before(fault, start, &expected) {
        Ok(rate) => rate,
        Err(none) => return none,
    };
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
                return Answer::new(Outcome::Inconclusive, expected, actual).because(format!(
                    "this run's rates are known for each {} only, which does not show whether that was in time",
                    time(width)
                ));
            }
            return Answer::passes_if(took <= within, expected, actual);
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
        return Answer::new(Outcome::Fail, expected, actual);
    }
    let left = case.work_end().saturating_sub(end);
    Answer::new(Outcome::Inconclusive, expected, actual).because(if left.is_zero() {
        format!("the load of `{name}` had ended before `{fault}` was over")
    } else {
        format!("the load of `{name}` ended {} after `{fault}`, before that could be seen", time(left))
    })
}
