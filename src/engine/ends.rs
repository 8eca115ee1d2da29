//! What a reading thread hands in of each of its partitions, and the fence that ends it.

use crate::ids::Offset;
use crate::ledger::PartitionReads;

/// One consumer's end in one partition.
#[derive(Debug)]
pub(super) struct PartitionEnd {
    /// What it found.
    pub(super) reads: PartitionReads,
    /// Where it started; 0 where that was the log's start.
    pub(super) start: Offset,
    /// It read its fence.
    pub(super) reached_fence: bool,
    /// A reachable broker no longer knows the partition.
    pub(super) gone: bool,
    /// It read all that it was to read: to its end marker, its limit, or the proven end of the log.
    pub(super) finished: bool,
    /// A reachable broker gave it no record from some offset on.
    pub(super) unreadable: Option<Unreadable>,
    /// Where an open transaction held it up, under `isolation.level: read_committed`.
    pub(super) last_stable: Option<Offset>,
}

/// What a reachable broker answered to a reader that it gave no record for `run.unreadable_after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The first offset that the reader did not get.
    pub(super) from: Offset,
    /// The broker's answers by code, with the end of the log that it reported.
    pub(super) answers: String,
    /// Microseconds from the start of the run.
    pub(super) since_us: u64,
    /// Microseconds from the start of the run.
    pub(super) until_us: u64,
}

/// A fence that was acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    /// Unique in the run, and higher than those before it.
    pub(super) number: u64,
    /// Where it was acked.
    pub(super) offset: Offset,
}
