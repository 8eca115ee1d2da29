//! Passes a batch that has a wrong checksum, or that librdkafka cannot decode.
//!
//! The wire probe reads its header, a client without checksum validation reads its records, and the reader
//! continues after the batch. Without proof that the batch is bad, the reader stays before it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fetch_log::{self, FetchLog};
use super::fetching;
use super::partition::{BadBatch, Halt, Opening, PartitionReader};
use super::read_event::ReadEvent;
use crate::ids::{Offset, Partition};
use crate::kafka::Client;
use crate::kafka::client::release::release;
use crate::kafka::probe;
use crate::kafka::probe::BatchHeader;
use crate::plan::StartOffset;

/// Interval at which the results of the client without checksum validation are checked.
const LOOK: Duration = Duration::from_millis(2);
/// Maximum bytes that this client may queue.
const PREFETCH: u64 = 4 << 20;
/// Timeout of this client, as a multiple of the longest time of an answer. It is generous, because a machine may be
/// busy. Answers prove that a batch is bad, and time does not.
const TIMEOUT_FACTOR: u32 = 4;
/// Bytes at the start of a batch that its length field does not include.
const BEFORE_LENGTH: u64 = 12;

/// A client that reads without validating checksums.
pub(crate) struct Unchecked {
    reader: PartitionReader,
    fetches: Arc<FetchLog>,
}

/// The result of reading a batch without checksum validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Got {
    /// The client has passed the batch.
    Whole,
    /// The client received the batch, and cannot decode all of it.
    Undecodable,
    /// The client did not get that far in time.
    Unknown,
}

impl Unchecked {
    fn open(client: &Client, topic: &str, partition: Partition, at: Offset) -> Option<Self> {
        let waits = client.waits();
        let mut properties = fetching::properties(client, 1, PREFETCH, true);
        properties.retain(|(name, _)| *name != "check.crcs");
        properties.push(("debug", fetch_log::DEBUG.into()));
        let fetches = Arc::<FetchLog>::default();
        let opening = Opening {
            client,
            properties: &properties,
            topic,
            partition,
            start: StartOffset::At(at),
            unknown_too: false,
            deadline: Instant::now() + waits.open,
            fetches: Some(Arc::clone(&fetches)),
        };
        PartitionReader::open(&opening).ok().map(|reader| Self { reader, fetches })
    }

    /// Returns the records at these offsets of a batch with this number of bytes.
    fn read(
        &mut self,
        (from, to, bytes): (Offset, Offset, u64),
        wait: Duration,
        on: &mut dyn FnMut(ReadEvent<'_>),
    ) -> Got {
        let Self { reader, fetches } = self;
        reader.position = Some(from);
        fetches.begin(bytes);
        if reader.start().is_err() {
            return Got::Unknown;
        }
        let until = Instant::now() + wait;
        let (mut stuck, mut next) = (false, from);
        let mut out = Got::Unknown;
        while out == Got::Unknown && !stuck && Instant::now() < until {
            // Checked before the queue is read, which then contains everything up to that point.
            let (past, undecodable) = (fetches.is_past(to), fetches.is_undecodable());
            let (got, halt) = reader.hand_out(1000, &mut |event| match event {
                ReadEvent::Record(record) => {
                    next = record.offset + 1;
                    if (from..=to).contains(&record.offset) {
                        on(ReadEvent::Record(record));
                    }
                }
                ReadEvent::Error { code, .. } => stuck |= !code.is_local(),
                _ => {}
            });
            stuck |= halt.is_some();
            if next > to || (got == 0 && past) {
                out = Got::Whole;
            } else if matches!(halt, Some(Halt::Bad(_))) || (got == 0 && undecodable) {
                out = Got::Undecodable;
            } else if got == 0 {
                std::thread::sleep(LOOK);
            }
        }
        reader.stop();
        out
    }
}

impl Drop for Unchecked {
    fn drop(&mut self) {
        release(vec![Arc::clone(self.reader.topic.handle())], Duration::ZERO);
    }
}

/// Returns the records of a batch that a reader cannot pass, and moves the reader after the batch.
pub(crate) fn pass(
    reader: &mut PartitionReader,
    unchecked: &mut Option<Unchecked>,
    (client, topic): (&Client, &str),
    bad: &BadBatch,
    on: &mut dyn FnMut(ReadEvent<'_>),
) {
    reader.stop();
    let (partition, epoch) = (reader.partition, reader.epoch);
    let at = reader.position.map_or(bad.base, |position| position.max(bad.base));
    let wait = client.waits().answer;
    let first_at = |offset| {
        let found = probe::probe_fetch(client, topic, partition, offset, Instant::now() + wait);
        found.ok().and_then(|found| found.batch)
    };
    let batch = first_at(at);
    let holds = |batch: &BatchHeader, offset| {
        first_at(offset).is_some_and(|found| found.base_offset == batch.base_offset)
    };
    // Without the probe, which does not support SASL, the batch is passed record by record.
    let offsets = batch.and_then(|batch| offsets_of(&batch, at, |offset| holds(&batch, offset)));
    let (from, to) = offsets.unwrap_or((at, at));
    if unchecked.is_none() {
        *unchecked = Unchecked::open(client, topic, partition, from);
    }
    let bytes = batch.and_then(|batch| u64::try_from(batch.length).ok());
    let bytes = bytes.map_or(u64::MAX, |length| length + BEFORE_LENGTH);
    let last = Cell::new(None);
    let mut read = || {
        unchecked.as_mut().map_or(Got::Unknown, |unchecked| {
            unchecked.read((from, to, bytes), wait * TIMEOUT_FACTOR, &mut |event| {
                if let ReadEvent::Record(mut record) = event {
                    last.set(Some(record.offset));
                    record.epoch = epoch;
                    on(ReadEvent::Record(record));
                }
            })
        })
    };
    let mut got = read();
    // Records after the batch arrived, and none of the batch. A broker that omits it once may return it the next time.
    if got == Got::Whole && last.get().is_none() {
        got = read();
    }
    let wrong = batch.is_some_and(|batch| batch.crc_ok == Some(false));
    if bad.reported.is_some() || wrong || got == Got::Undecodable {
        let text = bad.reported.clone();
        let text =
            text.unwrap_or_else(|| "no client got a record of it, although the broker sends it".to_owned());
        on(ReadEvent::BadBatch { partition, from, to, text });
        reader.position = Some(to + 1);
    } else if got == Got::Whole {
        // The reader was stuck for another reason.
        reader.position = Some(to + 1);
    } else if let Some(last) = last.get() {
        reader.position = Some(last + 1);
    }
    if let Err(code) = reader.start() {
        on(ReadEvent::Error { partition, code, text: "reading could not restart".into() });
    }
}

/// The first and the last offset of the rest of a batch, from offset `at` on; `None` if the batch ends before it. The
/// header itself may be corrupted. If its two numbers differ, the broker must also return this batch at its last
/// offset, as for a compacted batch. Otherwise, the lower number is used, and the reader checks what follows.
fn offsets_of(
    batch: &BatchHeader,
    at: Offset,
    holds: impl FnOnce(Offset) -> bool,
) -> Option<(Offset, Offset)> {
    // The batch at this offset may have been removed, and this batch is valid.
    if batch.base_offset > at && batch.crc_ok != Some(false) {
        return None;
    }
    let from = at.max(batch.base_offset);
    let end = |delta: i32| batch.base_offset.checked_add(delta.into()).filter(|last| *last >= from);
    let (delta, count) = (batch.last_offset_delta, batch.records.saturating_sub(1));
    let last = end(delta).filter(|last| delta == count || holds(*last)).or_else(|| end(delta.min(count)))?;
    Some((from, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(base_offset: Offset, last_offset_delta: i32, records: i32) -> BatchHeader {
        BatchHeader { base_offset, length: 100, last_offset_delta, records, crc_ok: Some(false) }
    }

    #[test]
    fn a_batch_ends_where_both_of_its_numbers_say() {
        let of = |header, at| offsets_of(&header, at, |_| false);
        assert_eq!(of(batch(10, 4, 5), 10), Some((10, 14)));
        assert_eq!(of(batch(10, 4, 5), 13), Some((13, 14)), "read from the middle");
        assert_eq!(of(batch(10, 1 << 20, 5), 10), Some((10, 14)), "an altered number");
        assert_eq!(of(batch(10, 4, i32::MAX), 10), Some((10, 14)));
        assert_eq!(of(batch(10, 4, 5), 15), None);
        assert_eq!(of(batch(16, 4, 5), 15), Some((16, 20)), "what lay before it was compacted");
        let right = BatchHeader { crc_ok: Some(true), ..batch(16, 4, 5) };
        assert_eq!((of(right, 15), of(right, 16)), (None, Some((16, 20))), "another one is gone");
    }

    #[test]
    fn a_compacted_batch_ends_where_the_broker_gives_another() {
        let of = |at| offsets_of(&batch(10, 104, 2), at, |offset| offset <= 114);
        assert_eq!(
            (of(10), of(13), of(114), of(115)),
            (Some((10, 114)), Some((13, 114)), Some((114, 114)), None)
        );
        let altered = |at| offsets_of(&batch(10, 1 << 20, 2), at, |offset| offset <= 114);
        assert_eq!((altered(10), altered(13)), (Some((10, 11)), None));
        assert_eq!(offsets_of(&batch(10, 4, 0), 10, |_| true), Some((10, 14)), "none of its records is left");
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_or_go_back(
            base in any::<i64>(),
            delta in any::<i32>(),
            records in any::<i32>(),
            at in any::<i64>(),
            holds in any::<bool>(),
        ) {
            let offsets = offsets_of(&batch(base, delta, records), at, |_| holds);
            prop_assert!(offsets.is_none_or(|(from, last)| at <= from && from <= last));
        }
    }
}
