//! The sending side of one stream: how many messages were sent, and which were acked at which offset, or failed.
//!
//! The outcome of all others is unknown: they may be in the log or not, and both are legal. Also contains the limits of
//! what retries explain.

pub mod envelope;
pub(crate) mod marker;
pub(crate) mod marks;
pub(crate) mod runs;
pub(crate) mod saved;
pub(crate) mod streams;

use super::evidence::EVIDENCE;
use crate::ids::{Offset, Seq};
use marks::{Between, Marks};
use runs::{Run, RunLog};

/// The retries that a producer saw for a message before its delivery report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resent {
    /// No retry.
    No,
    /// It was resent after an attempt that was not written, so it may be out of order.
    Unwritten,
    /// It was resent after an attempt that may have been written, so it may also be in the log twice.
    MaybeWritten,
}

/// Maximum number of retries kept with their text. Retries that explain no message are dropped first.
const RETRIES: usize = 32;
/// Maximum number of characters kept of a retry's text.
const TEXT: usize = 120;

/// The maximum that the requeued batches of a stream can explain. librdkafka reports how many messages each batch
/// contained, but not which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bound {
    /// Messages in these batches, counted each time they were requeued.
    pub messages: u64,
    /// Number of batches. The repeats of one batch are consecutive in sequence.
    pub batches: u64,
    /// Whether reports of the client were lost, so that there may be more.
    pub lines_lost: bool,
}

impl Bound {
    const fn add(&mut self, messages: u64) {
        self.messages = self.messages.saturating_add(messages);
        self.batches = self.batches.saturating_add(1);
    }
}

/// Requeued batches of one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WentBack {
    /// Batches with an earlier attempt that may have been written.
    pub maybe_written: Bound,
    pub all: Bound,
}

impl WentBack {
    /// One batch with this number of messages.
    pub fn batch(messages: u64, maybe_written: bool) -> Self {
        let mut back = Self::default();
        back.add(messages, maybe_written);
        back
    }

    pub const fn add(&mut self, messages: u64, maybe_written: bool) {
        self.all.add(messages);
        if maybe_written {
            self.maybe_written.add(messages);
        }
    }

    /// Limits it to this number of messages.
    pub fn at_most(&mut self, messages: u64) {
        for bound in [&mut self.maybe_written, &mut self.all] {
            bound.messages = bound.messages.min(messages);
        }
    }
}

/// A batch of the stream's partition that was requeued.
#[derive(Debug, Clone)]
pub struct Retry {
    /// When the producer saw it, in microseconds since the start of the run.
    pub at_us: u64,
    /// librdkafka's error text.
    pub text: String,
    /// Messages for which this was the last retry before their delivery report.
    messages: RunLog,
}

/// The sending side of one stream. Its client owns it, without a lock.
#[derive(Debug, Clone, Default)]
pub struct SentLog {
    sent: u64,
    acked: RunLog,
    placeless: RunLog,
    failed: RunLog,
    /// Messages that a retry may have put out of order.
    resent: RunLog,
    /// Messages that a retry may have written twice.
    doubtful: RunLog,
    first_offset: Option<Offset>,
    last_offset: Option<Offset>,
    ack_times: Marks,
    retries: Vec<Retry>,
    /// Whether the last retry is among the stored ones.
    last_retry_kept: bool,
    went_back: WentBack,
    lines_lost: bool,
    send_times: Marks,
    overtaken: Overtaken,
    overtaken_by_leader: Overtaken,
}

/// Messages that were acked at a lower offset than one that had been acked before they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overtaken {
    pub count: u64,
    /// The first of these messages: sequence, offset, and the offset that had been acked before.
    pub first: Vec<(Seq, Offset, Offset)>,
}

impl SentLog {
    /// A log as it was saved.
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

    /// Adds the data that ledgers of older kaf6 versions lack: acks without an offset, and the bounds.
    #[must_use]
    pub fn with(mut self, placeless: RunLog, repeats: Bound, reorders: Bound) -> Self {
        self.placeless = placeless;
        self.went_back = WentBack { maybe_written: repeats, all: reorders };
        self.lines_lost = repeats.lines_lost || reorders.lines_lost;
        self
    }

    /// Adds the times at which messages were due or created.
    #[must_use]
    pub(super) fn with_times(mut self, times: &[(Seq, u64)]) -> Self {
        self.send_times = Marks::of(times);
        self
    }

    /// Adds the messages that were acked below an earlier ack.
    #[must_use]
    pub(super) fn with_overtaken(mut self, [by_all, by_leader]: [Overtaken; 2]) -> Self {
        (self.overtaken, self.overtaken_by_leader) = (by_all, by_leader);
        self
    }

    /// Counts one more message and returns its sequence.
    pub fn next_seq(&mut self) -> Seq {
        self.sent += 1;
        self.sent - 1
    }

    /// Reverts the last `next_seq`: the message was not sent.
    pub fn take_back(&mut self) {
        self.sent -= 1;
    }

    /// Records that the broker acked this message at this offset.
    pub fn acked(&mut self, seq: Seq, offset: Offset, resent: Resent) {
        self.acked_run(Run { seq, offset, len: 1 }, resent);
    }

    /// Records that the broker acked these messages at consecutive offsets.
    pub fn acked_run(&mut self, run: Run, resent: Resent) {
        self.acked.push_run(run);
        let last = run.offset_of(run.end() - 1);
        self.first_offset = Some(self.first_offset.map_or(run.offset, |first| first.min(run.offset)));
        self.last_offset = Some(self.last_offset.map_or(last, |before| before.max(last)));
        self.resent_run(run, resent);
    }

    /// Records that the broker acked `len` messages from `seq` on without an offset: an answer without an error and
    /// with offset -1, or error 46 (DUPLICATE_SEQUENCE_NUMBER).
    pub fn acked_nowhere(&mut self, seq: Seq, len: u64, resent: Resent) {
        let run = Run { seq, offset: seq.cast_signed(), len };
        self.placeless.push_run(run);
        self.resent_run(run, resent);
    }

    fn resent_run(&mut self, run: Run, resent: Resent) {
        if resent >= Resent::Unwritten {
            for seq in run.seq..run.end() {
                self.resent(seq, resent);
                self.blame(seq, resent);
            }
        }
    }

    /// Records that this message was created at this time, in microseconds since the start of the run.
    pub fn sent_at(&mut self, seq: Seq, at_us: u64) {
        self.send_times.at(seq, at_us);
    }

    /// When some messages were created, including the first and the last.
    pub(super) fn send_times(&self) -> impl Iterator<Item = (Seq, u64)> + '_ {
        self.send_times.iter()
    }

    /// The interval in which an acked message got its timestamp: from its client when the message was created, or with
    /// `append_time` from the broker before its ack. `None` if its creation has no time.
    pub fn stamped(&self, seq: Seq, append_time: bool) -> Option<Between> {
        let (from, to) = self.send_times.when(seq)?;
        if !append_time {
            return Some((from, to));
        }
        // Acks of resent messages arrive in any order.
        Some((from, self.when_acked(seq).map_or(u64::MAX, |(_, acked)| acked)))
    }

    /// Records that this message was sent after offset `ahead` had been acked, and was acked below it. `by_leader`: all
    /// those earlier acks were confirmed only by leaders.
    pub fn was_overtaken(&mut self, seq: Seq, offset: Offset, ahead: Offset, by_leader: bool) {
        let overtaken = if by_leader { &mut self.overtaken_by_leader } else { &mut self.overtaken };
        overtaken.count += 1;
        if overtaken.first.len() < EVIDENCE {
            overtaken.first.push((seq, offset, ahead));
        }
    }

    /// Messages that were acked below an earlier ack, and those that were acked below earlier acks that only leaders
    /// confirmed.
    pub const fn overtaken(&self) -> [&Overtaken; 2] {
        [&self.overtaken, &self.overtaken_by_leader]
    }

    /// Records when the acks of these messages arrived, in microseconds since the start of the run.
    pub fn acked_at(&mut self, run: Run, at_us: u64) {
        self.ack_times.at(run.seq, at_us);
        self.ack_times.at(run.end() - 1, at_us);
    }

    /// Records that a batch of this partition was requeued at this time and because of this error: its number of
    /// messages, and whether an earlier attempt may have been written.
    pub fn went_back(&mut self, at_us: u64, text: &str, messages: u64, maybe_written: bool) {
        self.all_went_back(at_us, text, &WentBack::batch(messages, maybe_written));
    }

    /// The same for several batches, with the time and the error of the last one.
    pub fn all_went_back(&mut self, at_us: u64, text: &str, back: &WentBack) {
        let own = &mut self.went_back;
        for (sum, more) in [(&mut own.maybe_written, back.maybe_written), (&mut own.all, back.all)] {
            sum.messages = sum.messages.saturating_add(more.messages);
            sum.batches = sum.batches.saturating_add(more.batches);
        }
        self.keep_retry(at_us, text);
    }

    /// Records that log lines of the client were lost: more batches may have been requeued than are counted.
    pub fn lost_lines(&mut self, at_us: u64, text: &str) {
        self.lines_lost = true;
        self.keep_retry(at_us, text);
    }

    fn keep_retry(&mut self, at_us: u64, text: &str) {
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

    /// Counts a resent message for the last retry, which may be the one that resent it.
    fn blame(&mut self, seq: Seq, resent: Resent) {
        if resent >= Resent::Unwritten
            && self.last_retry_kept
            && let Some(retry) = self.retries.last_mut()
        {
            retry.messages.push(seq, seq.cast_signed());
        }
    }

    /// Records that the message is certainly not in the log.
    pub fn failed(&mut self, seq: Seq, resent: Resent) {
        self.failed.push(seq, seq.cast_signed());
        self.resent(seq, resent);
        self.blame(seq, resent);
    }

    /// Records that it is unknown whether the message is in the log. It may be written at any later time, and so out of
    /// order. It can only be in the log twice if it was resent.
    pub fn unknown(&mut self, seq: Seq, resent: Resent) {
        self.resent(seq, resent.max(Resent::Unwritten));
        self.blame(seq, resent);
    }

    fn resent(&mut self, seq: Seq, resent: Resent) {
        if resent >= Resent::Unwritten {
            self.resent.push(seq, seq.cast_signed());
        }
        if resent >= Resent::MaybeWritten {
            self.doubtful.push(seq, seq.cast_signed());
        }
    }

    /// The number of messages passed to the client.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Acked messages with their offsets.
    pub const fn acks(&self) -> &RunLog {
        &self.acked
    }

    /// Messages that were acked without an offset, as sequences: a run's offset is its sequence.
    pub const fn placeless(&self) -> &RunLog {
        &self.placeless
    }

    /// The number of all acked messages, with or without an offset.
    pub const fn acked_total(&self) -> u64 {
        self.acked.len() + self.placeless.len()
    }

    /// The maximum number of repeats that requeued batches can explain: those with an earlier attempt that may have
    /// been written.
    pub const fn repeats(&self) -> Bound {
        Bound { lines_lost: self.lines_lost, ..self.went_back.maybe_written }
    }

    /// The maximum number of reorderings that requeued batches can explain.
    pub const fn reorders(&self) -> Bound {
        Bound { lines_lost: self.lines_lost, ..self.went_back.all }
    }

    pub const fn failures(&self) -> &RunLog {
        &self.failed
    }

    /// Messages that a retry may have put out of order.
    pub const fn maybe_out_of_order(&self) -> &RunLog {
        &self.resent
    }

    /// Messages that a retry may have written twice.
    pub const fn maybe_twice(&self) -> &RunLog {
        &self.doubtful
    }

    /// The last retry between the sending of a message and its delivery report, if it is stored.
    pub fn retry_of(&self, seq: Seq) -> Option<&Retry> {
        self.retries.iter().find(|retry| retry.messages.runs().any(|run| (run.seq..run.end()).contains(&seq)))
    }

    /// The interval in which the ack of a message arrived; `None` for resent messages, whose acks arrive in any order.
    pub fn when_acked(&self, seq: Seq) -> Option<Between> {
        let holds = |log: &RunLog| log.runs().any(|run| (run.seq..run.end()).contains(&seq));
        if !(holds(&self.acked) || holds(&self.placeless)) || holds(&self.resent) {
            return None;
        }
        self.ack_times.when(seq)
    }

    pub const fn unknowns(&self) -> u64 {
        self.sent.saturating_sub(self.acked_total() + self.failed.len())
    }

    /// Lowest and highest acked offset.
    pub fn offsets(&self) -> Option<(Offset, Offset)> {
        self.first_offset.zip(self.last_offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn acks_without_a_place_are_acks_and_have_no_offset() {
        let mut log = SentLog::default();
        for _ in 0..6 {
            log.next_seq();
        }
        log.acked(0, 7, Resent::No);
        log.acked_nowhere(1, 3, Resent::MaybeWritten);
        assert_eq!((log.acked_total(), log.acks().len(), log.unknowns()), (4, 1, 2));
        assert_eq!(log.offsets(), Some((7, 7)));
        assert_eq!(log.placeless().runs().collect::<Vec<_>>(), [Run { seq: 1, offset: 1, len: 3 }]);
        assert_eq!(log.maybe_twice().len(), 3);
    }

    #[test]
    fn unknown_ones_may_lie_anywhere_and_twice_only_if_sent_again() {
        let mut log = SentLog::default();
        for resent in [Resent::No, Resent::Unwritten, Resent::MaybeWritten] {
            let seq = log.next_seq();
            log.unknown(seq, resent);
        }
        assert_eq!((log.maybe_out_of_order().len(), log.maybe_twice().len()), (3, 1));
        assert_eq!(log.reorders(), Bound::default(), "nothing went back");
    }

    proptest! {
        #[test]
        fn what_went_back_is_added_up(
            batches in prop::collection::vec((any::<bool>(), prop_oneof![0_u64..5000, Just(u64::MAX)]), 0..40),
            lost in any::<bool>(),
        ) {
            let mut log = SentLog::default();
            for (at, (maybe_written, messages)) in (0..).zip(&batches) {
                log.went_back(at, "x", *messages, *maybe_written);
            }
            if lost {
                log.lost_lines(100, "lost");
            }
            let sum = |of: &dyn Fn(&&(bool, u64)) -> bool| Bound {
                messages: batches.iter().filter(of).fold(0, |sum, (_, n)| sum.saturating_add(*n)),
                batches: batches.iter().filter(of).count() as u64,
                lines_lost: lost,
            };
            prop_assert_eq!(log.repeats(), sum(&|(maybe_written, _)| *maybe_written));
            prop_assert_eq!(log.reorders(), sum(&|_| true));
        }
    }

    #[test]
    fn a_message_knows_the_last_retry_before_its_end() {
        let mut log = SentLog::default();
        for _ in 0..6 {
            log.next_seq();
        }
        log.acked(0, 0, Resent::No);
        log.went_back(1_000, "broker transport failure", 3, true);
        log.acked(1, 1, Resent::MaybeWritten);
        log.went_back(2_000, "timed out", 2, false);
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
        // An outage: many retries, and a message is acked after the last one.
        for i in 0..1000 {
            log.went_back(i, "refused", 1, true);
        }
        let seq = log.next_seq();
        log.acked(seq, 0, Resent::MaybeWritten);
        assert_eq!(log.retry_of(seq).map(|retry| retry.at_us), Some(999));
        for i in 0..1000 {
            log.went_back(2000 + i, &"x".repeat(1000), 1, true);
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
