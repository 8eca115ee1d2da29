//! Detects overtaken messages, from the highest acked offset of a partition when a message was sent.
//!
//! All producers of a topic share these offsets. Reading or updating one costs as much as an atomic integer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::ids::{Offset, Partition, Seq};
use crate::ledger::{Run, SentLog};
use crate::plan::Acks;

/// The highest acked offset of each partition of a topic.
#[derive(Debug, Clone, Default)]
pub struct HighestAcks {
    partitions: Arc<[SharedAcks]>,
    /// Whether the acks recorded here are from the leader only (`acks: 1`).
    by_leader: bool,
}

#[derive(Debug)]
struct SharedAcks {
    all: AtomicI64,
    any: AtomicI64,
}

/// The highest acked offsets of a partition; -1 if nothing was acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Highest {
    /// The highest offset that was acked with `acks: all`.
    all: Offset,
    any: Offset,
}

impl HighestAcks {
    /// Offsets for this number of partitions, with nothing acked yet.
    pub fn of(partitions: i32) -> Self {
        let none = |_| SharedAcks { all: AtomicI64::new(-1), any: AtomicI64::new(-1) };
        Self { partitions: (0..partitions).map(none).collect(), by_leader: false }
    }

    /// The same offsets for a producer with these acks.
    pub fn with(&self, acks: Acks) -> Self {
        Self { by_leader: acks == Acks::Leader, ..self.clone() }
    }

    pub(super) fn at(&self, partition: usize) -> Highest {
        let none = Highest { all: -1, any: -1 };
        self.partitions.get(partition).map_or(none, |highest| Highest {
            all: highest.all.load(Ordering::Relaxed),
            any: highest.any.load(Ordering::Relaxed),
        })
    }

    /// How many acked offsets are at or above this one.
    pub fn ahead_of(&self, partition: Partition, offset: Offset) -> u64 {
        let highest = usize::try_from(partition).map_or(-1, |at| self.at(at).any);
        u64::try_from(highest + 1 - offset.max(0)).unwrap_or(0)
    }

    pub fn acked(&self, partition: Partition, offset: Offset) {
        if let Some(highest) = usize::try_from(partition).ok().and_then(|at| self.partitions.get(at)) {
            highest.any.fetch_max(offset, Ordering::Relaxed);
            if !self.by_leader {
                highest.all.fetch_max(offset, Ordering::Relaxed);
            }
        }
    }
}

/// The highest acked offsets of one partition, at the time when each message of a stream was sent.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The highest offsets from each sequence on. All three values ascend.
    steps: VecDeque<(Seq, Highest)>,
}

impl Ahead {
    /// Records the highest acked offsets just before a message is sent.
    pub(super) fn sent(&mut self, seq: Seq, ahead: Highest) {
        let last = self.steps.back().map_or(Highest { all: -1, any: -1 }, |(_, last)| *last);
        if ahead.all > last.all || ahead.any > last.any {
            // A concurrent update may make this value older than the previous one.
            let ahead = Highest { all: ahead.all.max(last.all), any: ahead.any.max(last.any) };
            self.steps.push_back((seq, ahead));
        }
    }

    /// Reports to `log` each acked message that was overtaken.
    pub(super) fn acked(&self, run: Run, log: &mut SentLog) {
        let behind = self.steps.partition_point(|(seq, _)| *seq < run.end());
        for at in (0..behind).rev() {
            let (from, ahead) = self.steps[at];
            let to = self.steps.get(at + 1).map_or(run.end(), |(next, _)| run.end().min(*next));
            let each = from.max(run.seq)..to;
            each.map(|seq| (seq, run.offset_of(seq)))
                .take_while(|(_, offset)| *offset < ahead.any)
                .for_each(|(seq, offset)| log.was_overtaken(seq, offset, ahead.any, offset >= ahead.all));
            if from <= run.seq {
                break;
            }
        }
    }

    /// Removes all messages before this sequence. They have ended.
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
            ups in prop::collection::vec((0_usize..3, -1_i64..40, any::<bool>()), 1..40),
            acks in prop::collection::vec((any::<prop::sample::Index>(), 1_u64..6, 0_i64..40), 0..20),
        ) {
            let highest = HighestAcks::of(2);
            let leader = highest.with(Acks::Leader);
            let (mut ahead, mut noted) = (Ahead::default(), Vec::new());
            for (messages, offset, by_leader) in ups {
                if by_leader { &leader } else { &highest }.acked(1, offset);
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
                let mut log = SentLog::default();
                ahead.acked(run, &mut log);
                let expected = |alone: bool| {
                    let each = (run.seq..run.end()).map(|seq| (seq, run.offset_of(seq), noted[seq as usize]));
                    let mut out: Vec<_> = each
                        .filter(|(_, offset, ahead)| *offset < ahead.any && alone == (*offset >= ahead.all))
                        .map(|(seq, offset, ahead)| (seq, offset, ahead.any))
                        .collect();
                    out.sort_unstable();
                    out
                };
                for (found, alone) in log.overtaken().into_iter().zip([false, true]) {
                    let mut first = found.first.clone();
                    first.sort_unstable();
                    prop_assert_eq!((found.count, first), (expected(alone).len() as u64, expected(alone)));
                }
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
