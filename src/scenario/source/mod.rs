//! The text of a file: parses YAML and JSON into values with positions, and formats messages about them.

pub mod diagnostics;
pub mod json;
pub mod node;
pub(crate) mod position;
pub mod read;
pub(crate) mod scalar;
pub mod suggest;
pub mod yaml;
