//! Record batches of version 2: read, altered, written. Kept as raw bytes until somebody alters one.

use crate::log::Stored;

/// Bytes before the records.
const HEAD: usize = 61;
/// What the CRC covers begins here.
const COVERED: usize = 21;

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

    pub fn base_time(&self) -> i64 {
        i64::from_be_bytes(self.head[27..35].try_into().unwrap_or_default())
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
        self.records.iter().map(|record| record.stored(base + record.offset_delta)).collect()
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

impl Record {
    pub fn value(value: Vec<u8>, offset_delta: i64) -> Self {
        Self { time_delta: 0, offset_delta, key: None, value: Some(value), headers: Vec::new() }
    }

    pub fn stored(&self, offset: i64) -> Stored {
        let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(hex);
        let headers = self.headers.iter();
        Stored {
            offset,
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
            crate::Part::Header => self.headers.first_mut().and_then(|(_, value)| value.as_mut()),
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
