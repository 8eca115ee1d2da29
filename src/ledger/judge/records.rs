//! Anomalies of records instead of messages: altered, in another partition, foreign, rewritten, in descending order of
//! offsets, above the reported end.

use super::case::{Judge, ReaderVerdict};
use super::rewrites::{Conflict, corrupt_ranges};
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::evidence::{Evidence, LOOKED_AT, Observer};
use crate::ledger::read::pass::Pass;
use crate::ledger::read::ranges::Ranges;
use crate::ledger::read::sighting::{Altered, Sighting};
use crate::ledger::sent::runs::Run;
use crate::ledger::{Counts, Judgement};

impl Judge<'_> {
    /// Counts the anomalies that the passes found, for the partition and for each reader.
    pub(crate) fn found(&mut self, conflicts: &[Conflict]) {
        let passes = self.case.passes;
        let all: Vec<usize> = (0..passes.len()).collect();
        let totals = of(passes, &all);
        totals.add_to(&mut self.out);
        self.out.counts.insert(Anomaly::Corrupt, count(self.corrupt.len()));
        for ReaderVerdict { pass, judgement, .. } in &mut self.readers {
            let concerned: Vec<usize> =
                all.iter().copied().filter(|at| at == pass || passes[*at].observer.is_fresh()).collect();
            of(passes, &concerned).add_to(judgement);
        }
        let twice = passes.len() > 1 || passes.iter().any(|pass| pass.reads.resets() > 0);
        if twice {
            let rewritten = count(self.rewritten.len());
            self.out.counts.insert(Anomaly::Rewritten, rewritten);
            for ReaderVerdict { judgement, .. } in &mut self.readers {
                judgement.counts.insert(Anomaly::Rewritten, rewritten);
            }
        }
        for conflict in conflicts {
            self.show(Evidence {
                observer: Some(conflict.observer),
                offset: Some(conflict.offset),
                message: conflict.held.iter().find_map(|held| *held),
                detail: format!(
                    "this offset first returned {}, then {}",
                    words(conflict.held[0]),
                    words(conflict.held[1])
                ),
                ..Evidence::of(Anomaly::Rewritten)
            });
        }
        for anomaly in [
            Anomaly::Corrupt,
            Anomaly::Misplaced,
            Anomaly::Resurrected,
            Anomaly::Nonmonotonic,
            Anomaly::Foreign,
        ] {
            self.sightings(anomaly);
        }
        self.above_reported_end();
    }

    fn sightings(&mut self, anomaly: Anomaly) {
        let passes = self.case.passes;
        let seen = passes.iter().enumerate().flat_map(|(at, pass)| {
            pass.reads.sightings.iter().filter(|s| s.anomaly == anomaly).map(move |s| (at, *s))
        });
        let mut seen: Vec<(usize, Sighting)> = seen.collect();
        seen.sort_by_key(|(at, sighting)| (sighting.offset, *at));
        // A record that several observers saw is one piece of evidence.
        if anomaly != Anomaly::Nonmonotonic {
            seen.dedup_by_key(|(_, sighting)| sighting.offset);
        }
        for (at, sighting) in seen.into_iter().take(LOOKED_AT) {
            let detail = self.detail(at, &sighting);
            let acked = || (anomaly == Anomaly::Corrupt).then(|| self.acked_at(sighting.offset)).flatten();
            let message = sighting.message.or_else(acked);
            self.show(Evidence {
                observer: Some(passes[at].observer),
                offset: Some(sighting.offset),
                message,
                at_us: Some(sighting.at_us),
                detail,
                head: sighting.head.hex(),
                ..Evidence::of(anomaly)
            });
        }
    }

    fn detail(&self, at: usize, seen: &Sighting) -> String {
        match seen.anomaly {
            Anomaly::Nonmonotonic => format!("delivered after offset {}", seen.beside),
            Anomaly::Misplaced => self.home_of(seen),
            Anomaly::Corrupt => {
                let before = self.read_intact(at, seen.offset);
                let who = self.case.passes[at].observer.words();
                let what = match seen.altered {
                    Altered::Content => "key, value or headers differ from what was sent".to_owned(),
                    Altered::Time(ms) => format!(
                        "its timestamp ({ms} ms since 1970) is more than 1 s outside the time from \
                        its send to its read"
                    ),
                    Altered::Batch(last) => {
                        format!(
                            "its batch (up to offset {last}) has a wrong checksum (CRC) or cannot \
                            be decoded"
                        )
                    }
                };
                format!("{before}{what}, as read by {who}")
            }
            Anomaly::Resurrected => "older than its topic, which kaf6 created for this run".to_owned(),
            _ => "not from this run".to_owned(),
        }
    }

    /// The partition that a stray message was sent to.
    fn home_of(&self, seen: &Sighting) -> String {
        let home = seen.message.and_then(|(id, _)| self.case.streams.get(id));
        match home {
            Some(home) if home.topic == self.case.place.0 => {
                format!("belongs to partition {}", home.partition)
            }
            Some(home) => format!("belongs to partition {} of another topic", home.partition),
            None => "belongs to another partition".to_owned(),
        }
    }

    /// Text that another observer read the message acked at this offset intact, and when.
    fn read_intact(&self, but: usize, offset: Offset) -> String {
        let Some((id, seq)) = self.acked_at(offset) else { return String::new() };
        let intact = self.case.passes.iter().enumerate().find(|(at, pass)| {
            *at != but
                && !corrupt_ranges(std::iter::once(*pass)).contains(offset)
                && pass.reads.contains(id, seq)
        });
        let Some((_, pass)) = intact else { return String::new() };
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a run are far below 2^53")]
        let when = pass.reads.when_read(offset).map(|(_, to)| format!(" by {:.1} s", to as f64 / 1e6));
        format!("{} read it unmodified{}; ", pass.observer.words(), when.unwrap_or_default())
    }

    /// The message that was acked at this offset.
    fn acked_at(&self, offset: Offset) -> Option<(StreamId, Seq)> {
        self.case.sent_streams().find_map(|(id, _, log)| {
            let holds = |run: &Run| (run.offset..run.offset_of(run.end())).contains(&offset);
            log.acks().runs().find(holds).map(|run| (id, run.seq + (offset - run.offset).unsigned_abs()))
        })
    }

    /// Acked offsets at or above the end that the broker reported after their acks.
    fn above_reported_end(&mut self) {
        let Some(end) = self.case.reported_end else { return };
        let messages = self.case.sent_streams().flat_map(|(id, _, log)| {
            log.acks().runs().filter(|run| run.offset_of(run.end()) > end).map(move |run| {
                let skipped = u64::try_from(end - run.offset).unwrap_or(0);
                let first =
                    Run { seq: run.seq + skipped, offset: run.offset.max(end), len: run.len - skipped };
                (first, Some(id))
            })
        });
        let markers = self.case.markers.iter().filter(|marker| marker.offset >= end);
        let markers = markers.map(|marker| (Run { seq: 0, offset: marker.offset, len: 1 }, None));
        let mut found: Vec<(Run, Option<StreamId>)> = messages.chain(markers).collect();
        found.sort_by_key(|(run, _)| run.offset);
        let ranges = found.iter().map(|(run, _)| (run.offset, run.offset_of(run.end())));
        let counts = count(Ranges::of(ranges.collect()).len());
        self.out.counts.insert(Anomaly::StaleEnd, counts);
        for ReaderVerdict { judgement, .. } in &mut self.readers {
            judgement.counts.insert(Anomaly::StaleEnd, counts);
        }
        let each = found.iter().flat_map(|(run, id)| {
            (run.seq..run.end()).map(|seq| (run.offset_of(seq), id.map(|id| (id, seq))))
        });
        for (offset, message) in each.take(LOOKED_AT) {
            self.show(Evidence {
                offset: Some(offset),
                message,
                detail: format!(
                    "the broker acknowledged this offset, but later reported {end} as the end of \
                    the log"
                ),
                ..Evidence::of(Anomaly::StaleEnd)
            });
        }
    }
}

/// Counts of several passes. Records are counted once, and descending offsets once per pass.
struct Totals {
    corrupt: u64,
    strays: u64,
    resurrected: u64,
    foreign: u64,
    nonmonotonic: u64,
}

impl Totals {
    fn add_to(&self, judgement: &mut Judgement) {
        judgement.counts.insert(Anomaly::Corrupt, count(self.corrupt));
        judgement.counts.insert(Anomaly::Foreign, count(self.foreign));
        judgement.counts.insert(Anomaly::Nonmonotonic, count(self.nonmonotonic));
        judgement.counts.insert(Anomaly::Resurrected, count(self.resurrected));
        judgement.add(Anomaly::Misplaced, self.strays);
    }
}

fn of(passes: &[Pass<'_>], which: &[usize]) -> Totals {
    let chosen = || which.iter().map(|at| &passes[*at]);
    let union = |log: fn(&Pass<'_>) -> Vec<Run>| {
        let runs = chosen().flat_map(log);
        Ranges::of(runs.map(|run| (run.offset, run.offset + run.len.cast_signed())).collect()).len()
    };
    Totals {
        corrupt: corrupt_ranges(chosen()).len(),
        strays: union(|pass| pass.reads.strays().collect()),
        resurrected: union(|pass| pass.reads.resurrected().runs().collect()),
        // The maximum, because observers that read different parts of a log see different records.
        foreign: chosen()
            .filter(|pass| pass.observer != Observer::Recheck)
            .map(|pass| pass.reads.foreign())
            .max()
            .unwrap_or(0),
        nonmonotonic: chosen().map(|pass| pass.reads.nonmonotonic()).sum(),
    }
}

const fn count(count: u64) -> Counts {
    Counts { count, explained: 0, undecided: 0 }
}

fn words(message: Option<(StreamId, Seq)>) -> String {
    match message {
        Some((id, seq)) => format!("message {seq} of stream {}", id.0),
        None => "a record that is not a message of this partition".to_owned(),
    }
}
