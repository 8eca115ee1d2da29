//! The scenario file: raw model, loading, environment, profiles, schema, positions and templates.
//!
//! Owns everything between the bytes of a file and the validated scenario that a plan is made of.

use std::path::PathBuf;

pub mod suggest;
pub mod template;

pub use template::{Template, TemplateError, Values};

/// A place in a scenario file, counted from 1; columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file as given.
    pub file: PathBuf,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}
