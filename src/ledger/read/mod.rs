//! What observers found in a partition, and the contents of its log.

pub(crate) mod contents;
pub(crate) mod held;
pub(crate) mod last_looks;
pub(crate) mod pass;
pub(crate) mod ranges;
pub(crate) mod reads;
pub(crate) mod sighting;
pub(crate) mod view;
