//! `no_duplicates`: is each message in the log only once?

use super::readings::none_unexplained;
use crate::anomaly::Anomaly;
use crate::checks::answer::Answer;
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;

/// No message has two offsets.
pub(crate) struct NoDuplicates<'a> {
    pub(crate) strict: &'a bool,
}

impl Check for NoDuplicates<'_> {
    fn expected(&self) -> String {
        "0 duplicates".to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        none_unexplained(case, Anomaly::Duplicate, "duplicates", *self.strict)
    }
}
