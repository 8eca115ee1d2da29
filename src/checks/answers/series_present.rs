//! `series_present`: does each response of the metrics endpoint contain each series of `contains`?

use super::http_ok::{domain, scrape};
use crate::checks::answer::{Answer, UnknownBecause};
use crate::checks::case::{CheckedScenario, downgrade_if_cut_short};
use crate::checks::check::Check;
use crate::checks::targets;
use crate::observe::SeriesSeen;
use crate::plan::Plan;

/// Every response contains every series of `contains`.
pub(crate) struct SeriesPresent;

impl Check for SeriesPresent {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::scrapes(plan)
    }

    fn expected(&self) -> String {
        "every series in `contains`".to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let Some(scrape) = scrape(case) else { return case.no_data(self.expected()) };
        if scrape.series.is_empty() {
            let name = &case.scenario.name;
            let unknown = UnknownBecause::new(
                format!("`{name}` lists no series to look for"),
                format!("set `contains: [...]` in `{name}`"),
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
            let unknown = UnknownBecause::new(
                format!("not in the first 16 MiB of a longer response: {}", names.join(", ")),
                "request less, e.g. with `?name[]=...` if the endpoint supports it",
            );
            return Answer::inconclusive(expected, actual, &unknown);
        }
        let missing: Vec<String> =
            absent.iter().filter(|it| !is_beyond(it)).map(|it| described(it)).collect();
        let answer = Answer::fail(expected, actual, format!("missing: {}", missing.join(", ")));
        downgrade_if_cut_short(case, answer)
    }
}

/// A missing series, with the present series of the same name.
fn described(series: &SeriesSeen) -> String {
    if series.near.is_empty() {
        return series.name.clone();
    }
    format!("{} (similar: {})", series.name, series.near.join(", "))
}
