//! `in_order`: is the order of each producing client's messages in the log the order in which it sent them?

use super::answer::Answer;
use super::case::Case;
use super::check::{Check, Described};
use super::readings::none_unexplained;
use super::targets;
use crate::anomaly::Anomaly;
use crate::plan::{CheckKind, Plan};

/// The order of the log is the order of sending, and of acks.
pub(super) struct InOrder<'a> {
    pub(super) strict: &'a bool,
}

const EXPECTED: &str = "0 reordered";

impl Described for InOrder<'_> {
    const KIND: CheckKind = CheckKind::InOrder;
    const ANOMALIES: &'static [Anomaly] = &[Anomaly::Reordered, Anomaly::Overtaken];
}

impl Check for InOrder<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::messages(plan)
    }

    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        let readings = case.readings();
        let overtaken = readings.number(Anomaly::Overtaken);
        if overtaken == 0 {
            return none_unexplained(case, Anomaly::Reordered, "reordered", *self.strict);
        }
        let actual = match readings.number(Anomaly::Reordered) {
            0 => format!("{overtaken} overtaken"),
            reordered => format!("{reordered} reordered, {overtaken} overtaken"),
        };
        Answer::fail(EXPECTED, actual, "").covering(readings.domain(case))
    }
}
