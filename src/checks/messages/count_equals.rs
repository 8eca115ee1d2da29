//! `count_equals`: is a count of messages equal to the expected value?

use crate::checks::answer::{Answer, Domain};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::targets;
use crate::kafka::code_words;
use crate::observe::{ScenarioEnd, ScenarioSeen};
use crate::plan::{CountMetric, Plan, ScenarioKind};
use crate::units::thousands;

pub(crate) struct CountEquals<'a> {
    pub(crate) expected: &'a u64,
    pub(crate) metric: &'a Option<CountMetric>,
}

impl Check for CountEquals<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        counted_by(plan, *self.metric)
    }

    fn expected(&self) -> String {
        self.expected.to_string()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let actual = value(case.scenario, *self.metric);
        if actual == 0 && *self.expected > 0 && saw_nothing(case.scenario) {
            return case.no_data(self.expected());
        }
        if actual < *self.expected {
            return case.too_little(self.expected(), actual.to_string(), beside(case.scenario));
        }
        if actual > *self.expected {
            return Answer::fail(self.expected(), actual.to_string(), beside(case.scenario));
        }
        // If it ended early, more messages could have followed.
        let domain = if actual == 0 {
            Domain::empty(format!("nothing in {}", case.span_in_words()))
        } else {
            Domain::judged_all(actual, format!("{} {}", thousands(actual), noun(case.scenario, *self.metric)))
        };
        Answer::pass(self.expected(), actual.to_string(), domain.without(case.unseen()))
    }
}

/// The default targets: counts of sent messages use producers, other counts use consumers, if there are any.
pub(crate) fn counted_by(plan: &Plan, metric: Option<CountMetric>) -> Vec<usize> {
    if matches!(metric, Some(CountMetric::Sent | CountMetric::Acked)) {
        return targets::senders(plan);
    }
    targets::counts(plan)
}

/// The count that a check compares.
pub(crate) fn value(scenario: &ScenarioSeen, metric: Option<CountMetric>) -> u64 {
    let counts = &scenario.counts;
    match metric {
        Some(CountMetric::Sent) => counts.sent,
        Some(CountMetric::Acked) => counts.acked,
        Some(CountMetric::Records) => counts.records + counts.foreign,
        None if scenario.kind == ScenarioKind::Produce => counts.acked,
        Some(CountMetric::Received) | None => counts.received,
    }
}

pub(crate) fn noun(scenario: &ScenarioSeen, metric: Option<CountMetric>) -> &'static str {
    match metric {
        Some(CountMetric::Sent) => "messages sent",
        Some(CountMetric::Acked) => "messages acked",
        Some(CountMetric::Records) => "records read",
        None if scenario.kind == ScenarioKind::Produce => "messages acked",
        Some(CountMetric::Received) | None => "messages read",
    }
}

/// Whether the scenario had neither messages nor errors.
pub(crate) fn saw_nothing(scenario: &ScenarioSeen) -> bool {
    let counts = &scenario.counts;
    counts.sent + counts.acked + counts.received + counts.records + counts.foreign + counts.errors == 0
}

/// Further counts of the scenario, such as errors.
pub(crate) fn beside(scenario: &ScenarioSeen) -> String {
    let counts = &scenario.counts;
    let mut parts = Vec::new();
    if scenario.kind.writes() && counts.failed > 0 {
        parts.push(format!("{} failed", thousands(counts.failed)));
    }
    if scenario.kind.writes() && counts.unknown > 0 {
        parts.push(format!("{} unknown", thousands(counts.unknown)));
    }
    if counts.foreign > 0 {
        parts.push(format!("{} foreign records are not counted", thousands(counts.foreign)));
    }
    if !counts.errors_by_code.is_empty() {
        parts.push(codes(scenario));
    }
    if scenario.ended != ScenarioEnd::Done {
        parts.push(format!("ended: {}", scenario.ended.name()));
    }
    parts.join("; ")
}

/// Such as `REQUEST_TIMED_OUT 3, UNKNOWN_SERVER_ERROR 190`.
pub(crate) fn codes(scenario: &ScenarioSeen) -> String {
    let codes = scenario.counts.errors_by_code.iter();
    let codes = codes.map(|(code, count)| format!("{} {}", code_words(code), thousands(*count)));
    codes.collect::<Vec<_>>().join(", ")
}
