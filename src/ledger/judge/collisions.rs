//! Finds offsets that were acked for two messages, or for a message and an end marker.

use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::evidence::LOOKED_AT;
use crate::ledger::read::ranges::Ranges;

/// Consecutive acked offsets of a stream's messages, with the first sequence; `None` for an end marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Acked {
    pub(crate) from: Offset,
    pub(crate) to: Offset,
    pub(crate) first: Option<(StreamId, Seq)>,
}

impl Acked {
    /// The message that was acked at one of its offsets.
    pub(crate) fn at(&self, offset: Offset) -> Option<(StreamId, Seq)> {
        self.first.map(|(id, seq)| (id, seq + (offset - self.from).unsigned_abs()))
    }
}

/// An offset, and the two messages for which it was acked.
pub(crate) type SharedOffset = (Offset, [Option<(StreamId, Seq)>; 2]);

/// The offsets that were acked twice, and the messages of the first of them.
#[derive(Debug, Default)]
pub(crate) struct Collisions {
    pub(crate) offsets: Ranges,
    pub(crate) shown: Vec<SharedOffset>,
}

impl Collisions {
    pub(crate) fn of(mut all: Vec<Acked>) -> Self {
        all.sort_unstable();
        let (mut ranges, mut shown) = (Vec::new(), Vec::new());
        let mut active: Vec<Acked> = Vec::new();
        for next in all {
            active.retain(|acked| acked.to > next.from);
            for acked in &active {
                let to = acked.to.min(next.to);
                ranges.push((next.from, to));
                let room = LOOKED_AT.saturating_sub(shown.len());
                let each = (next.from..to).take(room);
                shown.extend(each.map(|offset| (offset, [acked.at(offset), next.at(offset)])));
            }
            active.push(next);
        }
        Self { offsets: Ranges::of(ranges), shown }
    }
}
