//! `uuid_match`: does each value that was read contain the UUID that was sent?

use crate::anomaly::Anomaly;
use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::counted;
use crate::plan::Plan;

/// Every UUID is the one that was sent.
pub(crate) struct UuidMatch;

const EXPECTED: &str = "every UUID as sent";

impl Check for UuidMatch {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::counts(plan)
    }

    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let Some((compared, wrong)) = case.scenario.of_type.uuids.filter(|(compared, _)| *compared > 0)
        else {
            return not_compared(case);
        };
        // For a reader, missing messages are missing UUIDs. For a round trip, those that did not complete
        // are.
        let missing = if case.consume().is_some() {
            case.readings().missing(case)
        } else {
            let back = case.scenario.planned.is_none_or(|planned| case.scenario.counts.received >= planned);
            case.ended_early().or_else(|| (!back).then(|| not_back(case)))
        };
        Answer::pass_if(
            wrong == 0,
            format!("{compared} UUIDs as sent"),
            format!("{} of {compared}", compared.saturating_sub(wrong)),
            Domain::judged_all(compared, counted(compared, "value with a UUID", "values with a UUID"))
                .without(missing),
        )
    }
}

fn not_compared(case: &CheckedScenario<'_>) -> Answer {
    let counts = &case.scenario.counts;
    if counts.received + counts.records > 0 {
        let name = &case.scenario.name;
        let unknown = UnknownBecause::new(
            format!("the values that `{name}` read contain no `{{{{uuid}}}}`"),
            "add `{{uuid}}` to the producer's `value`",
        );
        return Answer::inconclusive(EXPECTED, "no UUID", &unknown);
    }
    let readings = case.readings();
    if case.consume().is_some() && readings.count(Anomaly::Corrupt).is_some() && readings.wanted() == 0 {
        return Answer::pass(EXPECTED, "no UUID", readings.domain(case));
    }
    case.no_data(EXPECTED)
}

fn not_back(case: &CheckedScenario<'_>) -> UnknownBecause {
    let name = &case.scenario.name;
    UnknownBecause::new(
        format!("not all round trips of `{name}` returned"),
        format!("increase `iteration_timeout` of `{name}`"),
    )
}
