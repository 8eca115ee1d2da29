//! The result of a judgment: the count of each anomaly, and pieces of evidence.

pub(crate) mod fold;
pub(crate) mod spots;

use std::collections::BTreeMap;

use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::sent::marks::Between;

/// Maximum number of pieces of evidence kept per anomaly. Consecutive messages share one.
pub const EVIDENCE: usize = 20;
/// Maximum number of messages of a partition that are examined for evidence of an anomaly.
pub(super) const LOOKED_AT: usize = 1000;

/// The count of one anomaly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub count: u64,
    /// The number that retries explain; only for duplicates and reorderings.
    pub explained: u64,
    /// The number that retries may explain: log lines of the client were lost, so the number of retries is unknown.
    pub undecided: u64,
}

/// The observers of a log, which read it at different times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observer {
    /// A reading scenario, by its index in the plan.
    Reader(usize),
    /// The audit, after all scenarios.
    Audit,
    /// A fresh client that re-read what an observer had missed.
    Recheck,
}

/// How an observer found a message; or its ack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundAs {
    Acked,
    Read,
    /// It was read, and altered.
    Altered,
    /// The observer passed its offset and did not find it.
    Missing,
}

/// An offset and a time of a message: of its ack, or of the reading by one observer. For consecutive messages, those of
/// the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The observer; `None` for the ack.
    pub observer: Option<Observer>,
    pub found: FoundAs,
    pub offset: Offset,
    pub to_offset: Offset,
    /// Approximate time, in microseconds since the start of the run.
    pub at_us: u64,
    /// Approximate time of the last message.
    pub to_us: u64,
}

/// The messages that follow the first one of a piece of evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageSpan {
    pub more: u64,
    /// The offset of the last message.
    pub to_offset: Option<Offset>,
    /// The other offset of the last message.
    pub to_other_offset: Option<Offset>,
    /// When the last message was seen, in microseconds since the start of the run.
    pub to_us: Option<u64>,
    /// How much the whole numbers in the text grow per message.
    pub(super) moves: Vec<u64>,
}

impl MessageSpan {
    pub(super) const ONE: Self =
        Self { more: 0, to_offset: None, to_other_offset: None, to_us: None, moves: Vec::new() };
}

/// A piece of evidence about one message, or about consecutive messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub anomaly: Anomaly,
    /// The topic's index in the run.
    pub topic: usize,
    pub partition: i32,
    pub observer: Option<Observer>,
    /// The offset at which the message was acked or read.
    pub offset: Option<Offset>,
    /// The other offset: of the first copy, or of the ack.
    pub other_offset: Option<Offset>,
    pub message: Option<(StreamId, Seq)>,
    /// When it was seen, in microseconds since the start of the run.
    pub at_us: Option<u64>,
    /// The interval in which the message was acked, if known.
    pub acked_us: Option<Between>,
    /// When the producer retried, if the retry explains the anomaly.
    pub retry_us: Option<u64>,
    /// The interval in which the message was read before it was found missing, if known.
    pub read_us: Option<Between>,
    pub explained: bool,
    pub detail: String,
    /// The first bytes of the record's value, in hex.
    pub head: Option<String>,
    /// Where the message was acked and found, if the times are known.
    pub spots: Vec<Spot>,
    /// The following messages with the same finding.
    pub span: MessageSpan,
}

/// The anomalies of one consumer's reading of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Counts by anomaly. Anomalies that could not be measured are absent.
    pub counts: BTreeMap<Anomaly, Counts>,
    /// Up to 20 pieces per anomaly. Consecutive messages share one.
    pub evidence: Vec<Evidence>,
}

impl Evidence {
    /// An empty piece. The caller sets its topic and partition.
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

/// How many messages to examine in a stream's log of this size. Each message requires a search.
pub(super) fn looked_at(bytes: usize) -> usize {
    const SEARCHED: usize = 10_000_000;
    (SEARCHED / bytes.max(1)).clamp(EVIDENCE, LOOKED_AT)
}

/// How much was examined for evidence of one anomaly.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looked {
    pub(super) messages: usize,
    /// Whether a piece of evidence was dropped.
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
