//! What acks alone show: one offset that was acked to two messages, and messages that were acked below an earlier ack.

use super::evidence::EVIDENCE;
use super::marker::Marker;
use super::ranges::Ranges;
use super::sent::SentLog;
use crate::ids::{Offset, Seq, StreamId};

/// Offsets side by side that were acked: to a stream's messages from this sequence on; none to an end marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Acked {
    from: Offset,
    to: Offset,
    first: Option<(StreamId, Seq)>,
}

impl Acked {
    fn at(&self, offset: Offset) -> Option<(StreamId, Seq)> {
        self.first.map(|(id, seq)| (id, seq + (offset - self.from).unsigned_abs()))
    }
}

/// To whom an offset was acked: none is an end marker.
type Both = [Option<(StreamId, Seq)>; 2];

/// Offsets that were acked twice, and to whom for the first of them.
#[derive(Debug, Default)]
pub(super) struct Collisions {
    pub(super) offsets: Ranges,
    pub(super) shown: Vec<(Offset, Both)>,
}

impl Collisions {
    /// Of all whose acks hold: what only its leader acked may be gone with it, and its offset another's.
    pub(super) fn of<'a>(streams: impl Iterator<Item = (StreamId, &'a SentLog)>, markers: &[Marker]) -> Self {
        let messages = streams.flat_map(|(id, log)| {
            log.acks().runs().map(move |run| Acked {
                from: run.offset,
                to: run.offset_of(run.end()),
                first: Some((id, run.seq)),
            })
        });
        let markers = markers.iter().map(|it| Acked { from: it.offset, to: it.offset + 1, first: None });
        let mut all: Vec<Acked> = messages.chain(markers).collect();
        all.sort_unstable();
        let (mut ranges, mut shown) = (Vec::new(), Vec::new());
        let mut active: Vec<Acked> = Vec::new();
        for next in all {
            active.retain(|acked| acked.to > next.from);
            for acked in &active {
                let to = acked.to.min(next.to);
                ranges.push((next.from, to));
                let room = EVIDENCE.saturating_sub(shown.len());
                let each = (next.from..to).take(room);
                shown.extend(each.map(|offset| (offset, [acked.at(offset), next.at(offset)])));
            }
            active.push(next);
        }
        Self { offsets: Ranges::of(ranges), shown }
    }
}
