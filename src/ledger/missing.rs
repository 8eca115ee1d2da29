//! What a reader had to find and did not: the first step of a judgement, which says what deserves a second look.

use std::collections::{HashMap, HashSet};

use super::reads::PartitionReads;
use super::runs::Run;
use super::sent::SentLog;
use super::streams::Streams;
use crate::ids::{Offset, Seq, StreamId};

/// How much of the log a reader was to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All from its start on: what it never reached is unread.
    Full,
    /// Only as far as it came: what lies beyond is out of scope.
    Partial,
}

/// One consumer's end in one partition.
#[derive(Debug)]
pub struct ReaderEnd<'a> {
    /// What it found.
    pub reads: &'a PartitionReads,
    /// The offset at which it started; what was acked below is out of scope.
    pub start: Offset,
    /// It read the fence that ends the log for it, so that it passed all there was.
    pub reached_fence: bool,
    /// A reachable broker no longer knows the partition.
    pub gone: bool,
    /// How much it was to read.
    pub scope: Scope,
    /// The scenarios whose messages it is to judge, by their numbers in the plan.
    pub producers: &'a [usize],
    /// The end of the log as the broker told it once all was written, where it was asked.
    pub told_end: Option<Offset>,
    /// What a fresh reader found of the whole partition at the very end, where one passed all of it.
    pub audit: Option<&'a PartitionReads>,
}

/// Acked messages that a reader did not find.
#[derive(Debug, Default)]
pub struct Missing {
    /// It passed their place.
    pub passed: Vec<(StreamId, Run)>,
    /// It never came that far.
    pub unread: Vec<(StreamId, Run)>,
    /// The audit did not find them, whatever the reader had found before.
    pub gone: Vec<(StreamId, Run)>,
}

impl Missing {
    /// Those that a second look is to be taken for.
    fn doubtful(&self) -> impl Iterator<Item = &Run> {
        self.passed.iter().chain(&self.gone).map(|(_, run)| run)
    }

    /// How many those are.
    pub fn doubtful_len(&self) -> u64 {
        self.doubtful().map(|run| run.len).sum()
    }

    /// The range of offsets in which those were acked.
    pub fn doubtful_range(&self) -> Option<(Offset, Offset)> {
        let low = self.doubtful().map(|run| run.offset).min()?;
        let high = self.doubtful().map(|run| run.offset_of(run.end() - 1)).max()?;
        Some((low, high))
    }
}

/// The messages that this reader had to find and did not.
pub fn missing(streams: &Streams, sent: &HashMap<StreamId, SentLog>, end: &ReaderEnd<'_>) -> Missing {
    // A corrupt record stands where its message was acked: it is corrupt, not lost.
    let corrupt: HashSet<Offset> = std::iter::once(end.reads)
        .chain(end.audit)
        .flat_map(|reads| reads.corrupt.runs())
        .flat_map(|run| (run.seq..run.end()).map(move |s| run.offset_of(s)))
        .collect();
    let position = end.reads.offsets().1.map_or(end.start, |last| last + 1);
    let mut out = Missing::default();
    for (id, log) in of_reader(streams, sent, end) {
        let found = end.reads.streams.get(&id);
        for run in log.acks().runs() {
            for seq in run.seq..run.end() {
                let offset = run.offset_of(seq);
                if offset < end.start || corrupt.contains(&offset) {
                    continue;
                }
                let read = found.is_some_and(|f| f.seen.contains(seq));
                if end.audit.is_some_and(|audit| !audit.contains(id, seq)) {
                    extend(&mut out.gone, id, seq, offset);
                } else if read {
                    continue;
                } else if end.reached_fence || end.gone || offset < position {
                    extend(&mut out.passed, id, seq, offset);
                } else if end.scope == Scope::Full {
                    extend(&mut out.unread, id, seq, offset);
                }
            }
        }
    }
    out
}

/// How many acked messages this reader was to find: those at or above its start.
pub fn wanted(streams: &Streams, sent: &HashMap<StreamId, SentLog>, end: &ReaderEnd<'_>) -> u64 {
    of_reader(streams, sent, end)
        .flat_map(|(_, log)| log.acks().runs())
        .map(|run| run.len.saturating_sub(u64::try_from(end.start - run.offset).unwrap_or(0)))
        .sum()
}

/// The messages that are this reader's to find, by stream.
pub(super) fn of_reader<'a>(
    streams: &'a Streams,
    sent: &'a HashMap<StreamId, SentLog>,
    end: &'a ReaderEnd<'_>,
) -> impl Iterator<Item = (StreamId, &'a SentLog)> {
    streams
        .iter()
        .filter(|(_, info)| info.is_load_of(end.reads.place()) && end.producers.contains(&info.scenario))
        .filter_map(|(id, _)| sent.get(&id).map(|log| (id, log)))
}

fn extend(list: &mut Vec<(StreamId, Run)>, id: StreamId, seq: Seq, offset: Offset) {
    if let Some((last, run)) = list.last_mut()
        && *last == id
        && run.end() == seq
        && run.offset_of(seq) == offset
    {
        run.len += 1;
        return;
    }
    list.push((id, Run { seq, offset, len: 1 }));
}
