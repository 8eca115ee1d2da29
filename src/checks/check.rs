//! What each check has to say of itself.

use super::answer::Answer;
use super::case::CheckedScenario;
use super::targets;
use crate::anomaly::Anomaly;
use crate::plan::{CheckKind, Plan};

/// What is known of a kind of check without its settings.
pub(super) trait CheckDescription {
    /// The kind.
    const KIND: CheckKind;
    /// The anomalies that it is about: reports show their evidence beside it.
    const ANOMALIES: &'static [Anomaly] = &[];
}

/// One check with its settings.
pub(super) trait Check {
    /// The scenarios that it runs against where the file names none, by their numbers.
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::messages(plan)
    }

    /// What it expects, in words, before anything was seen.
    fn expected(&self) -> String;

    /// Its answer for one scenario that could work.
    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer;

    /// Finding that something is out of reach is its purpose: it runs against scenarios that could not work, too.
    fn answers_for_the_unreachable(&self) -> bool {
        false
    }

    /// The fault that it names.
    fn fault(&self) -> Option<&str> {
        None
    }
}
