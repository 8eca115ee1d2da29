//! `series_present`: is each series of `contains` in each answer of the metrics endpoint?

use super::answer::{Answer, Unknown};
use super::case::{Case, downgrade_if_cut_short};
use super::check::{Check, Described};
use super::http_ok::{domain, scrape};
use super::targets;
use crate::plan::Plan;

/// Each series of `contains` is in each answer.
pub(super) struct SeriesPresent;

impl Described for SeriesPresent {
    const KIND: &'static str = "series_present";
}

impl Check for SeriesPresent {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::scrapes(plan)
    }

    fn expected(&self) -> String {
        "each series of `contains`".to_owned()
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        let Some(scrape) = scrape(case) else { return case.no_data(self.expected()) };
        if scrape.series.is_empty() {
            let name = &case.scenario.name;
            let unknown = Unknown::new(
                format!("`{name}` names no series to look for"),
                format!("write `contains: [...]` for `{name}`"),
            );
            return Answer::inconclusive(self.expected(), "no `contains`", &unknown);
        }
        let absent = scrape.series.iter().filter(|(_, present)| *present < scrape.requests);
        let missing: Vec<&str> = absent.map(|(name, _)| name.as_str()).collect();
        let all = scrape.series.len();
        let answer = Answer::pass_if(
            missing.is_empty(),
            format!("{all} series"),
            format!("{} series", all - missing.len()),
            domain(scrape),
        );
        let answer = if missing.is_empty() {
            answer
        } else {
            answer.because(format!("missing: {}", missing.join(", ")))
        };
        downgrade_if_cut_short(case, answer)
    }
}
