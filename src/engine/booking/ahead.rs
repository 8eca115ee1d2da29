//! How far the acks of a topic's partitions had come when a message was handed over: one that is acked at a lower offset later was
//! overtaken.
//!
//! Shared by all who send to the topic; a look and a note cost as much as a number in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::ids::{Offset, Partition, Seq};
use crate::ledger::Run;

/// The highest acked offset of each partition of a topic.
#[derive(Debug, Clone, Default)]
pub struct HighestAcks(Arc<[AtomicI64]>);

impl HighestAcks {
    /// Of so many partitions, nothing acked yet.
    pub fn of(partitions: i32) -> Self {
        Self((0..partitions).map(|_| AtomicI64::new(-1)).collect())
    }

    /// The highest acked offset of a partition; -1 where nothing was acked.
    pub(super) fn at(&self, partition: usize) -> Offset {
        self.0.get(partition).map_or(-1, |highest| highest.load(Ordering::Relaxed))
    }

    /// An offset was acked.
    pub fn acked(&self, partition: Partition, offset: Offset) {
        if let Some(highest) = usize::try_from(partition).ok().and_then(|at| self.0.get(at)) {
            highest.fetch_max(offset, Ordering::Relaxed);
        }
    }
}

/// What of one partition had been acked when the messages of one stream were handed over.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// From this sequence on, this offset was the highest; both grow.
    steps: VecDeque<(Seq, Offset)>,
}

impl Ahead {
    /// A message is about to be handed over, while this is the highest acked offset.
    pub(super) fn sent(&mut self, seq: Seq, ahead: Offset) {
        if ahead > self.steps.back().map_or(-1, |(_, ahead)| *ahead) {
            self.steps.push_back((seq, ahead));
        }
    }

    /// Messages are acked: `on` gets each that was overtaken, and the offset that was ahead of it.
    pub(super) fn acked(&self, run: Run, mut on: impl FnMut(Seq, Offset, Offset)) {
        let behind = self.steps.partition_point(|(seq, _)| *seq < run.end());
        for at in (0..behind).rev() {
            let (from, ahead) = self.steps[at];
            let to = self.steps.get(at + 1).map_or(run.end(), |(next, _)| run.end().min(*next));
            let each = from.max(run.seq)..to;
            each.map(|seq| (seq, run.offset_of(seq)))
                .take_while(|(_, offset)| *offset < ahead)
                .for_each(|(seq, offset)| on(seq, offset, ahead));
            if from <= run.seq {
                break;
            }
        }
    }

    /// All before this sequence have ended.
    pub(super) fn forget_before(&mut self, first: Seq) {
        while self.steps.get(1).is_some_and(|(next, _)| *next <= first) {
            self.steps.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_is_overtaken_by_what_was_acked_before_it_was_handed_over(
            ups in prop::collection::vec((0_usize..3, -1_i64..40), 1..40),
            acks in prop::collection::vec((any::<prop::sample::Index>(), 1_u64..6, 0_i64..40), 0..20),
        ) {
            let highest = HighestAcks::of(2);
            let (mut ahead, mut noted) = (Ahead::default(), Vec::new());
            for (messages, offset) in ups {
                highest.acked(1, offset);
                for _ in 0..messages {
                    ahead.sent(noted.len() as Seq, highest.at(1));
                    noted.push(highest.at(1));
                }
            }
            prop_assume!(!noted.is_empty());
            for (at, len, offset) in acks {
                let first = at.index(noted.len());
                let len = len.min((noted.len() - first) as u64);
                let run = Run { seq: first as Seq, offset, len };
                let mut found = Vec::new();
                ahead.acked(run, |seq, offset, ahead| found.push((seq, offset, ahead)));
                found.sort_unstable();
                let expected: Vec<_> = (run.seq..run.end())
                    .map(|seq| (seq, run.offset_of(seq), noted[seq as usize]))
                    .filter(|(_, offset, ahead)| offset < ahead)
                    .collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let highest = HighestAcks::of(1);
        let mut ahead = Ahead::default();
        for seq in 0..1000 {
            highest.acked(0, seq as Offset);
            ahead.sent(seq, highest.at(0));
            ahead.forget_before(seq);
        }
        assert_eq!(ahead.steps.len(), 1);
    }
}
