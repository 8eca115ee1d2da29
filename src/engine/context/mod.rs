//! State that all parts of a run share: options, clock, progress, lifecycle states and the stop switch.

pub(crate) mod clock;
pub(crate) mod findings;
pub(crate) mod lifecycle;
pub(crate) mod notes;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod own_stalls;
pub(crate) mod progress;
pub(crate) mod run_context;
pub(crate) mod stop;
pub(crate) mod topology;
