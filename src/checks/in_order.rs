//! `in_order`: is the order of each producing client's messages in the log the order in which it sent them?

use super::answer::Answer;
use super::case::Case;
use super::check::{Check, Described};
use super::readings::none_unexplained;
use super::targets;
use crate::anomaly::Anomaly;
use crate::plan::Plan;

/// The order of the log is the order of sending.
pub(super) struct InOrder<'a> {
    pub(super) strict: &'a bool,
}

impl Described for InOrder<'_> {
    const KIND: &'static str = "in_order";
    const ANOMALIES: &'static [Anomaly] = &[Anomaly::Reordered];
}

impl Check for InOrder<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::messages(plan)
    }

    fn expected(&self) -> String {
        "0 reordered".to_owned()
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        none_unexplained(case, Anomaly::Reordered, "reordered", *self.strict)
    }
}
