//! `non_empty`: does each response of the metrics endpoint have a body?

use super::http_ok::{domain, scrape};
use crate::checks::answer::Answer;
use crate::checks::case::{CheckedScenario, downgrade_if_cut_short};
use crate::checks::check::Check;
use crate::checks::targets;
use crate::plan::Plan;

/// Every response has a body.
pub(crate) struct NonEmpty;

impl Check for NonEmpty {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::scrapes(plan)
    }

    fn expected(&self) -> String {
        "a body".to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let Some(scrape) = scrape(case) else { return case.no_data(self.expected()) };
        let actual = if scrape.requests > 1 {
            format!("{} of {} requests with a body", scrape.with_body, scrape.requests)
        } else {
            format!("{} bytes", scrape.last_bytes)
        };
        let ok = scrape.with_body == scrape.requests;
        downgrade_if_cut_short(case, Answer::pass_if(ok, self.expected(), actual, domain(scrape)))
    }
}
