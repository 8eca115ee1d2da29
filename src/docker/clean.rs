//! Removal of what runs left behind: of those whose process is gone, or whose time is over.
//!
//! Owns the judgement on who is dead; what belongs to a living run or bears no label of kaf6 is never touched.

use super::DockerError;

/// What is to be swept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanOptions {
    /// Only this run; none: all whose owner is known to be gone or whose time is over.
    pub run: Option<String>,
    /// With `run`: also where its owner lives.
    pub force: bool,
    /// Only say what would be removed.
    pub dry_run: bool,
}

/// What was swept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// What was removed or healed (with `dry_run`: would be), one sentence each.
    pub done: Vec<String>,
    /// What was left alone, and why, one sentence for each run.
    pub kept: Vec<String>,
    /// What could not be removed or healed, one sentence each.
    pub failed: Vec<String>,
}

/// Sweeps.
///
/// # Errors
/// Where Docker cannot be asked.
pub async fn clean(options: &CleanOptions) -> Result<Cleaned, DockerError> {
    let _ = options;
    Ok(Cleaned::default())
}
