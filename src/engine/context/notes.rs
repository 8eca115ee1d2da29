//! Notes about a run, from all its tasks and threads, for its reports.

use std::sync::Mutex;

use super::outcome::lock;
use crate::observe::Note;

/// Collects notes. A note that exists is not added again.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<Vec<Note>>);

impl Notes {
    pub(crate) fn add(&self, note: Note) {
        let mut notes = lock(&self.0);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Takes all notes, at the end of the run.
    pub(crate) fn take(&self) -> Vec<Note> {
        std::mem::take(&mut *lock(&self.0))
    }
}
