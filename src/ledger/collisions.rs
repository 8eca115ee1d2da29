//! Offsets that were acked to two messages, or to a message and an end marker.

use super::evidence::LOOKED_AT;
use super::ranges::Ranges;
use crate::ids::{Offset, Seq, StreamId};

/// Offsets side by side that were acked: to a stream's messages from this sequence on; none to an end marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Acked {
    pub(super) from: Offset,
    pub(super) to: Offset,
    pub(super) first: Option<(StreamId, Seq)>,
}

impl Acked {
    /// To whom one of its offsets was acked.
    pub(super) fn at(&self, offset: Offset) -> Option<(StreamId, Seq)> {
        self.first.map(|(id, seq)| (id, seq + (offset - self.from).unsigned_abs()))
    }
}

/// One offset, and two to whom it was acked.
pub(super) type Shown = (Offset, [Option<(StreamId, Seq)>; 2]);

/// Offsets that were acked twice, and to whom for the first of them.
#[derive(Debug, Default)]
pub(super) struct Collisions {
    pub(super) offsets: Ranges,
    pub(super) shown: Vec<Shown>,
}

impl Collisions {
    /// Of these acks.
    pub(super) fn of(mut all: Vec<Acked>) -> Self {
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
