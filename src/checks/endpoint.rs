//! `http_ok`, `non_empty` and `series_present`: is the metrics endpoint healthy?
//!
//! Each answer of a repeated scrape counts, not just the last.

use super::answer::{Answer, Outcome};
use crate::observe::{ScenarioSeen, ScrapeSeen};

/// Each answer has status 200.
pub(super) fn http_ok(scenario: &ScenarioSeen) -> Answer {
    let Some(scrape) = asked(scenario) else { return none(scenario, "HTTP 200") };
    let actual = match (scrape.last_status, &scrape.last_error) {
        _ if scrape.requests > 1 => format!("{} of {} with HTTP 200", scrape.ok, scrape.requests),
        (Some(status), _) => format!("HTTP {status}"),
        (None, _) => "no answer".to_owned(),
    };
    Answer::passes_if(scrape.ok == scrape.requests, "HTTP 200", actual)
        .because(scrape.last_error.clone().unwrap_or_default())
}

/// Each answer has a body.
pub(super) fn non_empty(scenario: &ScenarioSeen) -> Answer {
    let Some(scrape) = asked(scenario) else { return none(scenario, "a body") };
    let actual = if scrape.requests > 1 {
        format!("{} of {} with a body", scrape.with_body, scrape.requests)
    } else {
        format!("{} bytes", scrape.last_bytes)
    };
    Answer::passes_if(scrape.with_body == scrape.requests, "a body", actual)
}

/// Each wanted series stands in each answer.
pub(super) fn series_present(scenario: &ScenarioSeen) -> Answer {
    let Some(scrape) = asked(scenario) else { return none(scenario, "each series") };
    if scrape.series.is_empty() {
        return Answer::new(Outcome::Inconclusive, "each series of `contains`", "no `contains`")
            .because("the scenario names no series to look for");
    }
    let missing: Vec<&str> = scrape
        .series
        .iter()
        .filter(|(_, seen)| *seen < scrape.requests)
        .map(|(name, _)| name.as_str())
        .collect();
    let found = scrape.series.len() - missing.len();
    let answer = Answer::passes_if(
        missing.is_empty(),
        format!("{} series", scrape.series.len()),
        format!("{found} series"),
    );
    if missing.is_empty() { answer } else { answer.because(format!("missing: {}", missing.join(", "))) }
}

fn asked(scenario: &ScenarioSeen) -> Option<&ScrapeSeen> {
    scenario.scrape.as_ref().filter(|scrape| scrape.requests > 0)
}

fn none(scenario: &ScenarioSeen, expected: &str) -> Answer {
    Answer::new(Outcome::Fail, expected, "no answer").because(scenario.message.clone().unwrap_or_default())
}
