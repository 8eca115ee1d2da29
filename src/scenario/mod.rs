//! The scenario file: raw model, loading, environment, profiles, schema, positions and templates.

use std::path::PathBuf;

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

/// A text with `{{function}}` calls in it, parsed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template;
