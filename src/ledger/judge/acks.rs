//! Anomalies that acks alone prove: an offset that was acked for two messages, and messages that were acked below an
//! earlier ack.

use super::case::{Judge, PartitionCase, ReaderVerdict};
use super::collisions::Acked;
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::evidence::Evidence;
use crate::ledger::read::view::StreamView;
use crate::ledger::sent::Overtaken;
use crate::ledger::sent::marker::Marker;

impl PartitionCase<'_> {
    /// Scenarios whose acks prove nothing, because a change of leader may have undone some of them.
    fn undone(&self) -> &[usize] {
        self.earlier.map_or(self.leaders_alone, |earlier| earlier.leaders_alone)
    }

    /// The end markers that acks are compared with. If the acks are from a saved ledger, the later end markers count
    /// only if no change of leader may have undone these acks.
    fn compared_markers(&self) -> impl Iterator<Item = &Marker> {
        let own = self.earlier.is_none_or(|earlier| {
            !earlier.is_other_log && earlier.leaders_alone.len() == self.leaders_alone.len()
        });
        let earlier = self.earlier.map(|earlier| earlier.markers).unwrap_or_default();
        self.markers.iter().filter(move |_| own).chain(earlier)
    }
}

/// All acks that remain valid. A message that only its leader acked may be lost with this leader, and its offset
/// reused.
pub(crate) fn that_hold(case: &PartitionCase<'_>) -> Vec<Acked> {
    let streams = case.sent_streams().filter(|(_, scenario, _)| !case.undone().contains(scenario));
    let messages = streams.flat_map(|(id, _, log)| {
        log.acks().runs().map(move |run| Acked {
            from: run.offset,
            to: run.offset_of(run.end()),
            first: Some((id, run.seq)),
        })
    });
    let markers = case.compared_markers();
    let markers = markers.map(|it| Acked { from: it.offset, to: it.offset + 1, first: None });
    messages.chain(markers).collect()
}

impl Judge<'_> {
    /// Counts offsets that were acked twice.
    pub(crate) fn collided(&mut self) {
        let found = self.collisions.offsets.len();
        self.out.add(Anomaly::Collided, found);
        for ReaderVerdict { judgement, .. } in &mut self.readers {
            judgement.add(Anomaly::Collided, found);
        }
        let shown = self.collisions.shown.clone();
        for (offset, both) in shown {
            let detail = format!("acknowledged for {} and for {}", words(both[0]), words(both[1]));
            self.show(Evidence {
                offset: Some(offset),
                message: both.into_iter().flatten().next_back(),
                detail,
                ..Evidence::of(Anomaly::Collided)
            });
        }
    }

    /// Counts the messages of a stream that were acked below an offset that had been acked before they were sent.
    pub(crate) fn overtaken(&mut self, view: &StreamView<'_>) {
        if self.case.undone().contains(&view.scenario) {
            return;
        }
        let [by_all, by_leader] = view.log.overtaken();
        self.add_overtaken(view, by_all);
        // A new leader may lack messages that only the old one acked, and may reuse their offsets.
        if self.case.undone().is_empty() {
            self.add_overtaken(view, by_leader);
        }
    }

    fn add_overtaken(&mut self, view: &StreamView<'_>, found: &Overtaken) {
        if found.count == 0 {
            return;
        }
        self.out.add(Anomaly::Overtaken, found.count);
        for ReaderVerdict { judgement, .. } in &mut self.readers {
            judgement.add(Anomaly::Overtaken, found.count);
        }
        for (seq, offset, ahead) in &found.first {
            self.show(Evidence {
                offset: Some(*offset),
                other_offset: Some(*ahead),
                message: Some((view.id, *seq)),
                detail: format!("it was sent after offset {ahead} had been acknowledged"),
                ..Evidence::of(Anomaly::Overtaken)
            });
        }
    }

    /// The other message that was acked at an offset.
    pub(crate) fn other_at(&self, offset: Offset, but: (StreamId, Seq)) -> Option<String> {
        if !self.collisions.offsets.contains(offset) {
            return None;
        }
        let mut all = that_hold(self.case).into_iter().filter(|it| (it.from..it.to).contains(&offset));
        let other = all.find_map(|it| Some(it.at(offset)).filter(|other| *other != Some(but)))?;
        Some(format!("its offset was also acknowledged for {} (collided)", words(other)))
    }

    /// Removes counts that this run cannot know. Acks of two logs cannot be compared, nor can the end of another log.
    /// Only the run that created a topic knows its contents at its creation.
    pub(crate) fn forget_unmeasured(&mut self) {
        let acks = [Anomaly::Collided, Anomaly::Overtaken].into_iter().filter(|_| !self.case.one_log);
        let old = [Anomaly::Resurrected].into_iter().filter(|_| self.case.earlier.is_some());
        let other_log = self.case.earlier.is_some_and(|earlier| earlier.is_other_log);
        let ends = [Anomaly::StaleEnd].into_iter().filter(|_| !self.case.one_log || other_log);
        for anomaly in acks.chain(old).chain(ends) {
            self.out.counts.remove(&anomaly);
            self.out.evidence.retain(|piece| piece.anomaly != anomaly);
            for ReaderVerdict { judgement, .. } in &mut self.readers {
                judgement.counts.remove(&anomaly);
            }
        }
    }
}

fn words(message: Option<(StreamId, Seq)>) -> String {
    match message {
        Some((id, seq)) => format!("message {seq} of stream {}", id.0),
        None => "an end marker of kaf6".to_owned(),
    }
}
