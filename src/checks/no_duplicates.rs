//! `no_duplicates`: is each message in the log once?

use super::answer::Answer;
use super::case::Case;
use super::check::{Check, Described};
use super::readings::none_unexplained;
use super::targets;
use crate::anomaly::Anomaly;
use crate::plan::{CheckKind, Plan};

/// No message has two offsets.
pub(super) struct NoDuplicates<'a> {
    pub(super) strict: &'a bool,
}

impl Described for NoDuplicates<'_> {
    const KIND: CheckKind = CheckKind::NoDuplicates;
    const ANOMALIES: &'static [Anomaly] = &[Anomaly::Duplicate];
}

impl Check for NoDuplicates<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::messages(plan)
    }

    fn expected(&self) -> String {
        "0 duplicates".to_owned()
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        none_unexplained(case, Anomaly::Duplicate, "duplicates", *self.strict)
    }
}
