//! Positions in files. Lines and columns count from 1, columns in characters.

use std::path::PathBuf;

/// A position in a scenario file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file's path as given.
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
}

/// Position of a value or key in its file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    pub line: usize,
    pub column: usize,
    /// Number of characters on its first line, at least 1.
    pub width: usize,
}
