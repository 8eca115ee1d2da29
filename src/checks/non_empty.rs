//! `non_empty`: has each answer of the metrics endpoint a body?

use super::answer::Answer;
use super::case::{Case, downgrade_if_cut_short};
use super::check::{Check, Described};
use super::http_ok::{domain, scrape};
use super::targets;
use crate::plan::{CheckKind, Plan};

/// Each answer has a body.
pub(super) struct NonEmpty;

impl Described for NonEmpty {
    const KIND: CheckKind = CheckKind::NonEmpty;
}

impl Check for NonEmpty {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::scrapes(plan)
    }

    fn expected(&self) -> String {
        "a body".to_owned()
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        let Some(scrape) = scrape(case) else { return case.no_data(self.expected()) };
        let actual = if scrape.requests > 1 {
            format!("{} of {} with a body", scrape.with_body, scrape.requests)
        } else {
            format!("{} bytes", scrape.last_bytes)
        };
        let ok = scrape.with_body == scrape.requests;
        downgrade_if_cut_short(case, Answer::pass_if(ok, self.expected(), actual, domain(scrape)))
    }
}
