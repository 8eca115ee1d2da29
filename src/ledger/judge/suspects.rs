//! The first step of a judgment: finds what an observer passed and did not find, and determines what to re-read.

use std::collections::HashMap;

use super::case::PartitionCase;
use crate::ids::{Offset, StreamId};
use crate::ledger::read::pass::Pass;
use crate::ledger::read::ranges::Ranges;
use crate::ledger::read::view::read_at_acked_offsets;
use crate::ledger::sent::SentLog;
use crate::ledger::sent::runs::Run;

/// Acked messages and end markers that a pass did not find at their acked offsets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suspects {
    pub count: u64,
    /// The lowest and the highest offset at which they may be; `None` if there are none.
    pub range: Option<(Offset, Offset)>,
    /// Whether a message without an acked offset is included, which may be anywhere in the log.
    pub anywhere: bool,
}

impl Suspects {
    fn add(&mut self, offset: Offset) {
        self.count += 1;
        self.range = Some(self.range.map_or((offset, offset), |(a, b)| (a.min(offset), b.max(offset))));
    }
}

impl PartitionCase<'_> {
    /// Determines what to re-read for one of the passes.
    pub fn suspects(&self, pass: &Pass<'_>) -> Suspects {
        let mut out = Suspects::default();
        let corrupt: Vec<(Offset, Offset)> = ranges(pass);
        let is_corrupt = |offset| {
            let after = corrupt.partition_point(|(from, _)| *from <= offset);
            after.checked_sub(1).is_some_and(|at| offset < corrupt[at].1)
        };
        for (id, scenario, log) in self.judged_streams() {
            if !pass.finds(scenario) {
                continue;
            }
            let there = read_at_acked_offsets(id, &log.acks().sorted(), pass);
            for run in log.acks().runs() {
                let (first, last) = (run.offset, run.offset_of(run.end() - 1));
                if !pass.wants(scenario, last) || !pass.passed(last.min(first.max(pass.start))) {
                    continue;
                }
                if there.contains_range(run.seq..run.end()) {
                    continue;
                }
                for seq in run.seq..run.end() {
                    let offset = run.offset_of(seq);
                    let missing = pass.wants(scenario, offset) && pass.passed(offset) && !there.contains(seq);
                    if missing && !is_corrupt(offset) {
                        out.add(offset);
                    }
                }
            }
            if pass.to_end && pass.wants(scenario, 0) {
                self.suspect_placeless(pass, id, log, &mut out);
            }
        }
        for marker in self.markers {
            if pass.passed(marker.offset) && !pass.reads.has_marker(*marker) {
                out.add(marker.offset);
            }
        }
        out
    }

    fn suspect_placeless(&self, pass: &Pass<'_>, id: StreamId, log: &SentLog, out: &mut Suspects) {
        for run in log.placeless().runs() {
            for seq in (run.seq..run.end()).filter(|seq| !pass.reads.contains(id, *seq)) {
                let _ = seq;
                out.add(pass.start);
                out.anywhere = true;
            }
        }
        if out.anywhere {
            let last = pass.reads.offsets().1.unwrap_or(pass.start);
            let markers = self.markers.iter().map(|marker| marker.offset).max().unwrap_or(last);
            out.range = out.range.map(|(from, to)| (from.min(pass.start), to.max(last).max(markers)));
        }
    }

    /// Whether an offset was acked for two messages, or for a message and an end marker.
    pub fn acks_contradict(&self) -> bool {
        let markers = || self.markers.iter().map(|it| Run { seq: 0, offset: it.offset, len: 1 });
        let messages = || self.sent_streams().flat_map(|(_, _, log)| log.acks().runs());
        let acked: u64 = messages().chain(markers()).map(|run| run.len).sum();
        let runs = messages().chain(markers());
        let distinct = Ranges::of(runs.map(|run| (run.offset, run.offset_of(run.end()))).collect());
        distinct.len() < acked
    }

    /// Whether each judged, acked message has a reader that had to read it and read to the end of the log.
    pub fn covered(&self) -> bool {
        self.judged_streams().all(|(_, scenario, log)| {
            let first =
                if log.placeless().is_empty() { log.offsets().map(|(first, _)| first) } else { Some(0) };
            first.is_none_or(|first| {
                self.passes.iter().any(|pass| pass.full && pass.to_end && pass.wants(scenario, first))
            })
        })
    }

    /// Whether the whole log was read after this scenario had ended: by a reader that waits for the scenario, or by a
    /// fresh client. A fresh client reads up to the last end marker, which is written after the scenario only if a
    /// reader waits for it.
    pub(crate) fn read_to_end(&self, scenario: usize) -> bool {
        let readers = || self.passes.iter().filter(|pass| !pass.observer.is_fresh());
        let is_waited_for = !self.markers.is_empty() && readers().any(|pass| pass.finds(scenario));
        self.passes.iter().any(|pass| {
            let waits = if pass.observer.is_fresh() { is_waited_for } else { pass.finds(scenario) };
            pass.to_end && pass.start == 0 && waits
        })
    }

    /// Whether a change of leader may have undone the acks of this stream.
    pub(crate) fn by_leader_alone(&self, id: StreamId) -> bool {
        !self.leaders_alone.is_empty()
            && self.streams.get(id).is_some_and(|stream| self.leaders_alone.contains(&stream.scenario))
    }

    /// The judged streams of this partition: those of producers without `verify: false`.
    pub(crate) fn judged_streams(&self) -> impl Iterator<Item = (StreamId, usize, &SentLog)> {
        self.sent_streams().filter(|(_, scenario, _)| !self.excluded.contains(scenario))
    }

    /// The streams of this partition that sent messages.
    pub(crate) fn sent_streams(&self) -> impl Iterator<Item = (StreamId, usize, &SentLog)> {
        let sent: &HashMap<StreamId, SentLog> = self.sent;
        self.ids.iter().filter_map(move |id| {
            let scenario = self.streams.get(*id)?.scenario;
            Some((*id, scenario, sent.get(id)?))
        })
    }
}

/// The corrupt offsets of a pass, as sorted ranges.
fn ranges(pass: &Pass<'_>) -> Vec<(Offset, Offset)> {
    let mut out: Vec<_> =
        pass.reads.corrupt.runs().map(|run| (run.offset, run.offset + run.len.cast_signed())).collect();
    out.sort_unstable();
    out
}
