//! The envelope: 32 bytes in each message with its identity, due time and checksum.
//!
//! Layout, big-endian: `kaf6` (4), kind (1), run tag (5), stream (4), sequence (6), due (8, microseconds
//! since 1970), CRC-32C (4). The checksum covers the rest of the value, the 28 bytes before the checksum, the
//! key (if any) and its length, and each header except the one with the envelope, with its lengths. Kinds 1
//! and 2, of older kaf6 versions, do not cover headers.

use crc_fast::{CrcAlgorithm, Digest};

use crate::ids::{Identity, RunTag, Seq, StreamId};

pub const LEN: usize = 32;

/// The header for the envelope if the user defines the value.
pub const HEADER: &str = "kaf6";
const NAME: &[u8] = HEADER.as_bytes();

const MAGIC: [u8; 4] = *b"kaf6";
const SUM: usize = LEN - 4;

/// Kinds whose checksum includes only key and value.
const OLD_MESSAGE: u8 = 1;
const OLD_ROUNDTRIP: u8 = 2;

/// The purpose of a record of kaf6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    Message,
    /// A message of a round trip.
    Roundtrip,
    /// An end marker. Its sequence is the end marker's number.
    EndMarker,
}

impl RecordKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Message => 4,
            Self::Roundtrip => 5,
            Self::EndMarker => 3,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            OLD_MESSAGE | 4 => Some(Self::Message),
            OLD_ROUNDTRIP | 5 => Some(Self::Roundtrip),
            3 => Some(Self::EndMarker),
            _ => None,
        }
    }
}

/// An envelope that was read or will be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    pub kind: RecordKind,
    pub identity: Identity,
    /// The due time, in microseconds since 1970.
    pub due_us: i64,
}

impl Envelope {
    /// Writes the envelope with a checksum over the key, `headers` and `rest`: the part of the value after the
    /// envelope, or the whole value if the envelope is in a header.
    pub fn write<'a>(
        &self,
        key: Option<&[u8]>,
        headers: impl Iterator<Item = Header<'a>>,
        rest: &[u8],
    ) -> [u8; LEN] {
        self.write_over(key, headers, RestSum::of(rest))
    }

    /// Like [`Envelope::write`], if the checksum of the rest is already known.
    pub fn write_over<'a>(
        &self,
        key: Option<&[u8]>,
        headers: impl Iterator<Item = Header<'a>>,
        rest: RestSum,
    ) -> [u8; LEN] {
        let mut out = [0; SUM];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = self.kind.byte();
        out[5..10].copy_from_slice(&self.identity.run.bits().to_be_bytes()[3..]);
        out[10..14].copy_from_slice(&self.identity.stream.0.to_be_bytes());
        out[14..20].copy_from_slice(&self.identity.seq.to_be_bytes()[2..]);
        out[20..].copy_from_slice(&self.due_us.to_be_bytes());
        let sum = checksum(&out, key, headers, rest);
        let mut whole = [0; LEN];
        whole[..SUM].copy_from_slice(&out);
        whole[SUM..].copy_from_slice(&sum.to_be_bytes());
        whole
    }

    /// Reads the envelope from the start of `bytes`; `None` if there is no envelope.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = bytes.get(..LEN)?.try_into().ok()?;
        if bytes[..4] != MAGIC {
            return None;
        }
        let wide = |range: std::ops::Range<usize>| {
            bytes[range].iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        Some(Self {
            kind: RecordKind::from_byte(bytes[4])?,
            identity: Identity {
                run: RunTag::from_bits(wide(5..10)),
                stream: StreamId(u32::from_be_bytes([bytes[10], bytes[11], bytes[12], bytes[13]])),
                seq: wide(14..20) as Seq,
            },
            due_us: i64::from_be_bytes(wide(20..SUM).to_be_bytes()),
        })
    }
}

/// The checksum of what follows an envelope. It takes most of the time, and is the same for all messages with the same
/// content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestSum(pub u32);

impl RestSum {
    pub fn of(rest: &[u8]) -> Self {
        Self(crc_fast::crc32_iscsi(rest))
    }
}

/// The name of a header, and its value or null.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

fn checksum<'a>(
    head: &[u8; SUM],
    key: Option<&[u8]>,
    headers: impl Iterator<Item = Header<'a>>,
    rest: RestSum,
) -> u32 {
    // The inverted checksum is the state of the digest, from which it continues. A digest contains its tables, so it is
    // created once and not copied.
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!rest.0));
    digest.update(head);
    // The length distinguishes a missing key from an empty one, and separates key and head.
    if let Some(key) = key {
        digest.update(key);
        digest.update(&length(Some(key)));
    }
    for (name, value) in headers {
        digest.update(name);
        digest.update(&length(Some(name)));
        digest.update(value.unwrap_or_default());
        digest.update(&length(value));
    }
    // The checksum has 32 bits, in 64.
    digest.finalize() as u32
}

/// A field's length plus one; 0 for null.
fn length(field: Option<&[u8]>) -> [u8; 8] {
    field.map_or(0, |field| field.len() as u64 + 1).to_be_bytes()
}

/// A record as seen by the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// Not a valid envelope: a foreign record.
    Foreign,
    /// An envelope, and whether its checksum is correct.
    Kaf6 {
        envelope: Envelope,
        /// Whether the checksum matches this key, value and headers.
        intact: bool,
    },
}

impl Opened {
    /// Whether this is an end marker of any run, which is not counted as a message.
    pub fn is_end_marker(&self) -> bool {
        matches!(self, Self::Kaf6 { envelope, intact: true } if envelope.kind == RecordKind::EndMarker)
    }
}

/// Compares the UUID in a value, as text, with the one that was sent in it.
pub fn check_uuid(value: &[u8], identity: &Identity) -> CheckedUuid {
    let mut buffer = uuid::Uuid::encode_buffer();
    let wanted = identity.uuid().hyphenated().encode_lower(&mut buffer).as_bytes();
    if value.windows(wanted.len()).any(|window| window == wanted) {
        CheckedUuid::Fine
    } else {
        CheckedUuid::Wrong
    }
}

/// Whether the UUID in a value is the one that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckedUuid {
    /// It is, or there is no UUID to check.
    Fine,
    Wrong,
}

/// Reads the envelope of a record: at the start of the value, or in the last header with its name.
pub fn open<'a, H>(key: Option<&[u8]>, value: Option<&[u8]>, headers: H) -> Opened
where
    H: Iterator<Item = Header<'a>> + Clone,
{
    let bytes = value.unwrap_or_default();
    if let (Some(envelope), Some(head)) = (Envelope::read(bytes), bytes.first_chunk()) {
        let sum = match covers_headers(head) {
            true => checksum(head, key, headers, RestSum::of(&bytes[LEN..])),
            false => checksum(head, key, std::iter::empty(), RestSum::of(&bytes[LEN..])),
        };
        return Opened::Kaf6 { envelope, intact: sum_of(bytes) == sum };
    }
    let Some((at, header)) = headers.clone().enumerate().filter(|(_, (name, _))| *name == NAME).last() else {
        return Opened::Foreign;
    };
    let head = header.1.unwrap_or_default();
    let (Some(envelope), Some(first), true) = (Envelope::read(head), head.first_chunk(), head.len() == LEN)
    else {
        return Opened::Foreign;
    };
    let others = headers.enumerate().filter(|(other, _)| *other != at).map(|(_, header)| header);
    let intact = match covers_headers(first) {
        // A value is always sent, even if it is empty.
        true => value.is_some() && sum_of(head) == checksum(first, key, others, RestSum::of(bytes)),
        false => sum_of(head) == checksum(first, key, std::iter::empty(), RestSum::of(bytes)),
    };
    Opened::Kaf6 { envelope, intact }
}

/// Whether the checksum of an envelope of this kind includes headers.
const fn covers_headers(head: &[u8; SUM]) -> bool {
    !matches!(head[4], OLD_MESSAGE | OLD_ROUNDTRIP)
}

fn sum_of(envelope: &[u8]) -> u32 {
    envelope[SUM..LEN].iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Pair = (Vec<u8>, Option<Vec<u8>>);

    fn envelope(seq: u64) -> Envelope {
        Envelope {
            kind: RecordKind::Message,
            identity: Identity { run: RunTag::from_bits(0xab_cdef_0123), stream: StreamId(7), seq },
            due_us: 1_700_000_000_000_000,
        }
    }

    fn of(headers: &[Pair]) -> impl Iterator<Item = Header<'_>> + Clone {
        headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref()))
    }

    fn intact(opened: Opened) -> bool {
        matches!(opened, Opened::Kaf6 { intact: true, .. })
    }

    /// Computed by another program from the layout, because saved ledgers must stay readable.
    #[test]
    fn the_checksum_is_that_of_the_layout() {
        let none = || std::iter::empty();
        let sum = |key: Option<&[u8]>| sum_of(&envelope(9).write(key, none(), b"rest"));
        assert_eq!((sum(None), sum(Some(b"key"))), (0x1043_8fe7, 0xb2b2_8b8e));
        let one = [(b"h".as_slice(), Some(b"v".as_slice())), (b"n", None)].into_iter();
        assert_eq!(sum_of(&envelope(9).write(Some(b"key"), one, b"rest")), 0x66c5_77a6);
    }

    #[test]
    fn records_of_older_kaf6_open_by_their_own_rule() {
        let mut value = envelope(9).write(Some(b"key"), std::iter::empty(), b"rest").to_vec();
        value[4] = OLD_MESSAGE;
        value.truncate(LEN - 4);
        value.extend(0x146e_4521_u32.to_be_bytes());
        value.extend(b"rest");
        let strange = [(b"x".to_vec(), None)];
        assert!(intact(open(Some(b"key"), Some(&value), of(&strange))));
        assert!(!intact(open(None, Some(&value), of(&[]))));
        value[33] ^= 1;
        assert!(!intact(open(Some(b"key"), Some(&value), of(&[]))));
    }

    #[test]
    fn a_key_is_not_taken_for_a_value() {
        let head = envelope(1).write(Some(b"ab"), std::iter::empty(), b"c");
        let headers = [(b"kaf6".to_vec(), Some(head.to_vec()))];
        assert!(intact(open(Some(b"ab"), Some(b"c"), of(&headers))));
        assert!(!intact(open(Some(b"a"), Some(b"bc"), of(&headers))));
        assert!(!intact(open(None, Some(b"abc"), of(&headers))));
    }

    #[test]
    fn null_is_not_empty() {
        let head = envelope(1).write(Some(b""), std::iter::empty(), b"");
        let headers = [(b"kaf6".to_vec(), Some(head.to_vec()))];
        assert!(intact(open(Some(b""), Some(b""), of(&headers))));
        assert!(!intact(open(None, Some(b""), of(&headers))), "the key");
        assert!(!intact(open(Some(b""), None, of(&headers))), "the value");
        let sent = [(b"h".to_vec(), Some(Vec::new()))];
        let mut value = envelope(1).write(None, of(&sent), b"").to_vec();
        value.extend_from_slice(b"");
        assert!(intact(open(None, Some(&value), of(&sent))));
        assert!(!intact(open(None, Some(&value), of(&[(b"h".to_vec(), None)]))), "a header");
    }

    fn headers() -> impl Strategy<Value = Vec<Pair>> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..4);
        prop::collection::vec((bytes(), prop::option::weighted(0.8, bytes())), 0..4)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            seq in 0_u64..1 << 48,
            key in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
            headers in headers(),
            rest in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            let e = envelope(seq);
            let expected = Opened::Kaf6 { envelope: e, intact: true };
            let mut value = e.write(key.as_deref(), of(&headers), &rest).to_vec();
            value.extend_from_slice(&rest);
            prop_assert_eq!(open(key.as_deref(), Some(&value), of(&headers)), expected);
            let mut with = headers.clone();
            with.push((b"kaf6".to_vec(), Some(e.write(key.as_deref(), of(&headers), &rest).to_vec())));
            // A value that looks like an envelope is read as one.
            prop_assume!(Envelope::read(&rest).is_none());
            prop_assert_eq!(open(key.as_deref(), Some(&rest), of(&with)), expected);
        }

        #[test]
        fn other_headers_than_sent_are_seen(sent in headers(), read in headers(), in_value in any::<bool>()) {
            prop_assume!(sent != read);
            let head = envelope(3).write(None, of(&sent), b"").to_vec();
            let opened = if in_value {
                open(None, Some(&head), of(&read))
            } else {
                let mut with = read;
                with.insert(with.len() / 2, (b"kaf6".to_vec(), Some(head)));
                open(None, Some(b""), of(&with))
            };
            prop_assert!(!intact(opened));
        }

        #[test]
        fn each_changed_bit_is_seen(seq in 0_u64..1 << 48, rest in prop::collection::vec(any::<u8>(), 0..50), at in 5_usize..32, bit in 0_u8..8) {
            let mut value = envelope(seq).write(None, std::iter::empty(), &rest).to_vec();
            value.extend_from_slice(&rest);
            value[at] ^= 1 << bit;
            let opened = open(None, Some(&value), std::iter::empty());
            let seen = matches!(opened, Opened::Kaf6 { intact: false, .. } | Opened::Foreign);
            prop_assert!(seen);
        }

        #[test]
        fn hostile_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..80), head in prop::collection::vec(any::<u8>(), 0..80)) {
            let headers = [(b"kaf6".to_vec(), Some(head))];
            let _ = open(None, Some(&value), of(&headers));
        }
    }
}
