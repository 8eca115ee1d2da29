//! The trait that each check implements.

use super::answer::Answer;
use super::case::CheckedScenario;
use super::targets;
use crate::plan::Plan;

/// One check with its settings.
pub(super) trait Check {
    /// The default targets, if the file names no scenario, by index in the plan.
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::messages(plan)
    }

    /// What it expects, as text that does not depend on observations.
    fn expected(&self) -> String;

    /// Its answer for one scenario that could run.
    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer;

    /// Whether it also runs against scenarios that could not run, because it tests reachability.
    fn answers_for_the_unreachable(&self) -> bool {
        false
    }
}
