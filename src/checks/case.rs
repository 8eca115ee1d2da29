//! One scenario that a check runs against, with the plan, all observations, and how far the scenario got.

use std::time::Duration;

use super::answer::{Answer, CheckOutcome, UnknownBecause};
use super::proof::{fault_seen, unproven};
use super::text::span;
use crate::observe::{EarlyEnd, FaultSeen, Observations, ScenarioEnd, ScenarioSeen};
use crate::plan::{ConsumePlan, From, Plan, ScenarioKind, Work};
use crate::units::thousands;

/// The advice if a readback consumer did not read everything. The file has no such scenario to change.
pub(super) const READ_BACK: &str = "increase `run.timeout`, or set `verify: false` in its producers";

/// One scenario that a check runs against.
#[derive(Clone, Copy)]
pub(super) struct CheckedScenario<'a> {
    pub(super) plan: &'a Plan,
    pub(super) seen: &'a Observations,
    /// Its index in the plan.
    pub(super) index: usize,
    pub(super) scenario: &'a ScenarioSeen,
}

impl<'a> CheckedScenario<'a> {
    pub(super) fn work(&self) -> &'a Work {
        &self.plan.scenarios[self.index].work
    }

    pub(super) fn consume(&self) -> Option<&'a ConsumePlan> {
        match self.work() {
            Work::Consume(consume) => Some(consume),
            _ => None,
        }
    }

    /// Whether it sends messages.
    pub(super) fn sends(&self) -> bool {
        self.scenario.kind.writes()
    }

    pub(super) fn sends_only(&self) -> bool {
        self.scenario.kind == ScenarioKind::Produce
    }

    /// The scenarios whose messages it reads, by index in the plan.
    pub(super) fn producers(&self) -> impl Iterator<Item = (usize, &'a ScenarioSeen)> {
        let names = self.consume().map(|consume| consume.producers.as_slice()).unwrap_or_default();
        let (plan, seen) = (self.plan, self.seen);
        plan.scenarios.iter().enumerate().filter_map(move |(index, scenario)| {
            Some((index, seen.scenarios.get(index)?)).filter(|_| names.contains(&scenario.name))
        })
    }

    /// Number of messages and end markers in the run for which a broker broke its promise.
    pub(super) fn broken_in_run(&self) -> u64 {
        self.seen.accounts.as_ref().map_or(0, crate::ledger::Accounts::broken)
    }

    /// Why it ended early, and what to do about it. The readings tell separately how much it read.
    pub(super) fn ended_early(&self) -> Option<UnknownBecause> {
        let name = &self.scenario.name;
        let ended = self.scenario.ended;
        let background = !self.work().has_messages();
        // A consumer of any records has no end other than its timeouts.
        let no_end = self.consume().is_some_and(|it| it.from == From::Any && it.limit.is_none());
        let added = self.consume().is_some_and(|it| it.readback);
        let (why, advice) = match ended {
            ScenarioEnd::Done => return None,
            ScenarioEnd::Timeout | ScenarioEnd::Idle if background || no_end => return None,
            ScenarioEnd::Timeout | ScenarioEnd::Idle if added => {
                (format!("scenario `{name}` did not read all expected messages"), READ_BACK.to_owned())
            }
            ScenarioEnd::Timeout => {
                (format!("scenario `{name}` timed out"), format!("increase `timeout` of `{name}`"))
            }
            ScenarioEnd::Idle => (
                format!("scenario `{name}` received nothing more within its `idle_timeout`"),
                format!("increase `idle_timeout` of `{name}`"),
            ),
            ScenarioEnd::Aborted | ScenarioEnd::Interrupted => {
                (format!("scenario `{name}` was {} before it finished", ended.name()), self.after_cut())
            }
            ScenarioEnd::Skipped | ScenarioEnd::Failed => (
                match &self.scenario.message {
                    Some(message) if self.cause() == name.as_str() => {
                        format!("scenario `{name}` could not run: {message}")
                    }
                    _ => format!("scenario `{name}` could not run"),
                },
                match self.cause() {
                    own if own == name && self.scenario.message.is_some() => String::new(),
                    own if own == name => "see the notes of the report".to_owned(),
                    cause => format!("see why `{cause}` could not run"),
                },
            ),
            ScenarioEnd::Fatal => (
                format!("the client of scenario `{name}` stopped after a fatal error"),
                format!("see the message of `{name}` and the log of its broker"),
            ),
        };
        Some(UnknownBecause::new(why, advice))
    }

    /// The scenario whose message explains why this one could not run: the one that it waited for. If several
    /// scenarios were prevented by something else, the first, which the verdict also names.
    fn cause(&self) -> &'a str {
        let (plans, seen) = (&self.plan.scenarios, &self.seen.scenarios);
        let mut of = self.index;
        // The plan has no cycles. The limit guarantees that the loop ends.
        for _ in plans {
            let start = &plans[of].start;
            let before = start.after.iter().chain(start.when.iter().map(|when| &when.scenario));
            let idle = |at: &usize| seen.get(*at).is_some_and(|it| it.ended.could_not_work());
            let next = before.filter_map(|name| plans.iter().position(|it| it.name == *name)).find(idle);
            match next.filter(|_| seen.get(of).is_some_and(|it| it.ended == ScenarioEnd::Skipped)) {
                Some(next) => of = next,
                None => break,
            }
        }
        let message = seen.get(of).and_then(|it| it.message.as_ref());
        let first = seen.iter().find(|it| it.ended.could_not_work() && it.message.as_ref() == message);
        first.map_or(&self.scenario.name, |it| &it.name)
    }

    /// Like [`CheckedScenario::ended_early`], for measurements up to `time`. An early end after that does not
    /// matter.
    pub(super) fn ended_before(&self, time: Duration) -> Option<UnknownBecause> {
        self.ended_early().filter(|_| self.work_end() < time)
    }

    /// What to do after a run that was ended early.
    pub(super) fn after_cut(&self) -> String {
        match &self.seen.cut {
            Some(EarlyEnd::Timeout) => "increase `run.timeout`".to_owned(),
            Some(EarlyEnd::Crash) => "see the log of the container that crashed".to_owned(),
            Some(EarlyEnd::Abort(check)) => format!("relax check `{check}`, or remove its `abort`"),
            Some(EarlyEnd::Signal(_)) | None => "let the run finish".to_owned(),
        }
    }

    /// The scenario ran but observed nothing. The answer fails only if a broker broke a promise.
    pub(super) fn no_data(&self, expected: impl Into<String>) -> Answer {
        let broken = self.broken_in_run();
        if self.work().has_messages() && broken > 0 {
            let evidence =
                format!("the broker broke its promise for {} messages of this run", thousands(broken));
            return Answer::fail(expected, "no data", evidence);
        }
        let name = &self.scenario.name;
        let unknown = self.ended_early().unwrap_or_else(|| {
            UnknownBecause::new(
                format!("scenario `{name}` observed nothing"),
                format!("check the topic, partition and `timeout` of `{name}`"),
            )
        });
        Answer::inconclusive(expected, "no data", &unknown)
    }

    /// From the scenario's start to its end.
    pub(super) fn whole_span(&self) -> (Duration, Duration) {
        self.scenario.span.unwrap_or_default()
    }

    /// Such as `` `write`, 0.000 s to 12.345 s``.
    pub(super) fn span_in_words(&self) -> String {
        format!("`{}`, {}", self.scenario.name, span(self.whole_span()))
    }

    /// When a fault was active, or else that it never started.
    pub(super) fn span_of(&self, fault: &str) -> Result<(Duration, Duration), UnknownBecause> {
        let seen = fault_seen(self.seen, fault);
        seen.and_then(|seen| seen.span).ok_or_else(|| {
            UnknownBecause::new(format!("fault `{fault}` never started"), format!("start `{fault}` earlier"))
        })
    }

    /// The part of a fault's span in which it was in full effect. Rates during the fault are measured in it.
    pub(super) fn effect_of(&self, fault: &str, span: (Duration, Duration)) -> (Duration, Duration) {
        fault_seen(self.seen, fault).and_then(|seen| seen.effect).unwrap_or(span)
    }

    /// When a fault was active, if it is proven to have taken effect. Otherwise why it is not.
    pub(super) fn proven_span_of(&self, fault: &str) -> Result<(Duration, Duration), UnknownBecause> {
        let span = self.span_of(fault)?;
        match unproven(self.plan, self.seen).into_iter().find(|unproven| unproven.name == fault) {
            Some(unproven) => Err(unproven.unknown()),
            None => Ok(span),
        }
    }

    /// The faults that were active in a period, as the end of a sentence: ``, during `bounce` ``. Empty if
    /// there were none.
    pub(super) fn during(&self, from: Duration, to: Duration) -> String {
        let lasted = |f: &&FaultSeen| f.span.is_some_and(|(start, end)| start <= to && end >= from);
        let names: Vec<String> =
            self.seen.faults.iter().filter(lasted).map(|fault| format!("`{}`", fault.name)).collect();
        if names.is_empty() { String::new() } else { format!(", during {}", names.join(" and ")) }
    }

    /// The parts of a period outside all faults and outside the time to become ready after them.
    pub(super) fn without_faults(&self, from: Duration, to: Duration) -> Vec<(Duration, Duration)> {
        let faults = self.seen.faults.iter().filter_map(|fault| {
            let (start, end) = fault.span?;
            Some((start, fault.settled.map_or(end, |settled| settled.max(end))))
        });
        without((from, to), faults)
    }

    /// When the scenario's work ended. A reader's work ends with the work of its producers.
    pub(super) fn work_end(&self) -> Duration {
        let own = self.scenario.span.map_or(Duration::ZERO, |(_, end)| end);
        let producers = self.producers().filter_map(|(_, scenario)| scenario.span);
        producers.map(|(_, end)| end).max().map_or(own, |end| end.min(own))
    }
}

/// Makes a failure inconclusive if the scenario was ended early and more time could have changed the result.
pub(super) fn downgrade_if_cut_short(case: &CheckedScenario<'_>, answer: Answer) -> Answer {
    match case.ended_early() {
        Some(unknown) if case.scenario.ended.cut_short() && answer.outcome() == CheckOutcome::Fail => {
            Answer::inconclusive(answer.expected(), answer.actual(), &unknown).because(answer.message())
        }
        _ => answer,
    }
}

/// Subtracts periods from a period. Empty parts are omitted.
pub(super) fn without(
    whole: (Duration, Duration),
    others: impl Iterator<Item = (Duration, Duration)>,
) -> Vec<(Duration, Duration)> {
    others.fold(vec![whole], |parts, (start, end)| {
        let split = |(from, to): (Duration, Duration)| {
            if end <= from || start >= to {
                return [(from, to), (to, to)];
            }
            [(from, start.max(from)), (end.min(to), to)]
        };
        parts.into_iter().flat_map(split).filter(|(from, to)| from < to).collect()
    })
}
