//! The record of one run: its plan, what was seen, the answers to its checks, and the verdict made of them.
//!
//! All that reports are rendered from; holds nothing of the engine.

pub mod account;
mod status;
#[cfg(test)]
mod tests;
mod verdict;

pub use status::Status;

use std::sync::Arc;

use crate::checks::{self, CheckResult};
use crate::ids::RunTag;
use crate::observe::Observations;
use crate::plan::Plan;

/// One run, done.
#[derive(Debug, Clone)]
pub struct RunRecord {
    pub run_id: String,
    pub run_tag: RunTag,
    /// When its work began, RFC 3339 in UTC with milliseconds.
    pub started_at: String,
    /// What was to be done.
    pub plan: Arc<Plan>,
    pub seen: Observations,
    /// The answers, in the checks' order.
    pub results: Vec<CheckResult>,
    pub status: Status,
    /// Why, in a sentence.
    pub reason: String,
    /// Sums of the account that do not add up: a bug in kaf6, which makes its verdict worthless.
    pub bug: Option<String>,
}

impl RunRecord {
    /// Puts the checks to what was seen, and makes the record of it.
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
