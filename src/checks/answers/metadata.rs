//! `metadata`: do the brokers know each topic of the file?

use crate::checks::answer::{Answer, Domain};
use crate::checks::case::{CheckedScenario, downgrade_if_cut_short};
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::counted;
use crate::plan::Plan;

pub(crate) struct Metadata;

impl Check for Metadata {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::connects(plan)
    }

    fn expected(&self) -> String {
        "every topic".to_owned()
    }

    fn answers_for_the_unreachable(&self) -> bool {
        true
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        downgrade_if_cut_short(case, metadata(case))
    }
}

fn metadata(case: &CheckedScenario<'_>) -> Answer {
    let topics = &case.scenario.of_type.topics;
    let count = topics.len();
    if count == 0 {
        let brokers = &case.scenario.of_type.brokers;
        let reached = !brokers.is_empty() && brokers.iter().all(|broker| broker.reachable);
        let domain = Domain::judged_all(1, "metadata of the cluster");
        let actual = if reached { "a response" } else { "none" };
        return Answer::pass_if(reached, "a response", actual, domain)
            .because("the file names no topic, so the check only covers the cluster's metadata");
    }
    let known = topics.iter().filter(|topic| topic.error.is_none()).count();
    let reasons: Vec<String> = topics
        .iter()
        .filter_map(|topic| Some(format!("{}: {}", topic.topic, topic.error.as_ref()?)))
        .collect();
    Answer::pass_if(
        reasons.is_empty(),
        format!("{count} of {count} topics"),
        format!("{known} of {count} topics"),
        Domain::judged_all(count as u64, counted(count as u64, "topic", "topics")),
    )
    .because(reasons.join("; "))
}
