//! One stream in all passes: which acked messages each pass read at the acked offset, and which elsewhere.

use super::pass::Pass;
use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::sent::SentLog;
use crate::ledger::sent::runs::{Bits, Run, RunLog};

/// One stream in the judgment.
pub(crate) struct StreamView<'a> {
    pub(crate) id: StreamId,
    /// The scenario that sent it.
    pub(crate) scenario: usize,
    pub(crate) log: &'a SentLog,
    passes: &'a [Pass<'a>],
    /// By pass: the messages read at their acked offsets.
    at: Vec<Bits>,
    /// The messages that any pass read at their acked offsets.
    at_any: Bits,
}

impl<'a> StreamView<'a> {
    pub(crate) fn new(id: StreamId, scenario: usize, log: &'a SentLog, passes: &'a [Pass<'a>]) -> Self {
        let acked = log.acks().sorted();
        let at: Vec<Bits> = passes.iter().map(|pass| read_at_acked_offsets(id, &acked, pass)).collect();
        let mut at_any = Bits::default();
        at.iter().for_each(|bits| at_any.insert_all(bits));
        Self { id, scenario, log, passes, at, at_any }
    }

    /// Whether a pass read it at its acked offset.
    pub(crate) fn there(&self, pass: usize, seq: Seq) -> bool {
        self.at[pass].contains(seq)
    }

    /// Whether a pass read it at any offset.
    pub(crate) fn seen(&self, pass: usize, seq: Seq) -> bool {
        self.passes[pass].reads.contains(self.id, seq)
    }

    pub(crate) fn seen_by_any(&self, seq: Seq) -> bool {
        (0..self.passes.len()).any(|pass| self.seen(pass, seq))
    }

    /// Whether every pass that had to read these messages read all of them at their acked offsets: the common
    /// case, decided quickly.
    pub(crate) fn all_verified(&self, run: Run) -> bool {
        let last = run.offset_of(run.end() - 1);
        self.at_any.contains_range(run.seq..run.end())
            && self.passes.iter().zip(&self.at).all(|(pass, at)| {
                let concerned =
                    pass.wants(self.scenario, last) || pass.passed(last) || pass.passed(run.offset);
                !concerned || at.contains_range(run.seq..run.end())
            })
    }

    /// Whether a pass read past its acked offset and found it only at other offsets.
    pub(crate) fn misplaced_in(&self, pass: usize, seq: Seq, acked: Offset) -> bool {
        self.passes[pass].passed(acked) && !self.there(pass, seq) && self.seen(pass, seq)
    }

    /// Whether it was sent, and neither acked nor failed.
    pub(crate) fn is_unknown(&self, seq: Seq) -> bool {
        let logs = [self.log.acks(), self.log.placeless(), self.log.failures()];
        seq < self.log.sent() && logs.into_iter().all(|log| offset_in(log, seq).is_none())
    }

    /// The offset of its first copy in a pass.
    pub(crate) fn first_copy(&self, pass: usize, seq: Seq) -> Option<Offset> {
        self.passes[pass].reads.of(self.id).find_map(|found| offset_in(&found.order, seq))
    }

    /// The passes that had to read this scenario's messages that were acked at this offset.
    pub(crate) fn wanting(&self, acked: Offset) -> impl Iterator<Item = (usize, &'a Pass<'a>)> + '_ {
        self.passes.iter().enumerate().filter(move |(_, pass)| pass.wants(self.scenario, acked))
    }
}

/// The acked messages that a pass read at their acked offsets.
pub(crate) fn read_at_acked_offsets(id: StreamId, acked: &[Run], pass: &Pass<'_>) -> Bits {
    let mut out = Bits::default();
    for found in pass.reads.of(id) {
        meet(acked, &found.order.sorted(), &mut out);
        if !found.repeats.is_empty() {
            meet(acked, &found.repeats.sorted(), &mut out);
        }
    }
    out
}

/// Inserts the sequences that both lists have at the same offset. Both are sorted by sequence, and acked runs do not
/// overlap.
fn meet(acked: &[Run], read: &[Run], out: &mut Bits) {
    let mut at = 0;
    for run in read {
        // Copies may overlap, so the next one may start before this one ends.
        while at > 0 && acked[at - 1].end() > run.seq {
            at -= 1;
        }
        while at < acked.len() && acked[at].end() <= run.seq {
            at += 1;
        }
        for ack in acked[at..].iter().take_while(|ack| ack.seq < run.end()) {
            let (from, to) = (ack.seq.max(run.seq), ack.end().min(run.end()));
            if from < to && ack.offset_of(from) == run.offset_of(from) {
                out.insert_range(from..to);
            }
        }
    }
}

/// The offsets of a sequence in a log.
pub(crate) fn offsets_in(log: &RunLog, seq: Seq) -> impl Iterator<Item = Offset> + '_ {
    log.runs().filter(move |run| (run.seq..run.end()).contains(&seq)).map(move |run| run.offset_of(seq))
}

pub(crate) fn offset_in(log: &RunLog, seq: Seq) -> Option<Offset> {
    offsets_in(log, seq).next()
}
