//! Records that are wrong although their content is intact: the checksum of their batch, their timestamp, their age.

use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::read::ranges::Ranges;
use crate::ledger::read::reads::{KEPT, PartitionReads};
use crate::ledger::read::sighting::{Altered, Sighting};
use crate::ledger::sent::SentLog;
use crate::ledger::sent::marker::Marker;
use crate::ledger::sent::runs::Run;

impl PartitionReads {
    /// Records a batch up to this offset that has a wrong checksum or cannot be decoded. Its decoded records were
    /// processed before. If none of them differs from what was sent, all of them count as altered.
    pub fn see_bad_batch(&mut self, first: Offset, last: Offset, at_us: u64) {
        let meets = |run: Run| run.offset <= last && run.offset_of(run.end()) > first;
        if first > last || self.corrupt.runs().any(meets) {
            return;
        }
        let len = (last - first).unsigned_abs() + 1;
        // These sequences have no meaning. They are all equal, so that adjacent batches stay separate.
        self.bad_batches.push_run(Run { seq: 0, offset: first, len });
        if self.sight(Anomaly::Corrupt, first, -1, None, at_us) {
            self.alter_last(Altered::Batch(last));
        }
    }

    /// Records that the timestamp of the last message is not between its sending and its reading.
    pub fn see_mistimed(&mut self, offset: Offset, message: (StreamId, Seq), timestamp_ms: i64, at_us: u64) {
        self.mistimed.push(offset.cast_unsigned(), offset);
        if self.sight(Anomaly::Corrupt, offset, -1, Some(message), at_us) {
            self.alter_last(Altered::Time(timestamp_ms));
        }
    }

    /// Completes the reading. In a bad batch, all messages that were acked at its offsets are altered, and also those
    /// that were acked without an offset and found there. Foreign records are not judged. Timestamps are judged only if
    /// no clock that they are compared with was set.
    pub fn settle<'a>(
        &mut self,
        logs: impl IntoIterator<Item = (StreamId, &'a SentLog)>,
        markers: &[Marker],
        times: bool,
    ) {
        let (bad, mistimed) = (std::mem::take(&mut self.bad_batches), std::mem::take(&mut self.mistimed));
        let mut acked = Ranges::default();
        if !bad.is_empty() {
            let of_log = |(id, log): (StreamId, &'a SentLog)| {
                let placed = log.acks().runs().map(|run| (run.offset, run.offset_of(run.end())));
                placed.chain(self.placeless(id, log)).collect::<Vec<_>>()
            };
            let messages = logs.into_iter().flat_map(of_log);
            let markers = markers.iter().map(|marker| (marker.offset, marker.offset + 1));
            acked = Ranges::of(messages.chain(markers).collect());
        }
        for run in bad.runs() {
            let last = run.offset_of(run.end()) - 1;
            let of_it = |s: &&Sighting| s.altered == Altered::Batch(last);
            let at_us = self.sightings.iter().find(of_it).map_or(0, |sighting| sighting.at_us);
            for offset in (run.offset..=last).filter(|offset| acked.contains(*offset)) {
                self.corrupt.push(offset.cast_unsigned(), offset);
                if offset > run.offset && self.sight(Anomaly::Corrupt, offset, -1, None, at_us) {
                    self.alter_last(Altered::Batch(last));
                }
            }
        }
        if times {
            mistimed.runs().for_each(|run| self.corrupt.push_run(run));
        }
        self.sightings.retain(|sighting| match sighting.altered {
            Altered::Content => true,
            Altered::Time(_) => times,
            Altered::Batch(_) => acked.contains(sighting.offset),
        });
    }

    /// The ranges of offsets at which messages of a stream that were acked without an offset were found.
    fn placeless(&self, id: StreamId, log: &SentLog) -> Vec<(Offset, Offset)> {
        let mut out = Vec::new();
        for acked in log.placeless().runs() {
            let found = self.of(id).flat_map(|found| found.order.runs().chain(found.repeats.runs()));
            for run in found {
                let (from, to) = (acked.seq.max(run.seq), acked.end().min(run.end()));
                if from < to {
                    out.push((run.offset_of(from), run.offset_of(to)));
                }
            }
        }
        out
    }

    /// How the record of the last sighting differs from what was sent.
    fn alter_last(&mut self, altered: Altered) {
        if let Some(sighting) = self.sightings.last_mut() {
            sighting.altered = altered;
        }
    }

    /// Records that the last foreign record is older than its topic.
    pub fn see_resurrected(&mut self, offset: Offset) {
        self.foreign = self.foreign.saturating_sub(1);
        self.resurrected.push(offset.cast_unsigned(), offset);
        let of_it = |s: &Sighting| s.anomaly == Anomaly::Foreign && s.offset == offset;
        if self.sightings.last().is_some_and(of_it) {
            let sighting = self.sightings.pop();
            let kept = self.sightings.iter().filter(|s| s.anomaly == Anomaly::Resurrected).count();
            let resurrected = sighting.map(|sighting| Sighting { anomaly: Anomaly::Resurrected, ..sighting });
            self.sightings.extend(resurrected.filter(|_| kept < KEPT));
        }
    }
}
