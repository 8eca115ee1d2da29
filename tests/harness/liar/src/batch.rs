//! Record batches of version 2: read, changed, written. Unchanged batches stay raw bytes.

use crate::log::Stored;

/// Bytes before the records.
const HEAD: usize = 61;
/// What the CRC covers begins here.
const COVERED: usize = 21;
const BASE_TIME: usize = 27;
const MAX_TIME: usize = 35;
/// The attribute of batches whose timestamps are those of their storing.
const APPEND_TIME: i16 = 8;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub time_delta: i64,
    pub offset_delta: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A batch: its header as it came, and its records.
#[derive(Debug, Clone)]
pub struct Batch {
    head: [u8; HEAD],
    pub records: Vec<Record>,
}

impl Batch {
    /// Reads the first batch of these bytes, which must not be compressed.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let head: [u8; HEAD] = bytes.get(..HEAD)?.try_into().ok()?;
        let mut batch = Self { head, records: Vec::new() };
        if batch.head[16] != 2 || batch.attributes() & 7 != 0 {
            return None;
        }
        let mut rest = &bytes[HEAD..];
        for _ in 0..i32::from_be_bytes(head[57..61].try_into().ok()?) {
            let length = usize::try_from(varint(&mut rest)?).ok()?;
            let mut record = take(&mut rest, length)?;
            take(&mut record, 1)?;
            let (time_delta, offset_delta) = (varint(&mut record)?, varint(&mut record)?);
            let (key, value) = (field(&mut record)?, field(&mut record)?);
            let mut headers = Vec::new();
            for _ in 0..varint(&mut record)? {
                headers.push((field(&mut record)??, field(&mut record)?));
            }
            batch.records.push(Record { time_delta, offset_delta, key, value, headers });
        }
        Some(batch)
    }

    /// A batch of these records, made now.
    pub fn of(records: Vec<Record>, time_ms: i64, attributes: i16, producer_id: i64) -> Self {
        let mut head = [0; HEAD];
        head[16] = 2;
        head[21..23].copy_from_slice(&attributes.to_be_bytes());
        head[27..35].copy_from_slice(&time_ms.to_be_bytes());
        head[35..43].copy_from_slice(&time_ms.to_be_bytes());
        head[43..51].copy_from_slice(&producer_id.to_be_bytes());
        head[51..53].copy_from_slice(&(if producer_id < 0 { -1_i16 } else { 0 }).to_be_bytes());
        head[53..57].copy_from_slice(&(-1_i32).to_be_bytes());
        let last = records.iter().map(|record| record.offset_delta).max().unwrap_or(0);
        head[23..27].copy_from_slice(&i32::try_from(last).unwrap_or(0).to_be_bytes());
        Self { head, records }
    }

    /// Writes it; the CRC stays as it is where it is not to be `fixed`.
    pub fn write(&self, fix_crc: bool) -> Vec<u8> {
        let mut out = self.head.to_vec();
        for record in &self.records {
            let mut body = vec![0];
            put_varint(&mut body, record.time_delta);
            put_varint(&mut body, record.offset_delta);
            put_field(&mut body, record.key.as_deref());
            put_field(&mut body, record.value.as_deref());
            put_varint(&mut body, record.headers.len() as i64);
            for (name, value) in &record.headers {
                put_field(&mut body, Some(name));
                put_field(&mut body, value.as_deref());
            }
            put_varint(&mut out, body.len() as i64);
            out.extend(body);
        }
        out[57..61].copy_from_slice(&i32::try_from(self.records.len()).unwrap_or(0).to_be_bytes());
        let length = i32::try_from(out.len() - 12).unwrap_or(0);
        out[8..12].copy_from_slice(&length.to_be_bytes());
        if fix_crc {
            let crc = crc_fast::crc32_iscsi(&out[COVERED..]);
            out[17..21].copy_from_slice(&crc.to_be_bytes());
        }
        out
    }

    pub fn attributes(&self) -> i16 {
        i16::from_be_bytes([self.head[21], self.head[22]])
    }

    pub fn is_control(&self) -> bool {
        self.attributes() & 0x20 != 0
    }

    /// How many offsets it takes.
    pub fn width(&self) -> i64 {
        i64::from(i32::from_be_bytes([self.head[23], self.head[24], self.head[25], self.head[26]])) + 1
    }

    /// The timestamp of one of its records, in milliseconds of the wall clock.
    pub fn time_of(&self, record: &Record) -> i64 {
        if self.attributes() & APPEND_TIME != 0 {
            i64_at(&self.head, MAX_TIME)
        } else {
            i64_at(&self.head, BASE_TIME) + record.time_delta
        }
    }

    /// The newest timestamp of its records.
    pub fn newest(&self) -> i64 {
        self.records
            .iter()
            .map(|record| self.time_of(record))
            .max()
            .unwrap_or_else(|| i64_at(&self.head, MAX_TIME))
    }

    /// Alters the record of this index, modulo their number; false where nothing changed.
    pub fn alter(&mut self, index: u32, how: impl FnOnce(&mut Record) -> bool) -> bool {
        let at = index as usize % self.records.len().max(1);
        self.records.get_mut(at).is_some_and(how)
    }

    /// Shifts the timestamps of all records.
    pub fn shift_time(&mut self, by_ms: i64) {
        for at in [BASE_TIME, MAX_TIME] {
            let time = i64_at(&self.head, at).saturating_add(by_ms);
            self.head[at..at + 8].copy_from_slice(&time.to_be_bytes());
        }
    }

    pub fn producer(&self) -> (i64, i16) {
        (
            i64::from_be_bytes(self.head[43..51].try_into().unwrap_or_default()),
            i16::from_be_bytes([self.head[51], self.head[52]]),
        )
    }

    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(self.head[53..57].try_into().unwrap_or_default())
    }

    /// Its records as they are written down; offsets from the batch's own base.
    pub fn stored(&self, base: i64) -> Vec<Stored> {
        let stored = |record: &Record| record.stored(base + record.offset_delta, self.time_of(record));
        self.records.iter().map(stored).collect()
    }

    /// An end marker of kaf6: its envelope's kind is 3.
    pub fn is_marker(&self) -> bool {
        let value = self.records.first().and_then(|record| record.value.as_deref()).unwrap_or_default();
        value.get(..5) == Some(b"kaf6\x03")
    }
}

/// Puts a batch's offset and leader epoch into its bytes; neither is under its CRC.
pub fn place(bytes: &mut [u8], base: i64, epoch: i32) {
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes[12..16].copy_from_slice(&epoch.to_be_bytes());
}

/// Whether a batch's CRC is that of its bytes.
pub fn crc_fits(bytes: &[u8]) -> bool {
    bytes.get(17..21) == Some(&crc_fast::crc32_iscsi(&bytes[COVERED..]).to_be_bytes()[..])
}

/// Makes a batch's CRC a wrong one, or a wrong one another wrong one.
pub fn spoil_crc(bytes: &mut [u8]) {
    let right = crc_fast::crc32_iscsi(&bytes[COVERED..]) ^ 1;
    bytes[17..21].copy_from_slice(&right.to_be_bytes());
}

/// Makes the timestamps of a batch those of its storing. A wrong CRC stays wrong.
pub fn stamp(bytes: &mut [u8], time_ms: i64) {
    let fits = crc_fits(bytes);
    bytes[22] |= APPEND_TIME as u8;
    bytes[MAX_TIME..MAX_TIME + 8].copy_from_slice(&time_ms.to_be_bytes());
    if fits {
        let crc = crc_fast::crc32_iscsi(&bytes[COVERED..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}

impl Record {
    /// One whose key is its value, so that it may lie in a compacted topic.
    pub fn value(value: Vec<u8>, offset_delta: i64) -> Self {
        let key = Some(value.clone());
        Self { time_delta: 0, offset_delta, key, value: Some(value), headers: Vec::new() }
    }

    pub fn stored(&self, offset: i64, time_ms: i64) -> Stored {
        let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(hex);
        let headers = self.headers.iter();
        Stored {
            offset,
            time_ms,
            key: text(&self.key),
            value: text(&self.value),
            headers: headers.map(|(name, value)| (hex(name), text(value))).collect(),
            digest: format!("{:016x}", self.digest()),
        }
    }

    /// FNV-1a over the length (eight bytes, big-endian, -1 for null) and bytes of key, of value, and of the name and the value
    /// of each header.
    pub fn digest(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut put = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            }
        };
        let mut field = |bytes: Option<&[u8]>| {
            put(&bytes.map_or(-1, |bytes| bytes.len() as i64).to_be_bytes());
            put(bytes.unwrap_or_default());
        };
        field(self.key.as_deref());
        field(self.value.as_deref());
        for (name, value) in &self.headers {
            field(Some(name));
            field(value.as_deref());
        }
        hash
    }

    /// Flips the lowest bit of the nth byte from the end; false where there is none.
    pub fn flip(&mut self, part: crate::Part, nth: usize) -> bool {
        let bytes = match part {
            crate::Part::Key => self.key.as_mut(),
            crate::Part::Value => self.value.as_mut(),
            crate::Part::Header => self.first_header().and_then(|(_, value)| value.as_mut()),
        };
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return false };
        let at = bytes.len() - 1 - nth % bytes.len();
        bytes[at] ^= 1;
        true
    }

    /// Leaves the first header out that is not kaf6's own; false where there is none.
    pub fn strip(&mut self) -> bool {
        let Some(at) = self.headers.iter().position(|(name, _)| name != b"kaf6") else { return false };
        self.headers.remove(at);
        true
    }

    fn first_header(&mut self) -> Option<&mut (Vec<u8>, Option<Vec<u8>>)> {
        self.headers.iter_mut().find(|(name, _)| name != b"kaf6")
    }

    /// Puts a header behind the others.
    pub fn add_header(&mut self) -> bool {
        self.headers.push((b"added".to_vec(), Some(b"by the broker".to_vec())));
        true
    }

    /// Swaps the first two headers that are not kaf6's own; false where there are none, or they are equal.
    pub fn swap_headers(&mut self) -> bool {
        let others = self.headers.iter().enumerate().filter(|(_, (name, _))| name != b"kaf6");
        let places: Vec<usize> = others.map(|(at, _)| at).take(2).collect();
        let [one, two] = places[..] else { return false };
        self.headers.swap(one, two);
        self.headers[one] != self.headers[two]
    }

    /// Makes the value of the first header that is not kaf6's own null; false where there is none, or it is null.
    pub fn null_header(&mut self) -> bool {
        self.first_header().is_some_and(|(_, value)| value.take().is_some())
    }

    /// Makes an empty value null; false where it is not empty.
    pub fn null_value(&mut self) -> bool {
        let empty = self.value.as_ref().is_some_and(Vec::is_empty);
        if empty {
            self.value = None;
        }
        empty
    }

    /// Makes a null key empty; false where there is a key.
    pub fn empty_key(&mut self) -> bool {
        let null = self.key.is_none();
        if null {
            self.key = Some(Vec::new());
        }
        null
    }
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes[at..at + 8].iter().fold(0, |sum, byte| (sum << 8) | i64::from(*byte))
}

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

fn varint(from: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(from, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

fn put_varint(to: &mut Vec<u8>, value: i64) {
    let mut value = ((value << 1) ^ (value >> 63)) as u64;
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[expect(clippy::option_option, reason = "null, or bytes, or neither can be read")]
fn field(from: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    match usize::try_from(varint(from)?) {
        Ok(length) => Some(Some(take(from, length)?.to_vec())),
        Err(_) => Some(None),
    }
}

fn put_field(to: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(to, bytes.map_or(-1, |bytes| bytes.len() as i64));
    to.extend(bytes.unwrap_or_default());
}
