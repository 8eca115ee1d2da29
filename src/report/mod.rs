//! From a summary to bytes: `summary.json`, `report.html`, `junit.xml`, and the result on a terminal.
//!
//! Owns every report's form. All of it is a pure function of [`summary::Summary`], but for `write`.

pub mod chart;
pub mod console;
pub mod findings;
pub mod format;
mod from_record;
pub mod github;
pub mod html;
pub mod index;
pub mod json;
pub mod junit;
pub mod notes;
pub mod progress;
pub mod sections;
pub mod summary;
pub mod terminal;
pub mod words;
pub mod write;

pub use from_record::summarize;
pub use write::{WrittenFile, render_again, write_all, write_atomically, write_ledger, write_merged};

/// The source of all other reports.
pub const SUMMARY_JSON: &str = "summary.json";
pub const REPORT_HTML: &str = "report.html";
/// The file for CI systems; also the name of the merged one.
pub const JUNIT_XML: &str = "junit.xml";
/// The index of several runs.
pub const INDEX_JSON: &str = "index.json";
/// The ledger of a run, where it was to be kept.
pub const LEDGER_JSON: &str = "ledger.json";
/// The three files of each run.
pub const FILES: [&str; 3] = [SUMMARY_JSON, REPORT_HTML, JUNIT_XML];

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("cannot write the summary as JSON")]
    Json(#[from] serde_json::Error),
    #[error("cannot render the page")]
    Html(#[from] askama::Error),
    #[error("cannot write JUnit XML")]
    Junit(#[from] quick_junit::SerializeError),
}
