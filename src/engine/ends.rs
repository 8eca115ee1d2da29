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
}

/// A fence that was acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    /// Unique in the run, and higher than those before it.
    pub(super) number: u64,
    /// Where it was acked.
    pub(super) offset: Offset,
}
