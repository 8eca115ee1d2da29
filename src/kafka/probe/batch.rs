//! The header of a record batch: the field positions and the checksum that the probe needs.

use super::seen::BatchHeader;
use crate::ids::Offset;

/// Bytes at the start of a batch that its length field does not include.
const BEFORE_LENGTH: usize = 12;
const CRC: usize = 17;
const SUMMED: usize = 21;
/// Position of the low byte of the attributes, which has the bit of control records.
const ATTRIBUTES: usize = 22;
const CONTROL: u8 = 1 << 5;
const LAST_OFFSET_DELTA: usize = 23;
const RECORDS: usize = 57;

/// The first batch of an answer's records; `None` if they are too short for a header, or have a format before version
/// 2.
pub(super) fn first(records: &[u8]) -> Option<BatchHeader> {
    let four = |at: usize| records.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes);
    let base_offset = records.get(..8)?.try_into().ok().map(i64::from_be_bytes)?;
    let length = four(8)?;
    if *records.get(16)? < 2 {
        return None;
    }
    let (last_offset_delta, count) = (four(LAST_OFFSET_DELTA)?, four(RECORDS)?);
    // A batch may be truncated by the requested size. Then its checksum is unknown.
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(BEFORE_LENGTH));
    let summed = end.and_then(|end| records.get(SUMMED..end));
    let crc_ok =
        summed.zip(four(CRC)).map(|(bytes, crc)| crc_fast::crc32_iscsi(bytes) == crc.cast_unsigned());
    Some(BatchHeader { base_offset, length, last_offset_delta, records: count, crc_ok })
}

/// An answer's records without the control batches (transaction markers) at their start, and the offset after these.
/// Clients never return control records.
pub(super) fn without_control(mut records: &[u8]) -> (&[u8], Option<Offset>) {
    let mut behind = None;
    while let Some(header) = first(records)
        && records[ATTRIBUTES] & CONTROL != 0
        && header.crc_ok == Some(true)
    {
        behind = header.base_offset.checked_add(i64::from(header.last_offset_delta) + 1);
        let end = usize::try_from(header.length).unwrap_or(0).saturating_add(BEFORE_LENGTH);
        records = records.get(end..).unwrap_or_default();
    }
    (records, behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty batch of version 2 at offset 7, of three records by its delta.
    fn batch() -> Vec<u8> {
        with_attributes(0)
    }

    fn with_attributes(attributes: u8) -> Vec<u8> {
        let mut summed = vec![0, attributes];
        summed.extend(2_i32.to_be_bytes());
        summed.extend([0; 44]);
        let mut bytes = Vec::from(7_i64.to_be_bytes());
        bytes.extend(i32::try_from(9 + summed.len()).unwrap().to_be_bytes());
        bytes.extend([0, 0, 0, 0, 2]);
        bytes.extend(crc_fast::crc32_iscsi(&summed).to_be_bytes());
        bytes.extend(summed);
        bytes
    }

    #[test]
    fn a_header_tells_offsets_and_whether_the_checksum_holds() {
        let mut bytes = batch();
        let header = first(&bytes).unwrap();
        assert_eq!((header.base_offset, header.last_offset_delta, header.crc_ok), (7, 2, Some(true)));
        assert_eq!(first(&bytes[..61]).unwrap().crc_ok, None, "cut off");
        bytes[30] ^= 1;
        assert_eq!(first(&bytes).unwrap().crc_ok, Some(false));
        assert_eq!(first(&bytes[..20]), None);
        bytes[16] = 1;
        assert_eq!(first(&bytes), None, "an old format");
    }

    #[test]
    fn control_batches_at_the_start_are_no_records() {
        let (data, control) = (batch(), with_attributes(CONTROL | 1 << 4));
        assert_eq!(without_control(&data), (&data[..], None));
        assert_eq!(without_control(&control), (&[][..], Some(10)));
        let both = [control.clone(), control.clone(), data.clone()].concat();
        assert_eq!(without_control(&both), (&data[..], Some(10)));
        assert_eq!(without_control(&both[control.len() * 2..]), (&data[..], None));
        let cut = &both[..control.len() + 30];
        assert_eq!(without_control(cut), (&control[..30], Some(10)), "nobody knows what that is");
        let mut wrong = control;
        wrong[30] ^= 1;
        assert_eq!(without_control(&wrong), (&wrong[..], None), "its checksum is wrong");
    }

    #[test]
    fn a_length_that_is_a_lie_is_no_checksum() {
        for length in [-1, i32::MIN, i32::MAX, 0] {
            let mut bytes = batch();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            assert_eq!(first(&bytes).unwrap().crc_ok, None, "{length}");
        }
    }
}
