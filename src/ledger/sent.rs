//! What the sending side knows of one stream: how many went out, and which were acked where, or failed.
//!
//! Whatever is neither acked nor failed is unknown: it may be in the log or not, and both are legal.

use super::runs::{Run, RunLog};
use crate::ids::{Offset, Seq};

/// What a producer saw happen to a message between its sending and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resent {
    /// Nothing that makes a client send again.
    No,
    /// It was sent again after a try that is known not to have been written: it may lie out of order.
    Unwritten,
    /// It was sent again after a try that may have been written: it may also lie there twice.
    MaybeWritten,
}

/// The sending side of one stream; owned by its client, without a lock.
#[derive(Debug, Clone, Default)]
pub struct SentLog {
    sent: u64,
    acked: RunLog,
    failed: RunLog,
    /// Those that a retry may have put out of order.
    resent: RunLog,
    /// Those of them that it may have written twice.
    doubtful: RunLog,
    first_offset: Option<Offset>,
    last_offset: Option<Offset>,
}

impl SentLog {
    /// A log as it was when it was saved.
    pub(super) fn restored(
        sent: u64,
        acked: RunLog,
        failed: RunLog,
        resent: RunLog,
        doubtful: RunLog,
    ) -> Self {
        let first_offset = acked.runs().map(|run| run.offset).min();
        let last_offset = acked.runs().map(|run| run.offset_of(run.end() - 1)).max();
        Self { sent, acked, failed, resent, doubtful, first_offset, last_offset }
    }

    /// Counts one more message and gives its sequence.
    pub fn next_seq(&mut self) -> Seq {
        self.sent += 1;
        self.sent - 1
    }

    /// Takes the last sequence back: the message never left the caller.
    pub fn take_back(&mut self) {
        self.sent -= 1;
    }

    /// The message is in the log, says the broker.
    pub fn acked(&mut self, seq: Seq, offset: Offset, resent: Resent) {
        self.acked_run(Run { seq, offset, len: 1 }, resent);
    }

    /// These messages are in the log, says the broker, side by side.
    pub fn acked_run(&mut self, run: Run, resent: Resent) {
        self.acked.push_run(run);
        let last = run.offset_of(run.end() - 1);
        self.first_offset = Some(self.first_offset.map_or(run.offset, |first| first.min(run.offset)));
        self.last_offset = Some(self.last_offset.map_or(last, |before| before.max(last)));
        if resent >= Resent::Unwritten {
            (run.seq..run.end()).for_each(|seq| self.resent(seq, resent));
        }
    }

    /// The message is known not to be in the log.
    pub fn failed(&mut self, seq: Seq, resent: Resent) {
        self.failed.push(seq, seq.cast_signed());
        self.resent(seq, resent);
    }

    /// Nobody knows whether it is in the log; like an ack, it may have been sent more than once.
    pub fn unknown(&mut self, seq: Seq) {
        self.resent(seq, Resent::MaybeWritten);
    }

    fn resent(&mut self, seq: Seq, resent: Resent) {
        if resent >= Resent::Unwritten {
            self.resent.push(seq, seq.cast_signed());
        }
        if resent >= Resent::MaybeWritten {
            self.doubtful.push(seq, seq.cast_signed());
        }
    }

    /// How many were handed to the client.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Acked ones, with their offsets.
    pub const fn acks(&self) -> &RunLog {
        &self.acked
    }

    /// Failed ones.
    pub const fn failures(&self) -> &RunLog {
        &self.failed
    }

    /// Those that a retry may have put out of order.
    pub const fn maybe_out_of_order(&self) -> &RunLog {
        &self.resent
    }

    /// Those that a retry may have written twice.
    pub const fn maybe_twice(&self) -> &RunLog {
        &self.doubtful
    }

    /// Neither acked nor failed.
    pub const fn unknowns(&self) -> u64 {
        self.sent.saturating_sub(self.acked.len() + self.failed.len())
    }

    /// Lowest and highest offset of an ack.
    pub fn offsets(&self) -> Option<(Offset, Offset)> {
        self.first_offset.zip(self.last_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_acked_nor_failed_is_unknown() {
        let mut log = SentLog::default();
        for _ in 0..5 {
            log.next_seq();
        }
        log.acked(0, 10, Resent::Unwritten);
        log.acked(2, 9, Resent::MaybeWritten);
        log.failed(1, Resent::No);
        assert_eq!(log.unknowns(), 2);
        assert_eq!(log.offsets(), Some((9, 10)));
        let seqs = |log: &RunLog| log.runs().map(|r| r.seq).collect::<Vec<_>>();
        assert_eq!(seqs(log.maybe_out_of_order()), [0, 2]);
        assert_eq!(seqs(log.maybe_twice()), [2]);
    }
}
