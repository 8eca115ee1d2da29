//! `reports/index.json`: an overview of several runs, with their overall status.
//!
//! Defines its types, and the rule for the overall status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::summary::{RunStatus, SCHEMA_VERSION, Summary};
use super::{REPORT_HTML, SUMMARY_JSON, json};

/// All runs of one invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Index {
    /// Version of the format, equal to that of `summary.json`.
    pub schema_version: u32,
    /// The worst status of all runs.
    pub status: RunStatus,
    /// The runs, in order of execution.
    pub runs: Vec<IndexRun>,
}

/// One run in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexRun {
    pub run_id: String,
    pub name: String,
    /// The scenario file, as given.
    pub source: String,
    /// The run's status.
    pub status: RunStatus,
    /// The reason for the status, as a sentence.
    pub reason: String,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// The run's folder, relative to the index.
    pub path: String,
    /// The run's summary, relative to the index.
    pub summary: String,
    /// The run's page, relative to the index.
    pub report: String,
}

/// The index of these runs.
pub fn index(runs: &[Summary]) -> Index {
    Index {
        schema_version: SCHEMA_VERSION,
        status: worst(runs.iter().map(|r| r.status)),
        runs: runs
            .iter()
            .map(|run| IndexRun {
                run_id: run.run_id.clone(),
                name: run.name.clone(),
                source: run.source.path.clone(),
                status: run.status,
                reason: run.reason.clone(),
                duration_ms: run.duration_ms,
                path: run.run_id.clone(),
                summary: format!("{}/{SUMMARY_JSON}", run.run_id),
                report: format!("{}/{REPORT_HTML}", run.run_id),
            })
            .collect(),
    }
}

/// The index as JSON.
///
/// # Errors
///
/// Does not happen in practice.
pub fn index_json(runs: &[Summary]) -> Result<Vec<u8>, serde_json::Error> {
    json::pretty(&index(runs))
}

/// The overall status of several runs: fail if any run failed, else error if any is inconclusive. Without
/// runs, error, because nothing was checked.
pub fn worst(statuses: impl IntoIterator<Item = RunStatus>) -> RunStatus {
    statuses.into_iter().min_by_key(|status| status.outcome().rank()).unwrap_or(RunStatus::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_status_counts() {
        use RunStatus::{Error, Fail, Pass};
        assert_eq!(worst([Pass, Pass]), Pass);
        assert_eq!(worst([Pass, Error]), Error);
        assert_eq!(worst([Fail, Error, Pass]), Fail);
        assert_eq!(worst([]), Error);
    }
}
