//! Renders a summary as `summary.json`, `report.html` and `junit.xml`, on the terminal, and for GitHub.
//!
//! All renderers are pure functions of [`summary::Summary`]. Only `write` accesses files.

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
pub mod summary;
pub mod terminal;
pub mod words;
pub mod write;

pub use from_record::summarize;
pub use write::{WrittenFile, render_again, write_all, write_atomically, write_ledger, write_merged};

/// The file that all other reports are rendered from.
pub const SUMMARY_JSON: &str = "summary.json";
pub const REPORT_HTML: &str = "report.html";
/// The file for CI systems. The merged file of several runs has the same name.
pub const JUNIT_XML: &str = "junit.xml";
/// The index of several runs.
pub const INDEX_JSON: &str = "index.json";
/// The ledger of a run, if it is saved.
pub const LEDGER_JSON: &str = "ledger.json";
/// The three report files of each run.
pub const FILES: [&str; 3] = [SUMMARY_JSON, REPORT_HTML, JUNIT_XML];

/// Why a report could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("cannot write the summary as JSON")]
    Json(#[from] serde_json::Error),
    #[error("cannot render the page")]
    Html(#[from] askama::Error),
    #[error("cannot write JUnit XML")]
    Junit(#[from] quick_junit::SerializeError),
}
