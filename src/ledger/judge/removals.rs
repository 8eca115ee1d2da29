//! What a broker may remove: told by whoever knows the topic's settings, asked of what is missing.

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
    /// By one of them, or not at all: what is known of settings, sizes and times leaves it open.
    Unclear,
}

/// Says of what a fresh client did not find whether the topic's settings let the broker remove it.
pub trait Removals: Debug {
    /// Of a message that was acked or read at this place; none where that is not known.
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
