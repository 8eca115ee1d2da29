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

/// Between two looks at what the client without checksums got.
const LOOK: Duration = Duration::from_millis(2);
/// Bytes that it may hold.
const PREFETCH: u64 = 4 << 20;
/// Multiple of an answer's longest time that the client may take: a busy machine is slow. Answers, and not
/// this time, prove that a batch is bad.
const PATIENCE: u32 = 4;
/// Bytes before those that a batch's own length counts.
const BEFORE_LENGTH: u64 = 12;

/// A client that reads without validating checksums.
pub(crate) struct Unchecked {
    reader: PartitionReader,
    fetches: Arc<FetchLog>,
}

/// What the client without checksum validation got of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Got {
    /// It has passed the batch.
    Whole,
    /// It received the batch, and cannot decode it to its end.
    Undecodable,
    /// It had not got that far when its time was up.
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

    /// Hands out what it gets of these offsets, of a batch of so many bytes.
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
            // Asked before the queue is looked at, which holds then all that it got up to there.
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

/// Hands out the records of a batch that a reader cannot pass, and lets the reader continue after it.
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
    // Without the probe (it does no SASL) it is passed record by record.
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
            unchecked.read((from, to, bytes), wait * PATIENCE, &mut |event| {
                if let ReadEvent::Record(mut record) = event {
                    last.set(Some(record.offset));
                    record.epoch = epoch;
                    on(ReadEvent::Record(record));
                }
            })
        })
    };
    let mut got = read();
    // Records after the batch arrived, and none of it. A broker that omits it once may return it the next
    // time.
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

/// What lies ahead of an offset, of the batch that the broker gives there: its first and its last offset; none where it lies before.
/// The header may be what is altered. Where its two numbers differ, the broker has to give this batch at its last offset, too, as for
/// one that was compacted; else the lower one is believed, and what lies behind that is looked at again.
fn offsets_of(
    batch: &BatchHeader,
    at: Offset,
    holds: impl FnOnce(Offset) -> bool,
) -> Option<(Offset, Offset)> {
    // The one that lay here may be gone by now, and this one is right.
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
