//! What all parts of a run share: its options, its clock, its progress, and whether it is to end.

pub(crate) mod clock;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod progress;
pub(crate) mod run_context;
pub(crate) mod stop;
