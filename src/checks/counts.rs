//! `count_equals`, `count_at_least` and `roundtrip_ok`: did as many messages make it as were wanted?
//!
//! Counts speak of distinct messages of this run: acked where a scenario sends, received where it reads.

use super::answer::Answer;
use crate::observe::ScenarioSeen;
use crate::plan::CountMetric;

impl CountMetric {
    /// It counts on the sending side.
    pub(super) const fn is_of_producers(self) -> bool {
        matches!(self, Self::Sent | Self::Acked)
    }
}

/// The count that a check speaks of.
pub(super) fn value(scenario: &ScenarioSeen, metric: Option<CountMetric>) -> u64 {
    let counts = &scenario.counts;
    match metric {
        Some(CountMetric::Sent) => counts.sent,
        Some(CountMetric::Acked) => counts.acked,
        Some(CountMetric::Records) => counts.records + counts.foreign,
        None if scenario.kind == "produce" => counts.acked,
        Some(CountMetric::Received) | None => counts.received,
    }
}

/// Exactly so many.
pub(super) fn count_equals(scenario: &ScenarioSeen, expected: u64, metric: Option<CountMetric>) -> Answer {
    let actual = value(scenario, metric);
    let answer = Answer::passes_if(actual == expected, expected.to_string(), actual.to_string());
    if actual == expected { answer } else { answer.because(shortfall(scenario)) }
}

/// So many or more.
pub(super) fn count_at_least(scenario: &ScenarioSeen, expected: u64, metric: Option<CountMetric>) -> Answer {
    let wanted = format!("at least {expected}");
    let actual = value(scenario, metric);
    if actual == 0 {
        return Answer::no_data(wanted);
    }
    let answer = Answer::passes_if(actual >= expected, wanted, actual.to_string());
    if actual >= expected { answer } else { answer.because(shortfall(scenario)) }
}

/// Each round trip came back.
pub(super) fn roundtrip_ok(scenario: &ScenarioSeen) -> Answer {
    let counts = &scenario.counts;
    let planned = scenario.planned.unwrap_or(counts.sent);
    if counts.received == 0 {
        return Answer::no_data(format!("{planned} round trips"));
    }
    let actual = format!("{} of {planned} round trips", counts.received);
    let answer = Answer::passes_if(counts.received == planned, format!("{planned} round trips"), actual);
    if counts.received == planned { answer } else { answer.because(shortfall(scenario)) }
}

/// What else the scenario says of itself.
fn shortfall(scenario: &ScenarioSeen) -> String {
    let counts = &scenario.counts;
    let mut parts = Vec::new();
    if scenario.kind != "consume" && counts.failed > 0 {
        parts.push(format!("{} failed", counts.failed));
    }
    if scenario.kind != "consume" && counts.unknown > 0 {
        parts.push(format!("{} unknown", counts.unknown));
    }
    if counts.foreign > 0 {
        parts.push(format!("{} foreign records are not counted", counts.foreign));
    }
    if !counts.errors_by_code.is_empty() {
        let codes: Vec<String> =
            counts.errors_by_code.iter().map(|(code, n)| format!("{code} {n}")).collect();
        parts.push(codes.join(", "));
    }
    if scenario.ended.name() != "done" {
        parts.push(format!("ended by {}", scenario.ended.name()));
    }
    parts.join("; ")
}
