//! Offsets at which observers found something that should not be there: altered records, and two messages at one offset.

use super::case::Case;
use super::held::{Held, merged};
use super::pass::Pass;
use super::ranges::Ranges;
use crate::ids::{Offset, Seq, StreamId};

/// The offsets at which any of these passes found an altered record.
pub(super) fn corrupt_ranges<'a>(passes: impl Iterator<Item = &'a Pass<'a>>) -> Ranges {
    let runs = passes.flat_map(|pass| pass.reads.corrupt.runs());
    Ranges::of(runs.map(|run| (run.offset, run.offset + run.len.cast_signed())).collect())
}

/// One offset that held two different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) offset: Offset,
    /// What it held; none is a record that is no message of this partition.
    pub(super) held: [Option<(StreamId, Seq)>; 2],
}

/// Conflicts kept for evidence.
const KEPT: usize = 20;

/// All offsets that held two different things at two times, and the first of them. It can be known only where something
/// was read twice: by two observers, or after a reset of the log.
pub(super) fn rewritten(case: &Case<'_>) -> (Ranges, Vec<Conflict>) {
    let mut passes = case.passes.iter().map(|pass| pass.reads);
    if case.passes.len() < 2 && passes.all(|reads| reads.resets() == 0) {
        return (Ranges::default(), Vec::new());
    }
    let mut ranges = Vec::new();
    let mut conflicts: Vec<Conflict> = Vec::new();
    // Those that reach to the present offset or beyond.
    let mut active: Vec<Held> = Vec::new();
    for next in merged(case.passes.iter().map(|pass| pass.reads.held()).collect()) {
        active.retain(|held| held.end() > next.offset);
        for held in active.iter().filter(|held| held.at(next.offset) != next.message) {
            ranges.push((next.offset, held.end().min(next.end())));
            if conflicts.len() < KEPT && conflicts.last().is_none_or(|last| last.offset != next.offset) {
                conflicts.push(Conflict { offset: next.offset, held: [held.at(next.offset), next.message] });
            }
        }
        if !active.contains(&next) {
            active.push(next);
        }
    }
    (Ranges::of(ranges), conflicts)
}
