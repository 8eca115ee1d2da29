//! End markers: records that kaf6 writes after all messages. A reader that reads one has read past all messages.

use crate::ids::Offset;

/// An end marker that the broker acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub number: u64,
    pub offset: Offset,
}
