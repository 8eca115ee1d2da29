//! `recovers`: did the rate return, within the expected time, to a value close to the rate before the fault?
//!
//! The rate has recovered at the first bucket from which two means are close enough: the mean over one span,
//! and the mean over the time after it. The later mean is computed span by span, and each span counts at most
//! up to its target, so that a burst of delayed messages does not compensate for other spans. A span is one
//! second, or longer if messages came in bursts even before the fault.

use std::time::Duration;

use super::rate::Before;
use crate::checks::answer::{Answer, CheckOutcome, Domain, UnknownBecause};
use crate::checks::case::{CheckedScenario, without};
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::{as_f64, per_second, percent, span, time};
use crate::metrics::Timeline;
use crate::plan::{FaultKind, Plan};

/// Means use the first of these lengths that is long enough and has the minimum number of buckets.
const SPANS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
const BUCKETS: usize = 3;
/// Minimum time to look at after the first span.
const FOLLOWS: Duration = Duration::from_secs(10);

/// The rate recovers after a fault.
pub(crate) struct Recovers<'a> {
    pub(crate) after: &'a str,
    pub(crate) within: &'a Duration,
    pub(crate) tolerance: &'a f64,
}

impl Check for Recovers<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::load(plan)
    }

    fn expected(&self) -> String {
        format!("{} of the rate within {}", percent(1.0 - self.tolerance), time(*self.within))
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
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
            return Answer::inconclusive(expected, "no work due", &unknown);
        }
        let (until, next) = load_until(case, end);
        let answer = self.judge(case, &before, (end, until), next);
        let answer = match self.own_stall(case, &before, (end, until), next) {
            Some(unknown) => answer.explained_by(&unknown),
            None => answer,
        };
        let answer = self.unless_lowered(case, answer, &before, (end, until), next);
        // Another fault may keep the rate down. That is no excuse if the rate stays down after that fault has
        // also ended.
        match longer_than(case, self.after, end) {
            Some((other, over))
                if answer.outcome() == CheckOutcome::Fail
                    && (over >= until
                        || self.judge(case, &before, (over, until), next).outcome()
                            != CheckOutcome::Fail) =>
            {
                let unknown = UnknownBecause::new(
                    format!("fault `{other}` was still active when `{}` ended", self.after),
                    "space the faults further apart",
                );
                Answer::inconclusive(expected, answer.actual(), &unknown)
            }
            _ => answer,
        }
    }
}

impl Recovers<'_> {
    /// States that the rate may have stayed down only because kaf6 made no progress. `None` if it also stayed down
    /// for too long without the stalls, or between two of them.
    fn own_stall(
        &self,
        case: &CheckedScenario<'_>,
        before: &Before,
        (end, until): (Duration, Duration),
        next: Option<&str>,
    ) -> Option<UnknownBecause> {
        let matters = (end, until.min(end + *self.within + FOLLOWS.max(*self.within)));
        let own = case.own_stalls();
        let unknown = own.during(matters)?;
        let after = After::new(self, case, before, (end, until));
        let took = after.look().back.map(|back| after.took(&back));
        let is_late = took.is_some_and(|took| own.alone((end, end + took)) > *self.within);
        let awake = without((end, until), own.over(matters));
        let fails = |part| self.judge(case, before, part, next).outcome() == CheckOutcome::Fail;
        (!is_late && !awake.into_iter().any(fails)).then_some(unknown)
    }

    /// A stall of kaf6 before the fault lowers the rate that the later one is compared with.
    fn unless_lowered(
        &self,
        case: &CheckedScenario<'_>,
        answer: Answer,
        before: &Before,
        span: (Duration, Duration),
        next: Option<&str>,
    ) -> Answer {
        let own = case.own_stalls();
        let Some(unknown) = before.parts.iter().find_map(|part| own.during(*part)) else { return answer };
        let steady = Before { rate: before.without_stalls(own), parts: before.parts.clone() };
        match self.judge(case, &steady, span, next).outcome() {
            CheckOutcome::Pass => answer,
            _ => answer.unless(&unknown),
        }
    }

    /// Whether the rate recovered in this period.
    fn judge(
        &self,
        case: &CheckedScenario<'_>,
        before: &Before,
        span: (Duration, Duration),
        next: Option<&str>,
    ) -> Answer {
        let after = After::new(self, case, before, span);
        let found = after.look();
        let answer = match &found.back {
            Some(back) => self.came_back(case, &after, back),
            None => self.never_came_back(case, &after, &found, next),
        };
        match &after.uneven {
            Some(unknown) if answer.outcome() == CheckOutcome::Fail => {
                Answer::inconclusive(self.expected(), answer.actual(), unknown)
            }
            _ => answer,
        }
    }

    /// The rate recovered after this time.
    fn came_back(&self, case: &CheckedScenario<'_>, after: &After<'_, '_>, back: &FirstSpan) -> Answer {
        let (expected, actual) = (self.expected(), after.text(back));
        let took = after.took(back);
        let width = after.timeline.start_of(1);
        if took > *self.within && back.bucket == after.first {
            let unknown = UnknownBecause::new(
                format!(
                    "the buckets of this run's timeline are {} wide, too wide to tell whether the \
                    rate recovered in time",
                    time(width)
                ),
                "shorten the run, or increase `within`",
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
        Answer::pass_if(took <= *self.within, expected, actual, Domain::judged_all(1, covers))
    }

    /// The rate did not recover in the observed time.
    fn never_came_back(
        &self,
        case: &CheckedScenario<'_>,
        after: &After<'_, '_>,
        found: &RecoveryFound,
        next: Option<&str>,
    ) -> Answer {
        let (expected, fault) = (self.expected(), self.after);
        let width = after.timeline.start_of(1);
        let best =
            found.best.map_or_else(|| "nothing".to_owned(), |best| format!("at most {}", per_second(best)));
        let actual = format!("{best} ({} before)", per_second(after.before));
        // The next bucket would be too late, or does not exist.
        if found.missed && found.looked_until.is_some_and(|took| took + width > *self.within) {
            let burst = found.burst.as_ref().map(|(burst, rest)| {
                format!(
                    "{}, but the recovery did not last: {} afterwards",
                    after.text(burst),
                    per_second(*rest)
                )
            });
            return Answer::fail(expected, actual, burst.unwrap_or_default());
        }
        let name = &case.scenario.name;
        let left = after.until.saturating_sub(after.end);
        let (why, advice) = match next {
            _ if left.is_zero() => {
                (format!("the load of `{name}` ended before `{fault}`"), format!("run `{name}` longer"))
            }
            Some(next) => (
                format!("fault `{next}` began {} after `{fault}`, too early to see a recovery", time(left)),
                "space the faults further apart".to_owned(),
            ),
            None if !found.missed && found.looked_until.is_some() => (
                format!("`{name}` had no work after `{fault}` (no message due, unacked or unread)"),
                format!("run `{name}` longer"),
            ),
            None => (
                format!(
                    "the load of `{name}` ended {} after `{fault}`, too early to see a recovery",
                    time(left)
                ),
                format!("run `{name}` longer"),
            ),
        };
        Answer::inconclusive(expected, actual, &UnknownBecause::new(why, advice))
    }
}

/// Until when the load after a fault's end can be used: the scenario's end, or the start of the next fault,
/// with its name.
fn load_until<'a>(case: &CheckedScenario<'a>, end: Duration) -> (Duration, Option<&'a str>) {
    let later = case.seen.faults.iter().filter_map(|fault| Some((fault.span?.0, fault.name.as_str())));
    let next = later.filter(|(start, _)| *start > end).min_by_key(|(start, _)| *start);
    match next {
        Some((start, name)) if start < case.work_end() => (start, Some(name)),
        _ => (case.work_end(), None),
    }
}

/// Of the other faults that started before this fault's end, the one whose targets became ready last. A
/// `start` fault ends another fault and has no effects itself.
fn longer_than<'a>(case: &CheckedScenario<'a>, fault: &str, end: Duration) -> Option<(&'a str, Duration)> {
    let others =
        case.seen.faults.iter().filter(|other| other.name != fault && other.kind != FaultKind::Start);
    let lasts = others.filter_map(|other| {
        let (start, over) = other.span?;
        let over = other.settled.map_or(over, |settled| settled.max(over));
        (start <= end && over > end).then_some((other.name.as_str(), over))
    });
    lasts.max_by_key(|(_, over)| *over)
}

/// The buckets of the timeline after the fault.
struct After<'a, 'b> {
    case: &'a CheckedScenario<'b>,
    timeline: &'a Timeline,
    before: f64,
    /// The share of its target that a span must reach.
    share: f64,
    /// The fault's end, and the end of the usable time.
    end: Duration,
    until: Duration,
    /// The first whole bucket, and the one after the last.
    first: usize,
    last: usize,
    /// Number of buckets in a span, and in the time after it.
    over: usize,
    follows: usize,
    /// The rate before the fault is itself outside the tolerance, so a rate after it that is outside proves
    /// nothing.
    uneven: Option<UnknownBecause>,
}

/// The first span in which the rate was close enough.
struct FirstSpan {
    bucket: usize,
    rate: f64,
    /// How much work there was, if it was less than the rate before.
    to_do: Option<f64>,
}

#[derive(Default)]
struct RecoveryFound {
    /// The rate recovered here.
    back: Option<FirstSpan>,
    /// The highest sustained rate.
    best: Option<f64>,
    /// The first span that was close enough but not sustained, and the rate after it.
    burst: Option<(FirstSpan, f64)>,
    /// At least one span was not close enough.
    missed: bool,
    looked_until: Option<Duration>,
}

impl<'a, 'b> After<'a, 'b> {
    fn new(
        check: &Recovers<'_>,
        case: &'a CheckedScenario<'b>,
        before: &Before,
        (end, until): (Duration, Duration),
    ) -> Self {
        let timeline = &case.scenario.counts.timeline;
        let (first, last) = timeline.whole(end, until);
        let share = 1.0 - check.tolerance;
        let mut after = Self {
            case,
            timeline,
            before: before.rate,
            share,
            end,
            until,
            first,
            last,
            over: 0,
            follows: 0,
            uneven: None,
        };
        let kept = after.choose_span(before, *check.tolerance);
        if !after.is_near(kept, 1.0) {
            after.uneven = Some(UnknownBecause::new(
                format!(
                    "the rate of `{}` also varied too much before `{}`: its intervals of \
                    {} completed only {} of the work due (each interval counts up to its target)",
                    case.scenario.name,
                    check.after,
                    time(timeline.start_of(after.over)),
                    percent(kept)
                ),
                "increase `tolerance`, or start the fault later",
            ));
        }
        after.follows = after.buckets_of(FOLLOWS.max(*check.within)).max(2 * after.over);
        after
    }

    /// Selects the span: the first length for which the rate before the fault is well within the tolerance,
    /// else the first for which it is within, else the shortest. Two spans must fit into the usable time.
    /// Returns the share that this span reached before the fault.
    fn choose_span(&mut self, before: &Before, tolerance: f64) -> f64 {
        let all = SPANS.map(|span| self.buckets_of(span).max(BUCKETS));
        let fits = |over: &usize| *over == all[0] || self.first + 2 * over <= self.last;
        let kept: Vec<_> = all
            .iter()
            .filter(|over| fits(over))
            .map(|over| (*over, self.kept_in(&before.parts, *over)))
            .collect();
        let first = |least: f64| kept.iter().find(|(_, kept)| *kept >= least - 1e-9);
        let chosen = first(1.0 - tolerance / 2.0).or_else(|| first(self.share)).or(kept.first());
        let (over, kept) = chosen.copied().unwrap_or((all[0], 1.0));
        self.over = over;
        kept
    }

    fn buckets_of(&self, time: Duration) -> usize {
        let width_ms = u128::from(self.timeline.width_ms().max(1));
        usize::try_from(time.as_millis().div_ceil(width_ms)).unwrap_or(BUCKETS)
    }

    /// The share of the target that whole spans of these periods reached, where each counts at most up to its
    /// target.
    fn kept_in(&self, parts: &[(Duration, Duration)], over: usize) -> f64 {
        let spans = parts.iter().flat_map(|(from, to)| {
            let (first, last) = self.timeline.whole(*from, *to);
            let spans = last.saturating_sub(first) / over;
            (0..spans).map(move |span| first + span * over)
        });
        let (kept, wanted) = self.sum(spans, over);
        if wanted > 0.0 { kept / wanted } else { 1.0 }
    }

    /// What the spans starting at these buckets reached, each at most up to its target, and the sum of their
    /// targets.
    fn sum(&self, spans: impl Iterator<Item = usize>, over: usize) -> (f64, f64) {
        spans.fold((0.0, 0.0), |(kept, wanted), from| {
            let (done, target) = self.part(from, from + over);
            (kept + done.min(target), wanted + target)
        })
    }

    fn look(&self) -> RecoveryFound {
        let mut found = RecoveryFound::default();
        // The bucket in which the fault ended comes first. If it and the following ones are close enough, the
        // rate recovered immediately. The next bucket alone, which starts later, could not show that.
        let starts_late = self.timeline.start_of(self.first) > self.end;
        let begun = if starts_late { self.first.saturating_sub(1) } else { self.first };
        for bucket in begun..(self.last + 1).saturating_sub(self.over) {
            let (done, target) = self.part(bucket, bucket + self.over);
            let (kept, wanted) = self.follows(bucket);
            let seconds = |buckets: usize| self.timeline.start_of(buckets).as_secs_f64();
            let rate = done / seconds(self.over);
            let lasting = kept / seconds(self.follows_until(bucket) - bucket);
            let span = || {
                let to_do = target / seconds(self.over);
                FirstSpan { bucket, rate, to_do: Some(to_do).filter(|to_do| *to_do < self.before) }
            };
            let (near, lasts) = (self.is_near(done, target), self.is_near(kept, wanted));
            if wanted > 0.0 && near && lasts {
                found.back = Some(span());
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
                found.burst = Some((span(), lasting));
            }
        }
        found
    }

    fn is_near(&self, done: f64, target: f64) -> bool {
        done >= self.share * target - 1e-9
    }

    /// Number of messages done in these buckets, and how many were expected.
    fn part(&self, from: usize, to: usize) -> (f64, f64) {
        let part = self.timeline.buckets(from, to);
        (as_f64(part.total.count), self.case.target(self.before, &part, self.timeline.start_of(to)))
    }

    /// The end of the last whole span after the first one. There is at least one.
    fn follows_until(&self, bucket: usize) -> usize {
        let most = (bucket + self.follows).min(self.last);
        bucket + (most.saturating_sub(bucket) / self.over).max(1) * self.over
    }

    /// Like [`Self::part`], starting at a bucket, where each span counts at most up to its target.
    fn follows(&self, bucket: usize) -> (f64, f64) {
        self.sum((bucket..self.follows_until(bucket)).step_by(self.over), self.over)
    }

    fn took(&self, first: &FirstSpan) -> Duration {
        self.timeline.start_of(first.bucket).saturating_sub(self.end)
    }

    /// Such as `100/s after 2.4 s (100/s before)`.
    fn text(&self, first: &FirstSpan) -> String {
        let to_do = first.to_do.map(|to_do| format!(", {} due", per_second(to_do))).unwrap_or_default();
        let took = time(self.took(first));
        format!("{} after {took} ({} before{to_do})", per_second(first.rate), per_second(self.before))
    }
}
