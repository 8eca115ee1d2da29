//! Takes defaults where a file says nothing, and notes each one taken.
//!
//! Owns those notes.

use std::fmt::Display;

use crate::plan::DefaultTaken;

/// The defaults taken below one path of the file.
#[derive(Debug, Default)]
pub(super) struct DefaultsRecorder {
    path: String,
    taken: Vec<DefaultTaken>,
}

impl DefaultsRecorder {
    /// Nothing taken yet; the path is empty for the file itself.
    pub(super) fn below(path: impl Into<String>) -> Self {
        Self { path: path.into(), taken: Vec::new() }
    }

    pub(super) fn note(&mut self, field: &str, value: impl Display) {
        let field = if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) };
        self.taken.push(DefaultTaken { field, value: value.to_string() });
    }

    /// The value written, or the default with a note of it.
    pub(super) fn or<T>(&mut self, field: &str, written: Option<T>, default: T, shown: impl Display) -> T {
        written.unwrap_or_else(|| {
            self.note(field, shown);
            default
        })
    }

    pub(super) fn into_taken(self) -> Vec<DefaultTaken> {
        self.taken
    }
}
