//! The contents of a log according to acks and observers: offsets of the run, foreign offsets with their sizes, and the
//! rest.
//!
//! Used to evaluate retention by size.

use super::pass::Pass;
use super::ranges::Ranges;
use crate::ids::Offset;
use crate::ledger::sent::SentLog;
use crate::ledger::sent::marker::Marker;

/// The offsets of one log, by owner of their records.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    own: Counted,
    foreign: Counted,
    /// Bytes of the foreign records that were read. The next field is the size of the largest one.
    foreign_bytes: u64,
    largest_foreign: u64,
}

/// The contents of the log from an offset on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind {
    /// Offsets of the run's messages and end markers.
    pub own: u64,
    /// Offsets of foreign records that were read.
    pub foreign: u64,
    /// Maximum bytes of the foreign records.
    pub foreign_bytes: u64,
    /// Offsets with unknown contents: foreign records that were not read, or no record.
    pub unknown: u64,
}

impl Contents {
    /// The contents of a partition with these streams and acked end markers, as found by these passes.
    pub fn of<'a>(
        logs: impl IntoIterator<Item = &'a SentLog>,
        markers: &[Marker],
        passes: &[Pass<'_>],
    ) -> Self {
        let one = |marker: &Marker| (marker.offset, marker.offset + 1);
        let acked = logs.into_iter().flat_map(|log| log.acks().runs());
        let mut own: Vec<(Offset, Offset)> =
            acked.map(|run| (run.offset, run.offset_of(run.end()))).collect();
        own.extend(markers.iter().map(one));
        let mut foreign = Vec::new();
        for pass in passes {
            for held in pass.reads.held() {
                let list = if held.message.is_some() { &mut own } else { &mut foreign };
                list.push((held.offset, held.end()));
            }
            own.extend(pass.reads.markers().iter().map(one));
        }
        let sizes = || passes.iter().map(|pass| pass.reads.foreign_sizes());
        Self {
            own: Counted::of(Ranges::of(own)),
            foreign: Counted::of(Ranges::of(foreign)),
            foreign_bytes: sizes().map(|(all, _)| all).sum(),
            largest_foreign: sizes().map(|(_, largest)| largest).max().unwrap_or(0),
        }
    }

    /// The offset after the last known record.
    pub fn end(&self) -> Offset {
        self.own.end().max(self.foreign.end())
    }

    /// The contents from this offset on, in a log with this end.
    pub fn from(&self, offset: Offset, end: Offset) -> Behind {
        let (own, foreign) = (self.own.from(offset), self.foreign.from(offset));
        let span = u64::try_from(end.max(self.end()).saturating_sub(offset)).unwrap_or(0);
        Behind {
            own,
            foreign,
            foreign_bytes: foreign.saturating_mul(self.largest_foreign).min(self.foreign_bytes),
            unknown: span.saturating_sub(own.saturating_add(foreign)),
        }
    }
}

/// A set of offsets that counts its members from any offset on.
#[derive(Debug, Clone, Default)]
struct Counted {
    /// First offset, offset after the last, and the number of members from the start of this range on.
    ranges: Vec<(Offset, Offset, u64)>,
}

impl Counted {
    fn of(ranges: Ranges) -> Self {
        let mut ranges: Vec<_> = ranges.into_pairs().map(|(from, to)| (from, to, 0)).collect();
        let mut sum = 0;
        for (from, to, behind) in ranges.iter_mut().rev() {
            sum += (*to - *from).unsigned_abs();
            *behind = sum;
        }
        Self { ranges }
    }

    fn end(&self) -> Offset {
        self.ranges.last().map_or(0, |(_, to, _)| *to)
    }

    fn from(&self, offset: Offset) -> u64 {
        let at = self.ranges.partition_point(|(_, to, _)| *to <= offset);
        let Some((from, _, behind)) = self.ranges.get(at) else { return 0 };
        behind - u64::try_from(offset - from).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_counts_its_offsets_from_any_offset_on(
            ranges in prop::collection::vec((0_i64..50, 0_i64..6), 0..10),
            asked in -3_i64..60,
        ) {
            let set: BTreeSet<i64> = ranges.iter().flat_map(|(from, len)| *from..from + len).collect();
            let found = Counted::of(Ranges::of(ranges.iter().map(|(from, len)| (*from, from + len)).collect()));
            prop_assert_eq!(found.from(asked), set.range(asked..).count() as u64);
            prop_assert_eq!(found.end(), set.last().map_or(0, |last| last + 1));
        }
    }
}
