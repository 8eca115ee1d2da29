//! The notes of a report: the most severe first, and equal notes merged with a count.
//!
//! All reports use the same order.

use super::summary::Note;

/// Each distinct note with its count: errors, then warnings, then hints.
pub fn merged(notes: &[Note]) -> Vec<(&Note, u64)> {
    let mut out: Vec<(&Note, u64)> = Vec::new();
    for note in notes {
        match out.iter_mut().find(|(seen, _)| *seen == note) {
            Some((_, times)) => *times += 1,
            None => out.push((note, 1)),
        }
    }
    out.sort_by_key(|(note, _)| std::cmp::Reverse(note.level));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::NoteLevel;

    #[test]
    fn the_same_note_is_shown_once() {
        let note = |level, text: &str| Note { level, text: text.to_owned() };
        let notes = [note(NoteLevel::Hint, "a"), note(NoteLevel::Error, "b"), note(NoteLevel::Hint, "a")];
        let merged: Vec<_> = merged(&notes).into_iter().map(|(n, times)| (n.text.as_str(), times)).collect();
        assert_eq!(merged, [("b", 1), ("a", 2)]);
    }
}
