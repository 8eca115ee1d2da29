//! `in_order`: are each producing client's messages in the log in the order in which it sent them?

use super::readings::none_unexplained;
use crate::anomaly::Anomaly;
use crate::checks::answer::Answer;
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;

/// The order in the log is the order of sending and of acks.
pub(crate) struct InOrder<'a> {
    pub(crate) strict: &'a bool,
}

const EXPECTED: &str = "0 reordered";

impl Check for InOrder<'_> {
    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
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
