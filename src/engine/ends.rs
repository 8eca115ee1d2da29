//! What a reading thread hands in of each of its partitions.

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
