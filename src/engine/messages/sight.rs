//! Processes a record that an observer read: decodes its envelope, compares it with what was sent, and adds
//! it to the ledger.

use super::ends::EndMarkerSeen;
use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::{TopicState, Topology};
use crate::engine::verdict::retention::OVERHEAD;
use crate::ids::{Offset, Partition};
use crate::kafka::Record;
use crate::ledger::envelope;
use crate::ledger::envelope::{Envelope, Opened, RecordKind};
use crate::ledger::{CheckedUuid, PartitionReads, Seen, Streams};
use crate::observe::Note;

/// Tolerance for timestamps, in microseconds: brokers and clients round, and clocks are not read at the same
/// time.
const TIME_SLACK_US: i64 = 1_000_000;
/// How much older than the topic a foreign record's timestamp must be before the record counts as older, in
/// microseconds, because other clocks may be wrong.
const AGE_SLACK_US: i64 = 10_000_000;

pub(crate) fn open(record: &Record<'_>) -> Opened {
    envelope::open(record.key, record.value, record.headers())
}

/// Whether a record is this end marker or a later one.
pub(crate) fn is_end_marker(context: &RunContext, end_marker: EndMarkerSeen, record: &Record<'_>) -> bool {
    let Opened::Kaf6 { envelope, intact: true } = open(record) else { return false };
    let identity = envelope.identity;
    envelope.kind == RecordKind::EndMarker
        && identity.run == context.run_tag
        && identity.seq >= end_marker.number
}

/// Compares the records of one partition with what was sent.
#[derive(Clone, Copy)]
pub(crate) struct RecordMatcher<'a> {
    pub(crate) context: &'a RunContext,
    pub(crate) streams: &'a Streams,
    topic: Option<&'a TopicState>,
}

impl<'a> RecordMatcher<'a> {
    /// For a topic, by its index in the run.
    pub(crate) fn of(context: &'a RunContext, topology: &'a Topology, topic: usize) -> Self {
        Self { context, streams: &topology.streams, topic: topology.topics.get(topic) }
    }

    /// Processes a record that was read at `now_us` (microseconds since the start of the run). `on_uuid` receives
    /// whether the UUID in the value is the one that was sent, if the value has one.
    pub(crate) fn see(
        &self,
        reads: &mut PartitionReads,
        record: &Record<'_>,
        opened: Opened,
        now_us: u64,
        on_uuid: impl FnOnce(CheckedUuid),
    ) -> Seen {
        let value = record.value.unwrap_or_default();
        let seen = reads.see(self.streams, record.offset, opened, now_us, |identity| {
            let checked = envelope::check_uuid(value, identity);
            on_uuid(checked);
            checked
        });
        if matches!(seen, Seen::Foreign | Seen::Stray) {
            reads.see_foreign_size(size(record));
        }
        if seen.is_strange() {
            reads.show(record.offset, value);
        }
        match (seen, opened) {
            (Seen::Fresh { .. } | Seen::Repeat | Seen::Roundtrip { .. }, Opened::Kaf6 { envelope, .. }) => {
                self.look_at_time(reads, record, &envelope, now_us);
            }
            (Seen::Foreign, _) if self.is_older_than_its_topic(record, opened) => {
                reads.see_resurrected(record.offset);
            }
            _ => {}
        }
        seen
    }

    /// Checks that a producer's timestamp is between sending and reading. Skipped for other runs, whose clock
    /// this machine does not know.
    fn look_at_time(
        &self,
        reads: &mut PartitionReads,
        record: &Record<'_>,
        envelope: &Envelope,
        now_us: u64,
    ) {
        let Some((ms, true)) = record.timestamp_ms else { return };
        let us = ms.saturating_mul(1000);
        let low = envelope.due_us.saturating_sub(TIME_SLACK_US);
        // `now_us` is the time of the reader's loop, and may be old when the reader processes a record.
        let is_later = |now_us| us > self.context.clock.of_day(now_us).saturating_add(TIME_SLACK_US);
        let late = is_later(now_us) && is_later(self.context.clock.now_us());
        // The timestamp is in whole milliseconds.
        if (us.saturating_add(999) < low || late) && self.context.saved.is_none() {
            reads.see_mistimed(record.offset, (envelope.identity.stream, envelope.identity.seq), ms, now_us);
        }
    }

    /// Whether a record is older than its topic: a record of another run that was due before the topic was created, or
    /// a foreign record with an older timestamp, in a log that did not start at 0 before the first send.
    fn is_older_than_its_topic(&self, record: &Record<'_>, opened: Opened) -> bool {
        let Some((topic, birth)) = self.topic.and_then(|topic| Some((topic, topic.birth?))) else {
            return false;
        };
        let written = record.timestamp_ms.map(|(ms, _)| ms.saturating_mul(1000));
        match opened {
            // A message that was due earlier may have been sent later.
            Opened::Kaf6 { envelope, intact: true } => {
                envelope.due_us < birth.at_us && written.is_none_or(|us| us < birth.at_us)
            }
            _ => {
                let log = topic.inherited.get(&record.partition);
                log.is_some_and(|(start, end)| *start > 0 && record.offset < *end)
                    && written.is_some_and(|us| us < birth.at_us.saturating_sub(AGE_SLACK_US))
            }
        }
    }
}

/// The maximum size of the record in the log, in bytes.
fn size(record: &Record<'_>) -> u64 {
    let of = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len) as u64;
    let headers = record.headers().map(|(name, value)| name.len() as u64 + of(value) + OVERHEAD / 10);
    of(record.key) + of(record.value) + headers.sum::<u64>() + OVERHEAD
}

/// Adds a note about a batch that Java clients cannot read past.
pub(crate) fn note_bad_batch(
    context: &RunContext,
    topic: &str,
    partition: Partition,
    (from, to): (Offset, Offset),
    text: &str,
) {
    context.notes.add(Note::error(format!(
        "partition {partition} of `{topic}`: the batch at offsets {from} to {to} has a wrong \
        checksum (CRC) or cannot be decoded ({text}); consumers that check it stop there, but \
        kaf6 continued after it"
    )));
}
