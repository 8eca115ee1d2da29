//! The verdict on a run, in one word.

/// The verdict on a run, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Each check passed, and every planned message is accounted for.
    Pass,
    /// No promise is known to be broken, and something could not be judged.
    Error,
    /// A check failed, or the account has a broken promise.
    Fail,
}
