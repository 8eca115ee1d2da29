//! The record of a run: its plan, observations, check results and verdict.
//!
//! All reports are rendered from it. It does not depend on the engine.

pub mod account;
mod status;
#[cfg(test)]
mod tests;
mod verdict;

pub use status::RunStatus;

use std::sync::Arc;

use crate::checks::{self, CheckResult};
use crate::ids::RunTag;
use crate::observe::Observations;
use crate::plan::Plan;

/// The record of one finished run.
#[derive(Debug, Clone)]
pub struct RunRecord {
    pub run_id: String,
    pub run_tag: RunTag,
    /// Start of kaf6's work, in RFC 3339, UTC, with milliseconds.
    pub started_at: String,
    pub plan: Arc<Plan>,
    pub seen: Observations,
    /// Check results, in the order of the checks.
    pub results: Vec<CheckResult>,
    pub status: RunStatus,
    /// The reason for the status, as a sentence.
    pub reason: String,
    /// Sums of the account that do not match. That is a bug in kaf6 and makes the verdict unreliable.
    pub bug: Option<String>,
}

impl RunRecord {
    /// Evaluates the checks and makes the record.
    pub fn new(
        run_id: String,
        run_tag: RunTag,
        started_at: String,
        plan: Arc<Plan>,
        seen: Observations,
    ) -> Self {
        let results = checks::evaluate(&plan, &seen);
        let bug = seen.accounts.as_ref().and_then(|accounts| accounts.check().err());
        let (status, reason) = verdict::verdict(&plan, &results, &seen, bug.as_deref());
        Self { run_id, run_tag, started_at, plan, seen, results, status, reason, bug }
    }
}
