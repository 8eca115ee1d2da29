//! Identifiers: run tag, stream, sequence number, partition and offset, and the message identity made from
//! them.
//!
//! An identity is unique over all runs and is sent with its message (see `ledger::envelope`).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub type Partition = i32;

pub type Offset = i64;

/// 40 random bits that distinguish this run from all others. They do not depend on the seed or the run id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunTag(u64);

/// Identifies the messages of one client to one partition. Kafka guarantees order within this unit.
///
/// Streams are numbered over the whole run. The number is below 2^24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId(pub u32);

/// A message's number in its stream, from 0, in the order of sending. It is below 2^48.
pub type Seq = u64;

/// The unique identity of a produced message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The run that sent it.
    pub run: RunTag,
    /// The client and the partition.
    pub stream: StreamId,
    /// The number in the stream.
    pub seq: Seq,
}

const TAG_MASK: u64 = (1 << 40) - 1;
const STREAM_MASK: u32 = (1 << 24) - 1;
const SEQ_MASK: u64 = (1 << 48) - 1;

impl RunTag {
    /// A random tag from the operating system.
    pub fn random() -> Self {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        Self((high ^ low.rotate_left(17)) & TAG_MASK)
    }

    /// The tag with the lower 40 of these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & TAG_MASK)
    }

    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RunTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010x}", self.0)
    }
}

impl Identity {
    /// The identity as a version 8 UUID. The stream and the sequence number are split, so that the fixed
    /// version and variant bits stay free. See [`Identity::from_uuid`].
    pub fn uuid(&self) -> Uuid {
        // 122 free bits: 40 for the tag, 24 for the stream, 48 for the sequence number, and 10 zero bits that decoding
        // checks.
        let packed = (u128::from(self.run.0) << 82)
            | (u128::from(self.stream.0 & STREAM_MASK) << 58)
            | (u128::from(self.seq & SEQ_MASK) << 10);
        // The 122 bits: 48 before the version, 12 between version and variant, 62 after.
        let high = (packed >> 74) & ((1 << 48) - 1);
        let middle = (packed >> 62) & 0xfff;
        let low = packed & ((1 << 62) - 1);
        Uuid::from_u128((high << 80) | (0x8 << 76) | (middle << 64) | (0b10 << 62) | low)
    }

    /// The identity in a UUID. `None` if the UUID does not contain one.
    pub fn from_uuid(uuid: Uuid) -> Option<Self> {
        let bits = uuid.as_u128();
        if (bits >> 76) & 0xf != 0x8 || (bits >> 62) & 0b11 != 0b10 {
            return None;
        }
        let packed = ((bits >> 80) << 74) | (((bits >> 64) & 0xfff) << 62) | (bits & ((1 << 62) - 1));
        if packed & 0x3ff != 0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "each part is masked to its width")]
        Some(Self {
            run: RunTag(((packed >> 82) as u64) & TAG_MASK),
            stream: StreamId(((packed >> 58) as u32) & STREAM_MASK),
            seq: ((packed >> 10) as u64) & SEQ_MASK,
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.run, self.stream.0, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_uuid_gives_its_identity_back(tag in 0_u64..1 << 40, stream in 0_u32..1 << 24, seq in 0_u64..1 << 48) {
            let id = Identity { run: RunTag::from_bits(tag), stream: StreamId(stream), seq };
            let uuid = id.uuid();
            prop_assert_eq!(uuid.get_version_num(), 8);
            prop_assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
            prop_assert_eq!(Identity::from_uuid(uuid), Some(id));
        }
    }

    #[test]
    fn tags_differ() {
        assert_ne!(RunTag::random(), RunTag::random());
        assert_eq!(Identity::from_uuid(Uuid::new_v4()), None);
    }
}
