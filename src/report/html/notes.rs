//! The notes section: what the run noticed besides its checks, the same notes merged.

use askama::Template;

use super::super::chart::prose;
use super::super::notes::merged;
use super::super::summary::{NoteLevel, Summary};

#[derive(Template)]
#[template(path = "report/notes.html")]
pub(super) struct NotesSection {
    notes: Vec<NoteRow>,
}

struct NoteRow {
    class: &'static str,
    level: &'static str,
    text: String,
    times: u64,
}

pub(super) fn notes(run: &Summary) -> Option<NotesSection> {
    let notes: Vec<NoteRow> =
        merged(&run.notes).into_iter().map(|(n, times)| note(n.level, &n.text, times)).collect();
    (!notes.is_empty()).then_some(NotesSection { notes })
}

fn note(level: NoteLevel, text: &str, times: u64) -> NoteRow {
    let (class, level) = match level {
        NoteLevel::Error => ("fail", "Error"),
        NoteLevel::Warning => ("inconclusive", "Warning"),
        NoteLevel::Hint => ("hint", "Hint"),
    };
    NoteRow { class, level, text: prose(text), times }
}
