//! What the sending side knows of one stream: how many went out, and which were acked where, or failed.
//!
//! Whatever is neither acked nor failed is unknown: it may be in the log or not, and both are legal.

use super::marks::{Between, Marks};
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

/// Retries kept with their text; those that no message ended after make room first.
const RETRIES: usize = 32;
/// Characters kept of a retry's text.
const TEXT: usize = 120;

/// A batch of the stream's partition that went back to be sent again.
#[derive(Debug, Clone)]
pub struct Retry {
    /// When the producer saw it, microseconds from the run's zero.
    pub at_us: u64,
    /// The error, in the client's words.
    pub text: String,
    /// Messages that ended with it as the last one between their sending and their end.
    messages: RunLog,
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
    /// When messages were acked.
    ack_times: Marks,
    retries: Vec<Retry>,
    /// The last retry is among those kept.
    last_retry_kept: bool,
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
        Self { sent, acked, failed, resent, doubtful, first_offset, last_offset, ..Self::default() }
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
            for seq in run.seq..run.end() {
                self.resent(seq, resent);
                self.blame(seq, resent);
            }
        }
    }

    /// The acks of these messages came at this time, microseconds from the run's zero.
    pub fn acked_at(&mut self, run: Run, at_us: u64) {
        self.ack_times.at(run.seq, at_us);
        self.ack_times.at(run.end() - 1, at_us);
    }

    /// A batch of this partition goes back to be sent again, at this time and for this error.
    pub fn retried(&mut self, at_us: u64, text: &str) {
        if self.retries.len() == RETRIES
            && let Some(idle) = self.retries.iter().position(|retry| retry.messages.is_empty())
        {
            self.retries.remove(idle);
        }
        self.last_retry_kept = self.retries.len() < RETRIES;
        if self.last_retry_kept {
            let text = text.chars().take(TEXT).collect();
            self.retries.push(Retry { at_us, text, messages: RunLog::new() });
        }
    }

    /// A message that was sent again ended: the last retry is one that it can have come from.
    fn blame(&mut self, seq: Seq, resent: Resent) {
        if resent >= Resent::Unwritten
            && self.last_retry_kept
            && let Some(retry) = self.retries.last_mut()
        {
            retry.messages.push(seq, seq.cast_signed());
        }
    }

    /// The message is known not to be in the log.
    pub fn failed(&mut self, seq: Seq, resent: Resent) {
        self.failed.push(seq, seq.cast_signed());
        self.resent(seq, resent);
        self.blame(seq, resent);
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

    /// The last retry between the sending of a message and its end, where it is kept.
    pub fn retry_of(&self, seq: Seq) -> Option<&Retry> {
        self.retries.iter().find(|retry| retry.messages.runs().any(|run| (run.seq..run.end()).contains(&seq)))
    }

    /// Between which times the ack of a message came. Acks of those that were sent again come in any order, and so
    /// their time is not known.
    pub fn when_acked(&self, seq: Seq) -> Option<Between> {
        let holds = |log: &RunLog| log.runs().any(|run| (run.seq..run.end()).contains(&seq));
        if !holds(&self.acked) || holds(&self.resent) {
            return None;
        }
        self.ack_times.when(seq)
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
        assert!(log.when_acked(0).is_none(), "no time was told");
        let seqs = |log: &RunLog| log.runs().map(|r| r.seq).collect::<Vec<_>>();
        assert_eq!(seqs(log.maybe_out_of_order()), [0, 2]);
        assert_eq!(seqs(log.maybe_twice()), [2]);
    }
    #[test]
    fn a_message_knows_the_last_retry_before_its_end() {
        let mut log = SentLog::default();
        for _ in 0..6 {
            log.next_seq();
        }
        log.acked(0, 0, Resent::No);
        log.retried(1_000, "broker transport failure");
        log.acked(1, 1, Resent::MaybeWritten);
        log.retried(2_000, "timed out");
        log.acked(2, 2, Resent::Unwritten);
        log.failed(3, Resent::MaybeWritten);
        log.acked(4, 3, Resent::No);
        let of = |seq| log.retry_of(seq).map(|retry| (retry.at_us, retry.text.as_str()));
        assert_eq!(of(0), None);
        assert_eq!(of(1), Some((1_000, "broker transport failure")));
        assert_eq!(of(2), Some((2_000, "timed out")));
        assert_eq!(of(3), of(2));
        assert_eq!(of(4), None);
    }

    #[test]
    fn retries_are_bounded_and_never_name_another_ones_error() {
        let mut log = SentLog::default();
        // An outage: many retries, after the last of which a message is acked.
        for i in 0..1000 {
            log.retried(i, "refused");
        }
        let seq = log.next_seq();
        log.acked(seq, 0, Resent::MaybeWritten);
        assert_eq!(log.retry_of(seq).map(|retry| retry.at_us), Some(999));
        for i in 0..1000 {
            log.retried(2000 + i, &"x".repeat(1000));
            let seq = log.next_seq();
            log.acked(seq, 1, Resent::MaybeWritten);
        }
        assert_eq!(log.retries.len(), RETRIES);
        assert!(log.retries.iter().all(|retry| retry.text.len() <= TEXT));
        assert!(log.retry_of(1000).is_none(), "there was no room for it");
        assert_eq!(log.retry_of(0).map(|retry| retry.at_us), Some(999));
    }

    #[test]
    fn acks_have_a_time_but_for_those_sent_again() {
        let mut log = SentLog::default();
        for i in 0..100 {
            let seq = log.next_seq();
            let resent = if i == 50 { Resent::Unwritten } else { Resent::No };
            log.acked(seq, i, resent);
            log.acked_at(Run { seq, offset: i, len: 1 }, i.unsigned_abs() * 10_000);
        }
        assert_eq!(log.when_acked(34), Some((300_000, 400_000)));
        assert_eq!(log.when_acked(50), None);
        assert_eq!(log.when_acked(100), None);
    }
}
