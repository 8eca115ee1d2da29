//! The 32 bytes that travel with each message: what it is, when it was due, and a checksum over it all.
//!
//! Layout, big-endian: `kaf6` (4), kind (1), run tag (5), stream (4), sequence (6), due (8, microseconds since
//! 1970), CRC-32C (4) over the rest of the value, the 28 bytes before it, and, where there is one, the key and its length.

use crc_fast::{CrcAlgorithm, Digest};

use crate::ids::{Identity, RunTag, Seq, StreamId};

/// Length of an envelope.
pub const LEN: usize = 32;

/// The header that carries the envelope where the user makes the value.
pub const HEADER: &str = "kaf6";

const MAGIC: [u8; 4] = *b"kaf6";
/// The checksum's place.
const SUM: usize = LEN - 4;

/// What a record of kaf6 is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Load of a producer.
    Message,
    /// One end of a round trip.
    Roundtrip,
    /// The end of the log for the readers of its run; its sequence is the fence's number.
    Fence,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Message => 1,
            Self::Roundtrip => 2,
            Self::Fence => 3,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Message),
            2 => Some(Self::Roundtrip),
            3 => Some(Self::Fence),
            _ => None,
        }
    }
}

/// An envelope, read or to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// What the record is for.
    pub kind: Kind,
    /// Which message it is.
    pub identity: Identity,
    /// When it was due, microseconds since 1970.
    pub due_us: i64,
}

impl Envelope {
    /// Writes it with a checksum over key and `rest`: what follows it in the value, or, where it travels in a
    /// header, the whole value.
    pub fn write(&self, key: Option<&[u8]>, rest: &[u8]) -> [u8; LEN] {
        self.write_over(key, RestSum::of(rest))
    }

    /// The same, where the checksum of the rest is known already.
    pub fn write_over(&self, key: Option<&[u8]>, rest: RestSum) -> [u8; LEN] {
        let mut out = [0; SUM];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = self.kind.byte();
        out[5..10].copy_from_slice(&self.identity.run.bits().to_be_bytes()[3..]);
        out[10..14].copy_from_slice(&self.identity.stream.0.to_be_bytes());
        out[14..20].copy_from_slice(&self.identity.seq.to_be_bytes()[2..]);
        out[20..].copy_from_slice(&self.due_us.to_be_bytes());
        let sum = checksum(&out, key, rest);
        let mut whole = [0; LEN];
        whole[..SUM].copy_from_slice(&out);
        whole[SUM..].copy_from_slice(&sum.to_be_bytes());
        whole
    }

    /// Reads it from the first bytes of `bytes`; none where they hold no envelope.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = bytes.get(..LEN)?.try_into().ok()?;
        if bytes[..4] != MAGIC {
            return None;
        }
        let wide = |range: std::ops::Range<usize>| {
            bytes[range].iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        Some(Self {
            kind: Kind::from_byte(bytes[4])?,
            identity: Identity {
                run: RunTag::from_bits(wide(5..10)),
                stream: StreamId(u32::from_be_bytes([bytes[10], bytes[11], bytes[12], bytes[13]])),
                seq: wide(14..20) as Seq,
            },
            due_us: i64::from_be_bytes(wide(20..SUM).to_be_bytes()),
        })
    }
}

/// The checksum of what follows an envelope: the larger part of the work, and the same for all messages of one content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestSum(pub u32);

impl RestSum {
    /// That of these bytes.
    pub fn of(rest: &[u8]) -> Self {
        Self(crc_fast::crc32_iscsi(rest))
    }
}

fn checksum(head: &[u8; SUM], key: Option<&[u8]>, rest: RestSum) -> u32 {
    // A checksum is a state with its bits turned; so it goes on from there. A digest holds its tables: it is made once and not copied.
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!rest.0));
    digest.update(head);
    // The length tells a missing key from an empty one, and keeps key and head apart.
    if let Some(key) = key {
        digest.update(key);
        digest.update(&(key.len() as u64 + 1).to_be_bytes());
    }
    // 32 bits of checksum in 64.
    digest.finalize() as u32
}

/// A record as the ledger sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// No envelope of this form: somebody else's.
    Foreign,
    /// An envelope, and whether the checksum agrees.
    Kaf6 {
        /// What it says.
        envelope: Envelope,
        /// The checksum is that of this key and value.
        intact: bool,
    },
}

impl Opened {
    /// A fence of some run, which is counted nowhere.
    pub fn is_fence(&self) -> bool {
        matches!(self, Self::Kaf6 { envelope, intact: true } if envelope.kind == Kind::Fence)
    }
}

/// Compares the UUID in a value, as text, with the one that was sent in it.
pub fn check_uuid(value: &[u8], identity: &Identity) -> Checked {
    let mut buffer = uuid::Uuid::encode_buffer();
    let wanted = identity.uuid().hyphenated().encode_lower(&mut buffer).as_bytes();
    if value.windows(wanted.len()).any(|window| window == wanted) { Checked::Fine } else { Checked::Wrong }
}

/// Whether a value's UUID is the one sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is, or there is none to check.
    Fine,
    /// Another one stands there.
    Wrong,
}

/// Opens a record: the envelope stands first in the value, or in the header that `header` fetches when asked.
pub fn open<'a>(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    header: impl FnOnce() -> Option<&'a [u8]>,
) -> Opened {
    let value = value.unwrap_or_default();
    if let (Some(envelope), Some(head)) = (Envelope::read(value), value.first_chunk()) {
        let intact = sum_of(value) == checksum(head, key, RestSum::of(&value[LEN..]));
        return Opened::Kaf6 { envelope, intact };
    }
    let Some(head) = header() else { return Opened::Foreign };
    match (Envelope::read(head), head.first_chunk()) {
        (Some(envelope), Some(first)) if head.len() == LEN => {
            let intact = sum_of(head) == checksum(first, key, RestSum::of(value));
            Opened::Kaf6 { envelope, intact }
        }
        _ => Opened::Foreign,
    }
}

fn sum_of(envelope: &[u8]) -> u32 {
    envelope[SUM..LEN].iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(seq: u64) -> Envelope {
        Envelope {
            kind: Kind::Message,
            identity: Identity { run: RunTag::from_bits(0xab_cdef_0123), stream: StreamId(7), seq },
            due_us: 1_700_000_000_000_000,
        }
    }

    /// Computed from the layout by another program: ledgers that were saved must open again.
    #[test]
    fn the_checksum_is_that_of_the_layout() {
        let sum = |key: Option<&[u8]>| sum_of(&envelope(9).write(key, b"rest"));
        assert_eq!((sum(None), sum(Some(b"key"))), (0x48eb_aab3, 0x146e_4521));
    }

    #[test]
    fn a_key_is_not_taken_for_a_value() {
        let head = envelope(1).write(Some(b"ab"), b"c");
        let header = || Some(&head[..]);
        assert!(matches!(open(Some(b"ab"), Some(b"c"), header), Opened::Kaf6 { intact: true, .. }));
        assert!(matches!(open(Some(b"a"), Some(b"bc"), header), Opened::Kaf6 { intact: false, .. }));
        assert!(matches!(open(None, Some(b"abc"), header), Opened::Kaf6 { intact: false, .. }));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            seq in 0_u64..1 << 48,
            key in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
            rest in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            let e = envelope(seq);
            let mut value = e.write(key.as_deref(), &rest).to_vec();
            value.extend_from_slice(&rest);
            prop_assert_eq!(open(key.as_deref(), Some(&value), || None), Opened::Kaf6 { envelope: e, intact: true });
        }

        #[test]
        fn each_changed_bit_is_seen(seq in 0_u64..1 << 48, rest in prop::collection::vec(any::<u8>(), 0..50), at in 5_usize..32, bit in 0_u8..8) {
            let mut value = envelope(seq).write(None, &rest).to_vec();
            value.extend_from_slice(&rest);
            value[at] ^= 1 << bit;
            let opened = open(None, Some(&value), || None);
            let seen = matches!(opened, Opened::Kaf6 { intact: false, .. } | Opened::Foreign);
            prop_assert!(seen);
        }

        #[test]
        fn hostile_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..80), head in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = open(None, Some(&value), || Some(&head));
        }
    }
}
