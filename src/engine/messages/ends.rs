//! What a reading thread hands in of each of its partitions, and the end marker that ends it.

use crate::ids::Offset;
use crate::ledger::{Between, PartitionReads};

/// One consumer's end in one partition.
#[derive(Debug)]
pub(crate) struct PartitionEnd {
    pub(crate) reads: PartitionReads,
    /// Where it started; 0 where that was the log's start.
    pub(crate) start: Offset,
    /// It read its end marker.
    pub(crate) reached_end_marker: bool,
    /// It read all that it was to read here: to its end marker, to its limit, or to a log's end that lies behind all acks.
    pub(crate) finished: bool,
    /// A broker that can be reached did not know the partition when the reader ended.
    pub(crate) gone: bool,
    /// A broker that can be reached gave no more records, though an acked one lies ahead.
    pub(crate) unreadable: Option<Unreadable>,
    /// Where an open transaction held it up when it ended, under `isolation.level: read_committed`.
    pub(crate) last_stable: Option<Offset>,
}

impl PartitionEnd {
    /// A reader that was never held up; it is not finished.
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

/// What a broker that can be reached did not give back in [`Plan::unreadable_after`](crate::plan::Plan), neither to a reader
/// nor to a fresh client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The first offset of it; all that was acked from here on is unreadable to this reader.
    pub(crate) from: Offset,
    /// How the broker answered, as "UNKNOWN_SERVER_ERROR 74 times, reported end 12".
    pub(crate) answers: String,
    /// The time that it had, in microseconds of the run.
    pub(crate) since_us: u64,
    pub(crate) until_us: u64,
}

/// An end marker that was acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndMarkerSeen {
    /// Unique in the run, and higher than those before it.
    pub(crate) number: u64,
    pub(crate) offset: Offset,
    /// The scenario for which it was written: it lies behind all that this one's producers sent.
    pub(crate) reader: usize,
    /// When it was made and when its ack came, microseconds from the start of the run.
    pub(crate) written_us: Between,
}

impl EndMarkerSeen {
    /// Whether who reads it has read up to `to`. Of two that were written at once for two readers, one may lie behind; and one
    /// that lies below what was acked before it is in a log that was made anew, and all there is to see.
    pub(crate) fn ends_reading(&self, to: Offset, acked: Option<(Offset, Offset)>) -> bool {
        self.offset >= to || acked.is_some_and(|(_, last)| self.offset < last)
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
