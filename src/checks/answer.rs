//! The answer to a check: pass, fail or inconclusive, with what was wanted and what was found.
//!
//! No data is no pass.

/// The answer to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The promise was kept.
    Pass,
    /// The run could not judge.
    Inconclusive,
    /// The promise was broken.
    Fail,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer.
    pub outcome: Outcome,
    /// What was wanted.
    pub expected: String,
    /// What was found.
    pub actual: String,
    /// In words, where the two do not say it all.
    pub message: String,
}

impl Answer {
    pub(super) fn new(outcome: Outcome, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { outcome, expected: expected.into(), actual: actual.into(), message: String::new() }
    }

    pub(super) fn passes_if(ok: bool, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self::new(if ok { Outcome::Pass } else { Outcome::Fail }, expected, actual)
    }

    pub(super) fn because(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// No data is no pass.
    pub(super) fn no_data(expected: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, expected, "no data").because("the scenario could work and saw nothing")
    }
}
