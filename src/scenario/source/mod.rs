//! The text of a file: YAML and JSON read into values with places, and messages that point at them.

pub mod diagnostics;
pub mod json;
pub mod node;
pub(crate) mod position;
pub mod read;
pub(crate) mod scalar;
pub mod suggest;
pub mod yaml;
