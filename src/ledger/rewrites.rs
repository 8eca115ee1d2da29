//! Offsets at which observers found something that should not be there: altered records, and two messages at one offset.

use super::judge::Case;
use super::pass::Pass;
use super::reads::{Held, merged};
use crate::ids::{Offset, Seq, StreamId};

/// Sets of offsets as sorted ranges that do not overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(Offset, Offset)>);

impl Ranges {
    /// The union of ranges (first offset, one past the last) in any order.
    pub(super) fn of(mut ranges: Vec<(Offset, Offset)>) -> Self {
        ranges.sort_unstable();
        let mut out: Vec<(Offset, Offset)> = Vec::new();
        for (from, to) in ranges.into_iter().filter(|(from, to)| from < to) {
            match out.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => out.push((from, to)),
            }
        }
        Self(out)
    }

    pub(super) fn contains(&self, offset: Offset) -> bool {
        self.meets(&(offset..offset + 1))
    }

    /// Some of these offsets are in it.
    pub(super) fn meets(&self, offsets: &std::ops::Range<Offset>) -> bool {
        let after = self.0.partition_point(|(_, to)| *to <= offsets.start);
        self.0.get(after).is_some_and(|(from, _)| *from < offsets.end)
    }

    /// How many offsets it holds.
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|(from, to)| (to - from).unsigned_abs()).sum()
    }
}

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
        active.retain(|held| end(held) > next.offset);
        for held in active.iter().filter(|held| at(held, next.offset) != next.message) {
            ranges.push((next.offset, end(held).min(end(&next))));
            if conflicts.len() < KEPT && conflicts.last().is_none_or(|last| last.offset != next.offset) {
                conflicts.push(Conflict { offset: next.offset, held: [at(held, next.offset), next.message] });
            }
        }
        if !active.contains(&next) {
            active.push(next);
        }
    }
    (Ranges::of(ranges), conflicts)
}

fn end(held: &Held) -> Offset {
    held.offset + held.len.cast_signed()
}

/// What it held at one of its offsets.
fn at(held: &Held, offset: Offset) -> Option<(StreamId, Seq)> {
    held.message.map(|(id, seq)| (id, seq + (offset - held.offset).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_sets_of_offsets(
            ranges in prop::collection::vec((0_i64..50, 0_i64..6), 0..10),
            asked in (0_i64..60, 0_i64..8),
        ) {
            let set: BTreeSet<i64> = ranges.iter().flat_map(|(from, len)| *from..from + len).collect();
            let found = Ranges::of(ranges.iter().map(|(from, len)| (*from, from + len)).collect());
            prop_assert_eq!(found.len(), set.len() as u64);
            let offsets = asked.0..asked.0 + asked.1;
            if !offsets.is_empty() {
                prop_assert_eq!(found.meets(&offsets), offsets.clone().any(|offset| set.contains(&offset)));
            }
            prop_assert_eq!(found.contains(asked.0), set.contains(&asked.0));
        }
    }
}
