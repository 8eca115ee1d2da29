//! Runs the checks of a plan on observations, after the run and, for checks with `abort`, during it.

use std::time::Duration;

use super::answer::{Answer, CheckOutcome, UnknownBecause};
use super::case::CheckedScenario;
use super::own_stalls::OwnStalls;
use super::proof::{downgrade_if_unproven, unproven};
use super::rates::{continuity, threshold};
use super::{check_of, targets_of};
use crate::observe::{Observations, ScenarioEnd};
use crate::plan::{CheckPlan, CheckSettings, Plan, Work};

/// The answer of one check for one scenario.
#[derive(Debug, Clone)]
pub struct CheckResult {
    pub check: CheckPlan,
    /// The scenario that it ran against. `None` if the file has no scenario of a matching kind.
    pub scenario: Option<String>,
    pub answer: Answer,
}

/// Runs each check against each of its scenarios.
pub fn evaluate(plan: &Plan, seen: &Observations) -> Vec<CheckResult> {
    let mut results = Vec::new();
    let unproven = unproven(plan, seen);
    for check in &plan.checks {
        let targets = targets_of(plan, check);
        if targets.is_empty() {
            let unknown = UnknownBecause::new(
                "the file has no scenario that this check applies to",
                "add one, or remove the check",
            );
            let answer = Answer::inconclusive("a scenario to check", "none", &unknown);
            results.push(CheckResult { check: check.clone(), scenario: None, answer });
        }
        for index in targets {
            let answer = seen.scenarios.get(index).map_or_else(
                || {
                    let unknown = UnknownBecause::new("the scenario did not run", "let the run finish");
                    Answer::inconclusive(check_of(&check.ask).expected(), "nothing", &unknown)
                },
                |scenario| {
                    let answer = evaluate_one(&check.ask, &CheckedScenario { plan, seen, index, scenario });
                    let fault = check.ask.fault().map(|(_, fault)| fault);
                    downgrade_if_unproven(answer, plan, fault, index, &unproven)
                },
            );
            let scenario = Some(plan.scenarios[index].name.clone());
            results.push(CheckResult { check: check.clone(), scenario, answer });
        }
    }
    results
}

/// Runs one check against one scenario.
pub(super) fn evaluate_one(ask: &CheckSettings, case: &CheckedScenario<'_>) -> Answer {
    let check = check_of(ask);
    let scenario = case.scenario;
    let tried = check.answers_for_the_unreachable() && scenario.ended != ScenarioEnd::Skipped;
    if scenario.ended.could_not_work()
        && !tried
        && let Some(unknown) = case.ended_early()
    {
        return Answer::inconclusive(check.expected(), "nothing", &unknown);
    }
    check.evaluate(case)
}

/// The time after a scenario's last ack or read during which another one was expected. `None` if nothing was.
pub fn stall_at_end(plan: &Plan, seen: &Observations, index: usize) -> Option<(Duration, Duration)> {
    let scenario = seen.scenarios.get(index)?;
    continuity::stall_at_end(&CheckedScenario { plan, seen, index, scenario })
}

/// The worst answer of each check by name, in the order of the checks.
pub fn worst(results: &[CheckResult]) -> Vec<(&str, CheckOutcome)> {
    let mut out: Vec<(&str, CheckOutcome)> = Vec::new();
    for result in results {
        let answer = result.answer.outcome();
        match out.iter_mut().find(|(name, _)| *name == result.check.name) {
            Some((_, outcome)) if outcome.rank() <= answer.rank() => {}
            Some((_, outcome)) => *outcome = answer,
            None => out.push((&result.check.name, answer)),
        }
    }
    out
}

/// Evaluates the checks with `abort` on the observations up to now. The first one that fails ends the run.
///
/// `own` returns the time since the start of the run, and the periods until then in which kaf6 itself made
/// no progress.
pub fn to_abort(
    plan: &Plan,
    live: impl Fn(usize) -> Option<crate::metrics::Snapshot>,
    own: impl Fn() -> (Duration, Vec<(Duration, Duration)>),
) -> Option<&CheckPlan> {
    plan.checks.iter().find(|check| {
        // A check on a fault's part of the run is evaluated after the run.
        let CheckSettings::Threshold { expr, abort: true, delay, span: None } = &check.ask else {
            return false;
        };
        own().0 >= *delay
            && targets_of(plan, check).into_iter().any(|index| {
                let Some(counts) = live(index) else { return false };
                let work = &plan.scenarios[index].work;
                let names = match work {
                    Work::Consume(consume) => consume.producers.as_slice(),
                    _ => &[],
                };
                let producers = (0..).zip(&plan.scenarios).filter(|(_, it)| names.contains(&it.name));
                let producers: Vec<_> = producers.filter_map(|(index, _)| live(index)).collect();
                // After the counts, so that it includes every stall that delayed them.
                let (elapsed, stalls) = own();
                threshold::fails_already(work, &counts, &producers, expr, (elapsed, OwnStalls(&stalls)))
            })
    })
}
