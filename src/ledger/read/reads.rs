//! What one consumer found in one partition, record by record, in the order of reading.
//!
//! The reading thread owns it, without a lock. A record in order costs one set bit and a longer run.

use std::collections::BTreeMap;

use super::held::{Held, held_by, merged};
use super::ranges::Ranges;
use super::sighting::{Altered, Head, Seen, Sighting};
use crate::anomaly::Anomaly;
use crate::ids::{Identity, Offset, Partition, RunTag, Seq, StreamId};
use crate::ledger::sent::envelope::{CheckedUuid, Opened, RecordKind};
use crate::ledger::sent::marker::Marker;
use crate::ledger::sent::marks::{Between, Marks};
use crate::ledger::sent::runs::{Bits, Run, RunLog};
use crate::ledger::sent::streams::{StreamInfo, Streams};

/// Maximum number of sightings kept with their times, per anomaly. Evidence is selected from them.
pub(crate) const KEPT: usize = 64;

/// Maximum number of end markers that are kept. One is written for each reader of a partition.
const MARKERS: usize = 10_000;

/// Maximum number of separate epochs. If a log is reset more often, the last one continues.
const EPOCHS: usize = 8;

/// One stream as found in one epoch.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamReads {
    /// Sequences found at least once.
    pub(crate) seen: Bits,
    /// First copies: sequence and offset, in the order of reading.
    pub(crate) order: RunLog,
    pub(crate) repeats: RunLog,
    /// First copies that come after a later message.
    pub(crate) reordered: RunLog,
    /// The sequence after the highest one found in this epoch.
    next: Seq,
}

/// The records between two resets of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Epoch {
    streams: BTreeMap<StreamId, StreamReads>,
    strange: RunLog,
    /// Offsets of messages that were sent to other partitions.
    strays: RunLog,
}

impl Epoch {
    fn holds(&self, stream: StreamId, seq: Seq) -> bool {
        self.streams.get(&stream).is_some_and(|found| found.seen.contains(seq))
    }

    /// The record of each offset, in several lists.
    pub(crate) fn held(&self) -> impl Iterator<Item = Box<dyn Iterator<Item = Held> + '_>> {
        let own = self
            .streams
            .iter()
            .flat_map(|(id, found)| [&found.order, &found.repeats].map(|log| held_by(Some(*id), log)));
        own.chain([&self.strange, &self.strays].map(|log| held_by(None, log)))
    }
}

/// What one observer found in one partition.
#[derive(Debug, Clone)]
pub struct PartitionReads {
    run: RunTag,
    topic: usize,
    partition: Partition,
    /// The records by epoch. The last one is the current epoch.
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) corrupt: RunLog,
    /// Offsets of batches that are bad as a whole.
    pub(crate) bad_batches: RunLog,
    /// Messages whose timestamp is not between their sending and their reading.
    pub(crate) mistimed: RunLog,
    /// Records that are older than their topic.
    pub(crate) resurrected: RunLog,
    /// When the offsets of the first epoch were read.
    times: Marks,
    pub(crate) nonmonotonic: u64,
    pub(crate) sightings: Vec<Sighting>,
    received: u64,
    records: u64,
    pub(crate) foreign: u64,
    /// Bytes of all foreign records, and of the largest.
    foreign_sizes: (u64, u64),
    uuids_wrong: u64,
    end_marker: Option<u64>,
    /// The end markers of this run that were read.
    markers: Vec<Marker>,
    first: Option<Offset>,
    last: Option<Offset>,
    resets: u64,
}

impl PartitionReads {
    /// An empty result for a partition of the topic with index `topic`.
    pub fn new(run: RunTag, topic: usize, partition: Partition) -> Self {
        Self {
            run,
            topic,
            partition,
            epochs: vec![Epoch::default()],
            corrupt: RunLog::new(),
            bad_batches: RunLog::new(),
            mistimed: RunLog::new(),
            resurrected: RunLog::new(),
            times: Marks::default(),
            nonmonotonic: 0,
            sightings: Vec::new(),
            received: 0,
            records: 0,
            foreign: 0,
            foreign_sizes: (0, 0),
            uuids_wrong: 0,
            end_marker: None,
            markers: Vec::new(),
            first: None,
            last: None,
            resets: 0,
        }
    }

    /// Records that the log was reset or truncated, and that the reader continues at its start.
    pub fn reset(&mut self) {
        self.resets += 1;
        self.last = None;
        if self.epochs.len() < EPOCHS {
            self.epochs.push(Epoch::default());
        } else if let Some(epoch) = self.epochs.last_mut() {
            for stream in epoch.streams.values_mut() {
                stream.next = 0;
            }
        }
    }

    /// Whether this is a message of the run that was not found here before, and so counts toward a limit.
    pub fn is_new(&self, streams: &Streams, opened: &Opened) -> bool {
        let Opened::Kaf6 { envelope, intact: true } = opened else { return false };
        let id = envelope.identity;
        let here = streams.get(id.stream).is_some_and(|s| s.is_of((self.topic, self.partition)));
        envelope.kind == RecordKind::Message
            && id.run == self.run
            && here
            && !self.contains(id.stream, id.seq)
    }

    /// Processes one record that was read at `at_us` (microseconds since the start of the run). `check`
    /// compares the UUID in the value with the identity, if the stream's values contain one.
    pub fn see(
        &mut self,
        streams: &Streams,
        offset: Offset,
        opened: Opened,
        at_us: u64,
        check: impl FnOnce(&Identity) -> CheckedUuid,
    ) -> Seen {
        if let Some(last) = self.last
            && offset <= last
        {
            self.nonmonotonic += 1;
            self.sight(Anomaly::Nonmonotonic, offset, last, None, at_us);
        }
        self.first.get_or_insert(offset);
        self.last = self.last.max(Some(offset));
        if self.resets == 0 {
            self.times.at(offset.cast_unsigned(), at_us);
        }

        let Opened::Kaf6 { envelope, intact } = opened else {
            return self.seen_foreign(offset, at_us);
        };
        let id = envelope.identity;
        if envelope.kind == RecordKind::EndMarker && intact {
            if id.run != self.run {
                return Seen::OldEndMarker;
            }
            self.end_marker = Some(self.end_marker.map_or(id.seq, |end_marker| end_marker.max(id.seq)));
            if self.markers.len() < MARKERS {
                self.markers.push(Marker { number: id.seq, offset });
            }
            return Seen::EndMarker(id.seq);
        }
        if id.run != self.run {
            return self.seen_foreign(offset, at_us);
        }
        let stream =
            streams.get(id.stream).filter(|s| s.roundtrip == (envelope.kind == RecordKind::Roundtrip));
        let Some(stream) = stream else {
            return self.seen_corrupt(offset, None, at_us);
        };
        if !stream.is_of((self.topic, self.partition)) {
            if !intact {
                return self.seen_corrupt(offset, None, at_us);
            }
            return self.seen_stray(offset, (id.stream, id.seq), at_us);
        }
        let wrong = stream.has_uuid && check(&id) == CheckedUuid::Wrong;
        self.uuids_wrong += u64::from(wrong);
        if !intact {
            // The identity is as unreliable as the rest.
            return self.seen_corrupt(offset, None, at_us);
        }
        if wrong {
            return self.seen_corrupt(offset, Some((id.stream, id.seq)), at_us);
        }
        if stream.roundtrip {
            return Seen::Roundtrip { fresh: self.seen_message(id, offset, at_us) == MessageMatch::New };
        }
        self.records += 1;
        match self.seen_message(id, offset, at_us) {
            MessageMatch::New => {
                self.received += 1;
                Seen::Fresh { due_us: envelope.due_us }
            }
            MessageMatch::Repeat => Seen::Repeat,
        }
    }

    /// Counts an intact message.
    fn seen_message(&mut self, id: Identity, offset: Offset, at_us: u64) -> MessageMatch {
        let message = Some((id.stream, id.seq));
        let (present, earlier) = match self.epochs.split_last_mut() {
            Some((present, earlier)) => (present, &*earlier),
            None => return MessageMatch::Repeat,
        };
        let before = earlier.iter().any(|epoch| epoch.holds(id.stream, id.seq));
        let found = present.streams.entry(id.stream).or_default();
        let next = found.next;
        found.next = next.max(id.seq + 1);
        if !found.seen.insert(id.seq) {
            found.repeats.push(id.seq, offset);
            self.sight(Anomaly::Duplicate, offset, -1, message, at_us);
            return MessageMatch::Repeat;
        }
        found.order.push(id.seq, offset);
        if id.seq < next {
            found.reordered.push(id.seq, offset);
            self.sight(Anomaly::Reordered, offset, next.cast_signed() - 1, message, at_us);
        }
        if before { MessageMatch::Repeat } else { MessageMatch::New }
    }

    fn seen_stray(&mut self, offset: Offset, message: (StreamId, Seq), at_us: u64) -> Seen {
        self.records += 1;
        if let Some(epoch) = self.epochs.last_mut() {
            epoch.strays.push(offset.cast_unsigned(), offset);
        }
        self.sight(Anomaly::Misplaced, offset, -1, Some(message), at_us);
        Seen::Stray
    }

    fn seen_foreign(&mut self, offset: Offset, at_us: u64) -> Seen {
        self.foreign += 1;
        if let Some(epoch) = self.epochs.last_mut() {
            epoch.strange.push(offset.cast_unsigned(), offset);
        }
        self.sight(Anomaly::Foreign, offset, -1, None, at_us);
        Seen::Foreign
    }

    fn seen_corrupt(&mut self, offset: Offset, message: Option<(StreamId, Seq)>, at_us: u64) -> Seen {
        self.records += 1;
        self.corrupt.push(offset.cast_unsigned(), offset);
        self.sight(Anomaly::Corrupt, offset, -1, message, at_us);
        Seen::Corrupt
    }

    /// Stores a sighting of an anomaly, if there is room. Returns whether it was stored.
    pub(crate) fn sight(
        &mut self,
        anomaly: Anomaly,
        offset: Offset,
        beside: i64,
        message: Option<(StreamId, Seq)>,
        at_us: u64,
    ) -> bool {
        // Skip the scan, because a topic may have many old records.
        if anomaly == Anomaly::Foreign && self.foreign > KEPT as u64 {
            return false;
        }
        let room = self.sightings.iter().filter(|s| s.anomaly == anomaly).count() < KEPT;
        if room {
            let (head, altered) = (Head::default(), Altered::default());
            self.sightings.push(Sighting { anomaly, offset, beside, message, at_us, altered, head });
        }
        room
    }

    /// The stored sighting of one message's anomaly at an offset.
    pub(crate) fn sighting(
        &self,
        anomaly: Anomaly,
        message: (StreamId, Seq),
        offset: Offset,
    ) -> Option<&Sighting> {
        let same = |s: &&Sighting| s.anomaly == anomaly && s.message == Some(message) && s.offset == offset;
        self.sightings.iter().find(same)
    }

    /// Records the maximum size of a foreign record in the log.
    pub fn see_foreign_size(&mut self, bytes: u64) {
        let (all, largest) = self.foreign_sizes;
        self.foreign_sizes = (all.saturating_add(bytes), largest.max(bytes));
    }

    /// Bytes of all foreign records that were read, and of the largest.
    pub(crate) const fn foreign_sizes(&self) -> (u64, u64) {
        self.foreign_sizes
    }

    pub(crate) fn markers(&self) -> &[Marker] {
        &self.markers
    }

    /// Whether this end marker was read at its acked offset.
    pub(crate) fn has_marker(&self, marker: Marker) -> bool {
        self.markers.contains(&marker)
    }

    /// Stores the first bytes of the value of a corrupt or foreign record that was just seen at this offset.
    pub fn show(&mut self, offset: Offset, value: &[u8]) {
        if let Some(sighting) = self.sightings.last_mut().filter(|s| s.offset == offset) {
            sighting.head = Head::of(value);
        }
    }

    /// The interval in which an offset was read; `None` if the log was reset before.
    pub(crate) fn when_read(&self, offset: Offset) -> Option<Between> {
        self.times.when(u64::try_from(offset).ok()?)
    }

    /// The first bytes of the foreign record at this offset, if one was read there.
    pub(crate) fn stranger_at(&self, offset: Offset) -> Option<Head> {
        let holds = |run: Run| (run.offset..run.offset_of(run.end())).contains(&offset);
        self.epochs.iter().any(|epoch| epoch.strange.runs().any(holds)).then(|| {
            let of_it = |s: &&Sighting| s.anomaly == Anomaly::Foreign && s.offset == offset;
            self.sightings.iter().find(of_it).map_or_else(Head::default, |s| s.head)
        })
    }

    /// The topic's index in the run, and the partition.
    pub const fn place(&self) -> (usize, Partition) {
        (self.topic, self.partition)
    }

    /// The number of distinct messages of this run.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// The number of records of this run, including repeats and corrupt ones.
    pub const fn records(&self) -> u64 {
        self.records
    }

    pub const fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Records that are older than their topic.
    pub(crate) const fn resurrected(&self) -> &RunLog {
        &self.resurrected
    }

    /// The number of records whose offset was not above an earlier one of their epoch.
    pub const fn nonmonotonic(&self) -> u64 {
        self.nonmonotonic
    }

    /// The number of messages whose value has a different UUID than was sent.
    pub const fn uuids_wrong(&self) -> u64 {
        self.uuids_wrong
    }

    /// The highest end marker of this run that was read.
    pub const fn end_marker(&self) -> Option<u64> {
        self.end_marker
    }

    /// The first offset read, and the highest one of the current epoch.
    pub const fn offsets(&self) -> (Option<Offset>, Option<Offset>) {
        (self.first, self.last)
    }

    /// The number of resets of the log.
    pub const fn resets(&self) -> u64 {
        self.resets
    }

    /// Runs of offsets of messages that were sent to other partitions.
    pub(crate) fn strays(&self) -> impl Iterator<Item = Run> + '_ {
        self.epochs.iter().flat_map(|epoch| epoch.strays.runs())
    }

    /// The record of each offset, sorted by offset. If no offset was descending, this allocates no memory for the
    /// records.
    pub(crate) fn held(&self) -> Box<dyn Iterator<Item = Held> + '_> {
        let logs: Vec<_> = self.epochs.iter().flat_map(Epoch::held).collect();
        if self.resets == 0 && self.nonmonotonic == 0 {
            return Box::new(merged(logs));
        }
        let mut all: Vec<Held> = logs.into_iter().flatten().collect();
        all.sort_unstable();
        Box::new(all.into_iter())
    }

    /// The offsets at which any usable record was found. Corrupt ones are separate.
    pub(crate) fn occupied(&self) -> Ranges {
        let held = self.epochs.iter().flat_map(Epoch::held).flatten().map(|held| (held.offset, held.end()));
        let markers = self.markers.iter().map(|marker| (marker.offset, marker.offset + 1));
        Ranges::of(held.chain(markers).collect())
    }

    pub fn contains(&self, stream: StreamId, seq: Seq) -> bool {
        self.epochs.iter().any(|epoch| epoch.holds(stream, seq))
    }

    /// One stream as found before the first reset of the log.
    pub(crate) fn first_epoch(&self, stream: StreamId) -> Option<&StreamReads> {
        self.epochs.first()?.streams.get(&stream)
    }

    /// One stream in each epoch in which it was found.
    pub(crate) fn of(&self, stream: StreamId) -> impl Iterator<Item = &StreamReads> {
        self.epochs.iter().filter_map(move |epoch| epoch.streams.get(&stream))
    }
}

/// The result of matching a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageMatch {
    /// It was not found before, in any epoch.
    New,
    Repeat,
}

impl StreamInfo {
    /// Whether it was sent to this partition.
    pub(crate) fn is_of(&self, place: (usize, Partition)) -> bool {
        (self.topic, self.partition) == place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nonmonotonic_is_each_offset_at_or_below_an_earlier_one(
            offsets in prop::collection::vec(prop::option::weighted(0.9, 0_i64..50), 0..60),
        ) {
            let mut reads = PartitionReads::new(RunTag::from_bits(1), 0, 0);
            let (mut expected, mut earlier) = (0, Vec::new());
            for offset in offsets {
                // `None` is a reset: another epoch.
                let Some(offset) = offset else {
                    reads.reset();
                    earlier.clear();
                    continue;
                };
                expected += u64::from(earlier.iter().any(|other| offset <= *other));
                earlier.push(offset);
                reads.see(&Streams::default(), offset, Opened::Foreign, 0, |_| CheckedUuid::Fine);
            }
            prop_assert_eq!(reads.nonmonotonic(), expected);
        }
    }
}
