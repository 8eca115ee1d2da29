//! The status of a run: pass, error or fail.

/// The status of a run, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Every check passed, and every planned message is accounted for.
    Pass,
    /// Inconclusive: no promise is known to be broken, but something is unknown.
    Error,
    /// A check failed, or the account shows a broken promise.
    Fail,
}
