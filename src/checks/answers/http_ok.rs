//! `http_ok`: does the metrics endpoint answer each request with status 200?

use crate::checks::answer::{Answer, Domain};
use crate::checks::case::{CheckedScenario, downgrade_if_cut_short};
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::counted;
use crate::observe::ScrapeSeen;
use crate::plan::Plan;

/// Every response has status 200.
pub(crate) struct HttpOk;

impl Check for HttpOk {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::scrapes(plan)
    }

    fn expected(&self) -> String {
        "HTTP 200".to_owned()
    }

    fn answers_for_the_unreachable(&self) -> bool {
        true
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let Some(scrape) = scrape(case) else {
            let why = case.scenario.message.clone().unwrap_or_default();
            return downgrade_if_cut_short(case, Answer::fail(self.expected(), "no response", why));
        };
        let actual = match (scrape.last_status, &scrape.last_error) {
            _ if scrape.requests > 1 => {
                format!("{} of {} requests with HTTP 200", scrape.ok, scrape.requests)
            }
            (Some(status), _) => format!("HTTP {status}"),
            (None, _) => "no response".to_owned(),
        };
        let ok = scrape.ok == scrape.requests;
        let answer = Answer::pass_if(ok, self.expected(), actual, domain(scrape))
            .because(scrape.last_error.clone().unwrap_or_default());
        // What ended the run may have ended the endpoint as well. A response with another status came before.
        if scrape.refused > 0 { answer } else { downgrade_if_cut_short(case, answer) }
    }
}

/// The responses of the endpoint. `None` if no request was made.
pub(crate) fn scrape<'a>(case: &CheckedScenario<'a>) -> Option<&'a ScrapeSeen> {
    case.scenario.of_type.scrape.as_ref().filter(|scrape| scrape.requests > 0)
}

/// Covers all requests.
pub(crate) fn domain(scrape: &ScrapeSeen) -> Domain {
    Domain::judged_all(scrape.requests, counted(scrape.requests, "request", "requests"))
}
