//! `series_present`: is each series of `contains` in each answer of the metrics endpoint?

use super::answer::{Answer, Unknown};
use super::case::{Case, downgrade_if_cut_short};
use super::check::{Check, Described};
use super::http_ok::{domain, scrape};
use super::targets;
use crate::observe::SeriesSeen;
use crate::plan::{CheckKind, Plan};

/// Each series of `contains` is in each answer.
pub(super) struct SeriesPresent;

impl Described for SeriesPresent {
    const KIND: CheckKind = CheckKind::SeriesPresent;
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
        let all = scrape.series.len();
        let absent: Vec<&SeriesSeen> =
            scrape.series.iter().filter(|series| series.present < scrape.requests).collect();
        let (expected, actual) = (format!("{all} series"), format!("{} series", all - absent.len()));
        if absent.is_empty() {
            let answer = Answer::pass(expected, actual, domain(scrape));
            return downgrade_if_cut_short(case, answer);
        }
        let is_beyond = |series: &&SeriesSeen| series.present + series.beyond == scrape.requests;
        if absent.iter().all(is_beyond) {
            let names: Vec<&str> = absent.iter().map(|series| series.name.as_str()).collect();
            let unknown = Unknown::new(
                format!("not in the first 16 MiB of the answer, and it is longer: {}", names.join(", ")),
                "ask for less, such as by `?name[]=...` where the endpoint knows it",
            );
            return Answer::inconclusive(expected, actual, &unknown);
        }
        let missing: Vec<String> =
            absent.iter().filter(|it| !is_beyond(it)).map(|it| described(it)).collect();
        let answer = Answer::fail(expected, actual, format!("missing: {}", missing.join(", ")));
        downgrade_if_cut_short(case, answer)
    }
}

/// A missing series, with what is there of its name.
fn described(series: &SeriesSeen) -> String {
    if series.near.is_empty() {
        return series.name.clone();
    }
    format!("{} (there is {})", series.name, series.near.join(", "))
}
