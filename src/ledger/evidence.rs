//! What a judgement comes to: the count of each anomaly, and pieces of evidence.

use std::collections::BTreeMap;

use super::marks::Between;
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};

/// Pieces of evidence kept for each anomaly.
pub const EVIDENCE: usize = 20;

/// The count of one anomaly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that nothing explains.
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

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Of what.
    pub anomaly: Anomaly,
    /// The topic's number in the run.
    pub topic: usize,
    /// The partition.
    pub partition: i32,
    /// Who saw it.
    pub observer: Option<Observer>,
    /// Where it was acked or read.
    pub offset: Option<Offset>,
    /// The other place: of the first copy, or of the ack.
    pub other_offset: Option<Offset>,
    /// The message.
    pub message: Option<(StreamId, Seq)>,
    /// When it was seen, microseconds from the run's zero.
    pub at_us: Option<u64>,
    /// When the message was acked, as far as that is known.
    pub acked_us: Option<Between>,
    /// When the producer saw the retry that explains it.
    pub retry_us: Option<u64>,
    /// When the message was read before it was found missing, as far as that is known.
    pub read_us: Option<Between>,
    /// A retry explains it.
    pub explained: bool,
    /// In words.
    pub detail: String,
}

/// What one consumer's reading of one partition comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// By anomaly; those that could not be measured are absent.
    pub counts: BTreeMap<Anomaly, Counts>,
    /// Up to 20 pieces each.
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
        }
    }
}
