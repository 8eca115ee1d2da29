//! Exit codes: the documented table, and the function that selects one of several.
//!
//! 0: passed. 1: a check failed. 2: invalid input. 3: inconclusive. 70: a bug in kaf6. 129, 130, 143: stopped
//! by a signal.

use crate::record::RunStatus;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every check of every run passed.
    Pass,
    Fail,
    /// The command line or a file is invalid.
    Input,
    /// A run is inconclusive.
    NotJudged,
    Bug,
    /// SIGHUP.
    HungUp,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// Which results make the process fail. This changes exit codes 1 and 3 only, never the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum FailOn {
    /// On failed runs only (exit code 3 becomes 0)
    Check,
    /// On failed and inconclusive runs
    #[default]
    Inconclusive,
    /// Never (exit codes 1 and 3 become 0)
    Never,
}

impl Exit {
    /// The first of these takes precedence over the others.
    const ORDER: [Self; 8] = [
        Self::Bug,
        Self::Input,
        Self::HungUp,
        Self::Interrupted,
        Self::Terminated,
        Self::Fail,
        Self::NotJudged,
        Self::Pass,
    ];

    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Input => 2,
            Self::NotJudged => 3,
            Self::Bug => 70,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The exit for a run's status.
    pub const fn of(status: RunStatus, fail_on: FailOn) -> Self {
        match (status, fail_on) {
            (RunStatus::Fail, FailOn::Check | FailOn::Inconclusive) => Self::Fail,
            (RunStatus::Error, FailOn::Inconclusive) => Self::NotJudged,
            _ => Self::Pass,
        }
    }

    /// The exit for several runs: the first of 70, 2, 129, 130 or 143, 1, 3, 0. No run at all is
    /// inconclusive.
    pub fn worst(ends: impl IntoIterator<Item = Self>) -> Self {
        let ends: Vec<Self> = ends.into_iter().collect();
        Self::ORDER.into_iter().find(|end| ends.contains(end)).unwrap_or(Self::NotJudged)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fail_on_changes_codes_1_and_3_only() {
        let code = |status, fail_on| Exit::of(status, fail_on).code();
        assert_eq!(code(RunStatus::Fail, FailOn::Inconclusive), 1);
        assert_eq!(code(RunStatus::Error, FailOn::Inconclusive), 3);
        assert_eq!(code(RunStatus::Fail, FailOn::Check), 1);
        assert_eq!(code(RunStatus::Error, FailOn::Check), 0);
        assert_eq!(code(RunStatus::Fail, FailOn::Never), 0);
        assert_eq!(code(RunStatus::Pass, FailOn::Never), 0);
    }

    #[test]
    fn the_worst_of_several_is_the_first_in_the_table() {
        use Exit::{Bug, Fail, Input, Interrupted, NotJudged, Pass};
        assert_eq!(Exit::worst([Pass, NotJudged, Fail]), Fail);
        assert_eq!(Exit::worst([NotJudged, Pass]), NotJudged);
        assert_eq!(Exit::worst([Fail, Interrupted]), Interrupted);
        assert_eq!(Exit::worst([Interrupted, Input]), Input);
        assert_eq!(Exit::worst([Input, Bug]), Bug);
        assert_eq!(Exit::worst([]), NotJudged, "nothing was judged");
    }
}
