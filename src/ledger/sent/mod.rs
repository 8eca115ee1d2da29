//! The sending side of one stream: how many messages were sent, and which were acked at which offset, or
//! failed.
//!
//! All others are unknown: they may be in the log or not, and both are legal. Also contains the limits of
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

/// What a producer saw happen to a message between its sending and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resent {
    /// No retry.
    No,
    /// It was sent again after an attempt that was not written: it may be out of order.
    Unwritten,
    /// It was sent again after an attempt that may have been written: it may also be in the log twice.
    MaybeWritten,
}

/// Retries kept with their text; those that no message ended after make room first.
const RETRIES: usize = 32;
/// Characters kept of a retry's text.
const TEXT: usize = 120;

/// How much the requeued batches of a stream can explain, at most. librdkafka reports how many messages were
/// in each, but not which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bound {
    /// Messages in these batches, each counted as often as it went back.
    pub messages: u64,
    /// Batches. The repeats of one are consecutive in sequence.
    pub batches: u64,
    /// Some of the client's reports were lost: there may have been more.
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
    /// Those whose earlier try may have been written.
    pub maybe_written: Bound,
    pub all: Bound,
}

impl WentBack {
    /// One batch of so many messages.
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
    /// When the producer saw it, microseconds from the start of the run.
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
    placeless: RunLog,
    failed: RunLog,
    /// Those that a retry may have put out of order.
    resent: RunLog,
    /// Those of them that it may have written twice.
    doubtful: RunLog,
    first_offset: Option<Offset>,
    last_offset: Option<Offset>,
    ack_times: Marks,
    retries: Vec<Retry>,
    /// The last retry is among those kept.
    last_retry_kept: bool,
    went_back: WentBack,
    lines_lost: bool,
    send_times: Marks,
    overtaken: Overtaken,
    overtaken_by_leader: Overtaken,
}

/// Messages that were acked at a lower offset than one that had been acked when they were handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overtaken {
    pub count: u64,
    /// The first of them: sequence, offset, and the offset that had been acked before.
    pub first: Vec<(Seq, Offset, Offset)>,
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

    /// The same with what a ledger of older kaf6 did not hold: acks without a place, and the bounds.
    #[must_use]
    pub fn with(mut self, placeless: RunLog, repeats: Bound, reorders: Bound) -> Self {
        self.placeless = placeless;
        self.went_back = WentBack { maybe_written: repeats, all: reorders };
        self.lines_lost = repeats.lines_lost || reorders.lines_lost;
        self
    }

    /// The same with the times at which these messages were due or made.
    #[must_use]
    pub(super) fn with_times(mut self, times: &[(Seq, u64)]) -> Self {
        self.send_times = Marks::of(times);
        self
    }

    /// The same with those that were acked below an earlier ack.
    #[must_use]
    pub(super) fn with_overtaken(mut self, [by_all, by_leader]: [Overtaken; 2]) -> Self {
        (self.overtaken, self.overtaken_by_leader) = (by_all, by_leader);
        self
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

    /// The broker acked this message at this offset.
    pub fn acked(&mut self, seq: Seq, offset: Offset, resent: Resent) {
        self.acked_run(Run { seq, offset, len: 1 }, resent);
    }

    /// The broker acked these messages at consecutive offsets.
    pub fn acked_run(&mut self, run: Run, resent: Resent) {
        self.acked.push_run(run);
        let last = run.offset_of(run.end() - 1);
        self.first_offset = Some(self.first_offset.map_or(run.offset, |first| first.min(run.offset)));
        self.last_offset = Some(self.last_offset.map_or(last, |before| before.max(last)));
        self.resent_run(run, resent);
    }

    /// The broker acked `len` messages from `seq` on without an offset: an answer without error whose offset
    /// is -1, or error 46 (DUPLICATE_SEQUENCE_NUMBER).
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

    /// This message was made at this time, microseconds from the start of the run.
    pub fn sent_at(&mut self, seq: Seq, at_us: u64) {
        self.send_times.at(seq, at_us);
    }

    /// When some messages were made, the first and the last among them.
    pub(super) fn send_times(&self) -> impl Iterator<Item = (Seq, u64)> + '_ {
        self.send_times.iter()
    }

    /// Between which times an acked message got its timestamp: from its client as it was made or, under `append_time`, from the
    /// broker between that and its ack. None where its sending has no time.
    pub fn stamped(&self, seq: Seq, append_time: bool) -> Option<Between> {
        let (from, to) = self.send_times.when(seq)?;
        if !append_time {
            return Some((from, to));
        }
        // Acks of what was sent again come in any order.
        Some((from, self.when_acked(seq).map_or(u64::MAX, |(_, acked)| acked)))
    }

    /// This message was handed over after offset `ahead` had been acked, and was acked below it. `by_leader`:
    /// only leaders had confirmed all those earlier acks.
    pub fn was_overtaken(&mut self, seq: Seq, offset: Offset, ahead: Offset, by_leader: bool) {
        let overtaken = if by_leader { &mut self.overtaken_by_leader } else { &mut self.overtaken };
        overtaken.count += 1;
        if overtaken.first.len() < EVIDENCE {
            overtaken.first.push((seq, offset, ahead));
        }
    }

    /// Those that were acked below an earlier ack, and those that were acked below earlier acks of leaders alone.
    pub const fn overtaken(&self) -> [&Overtaken; 2] {
        [&self.overtaken, &self.overtaken_by_leader]
    }

    /// The acks of these messages came at this time, microseconds from the start of the run.
    pub fn acked_at(&mut self, run: Run, at_us: u64) {
        self.ack_times.at(run.seq, at_us);
        self.ack_times.at(run.end() - 1, at_us);
    }

    /// A batch of this partition is requeued, at this time and because of this error: its number of messages,
    /// and whether an earlier attempt may have been written.
    pub fn went_back(&mut self, at_us: u64, text: &str, messages: u64, maybe_written: bool) {
        self.all_went_back(at_us, text, &WentBack::batch(messages, maybe_written));
    }

    /// The same for several; the last of them at this time and for this error.
    pub fn all_went_back(&mut self, at_us: u64, text: &str, back: &WentBack) {
        let own = &mut self.went_back;
        for (sum, more) in [(&mut own.maybe_written, back.maybe_written), (&mut own.all, back.all)] {
            sum.messages = sum.messages.saturating_add(more.messages);
            sum.batches = sum.batches.saturating_add(more.batches);
        }
        self.keep_retry(at_us, text);
    }

    /// Some of the client's log lines were lost: more batches may have been requeued than are counted.
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

    /// A message that was sent again ended: the last retry is one that it can have come from.
    fn blame(&mut self, seq: Seq, resent: Resent) {
        if resent >= Resent::Unwritten
            && self.last_retry_kept
            && let Some(retry) = self.retries.last_mut()
        {
            retry.messages.push(seq, seq.cast_signed());
        }
    }

    /// The message is certainly not in the log.
    pub fn failed(&mut self, seq: Seq, resent: Resent) {
        self.failed.push(seq, seq.cast_signed());
        self.resent(seq, resent);
        self.blame(seq, resent);
    }

    /// It is unknown whether the message is in the log. It may be written at any later time, and so out of
    /// order; twice only if it was sent again.
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

    /// How many were handed to the client.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Acked ones, with their offsets.
    pub const fn acks(&self) -> &RunLog {
        &self.acked
    }

    /// Those acked without a place, as sequences alone: a run's offset is its sequence.
    pub const fn placeless(&self) -> &RunLog {
        &self.placeless
    }

    /// All acked ones, with a place or without.
    pub const fn acked_total(&self) -> u64 {
        self.acked.len() + self.placeless.len()
    }

    /// How many repeats batches that went back can explain, at most: those whose earlier try may have been written.
    pub const fn repeats(&self) -> Bound {
        Bound { lines_lost: self.lines_lost, ..self.went_back.maybe_written }
    }

    /// How many reorderings batches that went back can explain, at most.
    pub const fn reorders(&self) -> Bound {
        Bound { lines_lost: self.lines_lost, ..self.went_back.all }
    }

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
        if !(holds(&self.acked) || holds(&self.placeless)) || holds(&self.resent) {
            return None;
        }
        self.ack_times.when(seq)
    }

    pub const fn unknowns(&self) -> u64 {
        self.sent.saturating_sub(self.acked_total() + self.failed.len())
    }

    /// Lowest and highest offset of an ack.
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
        // An outage: many retries, after the last of which a message is acked.
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
