//! What acks alone show, in the judgement: collided, and overtaken.

use super::case::{Case, Judge, ReaderVerdict};
use super::collisions::Collisions;
use super::evidence::Evidence;
use super::view::View;
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};

/// The collisions of all whose acks hold; none where they are of several logs.
pub(super) fn collisions(case: &Case<'_>) -> Collisions {
    if !case.one_log {
        return Collisions::default();
    }
    let hold = case.sent_streams().filter(|(_, scenario, _)| !case.leaders_alone.contains(scenario));
    Collisions::of(hold.map(|(id, _, log)| (id, log)), case.markers)
}

impl Judge<'_> {
    /// Counts offsets that were acked twice.
    pub(super) fn collided(&mut self) {
        let found = self.collisions.offsets.len();
        self.out.add(Anomaly::Collided, found);
        for ReaderVerdict { judgement, .. } in &mut self.readers {
            judgement.add(Anomaly::Collided, found);
        }
        let shown: Vec<_> = self.collisions.shown.clone();
        for (offset, both) in shown {
            let detail = format!("acknowledged to {} and to {}", words(both[0]), words(both[1]));
            self.show(Evidence {
                offset: Some(offset),
                message: both.into_iter().flatten().next_back(),
                detail,
                ..Evidence::of(Anomaly::Collided)
            });
        }
    }

    /// Counts the messages of a stream that were acked below an ack that was there when they were handed over.
    pub(super) fn overtaken(&mut self, view: &View<'_>) {
        let found = view.log.overtaken();
        if found.count == 0 || self.case.leaders_alone.contains(&view.scenario) {
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

    /// To whom else an offset was acked.
    pub(super) fn other_at(&self, offset: Offset, but: (StreamId, Seq)) -> Option<String> {
        let (_, both) = self.collisions.shown.iter().find(|(other, _)| *other == offset)?;
        let other = both.iter().find(|message| **message != Some(but))?;
        Some(format!("its offset was acknowledged to {}, too (collided)", words(*other)))
    }

    /// Acks of two logs say nothing of each other: the topic was made anew.
    pub(super) fn forget_acks(&mut self) {
        for anomaly in [Anomaly::Collided, Anomaly::Overtaken] {
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
        Some((id, seq)) => format!("number {seq} of stream {}", id.0),
        None => "an end marker of kaf6".to_owned(),
    }
}
