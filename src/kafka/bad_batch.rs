//! A batch whose checksum is wrong, or that librdkafka cannot decode: it does not get past one.
//!
//! Its place is asked for by the wire probe, what can be decoded of it is read by a client that looks at no checksums, and the
//! reader goes on behind it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::partition::{BadBatch, Opening, PartitionReader};
use super::probe::{self, BatchHeader};
use super::read_event::ReadEvent;
use super::release::let_go;
use super::{Client, fetching};
use crate::ids::{Offset, Partition};
use crate::plan::StartOffset;

/// Between two looks at what the client without checksums got.
const LOOK: Duration = Duration::from_millis(2);
/// Bytes that it may hold.
const PREFETCH: u64 = 4 << 20;

/// Who reads without looking at checksums.
pub(super) struct Unchecked(PartitionReader);

impl Unchecked {
    fn open(client: &Client, topic: &str, partition: Partition, at: Offset) -> Option<Self> {
        let waits = client.waits();
        let mut properties = fetching::properties(client, 1, PREFETCH, true);
        properties.retain(|(name, _)| *name != "check.crcs");
        let opening = Opening {
            client,
            properties: &properties,
            topic,
            partition,
            start: StartOffset::At(at),
            unknown_too: false,
            deadline: Instant::now() + waits.reopen,
        };
        PartitionReader::open(&opening).ok().map(Self)
    }

    /// Hands out what it gets of these offsets, and says whether it got to the last.
    fn read(
        &mut self,
        (from, to): (Offset, Offset),
        wait: Duration,
        on: &mut dyn FnMut(ReadEvent<'_>),
    ) -> bool {
        let reader = &mut self.0;
        reader.position = Some(from);
        if reader.start().is_err() {
            return false;
        }
        let until = Instant::now() + wait;
        let (mut stuck, mut next) = (false, from);
        while next <= to && !stuck && Instant::now() < until {
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
            if got == 0 {
                std::thread::sleep(LOOK);
            }
        }
        reader.stop();
        next > to
    }
}

impl Drop for Unchecked {
    fn drop(&mut self) {
        let_go(vec![std::sync::Arc::clone(self.0.topic.handle())], Duration::ZERO);
    }
}

/// Hands out what can be decoded of a batch that a reader cannot pass, and lets it go on behind it.
pub(super) fn pass(
    reader: &mut PartitionReader,
    unchecked: &mut Option<Unchecked>,
    (client, topic): (&Client, &str),
    bad: &BadBatch,
    on: &mut dyn FnMut(ReadEvent<'_>),
) {
    reader.stop();
    let (partition, epoch) = (reader.partition, reader.epoch);
    let from = reader.position.map_or(bad.base, |position| position.max(bad.base));
    let wait = client.waits().answer;
    let found = probe::probe_fetch(client, topic, partition, from, Instant::now() + wait);
    let batch = found.ok().and_then(|found| found.batch);
    // Without the probe (it does no SASL) it is passed record by record.
    let to = batch.and_then(|batch| last_of(&batch, from)).unwrap_or(from);
    if unchecked.is_none() {
        *unchecked = Unchecked::open(client, topic, partition, from);
    }
    let handed_out = Cell::new(false);
    let mut read = || {
        unchecked.as_mut().is_some_and(|unchecked| {
            unchecked.read((from, to), wait, &mut |event| {
                if let ReadEvent::Record(mut record) = event {
                    handed_out.set(true);
                    record.epoch = epoch;
                    on(ReadEvent::Record(record));
                }
            })
        })
    };
    let mut whole = read();
    // What lies behind came, and nothing of it: a broker that leaves it out once may give it the next time.
    if whole && !handed_out.get() {
        whole = read();
    }
    // A reader that stands still may do so for other reasons.
    let wrong = batch.is_some_and(|batch| batch.crc_ok == Some(false));
    if bad.reported.is_some() || wrong || !whole {
        let text = bad.reported.clone();
        let text =
            text.unwrap_or_else(|| "no client got a record of it, though the broker sends it".to_owned());
        on(ReadEvent::BadBatch { partition, from, to, text });
    }
    reader.position = Some(to + 1);
    if let Err(code) = reader.start() {
        on(ReadEvent::Error { partition, code, text: "reading could not start again".into() });
    }
}

/// The last offset of the batch in which an offset lies; none where it lies in another. The header may be what is altered: of
/// its two numbers, the lower one is believed, and what lies behind that is looked at again.
fn last_of(batch: &BatchHeader, at: Offset) -> Option<Offset> {
    let count = batch.last_offset_delta.min(batch.records.saturating_sub(1));
    let last = batch.base_offset.checked_add(count.into())?;
    (batch.base_offset <= at && at <= last).then_some(last)
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
        assert_eq!(last_of(&batch(10, 4, 5), 10), Some(14));
        assert_eq!(last_of(&batch(10, 4, 5), 13), Some(14), "read from the middle");
        assert_eq!(last_of(&batch(10, 1 << 20, 5), 10), Some(14), "an altered number");
        assert_eq!(last_of(&batch(10, 4, i32::MAX), 10), Some(14));
        assert_eq!(last_of(&batch(10, 4, 2), 13), None, "compacted: record by record");
        assert_eq!(last_of(&batch(10, 4, 5), 15), None);
        assert_eq!(last_of(&batch(16, 4, 5), 15), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_or_go_back(base in any::<i64>(), delta in any::<i32>(), records in any::<i32>(), at in any::<i64>()) {
            let last = last_of(&batch(base, delta, records), at);
            prop_assert!(last.is_none_or(|last| last >= at));
        }
    }
}
