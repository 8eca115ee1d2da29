//! `recovers`: did the rate come back after a fault, soon enough and near enough to what it was before?
//!
//! Recovered is the first bucket from which the mean over a second is near enough, and that over what follows. What follows is
//! taken by the second, each up to its target, so that the burst of a backlog stands for no more than its second.

use std::time::Duration;

use super::answer::{Answer, Domain, Unknown};
use super::case::Case;
use super::check::{Check, Described};
use super::targets;
use super::text::{as_f64, per_second, percent, span, time};
use crate::metrics::Timeline;
use crate::plan::Plan;

/// Means are taken over so long, and so many buckets at least.
const SECOND: Duration = Duration::from_secs(1);
const BUCKETS: usize = 3;
/// What follows is looked at for so long at least.
const FOLLOWS: Duration = Duration::from_secs(10);

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
        let before = match case.rate_before(self.after, start, &expected) {
            Ok(before) => before,
            Err(none) => return none,
        };
        if let Some(unknown) = case.idle_during(self.after).filter(|_| case.work_end() > end) {
            return Answer::inconclusive(expected, "nothing to do", &unknown);
        }
        let (until, next) = load_until(case, end);
        let after = After::new(self, case, before, (end, until));
        let found = after.look();
        match found.back {
            Some(back) => self.came_back(case, &after, &back),
            None => self.never_came_back(case, &after, &found, next),
        }
    }
}

impl Recovers<'_> {
    /// The rate was back after this time.
    fn came_back(&self, case: &Case<'_>, after: &After<'_, '_>, back: &Second) -> Answer {
        let (expected, actual) = (self.expected(), after.text(back));
        let took = after.took(back);
        let width = after.timeline.start_of(1);
        if took > *self.within && back.bucket == after.first {
            let unknown = Unknown::new(
                format!(
                    "this run's rates are known for each {} only, which does not show whether that was in time",
                    time(width)
                ),
                "make the run shorter, or `within` longer",
            );
            return Answer::inconclusive(expected, actual, &unknown);
        }
        let until = after.timeline.start_of(back.bucket + after.over);
        let covers = format!(
            "`{}` before and after `{}`, {}",
            case.scenario.name,
            self.after,
            span((after.end, until))
        );
        Answer::pass_if(took <= *self.within, expected, actual, Domain::all(1, covers))
    }

    /// It was not, as far as could be seen.
    fn never_came_back(
        &self,
        case: &Case<'_>,
        after: &After<'_, '_>,
        found: &Found,
        next: Option<&str>,
    ) -> Answer {
        let (expected, fault) = (self.expected(), self.after);
        let width = after.timeline.start_of(1);
        let best =
            found.best.map_or_else(|| "nothing".to_owned(), |best| format!("at most {}", per_second(best)));
        let actual = format!("{best} ({} before)", per_second(after.before));
        // The next bucket to look at would have been too late, or was never there.
        if found.missed && found.looked_until.is_some_and(|took| took + width > *self.within) {
            let burst = found.burst.as_ref().map(|(burst, rest)| {
                format!(
                    "{}: that did not last, with {} in what follows",
                    after.text(burst),
                    per_second(*rest)
                )
            });
            return Answer::fail(expected, actual, burst.unwrap_or_default());
        }
        let name = &case.scenario.name;
        let left = after.until.saturating_sub(after.end);
        let (why, advice) = match next {
            _ if left.is_zero() => (
                format!("the load of `{name}` had ended before `{fault}` was over"),
                format!("let `{name}` go on for longer"),
            ),
            Some(next) => (
                format!("fault `{next}` began {} after `{fault}`, before that could be seen", time(left)),
                "put the faults further apart".to_owned(),
            ),
            None if !found.missed && found.looked_until.is_some() => (
                format!("nothing of `{name}` was due, open or unread after `{fault}`"),
                format!("let `{name}` go on for longer"),
            ),
            None => (
                format!(
                    "the load of `{name}` ended {} after `{fault}`, before that could be seen",
                    time(left)
                ),
                format!("let `{name}` go on for longer"),
            ),
        };
        Answer::inconclusive(expected, actual, &Unknown::new(why, advice))
    }
}

/// Until when the load after a fault's end says something of it: its own end, or the next fault's start, with that one's name.
fn load_until<'a>(case: &Case<'a>, end: Duration) -> (Duration, Option<&'a str>) {
    let later = case.seen.faults.iter().filter_map(|fault| Some((fault.span?.0, fault.name.as_str())));
    let next = later.filter(|(start, _)| *start > end).min_by_key(|(start, _)| *start);
    match next {
        Some((start, name)) if start < case.work_end() => (start, Some(name)),
        _ => (case.work_end(), None),
    }
}

/// What came after the fault, by the buckets of the timeline.
struct After<'a, 'b> {
    case: &'a Case<'b>,
    timeline: &'a Timeline,
    before: f64,
    /// The share of its target that is near enough.
    share: f64,
    /// The fault's end, and the end of what can be looked at.
    end: Duration,
    until: Duration,
    /// The first whole bucket, and the one behind the last.
    first: usize,
    last: usize,
    /// Buckets of a second, and of what follows.
    over: usize,
    follows: usize,
}

/// A second, or what is as good as one.
struct Second {
    bucket: usize,
    rate: f64,
    /// What there was to do, where that is less than the rate before.
    to_do: Option<f64>,
}

/// What was found.
#[derive(Default)]
struct Found {
    /// From here on the rate was back.
    back: Option<Second>,
    /// The highest rate that lasted.
    best: Option<f64>,
    /// The first second that was near enough and did not last, and the rate of what followed.
    burst: Option<(Second, f64)>,
    /// Some second was not near enough.
    missed: bool,
    looked_until: Option<Duration>,
}

impl<'a, 'b> After<'a, 'b> {
    fn new(
        check: &Recovers<'_>,
        case: &'a Case<'b>,
        before: f64,
        (end, until): (Duration, Duration),
    ) -> Self {
        let timeline = &case.scenario.counts.timeline;
        let width_ms = u128::from(timeline.width_ms().max(1));
        let buckets =
            |time: Duration| usize::try_from(time.as_millis().div_ceil(width_ms)).unwrap_or(BUCKETS);
        let over = buckets(SECOND).max(BUCKETS);
        let follows = buckets(FOLLOWS.max(*check.within)).max(over);
        let (first, last) = timeline.whole(end, until);
        Self { case, timeline, before, share: 1.0 - check.tolerance, end, until, first, last, over, follows }
    }

    fn look(&self) -> Found {
        let mut found = Found::default();
        // The bucket in which the fault ended comes first: where even that and those behind it are near enough, the rate was
        // back at once, which the next bucket, up to its width later, could not tell.
        let starts_late = self.timeline.start_of(self.first) > self.end;
        let begun = if starts_late { self.first.saturating_sub(1) } else { self.first };
        for bucket in begun..(self.last + 1).saturating_sub(self.over) {
            let (done, target) = self.part(bucket, bucket + self.over);
            let (kept, wanted) = self.follows(bucket);
            let seconds = |buckets: usize| self.timeline.start_of(buckets).as_secs_f64();
            let rate = done / seconds(self.over);
            let lasting = kept / seconds(self.follows_until(bucket) - bucket);
            let second = || {
                let to_do = target / seconds(self.over);
                Second { bucket, rate, to_do: Some(to_do).filter(|to_do| *to_do < self.before) }
            };
            let (near, lasts) = (self.is_near(done, target), self.is_near(kept, wanted));
            if wanted > 0.0 && near && lasts {
                found.back = Some(second());
                break;
            }
            if bucket < self.first {
                continue;
            }
            found.looked_until = Some(self.timeline.start_of(bucket).saturating_sub(self.end));
            if wanted > 0.0 {
                found.missed = true;
                let reached = rate.min(lasting);
                found.best = Some(found.best.map_or(reached, |best| best.max(reached)));
            }
            if near && target > 0.0 && !lasts && found.burst.is_none() {
                found.burst = Some((second(), lasting));
            }
        }
        found
    }

    fn is_near(&self, done: f64, target: f64) -> bool {
        done >= self.share * target - 1e-9
    }

    /// Messages done in these buckets, and how many should have been.
    fn part(&self, from: usize, to: usize) -> (f64, f64) {
        let part = self.timeline.buckets(from, to);
        (as_f64(part.total.count), self.case.target(self.before, &part, self.timeline.start_of(to)))
    }

    fn follows_until(&self, bucket: usize) -> usize {
        (bucket + self.follows).min(self.last)
    }

    /// The same from a bucket on, by the second, each up to its target.
    fn follows(&self, bucket: usize) -> (f64, f64) {
        let until = self.follows_until(bucket);
        (bucket..until).step_by(self.over).fold((0.0, 0.0), |(kept, wanted), from| {
            let (done, target) = self.part(from, (from + self.over).min(until));
            (kept + done.min(target), wanted + target)
        })
    }

    fn took(&self, second: &Second) -> Duration {
        self.timeline.start_of(second.bucket).saturating_sub(self.end)
    }

    /// `100/s after 2.4 s (100/s before)`
    fn text(&self, second: &Second) -> String {
        let to_do = second.to_do.map(|to_do| format!(", {} to do", per_second(to_do))).unwrap_or_default();
        let took = time(self.took(second));
        format!("{} after {took} ({} before{to_do})", per_second(second.rate), per_second(self.before))
    }
}
