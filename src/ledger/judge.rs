//! The verdict on one consumer's reading of one partition: exact counts of each anomaly, and evidence.
//!
//! The second of two steps: `missing` says what a second look is to look for, `judge` decides.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::evidence::{Counts, EVIDENCE, Evidence, Judgement};
use super::marks::Between;
use super::missing::{Missing, ReaderEnd, of_reader};
use super::reads::{PartitionReads, Place, Sighting, UNREADABLE};
use super::runs::{Bits, Run, RunLog};
use super::sent::{Retry, SentLog};
use super::streams::Streams;
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};

/// Judges. `again` is what the second look found of the missing ones; none where it could not be taken, and
/// then what is missing stays unread.
pub fn judge(
    streams: &Streams,
    sent: &HashMap<StreamId, SentLog>,
    end: &ReaderEnd<'_>,
    missing: &Missing,
    again: Option<&HashMap<StreamId, Bits>>,
) -> Judgement {
    let mut case = Case { end, streams, sent, out: Judgement::default() };
    for anomaly in [
        Anomaly::Lost,
        Anomaly::Skipped,
        Anomaly::Unread,
        Anomaly::Duplicate,
        Anomaly::Reordered,
        Anomaly::Corrupt,
        Anomaly::Misplaced,
        Anomaly::Phantom,
        Anomaly::Nonmonotonic,
        Anomaly::Foreign,
    ] {
        case.out.counts.insert(anomaly, Counts::default());
    }
    case.losses(missing, again);
    for (id, log) in of_reader(streams, sent, end) {
        case.stream(id, log);
        case.misplaced(id, log);
    }
    case.rewritten();
    case.watermark_lies();
    case.plain(Anomaly::Corrupt, end.reads.corrupt.len());
    case.plain(Anomaly::Nonmonotonic, end.reads.nonmonotonic);
    case.plain(Anomaly::Foreign, end.reads.foreign());
    case.out
}

/// A judgement in the making.
struct Case<'a> {
    end: &'a ReaderEnd<'a>,
    streams: &'a Streams,
    sent: &'a HashMap<StreamId, SentLog>,
    out: Judgement,
}

impl Case<'_> {
    fn count(&mut self, anomaly: Anomaly, explained: bool) -> &mut Counts {
        let counts = self.out.counts.entry(anomaly).or_default();
        if explained {
            counts.explained += 1;
        } else {
            counts.count += 1;
        }
        counts
    }

    /// There is room for a piece: unexplained ones push explained ones out.
    fn has_room(&self, anomaly: Anomaly, explained: bool) -> bool {
        let same = |e: &&Evidence| e.anomaly == anomaly;
        let kept = self.out.evidence.iter().filter(same);
        kept.clone().count() < EVIDENCE || (!explained && kept.into_iter().any(|e| e.explained))
    }

    /// Adds evidence while there is room.
    fn evidence(&mut self, mut piece: Evidence) {
        if !self.has_room(piece.anomaly, piece.explained) {
            return;
        }
        let (topic, partition) = self.end.reads.place();
        (piece.topic, piece.partition) = (topic, partition);
        piece.acked_us = piece.message.and_then(|(id, seq)| self.sent.get(&id)?.when_acked(seq));
        let kept = self.out.evidence.iter().filter(|e| e.anomaly == piece.anomaly).count();
        let old = self.out.evidence.iter_mut().find(|e| e.anomaly == piece.anomaly && e.explained);
        match old {
            Some(old) if kept >= EVIDENCE => *old = piece,
            _ => self.out.evidence.push(piece),
        }
    }

    fn sighting(&self, anomaly: Anomaly, message: (StreamId, Seq), offset: Offset) -> Option<&Sighting> {
        self.end
            .reads
            .sightings
            .iter()
            .find(|s| s.anomaly == anomaly && s.message == Some(message) && s.offset == offset)
    }

    fn losses(&mut self, missing: &Missing, again: Option<&HashMap<StreamId, Bits>>) {
        for (id, run) in &missing.passed {
            for seq in run.seq..run.end() {
                let anomaly = match again {
                    Some(found) if found.get(id).is_some_and(|bits| bits.contains(seq)) => Anomaly::Skipped,
                    Some(_) => Anomaly::Lost,
                    None if self.end.gone => Anomaly::Lost,
                    None => Anomaly::Unread,
                };
                let why = match anomaly {
                    Anomaly::Skipped => "the reader passed its place, a fresh reader found it there",
                    Anomaly::Lost if self.end.gone => "the broker no longer knows its partition",
                    Anomaly::Lost => "the reader passed its place, and a fresh reader did not find it either",
                    _ => "the reader passed its place, and no second look could be taken",
                };
                self.loss(anomaly, *id, run, seq, why, None);
            }
        }
        for (id, run) in &missing.gone {
            for seq in run.seq..run.end() {
                let read = self.end.reads.contains(*id, seq);
                let (anomaly, why) = match (again, read) {
                    (Some(found), _) if found.get(id).is_some_and(|bits| bits.contains(seq)) => {
                        (Anomaly::Skipped, "the audit passed its place, another fresh reader found it there")
                    }
                    (_, true) => (Anomaly::Lost, "it was read, and is gone at the audit"),
                    (_, false) => (Anomaly::Lost, "neither the reader nor the audit found it"),
                };
                let read_us = if read { self.when_read(*id, seq) } else { None };
                self.loss(anomaly, *id, run, seq, why, read_us);
            }
        }
        for (id, run) in &missing.unread {
            for seq in run.seq..run.end() {
                self.loss(Anomaly::Unread, *id, run, seq, "the reader did not come that far", None);
            }
        }
    }

    /// When the first copy of a message was read.
    fn when_read(&self, id: StreamId, seq: Seq) -> Option<Between> {
        let found = self.end.reads.streams.get(&id)?;
        let run = found.order.runs().find(|run| (run.seq..run.end()).contains(&seq))?;
        self.end.reads.when_read(run.offset_of(seq))
    }

    fn loss(
        &mut self,
        anomaly: Anomaly,
        id: StreamId,
        run: &Run,
        seq: Seq,
        why: &str,
        read_us: Option<Between>,
    ) {
        let counts = self.count(anomaly, false);
        if counts.count > EVIDENCE as u64 {
            return;
        }
        let offset = run.offset_of(seq);
        let mut detail = format!("{why}; {}", self.neighbours(id, seq));
        if let Some(head) = self.end.reads.stranger_at(offset) {
            let begins = head.hex().map_or_else(String::new, |hex| format!(" whose value begins with {hex}"));
            detail = format!("{detail}; at its offset lies a record that is none of this run{begins}");
        }
        self.evidence(Evidence {
            offset: Some(offset),
            message: Some((id, seq)),
            read_us,
            detail,
            ..Evidence::of(anomaly)
        });
    }

    /// The nearest messages of the same stream that were read.
    fn neighbours(&self, id: StreamId, seq: Seq) -> String {
        /// How far to look; a whole log may be gone.
        const NEAR: u64 = 10_000;
        let Some(found) = self.end.reads.streams.get(&id).filter(|f| !f.seen.is_empty()) else {
            return "no message of this client in this partition was read".to_owned();
        };
        let sent = self.sent.get(&id).map_or(0, SentLog::sent);
        let before = (seq.saturating_sub(NEAR)..seq).rev().find(|s| found.seen.contains(*s));
        let after = (seq + 1..sent.min(seq.saturating_add(NEAR))).find(|s| found.seen.contains(*s));
        match (before, after) {
            (Some(b), Some(a)) => format!("number {b} before it and number {a} after it were read"),
            (Some(b), None) => format!("number {b} before it was read, none after it"),
            (None, Some(a)) => format!("number {a} after it was read, none before it"),
            (None, None) => "none near it was read".to_owned(),
        }
    }

    fn stream(&mut self, id: StreamId, log: &SentLog) {
        let reads = self.end.reads;
        let Some(found) = reads.streams.get(&id) else { return };
        let resent = bits(log.maybe_out_of_order());
        self.duplicates(id, log);
        for run in found.reordered.runs() {
            for seq in run.seq..run.end() {
                let offset = run.offset_of(seq);
                let seen = self.sighting(Anomaly::Reordered, (id, seq), offset).copied();
                // Either of the two may be the one that was sent again; which one overtook is not known.
                let behind = seen.map(|s| s.beside.cast_unsigned());
                let explained = resent.contains(seq) || behind.is_some_and(|b| resent.contains(b));
                self.count(Anomaly::Reordered, explained);
                if !self.has_room(Anomaly::Reordered, explained) {
                    continue;
                }
                let what = behind.map_or_else(
                    || "lies behind a message that was sent later".to_owned(),
                    |b| format!("lies behind number {b}, which was sent later"),
                );
                let retry = log.retry_of(seq).or_else(|| log.retry_of(behind?));
                self.evidence(Evidence {
                    offset: Some(offset),
                    message: Some((id, seq)),
                    at_us: seen.map(|s| s.at_us),
                    retry_us: retry.map(|retry| retry.at_us),
                    explained,
                    detail: match retry {
                        Some(retry) => format!("{what}; {}", told(retry)),
                        None => what,
                    },
                    ..Evidence::of(Anomaly::Reordered)
                });
            }
        }
        for run in log.failures().runs() {
            for seq in (run.seq..run.end()).filter(|seq| found.seen.contains(*seq)) {
                if self.count(Anomaly::Phantom, false).count > EVIDENCE as u64 {
                    continue;
                }
                let place = found.order.runs().find(|run| (run.seq..run.end()).contains(&seq));
                self.evidence(Evidence {
                    offset: place.map(|run| run.offset_of(seq)),
                    message: Some((id, seq)),
                    detail: "its sending failed with an error that excludes a write, and yet it was read"
                        .to_owned(),
                    ..Evidence::of(Anomaly::Phantom)
                });
            }
        }
    }

    fn duplicates(&mut self, id: StreamId, log: &SentLog) {
        let maybe_twice = bits(log.maybe_twice());
        let Some(found) = self.end.reads.streams.get(&id) else { return };
        if found.repeats.is_empty() {
            return;
        }
        let mut copies: BTreeMap<Seq, Vec<Offset>> = BTreeMap::new();
        for run in found.repeats.runs() {
            for seq in run.seq..run.end() {
                copies.entry(seq).or_default().push(run.offset_of(seq));
            }
        }
        let mut first: HashMap<Seq, Offset> = HashMap::new();
        for run in found.order.runs() {
            for seq in copies.range(run.seq..run.end()).map(|(seq, _)| *seq) {
                first.insert(seq, run.offset_of(seq));
            }
        }
        for (seq, offsets) in copies {
            // The same offset again is the same record read again, after the log was reset under the reader.
            let first = first.get(&seq).copied();
            let Some(other) = offsets.into_iter().find(|offset| Some(*offset) != first) else { continue };
            let explained = maybe_twice.contains(seq);
            self.count(Anomaly::Duplicate, explained);
            if !self.has_room(Anomaly::Duplicate, explained) {
                continue;
            }
            let at_us = self.sighting(Anomaly::Duplicate, (id, seq), other).map(|s| s.at_us);
            let retry = log.retry_of(seq).filter(|_| explained);
            self.evidence(Evidence {
                offset: Some(other),
                other_offset: first,
                message: Some((id, seq)),
                at_us,
                retry_us: retry.map(|retry| retry.at_us),
                explained,
                detail: if explained {
                    match retry {
                        Some(retry) => told(retry),
                        None => "a try to send it had no answer, and may have been written".to_owned(),
                    }
                } else {
                    "the producer sent it once, or again only after a try that was not written".to_owned()
                },
                ..Evidence::of(Anomaly::Duplicate)
            });
        }
    }

    /// Acked at one offset, read at another, and at none of its copies' offsets either.
    fn misplaced(&mut self, id: StreamId, log: &SentLog) {
        // Where an audit was made, it decides.
        let Some(found) = self.end.audit.unwrap_or(self.end.reads).streams.get(&id) else { return };
        let (acked, read) = (log.acks().sorted(), found.order.sorted());
        let mut copies: Option<HashSet<(Seq, Offset)>> = None;
        let mut at = 0;
        for ack in &acked {
            while at < read.len() && read[at].end() <= ack.seq {
                at += 1;
            }
            for run in read[at..].iter().take_while(|run| run.seq < ack.end()) {
                let (from, to) = (ack.seq.max(run.seq), ack.end().min(run.end()));
                if ack.offset_of(from) == run.offset_of(from) {
                    continue;
                }
                let copies = copies.get_or_insert_with(|| {
                    let pairs = |r: Run| (r.seq..r.end()).map(move |s| (s, r.offset_of(s)));
                    found.repeats.runs().flat_map(pairs).collect()
                });
                for seq in from..to {
                    if copies.contains(&(seq, ack.offset_of(seq))) {
                        continue;
                    }
                    let counts = self.out.counts.entry(Anomaly::Misplaced).or_default();
                    counts.count += 1;
                    self.evidence(Evidence {
                        offset: Some(run.offset_of(seq)),
                        other_offset: Some(ack.offset_of(seq)),
                        message: Some((id, seq)),
                        detail: format!("acked at offset {}", ack.offset_of(seq)),
                        ..Evidence::of(Anomaly::Misplaced)
                    });
                }
            }
        }
    }

    /// One offset that held two different messages at two times: can be seen only where it was read twice, by the
    /// audit or by a reader whose log was reset under it.
    fn rewritten(&mut self) {
        let (reads, audit) = (self.end.reads, self.end.audit);
        if audit.is_none() && reads.resets() == 0 {
            return;
        }
        let mut places: Vec<Place> =
            std::iter::once(reads).chain(audit).flat_map(PartitionReads::places).collect();
        places.sort_unstable();
        places.dedup();
        let mut count = 0;
        for held in places.chunk_by(|a, b| a.0 == b.0).filter(|held| held.len() > 1) {
            count += 1;
            if count > EVIDENCE as u64 {
                continue;
            }
            let words: Vec<String> = held
                .iter()
                .map(|(_, message)| match message {
                    Some((id, seq)) => format!("number {seq} of stream {}", id.0),
                    None => "a foreign record".to_owned(),
                })
                .collect();
            self.evidence(Evidence {
                offset: Some(held[0].0),
                message: held.iter().find_map(|(_, message)| *message),
                detail: format!("it held {}", words.join(", then ")),
                ..Evidence::of(Anomaly::Rewritten)
            });
        }
        self.out.counts.insert(Anomaly::Rewritten, Counts { count, explained: 0 });
    }

    /// Records at or above the end that the broker told when the log was quiet.
    fn watermark_lies(&mut self) {
        let Some(end) = self.end.told_end else { return };
        let mut above: Vec<Place> = self.end.reads.places().filter(|(offset, _)| *offset >= end).collect();
        above.sort_unstable();
        above.dedup_by_key(|(offset, _)| *offset);
        let count = above.len() as u64;
        self.out.counts.insert(Anomaly::WatermarkLie, Counts { count, explained: 0 });
        for (offset, message) in above.into_iter().take(EVIDENCE) {
            self.evidence(Evidence {
                offset: Some(offset),
                message,
                detail: format!("the broker told {end} as the log's end"),
                ..Evidence::of(Anomaly::WatermarkLie)
            });
        }
    }

    /// An anomaly that the reads have counted already.
    fn plain(&mut self, anomaly: Anomaly, count: u64) {
        self.out.counts.insert(anomaly, Counts { count, explained: 0 });
        let seen: Vec<Sighting> = self
            .end
            .reads
            .sightings
            .iter()
            .filter(|s| s.anomaly == anomaly)
            .take(EVIDENCE)
            .copied()
            .collect();
        for s in seen {
            let detail = match anomaly {
                Anomaly::Nonmonotonic => format!("handed out after offset {}", s.beside),
                Anomaly::Corrupt if s.beside == UNREADABLE => {
                    "what lies here cannot be unpacked, and keeps readers from all that follows".to_owned()
                }
                Anomaly::Corrupt => {
                    "key and value do not fit the checksum, or the UUID is not the one sent".to_owned()
                }
                _ => "not of this run".to_owned(),
            };
            let detail = match s.head.hex() {
                Some(hex) => format!("{detail}; its value begins with {hex}"),
                None => detail,
            };
            // What a corrupt record was can be told by what was acked at its place, not by itself.
            let acked = || (anomaly == Anomaly::Corrupt).then(|| self.acked_at(s.offset)).flatten();
            self.evidence(Evidence {
                offset: Some(s.offset),
                message: s.message.or_else(acked),
                at_us: Some(s.at_us),
                detail,
                ..Evidence::of(anomaly)
            });
        }
    }

    /// The message that was acked at this offset.
    fn acked_at(&self, offset: Offset) -> Option<(StreamId, Seq)> {
        of_reader(self.streams, self.sent, self.end).find_map(|(id, log)| {
            let holds = |run: &Run| (run.offset..run.offset_of(run.end())).contains(&offset);
            log.acks().runs().find(holds).map(|run| (id, run.seq + (offset - run.offset).unsigned_abs()))
        })
    }
}

/// What a producer saw that made it send again.
fn told(retry: &Retry) -> String {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run are far below 2^53")]
    let at = retry.at_us as f64 / 1e6;
    let text = retry.text.strip_prefix("Local: ").or(retry.text.strip_prefix("Broker: "));
    let text = text.unwrap_or(&retry.text).replace('`', "'");
    format!("the producer saw `{text}` at {at:.3} s and sent its batch again")
}

/// The sequences of a log as a set.
fn bits(log: &RunLog) -> Bits {
    let mut out = Bits::default();
    for run in log.runs() {
        for seq in run.seq..run.end() {
            out.insert(seq);
        }
    }
    out
}
