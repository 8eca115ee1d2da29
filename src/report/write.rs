//! Writes the report files of a run: each one completely or not at all, and independently of the others.
//!
//! Defines the file names and atomic writing, and renders reports again from `summary.json`.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::summary::Summary;
use super::{FILES, INDEX_JSON, JUNIT_XML, LEDGER_JSON, REPORT_HTML, RenderError, SUMMARY_JSON};
use super::{html, index, json, junit};
use crate::ledger::Saved;

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// It could not be written.
    #[error("cannot write {}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// Why the reports in a run's folder cannot be rendered again.
#[derive(Debug, thiserror::Error)]
pub enum RerenderError {
    /// The folder has no summary.
    #[error("{} is not the folder of a run: it has no {SUMMARY_JSON}", folder.display())]
    Nothing { folder: PathBuf },
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// The file is not a valid summary.
    #[error("{}", path.display())]
    Summary { path: PathBuf, source: json::ReadSummaryError },
}

/// The result of writing one file.
#[derive(Debug)]
pub struct WrittenFile {
    /// Its path, even if it was not written.
    pub path: PathBuf,
    /// Its size in bytes, or the error.
    pub result: Result<usize, WriteError>,
}

/// Writes `summary.json`, `report.html` and `junit.xml` to the run's folder, which is created if missing.
/// Returns one result per file, in this order. An error does not stop the next file.
pub fn write_all(folder: &Path, summary: &Summary) -> Vec<WrittenFile> {
    FILES.into_iter().map(|name| write_file(folder, name, render(name, summary))).collect()
}

/// Writes the ledger of a run to its folder.
pub fn write_ledger(folder: &Path, saved: &Saved) -> WrittenFile {
    let bytes = serde_json::to_vec(saved).map_err(RenderError::from);
    write_file(folder, LEDGER_JSON, bytes)
}

/// Renders the page and `junit.xml` again from `summary.json` in a run's folder. The bytes are the same.
///
/// # Errors
///
/// If the folder has no summary that this version of kaf6 can read.
pub fn render_again(folder: &Path) -> Result<(Summary, Vec<WrittenFile>), RerenderError> {
    let path = folder.join(SUMMARY_JSON);
    let bytes = std::fs::read(&path).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            RerenderError::Nothing { folder: folder.to_owned() }
        }
        _ => RerenderError::Io { path: path.clone(), source },
    })?;
    let summary = json::from_json(&bytes).map_err(|source| RerenderError::Summary { path, source })?;
    let written = [REPORT_HTML, JUNIT_XML]
        .into_iter()
        .map(|name| write_file(folder, name, render(name, &summary)))
        .collect();
    Ok((summary, written))
}

/// Writes `index.json` and the merged `junit.xml` of several runs to the folder that contains theirs.
pub fn write_merged(folder: &Path, runs: &[Summary]) -> Vec<WrittenFile> {
    vec![
        write_file(folder, INDEX_JSON, index::index_json(runs).map_err(RenderError::from)),
        write_file(folder, JUNIT_XML, junit::merge(runs).map_err(RenderError::from)),
    ]
}

fn render(name: &str, summary: &Summary) -> Result<Vec<u8>, RenderError> {
    Ok(match name {
        SUMMARY_JSON => json::to_json(summary)?,
        REPORT_HTML => html::html(summary)?.into_bytes(),
        _ => junit::junit(summary)?,
    })
}

fn write_file(folder: &Path, name: &str, bytes: Result<Vec<u8>, RenderError>) -> WrittenFile {
    let path = folder.join(name);
    let result = bytes.map_err(WriteError::from).and_then(|bytes| {
        write_atomically(folder, name, &bytes)
            .map(|()| bytes.len())
            .map_err(|source| WriteError::Io { path: path.clone(), source })
    });
    WrittenFile { path, result }
}

/// Writes a file completely or not at all. The file first has another name, so that no one reads a partial
/// file.
///
/// # Errors
///
/// If the folder cannot be created or the file cannot be written.
pub fn write_atomically(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let half = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = std::fs::File::create(&half)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&half, folder.join(name)));
    if written.is_err() {
        let _ = std::fs::remove_file(&half);
    }
    written
}
