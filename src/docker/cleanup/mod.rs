//! Removes what runs have started in Docker.

pub(crate) mod clean;
pub(crate) mod labels;
pub(crate) mod remove;
