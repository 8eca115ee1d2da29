//! Places in scenario files.
//!
//! Owns how they are counted: lines and columns from 1, columns in characters.

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

/// Where in its file a value or key stands: line and column from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// How many characters it covers in its first line; at least 1.
    pub width: usize,
}
