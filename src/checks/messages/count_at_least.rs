//! `count_at_least`: is a count of messages at least the expected value?

use super::count_equals::{beside, counted_by, noun, saw_nothing, value};
use crate::checks::answer::{Answer, Domain};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::plan::{CountMetric, Plan};
use crate::units::thousands;

/// A count is at least a value.
pub(crate) struct CountAtLeast<'a> {
    pub(crate) expected: &'a u64,
    pub(crate) metric: &'a Option<CountMetric>,
}

impl Check for CountAtLeast<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        counted_by(plan, *self.metric)
    }

    fn expected(&self) -> String {
        format!("at least {}", self.expected)
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let actual = value(case.scenario, *self.metric);
        if actual == 0 && (*self.expected == 0 || saw_nothing(case.scenario) || nothing_written(case)) {
            return case.no_data(self.expected());
        }
        if actual < *self.expected {
            return case.too_little(self.expected(), actual.to_string(), beside(case.scenario));
        }
        // The count already suffices, so later messages do not matter.
        let domain = Domain::judged_all(
            actual,
            format!("{} {}", thousands(actual), noun(case.scenario, *self.metric)),
        );
        Answer::pass(self.expected(), actual.to_string(), domain)
    }
}

/// Whether nothing was written to the reader's partitions.
fn nothing_written(case: &CheckedScenario<'_>) -> bool {
    case.consume().is_some() && case.readings().wanted() == 0
}
