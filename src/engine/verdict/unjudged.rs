//! Notes about what a run did not judge, so that nothing is omitted silently.

use crate::engine::context::run_context::RunContext;
use crate::kafka::CHECKS_CRCS;
use crate::observe::Note;

/// Notes that readers did not validate batch checksums, if they cannot.
pub(crate) fn note_checksums(context: &RunContext) {
    if let Some(note) = checksums(CHECKS_CRCS) {
        context.notes.add(note);
    }
}

fn checksums(checked: bool) -> Option<Note> {
    (!checked).then(|| {
        Note::warning(
            "the checksums (CRCs) of batches were not checked: kaf6 checks them only on Linux; it \
            did check keys, values and headers",
        )
    })
}

/// Notes data that no broker reported at the start of the run or now, and how the run is judged without it.
pub(crate) fn note_unknown(context: &RunContext, what: &str, so: &str) {
    let why = match context.client.uses_sasl() {
        true => "kaf6's own requests do not support SASL",
        false => "no broker reported them both at the start of the run and before the verdict",
    };
    context.notes.add(Note::warning(format!("{what} are unknown ({why}): {so}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_that_are_not_checked_are_noted() {
        assert_eq!(checksums(true), None);
        assert!(
            checksums(false).is_some_and(|note| note.text.contains("(CRCs) of batches were not checked"))
        );
        assert_eq!(CHECKS_CRCS, cfg!(target_os = "linux"));
    }
}
