//! The spots of a message, which the report draws: at which offset, and approximately when, it was acked or found, and by
//! which observer.

use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::evidence::{EVIDENCE, Evidence, FoundAs, Spot};
use crate::ledger::judge::case::{Judge, PartitionCase};
use crate::ledger::read::pass::Pass;
use crate::ledger::read::reads::StreamReads;
use crate::ledger::read::view::{offset_in, offsets_in};
use crate::ledger::sent::marks::Between;

/// Maximum number of spots of one piece of evidence.
const SPOTS: usize = 8;

impl Judge<'_> {
    /// Whether another piece of evidence can be stored: there is room, or it may continue an existing piece.
    /// Unexplained pieces replace explained ones.
    pub(crate) fn has_room(&self, anomaly: Anomaly, explained: bool) -> bool {
        let looked = self.looked.get(&anomaly).copied().unwrap_or_default();
        let pushes = || !explained && self.out.evidence.iter().any(|e| e.anomaly == anomaly && e.explained);
        (looked.messages < self.looked_at && !looked.full) || pushes()
    }

    /// Stores a piece of evidence if there is room, merged into the piece that it continues, if any.
    pub(crate) fn show(&mut self, mut piece: Evidence) {
        if !self.has_room(piece.anomaly, piece.explained) {
            return;
        }
        (piece.topic, piece.partition) = self.case.place;
        let sent = |(id, seq): (StreamId, Seq)| self.case.sent.get(&id)?.when_acked(seq);
        piece.acked_us = piece.message.and_then(sent);
        piece.spots = spots(self.case, &piece);
        let looked = self.looked.entry(piece.anomaly).or_default();
        looked.messages += 1;
        let own = |e: &&mut Evidence| e.anomaly == piece.anomaly;
        if self.out.evidence.iter_mut().rev().filter(own).any(|kept| kept.fold(&piece)) {
            return;
        }
        let kept = self.out.evidence.iter().filter(|e| e.anomaly == piece.anomaly).count();
        if kept < EVIDENCE {
            self.out.evidence.push(piece);
            return;
        }
        let mut all = self.out.evidence.iter_mut();
        match all.find(|e| e.anomaly == piece.anomaly && e.explained).filter(|_| !piece.explained) {
            Some(explained) => *explained = piece,
            None => looked.full = true,
        }
    }
}

/// The spots of a piece of evidence about one message: its ack, then those of each pass.
fn spots(case: &PartitionCase<'_>, piece: &Evidence) -> Vec<Spot> {
    let mut out = Vec::new();
    let mut add = |observer, found, offset, when: Option<Between>| {
        if let Some((from, to)) = when {
            let at_us = u64::midpoint(from, to);
            out.push(Spot { observer, found, offset, to_offset: offset, at_us, to_us: at_us });
        }
    };
    let seen = piece.at_us.map(|at| (at, at));
    let acked = piece.message.and_then(|(id, seq)| offset_in(case.sent.get(&id)?.acks(), seq));
    if let Some(offset) = acked {
        add(None, FoundAs::Acked, offset, piece.acked_us);
    }
    // A stray message was read in a different partition than it was sent to.
    let own = piece.message.is_some_and(|(id, _)| case.ids.contains(&id));
    let mut is_shown = false;
    for pass in case.passes {
        let mine = piece.observer == Some(pass.observer);
        let (copies, timed) = if own { copies(pass, piece.message) } else { (Vec::new(), 0) };
        for (at, offset) in copies.iter().enumerate() {
            let here = mine && piece.offset == Some(*offset) && seen.is_some();
            is_shown |= here;
            let when = if at < timed { pass.reads.when_read(*offset) } else { None };
            add(Some(pass.observer), FoundAs::Read, *offset, if here { seen } else { when });
        }
        let place = acked.or(piece.offset).filter(|_| copies.is_empty());
        let Some(place) = place.filter(|place| pass.passed(*place)) else { continue };
        // If the log was reset, only offsets read before the reset have a time.
        let when = pass.reads.when_read(place).filter(|_| pass.reads.resets() == 0);
        if piece.anomaly == Anomaly::Corrupt && is_altered(pass, place) {
            is_shown |= mine && seen.is_some();
            add(Some(pass.observer), FoundAs::Altered, place, seen.filter(|_| mine).or(when));
        } else if own {
            // An observer that passed before the message was written could not find it.
            let late = |when: &Between| piece.acked_us.is_none_or(|(acked, _)| when.1 >= acked);
            add(Some(pass.observer), FoundAs::Missing, place, when.filter(late));
        }
    }
    // Add the offset of the evidence if it has a time and is not in the list yet.
    if let (Some(offset), false) = (piece.offset, is_shown) {
        let found = if piece.anomaly == Anomaly::Corrupt { FoundAs::Altered } else { FoundAs::Read };
        add(piece.observer, found, offset, seen);
    }
    out.truncate(SPOTS);
    out
}

/// The offsets at which a pass read a message. Those before the first reset of its log come first, and are counted.
fn copies(pass: &Pass<'_>, message: Option<(StreamId, Seq)>) -> (Vec<Offset>, usize) {
    let Some((id, seq)) = message else { return (Vec::new(), 0) };
    let in_epoch = |found: &StreamReads| {
        let logs = [&found.order, &found.repeats];
        let mut out: Vec<Offset> =
            logs.into_iter().flat_map(|log| offsets_in(log, seq)).take(SPOTS).collect();
        out.sort_unstable();
        out.dedup();
        out
    };
    let first = pass.reads.first_epoch(id).map(in_epoch).unwrap_or_default();
    let timed = first.len();
    let later = pass.reads.of(id).flat_map(in_epoch).filter(|offset| !first.contains(offset));
    let all = first.iter().copied().chain(later).collect();
    (all, timed)
}

fn is_altered(pass: &Pass<'_>, offset: Offset) -> bool {
    pass.reads.corrupt.runs().any(|run| (run.offset..run.offset_of(run.end())).contains(&offset))
}
