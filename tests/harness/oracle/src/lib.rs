//! Computes the correct verdict of a run from the broker's log, the scenario file and summary.json.
//!
//! It follows the design and does not use kaf6's code. It requires only what follows from the log. If several answers are correct, it
//! accepts all of them.

mod acks;
mod facts;
mod file;
mod judge;
mod kept;
mod log;
mod possible;
mod seen;
#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use file::File;
pub use log::Log;

/// Everything that is wrong with a summary; empty where it is right.
///
/// # Errors
/// Where one of the three texts cannot be read.
pub fn judge(log: &str, file: &str, summary: &str) -> Result<Vec<String>, String> {
    let log: Log = serde_json::from_str(log).map_err(|error| format!("the broker's log: {error}"))?;
    let file = File::read(file)?;
    let summary: serde_json::Value =
        serde_json::from_str(summary).map_err(|error| format!("summary.json: {error}"))?;
    let facts = Facts::new(&log, &file);
    Ok(judge::all(&facts, &file, &summary))
}
