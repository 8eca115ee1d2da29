//! What a judgement comes to: the count of each anomaly, and pieces of evidence.

pub(crate) mod fold;
pub(crate) mod spots;

use std::collections::BTreeMap;

use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::sent::marks::Between;

/// Pieces of evidence kept for each anomaly; messages side by side are one.
pub const EVIDENCE: usize = 20;
/// Messages of a partition that are looked at for evidence of an anomaly, at most.
pub(super) const LOOKED_AT: usize = 1000;

/// The count of one anomaly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub count: u64,
    /// Those that a retry explains; only of duplicates and reorderings.
    pub explained: u64,
    /// Those that a retry may explain: log lines of the client were lost, so that nobody knows how much was sent again.
    pub undecided: u64,
}

/// Who read a log: three kinds of observers, at different times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observer {
    /// A scenario that reads, by its number in the plan.
    Reader(usize),
    /// The audit, after all scenarios.
    Audit,
    /// A fresh client that read again what an observer had missed.
    Recheck,
}

/// What an observer found of a message, or that it was acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundAs {
    Acked,
    Read,
    /// It was read, altered.
    Altered,
    /// The observer read past its offset without it.
    Missing,
}

/// One place of a message in offset and time: of its ack, or as one observer found it. Of several messages side by side, the
/// place of the first and that of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Who found it; none is the ack.
    pub observer: Option<Observer>,
    pub found: FoundAs,
    pub offset: Offset,
    pub to_offset: Offset,
    /// About when, microseconds from the start of the run.
    pub at_us: u64,
    /// About when the last was found.
    pub to_us: u64,
}

/// Messages behind the first one of a piece of evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageSpan {
    pub more: u64,
    /// The offset of the last.
    pub to_offset: Option<Offset>,
    /// The other offset of the last.
    pub to_other_offset: Option<Offset>,
    /// When the last was seen, microseconds from the start of the run.
    pub to_us: Option<u64>,
    /// What the whole numbers in the words grow by from one message to the next.
    pub(super) moves: Vec<u64>,
}

impl MessageSpan {
    pub(super) const ONE: Self =
        Self { more: 0, to_offset: None, to_other_offset: None, to_us: None, moves: Vec::new() };
}

/// One piece of evidence: of one message, or of several side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub anomaly: Anomaly,
    /// The topic's number in the run.
    pub topic: usize,
    pub partition: i32,
    pub observer: Option<Observer>,
    /// Where it was acked or read.
    pub offset: Option<Offset>,
    /// The other place: of the first copy, or of the ack.
    pub other_offset: Option<Offset>,
    pub message: Option<(StreamId, Seq)>,
    /// When it was seen, microseconds from the start of the run.
    pub at_us: Option<u64>,
    /// When the message was acked, as far as that is known.
    pub acked_us: Option<Between>,
    /// When the producer saw the retry that explains it.
    pub retry_us: Option<u64>,
    /// When the message was read before it was found missing, as far as that is known.
    pub read_us: Option<Between>,
    pub explained: bool,
    pub detail: String,
    /// The first bytes of the record's value, in hex.
    pub head: Option<String>,
    /// Where it was acked and found, as far as the times are known.
    pub spots: Vec<Spot>,
    /// The messages behind this one of which the same is true.
    pub span: MessageSpan,
}

/// What one consumer's reading of one partition comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// By anomaly; those that could not be measured are absent.
    pub counts: BTreeMap<Anomaly, Counts>,
    /// Up to 20 pieces each; of messages side by side, one.
    pub evidence: Vec<Evidence>,
}

impl Evidence {
    /// An empty piece, of a place not yet told.
    pub const fn of(anomaly: Anomaly) -> Self {
        Self {
            anomaly,
            topic: 0,
            partition: 0,
            observer: None,
            offset: None,
            other_offset: None,
            message: None,
            at_us: None,
            acked_us: None,
            retry_us: None,
            read_us: None,
            explained: false,
            detail: String::new(),
            head: None,
            spots: Vec::new(),
            span: MessageSpan::ONE,
        }
    }
}

/// How many messages to look at where a stream's log takes so many bytes: each is searched for in it.
pub(super) fn looked_at(bytes: usize) -> usize {
    const SEARCHED: usize = 10_000_000;
    (SEARCHED / bytes.max(1)).clamp(EVIDENCE, LOOKED_AT)
}

/// How much was looked at for evidence of one anomaly.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looked {
    pub(super) messages: usize,
    /// A piece found no room.
    pub(super) full: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_logs_are_searched_less_often() {
        assert_eq!([0, 10_000, 100_000, usize::MAX].map(looked_at), [1000, 1000, 100, 20]);
    }
}
