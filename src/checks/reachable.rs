//! `reachable`: does each broker answer?

use super::answer::{Answer, Domain};
use super::case::{Case, downgrade_if_cut_short};
use super::check::{Check, Described};
use super::targets;
use super::text::counted;
use crate::observe::BrokerSeen;
use crate::plan::{CheckKind, Plan};

/// Each broker passes each stage.
pub(super) struct Reachable;

impl Described for Reachable {
    const KIND: CheckKind = CheckKind::Reachable;
}

impl Check for Reachable {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::connects(plan)
    }

    fn expected(&self) -> String {
        "each broker".to_owned()
    }

    fn answers_for_the_unreachable(&self) -> bool {
        true
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        downgrade_if_cut_short(case, reachable(case))
    }
}

fn reachable(case: &Case<'_>) -> Answer {
    let brokers = &case.scenario.brokers;
    let count = brokers.len();
    if count == 0 {
        return Answer::fail("each broker", "none tried", case.scenario.message.clone().unwrap_or_default());
    }
    let reached = brokers.iter().filter(|broker| broker.reachable).count();
    let reasons: Vec<String> = brokers.iter().filter_map(BrokerSeen::why_unreached).collect();
    let domain = Domain::all(count as u64, counted(count as u64, "broker", "brokers"));
    Answer::pass_if(
        reasons.is_empty(),
        format!("{count} of {count} brokers"),
        format!("{reached} of {count} brokers"),
        domain,
    )
    .because(reasons.join("; "))
}
