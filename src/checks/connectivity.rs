//! `reachable` and `metadata`: do the brokers answer, and do they know the topics?
//!
//! Out of reach is the answer that they are there to give: fail.

use super::answer::{Answer, Outcome};
use crate::observe::ScenarioSeen;

/// Each broker passed each stage.
pub(super) fn reachable(scenario: &ScenarioSeen) -> Answer {
    let expected = format!("{} of {} brokers", scenario.brokers.len(), scenario.brokers.len());
    if scenario.brokers.is_empty() {
        return Answer::new(Outcome::Fail, "each broker", "none tried")
            .because(scenario.message.clone().unwrap_or_default());
    }
    let reached = scenario.brokers.iter().filter(|b| b.reachable).count();
    let reasons: Vec<String> = scenario
        .brokers
        .iter()
        .filter(|b| !b.reachable)
        .map(|b| match b.stages.iter().find_map(|(name, _, error)| error.as_ref().map(|e| (name, e))) {
            Some((stage, error)) => format!("{}: {stage}: {error}", b.broker),
            None => format!("{}: not reached", b.broker),
        })
        .collect();
    let actual = format!("{reached} of {} brokers", scenario.brokers.len());
    Answer::passes_if(reasons.is_empty(), expected, actual).because(reasons.join("; "))
}

/// Each topic of the file has metadata.
pub(super) fn metadata(scenario: &ScenarioSeen) -> Answer {
    let count = scenario.topics.len();
    let known = scenario.topics.iter().filter(|t| t.error.is_none()).count();
    if count == 0 {
        let reached = !scenario.brokers.is_empty() && scenario.brokers.iter().all(|b| b.reachable);
        return Answer::passes_if(reached, "an answer", if reached { "an answer" } else { "none" })
            .because("the file names no topic, so only the cluster was asked for");
    }
    let reasons: Vec<String> = scenario
        .topics
        .iter()
        .filter_map(|t| t.error.as_ref().map(|error| format!("{}: {error}", t.topic)))
        .collect();
    Answer::passes_if(
        reasons.is_empty(),
        format!("{count} of {count} topics"),
        format!("{known} of {count} topics"),
    )
    .because(reasons.join("; "))
}
