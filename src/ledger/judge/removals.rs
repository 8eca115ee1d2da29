//! The interface to the topic's settings: what a broker may have removed, asked for each missing message.

use std::fmt::Debug;

use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::sent::marker::Marker;

/// Why a record may be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalReason {
    /// By retention: it lies below the log's start, and is old enough, or far enough behind.
    Expired,
    /// By compaction: a later record of the same key is there.
    Superseded,
    /// Possibly one of them: the known settings, sizes and times leave it open.
    Unclear,
}

/// Decides whether the topic's settings let the broker remove what a fresh client did not find.
pub trait Removals: Debug {
    /// For a message that was acked or read at this offset; `None` if it is unknown.
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
