//! The results of a reading thread for each of its partitions, and the end marker that ends the reading.

use std::collections::HashMap;

use crate::ids::{Offset, Partition};
use crate::ledger::{Between, PartitionReads};

/// The result of one consumer in one partition.
#[derive(Debug)]
pub(crate) struct PartitionEnd {
    pub(crate) reads: PartitionReads,
    /// The offset at which it started; 0 for the start of the log.
    pub(crate) start: Offset,
    pub(crate) reached_end_marker: bool,
    /// Whether it read everything it had to: up to its end marker, to its limit, or to the end of a log beyond all
    /// acks.
    pub(crate) finished: bool,
    /// Whether a reachable broker did not know the partition when the reader ended.
    pub(crate) gone: bool,
    /// Set if a reachable broker returned no more records, although an acked one was next.
    pub(crate) unreadable: Option<Unreadable>,
    /// The last stable offset that blocked it when it ended (`isolation.level: read_committed`).
    pub(crate) last_stable: Option<Offset>,
}

impl PartitionEnd {
    /// A reader that was never blocked and has not finished.
    pub(crate) fn new(reads: PartitionReads, start: Offset) -> Self {
        Self {
            reads,
            start,
            reached_end_marker: false,
            finished: false,
            gone: false,
            unreadable: None,
            last_stable: None,
        }
    }
}

/// The records that a reachable broker did not return within [`Plan::unreadable_after`](crate::plan::Plan), neither to
/// a reader nor to a fresh client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The first unreadable offset. All acked messages from here on are unreadable to this reader.
    pub(crate) from: Offset,
    /// The broker's answers, such as "UNKNOWN_SERVER_ERROR 74 times, reported end 12".
    pub(crate) answers: String,
    /// When the time started and when it ended, in microseconds since the start of the run.
    pub(crate) since_us: u64,
    pub(crate) until_us: u64,
}

/// An acked end marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndMarkerSeen {
    /// Unique in the run, and higher than the numbers of earlier end markers.
    pub(crate) number: u64,
    pub(crate) offset: Offset,
    /// The scenario for which it was written. It follows all messages of this scenario's producers.
    pub(crate) reader: usize,
    /// When it was created and when it was acked, in microseconds since the start of the run.
    pub(crate) written_us: Between,
}

impl EndMarkerSeen {
    /// Whether reading this end marker means that everything up to `to` was read. Of two end markers that were written
    /// concurrently for two readers, one may come too early. An end marker below offsets that were acked before it is
    /// in a recreated log, which contains nothing else to read.
    pub(crate) fn ends_reading(&self, to: Offset, acked: Option<(Offset, Offset)>) -> bool {
        self.offset >= to || acked.is_some_and(|(_, last)| self.offset < last)
    }
}

/// The acked end markers of each topic and partition. They count as acked messages.
#[derive(Debug, Default)]
pub(crate) struct AckedMarkers(HashMap<(usize, Partition), Vec<EndMarkerSeen>>);

impl AckedMarkers {
    pub(crate) fn add(&mut self, place: (usize, Partition), end_marker: EndMarkerSeen) {
        let here = self.0.entry(place).or_default();
        // End markers of several readers may be acked in any order.
        let at = here.partition_point(|marker| marker.number < end_marker.number);
        here.insert(at, end_marker);
    }

    /// Those of one partition, in ascending order of their numbers.
    pub(crate) fn of(&self, place: (usize, Partition)) -> &[EndMarkerSeen] {
        self.0.get(&place).map_or(&[], Vec::as_slice)
    }

    /// The acked offset of the partition's last end marker.
    pub(crate) fn last_offset(&self, place: (usize, Partition)) -> Option<Offset> {
        self.of(place).last().map(|end_marker| end_marker.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_ends_reading_behind_all_that_is_wanted_or_in_a_new_log() {
        let marker = EndMarkerSeen { number: 6, offset: 380, reader: 0, written_us: (0, 0) };
        let acked = Some((0, 379));
        assert!(marker.ends_reading(380, acked) && marker.ends_reading(12, acked));
        assert!(!marker.ends_reading(381, acked), "another marker lies there");
        assert!(!marker.ends_reading(381, None));
        assert!(marker.ends_reading(500, Some((0, 500))), "the log was made anew");
    }
}
