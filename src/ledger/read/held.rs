//! The contents of a log by offset: runs of records, merged from several lists without memory for each
//! record.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::sent::runs::RunLog;

/// Consecutive offsets with their records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub(crate) offset: Offset,
    pub(crate) len: u64,
    /// The stream and the first sequence; `None` for records that are not messages of this partition.
    pub(crate) message: Option<(StreamId, Seq)>,
}

impl Held {
    /// The offset after the last.
    pub(crate) fn end(&self) -> Offset {
        self.offset + self.len.cast_signed()
    }

    /// The record at one of its offsets.
    pub(crate) fn at(&self, offset: Offset) -> Option<(StreamId, Seq)> {
        self.message.map(|(id, seq)| (id, seq + (offset - self.offset).unsigned_abs()))
    }
}

/// Converts the runs of a log; `None` for records that are not messages of this partition.
pub(crate) fn held_by(stream: Option<StreamId>, log: &RunLog) -> Box<dyn Iterator<Item = Held> + '_> {
    Box::new(log.runs().map(move |run| Held {
        offset: run.offset,
        len: run.len,
        message: stream.map(|id| (id, run.seq)),
    }))
}

/// Merges several lists, each sorted by offset.
pub(crate) fn merged<I: Iterator<Item = Held>>(lists: Vec<I>) -> impl Iterator<Item = Held> {
    let mut lists: Vec<I> = lists;
    let mut heads: BinaryHeap<Reverse<(Held, usize)>> = lists
        .iter_mut()
        .enumerate()
        .filter_map(|(at, list)| list.next().map(|head| Reverse((head, at))))
        .collect();
    std::iter::from_fn(move || {
        let Reverse((head, at)) = heads.pop()?;
        if let Some(next) = lists[at].next() {
            heads.push(Reverse((next, at)));
        }
        Some(head)
    })
}
