//! Applies defaults and records each one that a file uses.
//!
//! `kaf6 plan` shows them.

use std::fmt::Display;

use crate::plan::DefaultTaken;

/// The defaults used below one path of the file.
#[derive(Debug, Default)]
pub(crate) struct DefaultsRecorder {
    path: String,
    taken: Vec<DefaultTaken>,
}

impl DefaultsRecorder {
    /// An empty recorder. The path is empty for the file itself.
    pub(crate) fn below(path: impl Into<String>) -> Self {
        Self { path: path.into(), taken: Vec::new() }
    }

    pub(crate) fn note(&mut self, field: &str, value: impl Display) {
        let field = if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) };
        self.taken.push(DefaultTaken { field, value: value.to_string() });
    }

    /// Returns the value from the file, or records and returns the default.
    pub(crate) fn or<T>(&mut self, field: &str, written: Option<T>, default: T, shown: impl Display) -> T {
        written.unwrap_or_else(|| {
            self.note(field, shown);
            default
        })
    }

    pub(crate) fn into_taken(self) -> Vec<DefaultTaken> {
        self.taken
    }
}
