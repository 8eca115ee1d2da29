//! `reports/index.json`: several runs at a glance, with the status of the whole.
//!
//! Owns its types and the rule by which the worst status of several is chosen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::summary::{RunStatus, SCHEMA_VERSION, Summary};
use super::{REPORT_HTML, SUMMARY_JSON, json};

/// All runs of one invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Index {
    /// The form's version: that of `summary.json`.
    pub schema_version: u32,
    /// The worst of them.
    pub status: RunStatus,
    /// In the order in which they ran.
    pub runs: Vec<IndexRun>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexRun {
    /// Its id.
    pub run_id: String,
    /// Its name.
    pub name: String,
    /// The scenario file, as given.
    pub source: String,
    /// Its verdict.
    pub status: RunStatus,
    /// Why, in a sentence.
    pub reason: String,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// Its folder, from the index.
    pub path: String,
    /// Its summary, from the index.
    pub summary: String,
    /// Its page, from the index.
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

/// Its bytes.
///
/// # Errors
/// None is known to happen.
pub fn index_json(runs: &[Summary]) -> Result<Vec<u8>, serde_json::Error> {
    json::pretty(&index(runs))
}

/// The status of several: any fail is a fail, else any error an error. None at all is an error, for nothing was judged.
pub fn worst(statuses: impl IntoIterator<Item = RunStatus>) -> RunStatus {
    statuses
        .into_iter()
        .max_by_key(|status| match status {
            RunStatus::Pass => 0,
            RunStatus::Error => 1,
            RunStatus::Fail => 2,
        })
        .unwrap_or(RunStatus::Error)
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
