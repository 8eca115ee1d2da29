//! `roundtrip_ok`: was each planned round trip acked and read back in time?

use super::count_equals::{beside, saw_nothing};
use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::{CheckedScenario, downgrade_if_cut_short};
use crate::checks::check::Check;
use crate::checks::targets;
use crate::plan::Plan;
use crate::units::thousands;

/// Every round trip completed.
pub(crate) struct RoundtripOk;

impl Check for RoundtripOk {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::roundtrips(plan)
    }

    fn expected(&self) -> String {
        "every round trip".to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let counts = &case.scenario.counts;
        let planned = case.scenario.planned.unwrap_or(counts.sent);
        let expected = format!("{planned} round trips");
        if saw_nothing(case.scenario) {
            return case.no_data(expected);
        }
        let back = counts.received.min(counts.acked);
        let actual = format!("{back} of {planned} round trips");
        if back >= planned {
            let domain = Domain::judged_all(planned, expected.clone()).without(case.ended_early());
            return Answer::pass(expected, actual, domain);
        }
        let altered = case.scenario.of_type.uuids.map_or(0, |(_, wrong)| wrong);
        let late = counts.acked.saturating_sub(counts.received);
        if late + altered + case.broken() > 0 {
            let evidence = if late > 0 {
                format!("{} acked, but not read back in time", thousands(late))
            } else {
                String::new()
            };
            let answer = Answer::fail(expected, actual, beside(case.scenario)).because(evidence);
            if altered + case.broken() > 0 {
                return answer;
            }
            return match case.missing_by_stalls() {
                Some(unknown) => answer.explained_by(&unknown),
                None => downgrade_if_cut_short(case, answer),
            };
        }
        // Without an ack, the broker guarantees nothing.
        let name = &case.scenario.name;
        let unknown = case.ended_early().unwrap_or_else(|| {
            UnknownBecause::new(
                format!("not all round trips of `{name}` were acked"),
                format!("increase `iteration_timeout` of `{name}`, or see the errors"),
            )
        });
        Answer::inconclusive(expected, actual, &unknown).because(beside(case.scenario))
    }
}
