//! End markers: records that kaf6 writes behind all messages, so that whoever reads one has read past all of them.

use crate::ids::Offset;

/// An end marker that the broker acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub number: u64,
    pub offset: Offset,
}
