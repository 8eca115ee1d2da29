//! Whether the topic's settings allow the broker to remove a message: the interface that is used for each missing message.

use std::fmt::Debug;

use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::sent::marker::Marker;

/// The reasons why a broker may remove a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalReason {
    /// Retention: it is below the log start, and old enough, or has enough bytes after it.
    Expired,
    /// Compaction: a later record has the same key.
    Superseded,
    /// Possibly one of them. The known settings, sizes and times do not decide it.
    Unclear,
}

/// Decides whether the topic's settings let the broker remove a record that a fresh client did not find.
pub trait Removals: Debug {
    /// For a message that was acked or read at this offset; `None` if the offset is unknown.
    fn of_message(&self, stream: StreamId, seq: Seq, place: Option<Offset>) -> Option<RemovalReason>;
    fn of_marker(&self, marker: Marker) -> Option<RemovalReason>;
}

#[derive(Debug, Clone, Copy)]
pub struct Kept;

impl Removals for Kept {
    fn of_message(&self, _: StreamId, _: Seq, _: Option<Offset>) -> Option<RemovalReason> {
        None
    }

    fn of_marker(&self, _: Marker) -> Option<RemovalReason> {
        None
    }
}
