//! What all parts of a run share: its options, its clock, its progress, and whether it is to end.

pub(crate) mod clock;
pub(crate) mod live;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod shared;
pub(crate) mod stop;
