//! `reachable`: does each broker answer?

use crate::checks::answer::{Answer, Domain};
use crate::checks::case::{CheckedScenario, downgrade_if_cut_short};
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::counted;
use crate::observe::BrokerSeen;
use crate::plan::Plan;

/// Every broker passes every stage.
pub(crate) struct Reachable;

impl Check for Reachable {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::connects(plan)
    }

    fn expected(&self) -> String {
        "every broker".to_owned()
    }

    fn answers_for_the_unreachable(&self) -> bool {
        true
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        downgrade_if_cut_short(case, reachable(case))
    }
}

fn reachable(case: &CheckedScenario<'_>) -> Answer {
    let brokers = &case.scenario.of_type.brokers;
    let count = brokers.len();
    if count == 0 {
        return Answer::fail("every broker", "none tried", case.scenario.message.clone().unwrap_or_default());
    }
    let reached = brokers.iter().filter(|broker| broker.reachable).count();
    let reasons: Vec<String> = brokers.iter().filter_map(BrokerSeen::why_unreached).collect();
    let domain = Domain::judged_all(count as u64, counted(count as u64, "broker", "brokers"));
    Answer::pass_if(
        reasons.is_empty(),
        format!("{count} of {count} brokers"),
        format!("{reached} of {count} brokers"),
        domain,
    )
    .because(reasons.join("; "))
}
