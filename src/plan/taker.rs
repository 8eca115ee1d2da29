//! Takes defaults where a file says nothing, and notes each one taken.
//!
//! Owns those notes.

use std::fmt::Display;

use super::DefaultTaken;
use crate::scenario::Template;
use crate::scenario::valid::TopicUse;

/// The defaults taken so far, below one path of the file.
pub(super) struct Taker<'a> {
    pub(super) path: String,
    pub(super) taken: &'a mut Vec<DefaultTaken>,
}

impl Taker<'_> {
    pub(super) fn note(&mut self, field: &str, value: impl Display) {
        let field = if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) };
        self.taken.push(DefaultTaken { field, value: value.to_string() });
    }

    /// The value written, or the default with a note of it.
    pub(super) fn or<T: Copy>(
        &mut self,
        field: &str,
        written: Option<T>,
        default: T,
        shown: impl Display,
    ) -> T {
        written.unwrap_or_else(|| {
            self.note(field, shown);
            default
        })
    }

    pub(super) fn topic(&mut self, topic: &TopicUse) -> Template {
        if topic.by_default {
            self.note("topic", &topic.name);
        }
        topic.name.clone()
    }
}
