//! What became of a message: acked, failed or unknown, by rules over error code, status and acks.
//!
//! Owns the list of codes that exclude a write; whatever is not on it may lie in the log.

use super::Code;
use crate::ids::Offset;

/// The end of one message's sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The number given to [`Producer::send`](super::Producer::send).
    pub tag: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// The three ends of sending a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The broker confirmed it at this offset.
    Acked {
        /// Its place in the partition.
        offset: Offset,
    },
    /// It is not in the log: never sent, or refused with a code that excludes a write.
    Failed {
        /// Why.
        code: Code,
    },
    /// It may be in the log or not.
    Unknown {
        /// Why nobody knows; [`Code::NONE`] with acks 0, where no answer is asked for.
        code: Code,
    },
}
