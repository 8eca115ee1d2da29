//! Implicit checks: those that kaf6 adds automatically for producers and consumers.
//!
//! Defines which checks are added, their names, and when one is not added.

use std::collections::HashSet;

use crate::plan::{
    AllowedShares, CheckPlan, CheckSettings, ConsumePlan, From, ScenarioPlan, StartOffset, Work,
};

/// Adds the implicit checks of consumers and producers to the checks of the file.
pub(crate) fn add(checks: &mut Vec<CheckPlan>, scenarios: &[ScenarioPlan]) {
    let judges: Vec<(&ScenarioPlan, Vec<CheckSettings>)> =
        scenarios.iter().filter_map(|scenario| Some((scenario, asks(judge(scenario)?, scenarios)))).collect();
    let acked = |scenario: &&ScenarioPlan| scenario.work.is_acked();
    let all_acked = CheckSettings::AllAcked { allow: AllowedShares::default() };
    let senders: Vec<(&ScenarioPlan, Vec<CheckSettings>)> =
        scenarios.iter().filter(acked).map(|scenario| (scenario, vec![all_acked.clone()])).collect();
    add_of(checks, judges);
    add_of(checks, senders);
}

/// Adds the checks that the file does not have. If several scenarios get the same check, its name includes
/// the scenario.
fn add_of(checks: &mut Vec<CheckPlan>, asked: Vec<(&ScenarioPlan, Vec<CheckSettings>)>) {
    let several = asked.len() > 1;
    for (scenario, asks) in asked {
        for ask in asks {
            if checks.iter().any(|check| replaces(check, &ask, &scenario.name)) {
                continue;
            }
            let plain = ask.kind().to_string();
            let long = format!("{plain}:{}", scenario.name);
            let taken = |name: &str| checks.iter().any(|check| check.name == name);
            let mut name = if several || taken(&plain) { long } else { plain };
            while taken(&name) {
                name.push('+');
            }
            checks.push(CheckPlan {
                name,
                ask,
                scenario: Some(scenario.name.clone()),
                implicit: true,
                position: scenario.position.clone(),
            });
        }
    }
}

/// The plan of a consumer that reads what scenarios of the file write.
fn judge(scenario: &ScenarioPlan) -> Option<&ConsumePlan> {
    match &scenario.work {
        Work::Consume(consume) if consume.from == From::Run && !consume.producers.is_empty() => Some(consume),
        _ => None,
    }
}

fn asks(consume: &ConsumePlan, scenarios: &[ScenarioPlan]) -> Vec<CheckSettings> {
    let others = [
        CheckSettings::NoDuplicates { strict: false },
        CheckSettings::NoCorruption,
        CheckSettings::InOrder { strict: false },
        CheckSettings::OffsetsMonotonic,
    ];
    let no_loss = is_whole(consume, scenarios).then_some(CheckSettings::NoLoss);
    no_loss.into_iter().chain(others).collect()
}

/// Whether the consumer reads its log from start to end, and at least some of its producers' messages are
/// acked and must be read back.
fn is_whole(consume: &ConsumePlan, scenarios: &[ScenarioPlan]) -> bool {
    let names: HashSet<&str> = consume.producers.iter().map(String::as_str).collect();
    let mut producers = scenarios.iter().filter(|scenario| names.contains(scenario.name.as_str()));
    consume.offset == StartOffset::Earliest
        && !consume.partial
        && producers.any(|producer| producer.work.is_verified())
}

fn replaces(written: &CheckPlan, ask: &CheckSettings, scenario: &str) -> bool {
    !written.implicit
        && written.ask.kind() == ask.kind()
        && written.scenario.as_deref().is_none_or(|asked| asked == scenario)
}
