//! A pass: what one observer found in one partition, how far it got, and what it had to read.

use super::reads::PartitionReads;
use crate::ids::Offset;
use crate::ledger::evidence::Observer;

/// One observer's reading of one partition.
#[derive(Debug)]
pub struct Pass<'a> {
    pub observer: Observer,
    pub reads: &'a PartitionReads,
    /// The offset at which it started. Messages acked below are outside its range.
    pub start: Offset,
    /// Whether it read to the end of the log: to an end marker after all messages, or because the log no longer exists.
    pub to_end: bool,
    /// It read past all offsets below this one, even if they returned no record.
    pub passed_to: Option<Offset>,
    /// Whether it had to read everything from its start on, so that what it did not reach is unread.
    pub full: bool,
    /// From this offset on, a reachable broker returned no record for `run.unreadable_after`.
    pub unreadable: Option<Offset>,
    /// Scenarios whose messages it had to find, by their indexes in the plan; `None` for all.
    pub producers: Option<&'a [usize]>,
    /// The reason why it ended before the end of the log, or the broker's answer.
    pub why: String,
}

impl<'a> Pass<'a> {
    /// A pass whose position is not set yet.
    pub const fn new(observer: Observer, reads: &'a PartitionReads, start: Offset) -> Self {
        Self {
            observer,
            reads,
            start,
            to_end: false,
            passed_to: None,
            full: true,
            unreadable: None,
            producers: None,
            why: String::new(),
        }
    }

    /// Whether it read past this offset, or the log ended before it.
    pub(crate) fn passed(&self, offset: Offset) -> bool {
        offset >= self.start && offset < self.position()
    }

    /// The first offset that it has not read past.
    fn position(&self) -> Offset {
        if self.to_end {
            return Offset::MAX;
        }
        let handed_out = self.reads.offsets().1.map_or(self.start, |last| last + 1);
        handed_out.max(self.passed_to.unwrap_or(self.start))
    }

    /// Whether it had to find this scenario's messages that were acked at this offset.
    pub(crate) fn wants(&self, scenario: usize, offset: Offset) -> bool {
        offset >= self.start && self.finds(scenario)
    }

    /// Whether it had to find this scenario's messages.
    pub(crate) fn finds(&self, scenario: usize) -> bool {
        self.producers.is_none_or(|producers| producers.contains(&scenario))
    }

    /// Whether it is a fresh client that re-reads what another observer missed.
    pub(crate) fn is_recheck(&self) -> bool {
        self.observer == Observer::Recheck
    }
}

impl Observer {
    /// As text, with an article.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Reader(_) => "a reader",
            Self::Audit => "the audit",
            Self::Recheck => "a re-read",
        }
    }
}
