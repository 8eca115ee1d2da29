//! Offsets with a wrong record: altered ones, and two different messages at one offset.

use super::case::PartitionCase;
use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::evidence::{LOOKED_AT, Observer};
use crate::ledger::read::held::{Held, merged};
use crate::ledger::read::pass::Pass;
use crate::ledger::read::ranges::Ranges;

/// The offsets at which any of these passes found an altered record.
pub(crate) fn corrupt_ranges<'a>(passes: impl Iterator<Item = &'a Pass<'a>>) -> Ranges {
    let runs = passes.flat_map(|pass| pass.reads.corrupt.runs());
    Ranges::of(runs.map(|run| (run.offset, run.offset + run.len.cast_signed())).collect())
}

/// One offset that had two different records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) offset: Offset,
    /// Its record when first read, and the other record that was found later; `None` is a record that is not a message
    /// of this partition.
    pub(crate) held: [Option<(StreamId, Seq)>; 2],
    /// The observer that found the second record.
    pub(crate) observer: Observer,
}

/// All offsets that had two different records at different times, and the conflicts of the first of them. This requires
/// that something was read twice: by two observers, or after a reset of the log.
pub(crate) fn rewritten(case: &PartitionCase<'_>) -> (Ranges, Vec<Conflict>) {
    let mut passes = case.passes.iter().map(|pass| pass.reads);
    if case.passes.len() < 2 && passes.all(|reads| reads.resets() == 0) {
        return (Ranges::default(), Vec::new());
    }
    let mut ranges = Vec::new();
    // Those that extend to the current offset or beyond.
    let mut active: Vec<Held> = Vec::new();
    for next in merged(case.passes.iter().map(|pass| pass.reads.held()).collect()) {
        active.retain(|held| held.end() > next.offset);
        // Messages that only their leader acked may be lost with it.
        let free = |held: &Held| held.message.is_some_and(|(id, _)| case.by_leader_alone(id));
        let other = |held: &&Held| held.at(next.offset) != next.message && !free(held) && !free(&next);
        for held in active.iter().filter(other) {
            ranges.push((next.offset, held.end().min(next.end())));
        }
        if !active.contains(&next) {
            active.push(next);
        }
    }
    let ranges = Ranges::of(ranges);
    let conflicts = conflicts(case.passes, &ranges);
    (ranges, conflicts)
}

/// The observer of an offset, and the record that it found.
type LookAt = (Observer, Option<(StreamId, Seq)>);

/// The two records of the first of these offsets, in order of time.
fn conflicts(passes: &[Pass<'_>], rewritten: &Ranges) -> Vec<Conflict> {
    let offsets: Vec<Offset> = rewritten.offsets().take(LOOKED_AT).collect();
    let mut looks: Vec<Vec<LookAt>> = vec![Vec::new(); offsets.len()];
    // Passes and their epochs are in order of time.
    for pass in passes {
        for held in pass.reads.epochs.iter().flat_map(|epoch| epoch.held().flatten()) {
            let from = offsets.partition_point(|offset| *offset < held.offset);
            let to = offsets.partition_point(|offset| *offset < held.end());
            for at in from..to {
                looks[at].push((pass.observer, held.at(offsets[at])));
            }
        }
    }
    let conflict = |(offset, looks): (Offset, Vec<LookAt>)| {
        let (_, first) = *looks.first()?;
        let (observer, second) = *looks.iter().find(|(_, held)| *held != first)?;
        Some(Conflict { offset, held: [first, second], observer })
    };
    offsets.into_iter().zip(looks).filter_map(conflict).collect()
}
