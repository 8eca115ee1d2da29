//! The checks of a plan: those written out, and those that a producer and its reader get without asking.
//!
//! Owns the names of implicit checks and what keeps one from being added.

use super::{Ask, CheckPlan, From};
use crate::scenario::Scenario;
use crate::scenario::valid::{Activity, Check, Consume, Work};

/// All checks of a file.
pub(super) fn all(scenario: &Scenario) -> Vec<CheckPlan> {
    let written = scenario.checks.iter().map(|check| CheckPlan {
        name: check.name.clone(),
        ask: check.ask.clone(),
        scenario: check.scenario.clone(),
        implicit: false,
        position: check.position.clone(),
    });
    let mut checks: Vec<CheckPlan> = written.collect();
    let judges: Vec<(&Activity, &Consume)> = scenario.activities.iter().filter_map(judge).collect();
    for (activity, consume) in &judges {
        for ask in asks(consume) {
            if scenario.checks.iter().any(|check| replaces(check, &ask, &activity.name)) {
                continue;
            }
            let plain = ask.kind().to_owned();
            let long = format!("{plain}:{}", activity.name);
            let taken = |name: &str| checks.iter().any(|check| check.name == name);
            let mut name = if judges.len() > 1 || taken(&plain) { long } else { plain };
            while taken(&name) {
                name.push('+');
            }
            checks.push(CheckPlan {
                name,
                ask,
                scenario: Some(activity.name.clone()),
                implicit: true,
                position: activity.position.clone(),
            });
        }
    }
    checks
}

/// A consumer that reads what scenarios of the file write.
fn judge(activity: &Activity) -> Option<(&Activity, &Consume)> {
    match &activity.work {
        Work::Consume(consume) if consume.from == From::Run && !consume.producers.is_empty() => {
            Some((activity, consume))
        }
        _ => None,
    }
}

fn asks(consume: &Consume) -> Vec<Ask> {
    let others = [
        Ask::NoDuplicates { strict: false },
        Ask::NoCorruption,
        Ask::InOrder { strict: false },
        Ask::OffsetsMonotonic,
    ];
    let no_loss = consume.out_of_scope.is_none().then_some(Ask::NoLoss);
    no_loss.into_iter().chain(others).collect()
}

fn replaces(written: &Check, ask: &Ask, scenario: &str) -> bool {
    written.ask.kind() == ask.kind() && written.scenario.as_deref().is_none_or(|asked| asked == scenario)
}
