//! `metadata`: do the brokers know each topic of the file?

use super::answer::{Answer, Domain};
use super::case::{Case, downgrade_if_cut_short};
use super::check::{Check, Described};
use super::targets;
use super::text::counted;
use crate::plan::{CheckKind, Plan};

/// Each topic has metadata.
pub(super) struct Metadata;

impl Described for Metadata {
    const KIND: CheckKind = CheckKind::Metadata;
}

impl Check for Metadata {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::connects(plan)
    }

    fn expected(&self) -> String {
        "each topic".to_owned()
    }

    fn answers_for_the_unreachable(&self) -> bool {
        true
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        downgrade_if_cut_short(case, metadata(case))
    }
}

fn metadata(case: &Case<'_>) -> Answer {
    let topics = &case.scenario.topics;
    let count = topics.len();
    if count == 0 {
        let brokers = &case.scenario.brokers;
        let reached = !brokers.is_empty() && brokers.iter().all(|broker| broker.reachable);
        let domain = Domain::all(1, "metadata of the cluster");
        let actual = if reached { "an answer" } else { "none" };
        return Answer::pass_if(reached, "an answer", actual, domain)
            .because("the file names no topic, so only the cluster was asked for");
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
        Domain::all(count as u64, counted(count as u64, "topic", "topics")),
    )
    .because(reasons.join("; "))
}
