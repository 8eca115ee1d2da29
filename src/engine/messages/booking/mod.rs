//! The bookkeeping of one client by partition: messages in flight, outcomes, and requeued batches.
//!
//! Producers and round trips use the same code. A batch costs as much time as a single message.

mod ahead;
mod ended;
mod flight;
mod retries;

use std::ops::Range;
use std::time::Instant;

use crate::ids::{Partition, Seq};
use crate::kafka::{Delivery, DeliveryOutcome, ProducerEvent, ProducerEventKind};
use crate::ledger::{Resent, Run, SentLog};
use crate::metrics::ClientMetrics;
pub(crate) use ahead::HighestAcks;

use ahead::Ahead;
use ended::{EndedRun, of_tag, tag};
use flight::{Flight, Pending};
use retries::{Count, PartitionRetries};

pub(crate) struct Booking {
    idempotent: bool,
    /// The first partition.
    first: usize,
    parts: Vec<PartitionBooking>,
    ended: Vec<EndedRun>,
    highest: HighestAcks,
}

#[derive(Default)]
struct PartitionBooking {
    log: SentLog,
    flight: Flight,
    retries: PartitionRetries,
    ahead: Ahead,
    /// Messages of an idempotent producer that librdkafka did not accept.
    refused: Vec<Seq>,
    /// Messages in flight whose acks will have no offset.
    placeless: Vec<Range<Seq>>,
}

/// `len` messages of one partition with the same outcome, from sequence `seq` on.
pub(crate) struct Booked {
    pub(crate) seq: Seq,
    pub(crate) len: u64,
    /// When each message was due or created, in microseconds since the start of the run, and its bytes of key
    /// and value.
    pub(crate) from_us: u64,
    pub(crate) bytes: u64,
    pub(crate) outcome: DeliveryOutcome,
}

impl Booking {
    /// Bookkeeping for these partitions of a topic.
    pub(crate) fn new(partitions: Range<Partition>, idempotent: bool, highest: HighestAcks) -> Self {
        let index = |partition: Partition| usize::try_from(partition).unwrap_or(0);
        let (first, end) = (index(partitions.start), index(partitions.end));
        let parts = (first..end).map(|_| PartitionBooking::default()).collect();
        Self { idempotent, first, parts, ended: Vec::new(), highest }
    }

    fn part(&mut self, partition: usize) -> &mut PartitionBooking {
        let at = partition.saturating_sub(self.first);
        if self.parts.len() <= at {
            self.parts.resize_with(at + 1, PartitionBooking::default);
        }
        &mut self.parts[at]
    }

    /// The sequence and the tag of the next message to this partition. The caller sends or stages the message, and then
    /// calls `sent` or takes it back.
    pub(crate) fn next(&mut self, partition: Partition) -> (Seq, u64) {
        let at = usize::try_from(partition).unwrap_or(0);
        // Read before the message is sent, because later acks may overtake it.
        let ahead = self.highest.at(at);
        let part = self.part(at);
        let seq = part.log.next_seq();
        part.ahead.sent(seq, ahead);
        (seq, tag(partition, seq))
    }

    /// Books the message with this tag as in flight: when it was due, when it was created, and its bytes.
    pub(crate) fn sent(&mut self, tag: u64, from_us: u64, made_us: u64, bytes: u64) {
        let (at, seq) = of_tag(tag);
        let part = self.part(at);
        part.log.sent_at(seq, made_us);
        let behind = part.retries.now();
        part.flight.push(seq, Pending { from_us, bytes, behind });
    }

    /// Removes the last message of its partition, which was not sent.
    pub(crate) fn not_sent(&mut self, tag: u64) {
        self.part(of_tag(tag).0).log.take_back();
    }

    /// Removes the last message of its partition, which was booked but not sent. Returns its bytes.
    pub(crate) fn take_back(&mut self, tag: u64) -> Option<u64> {
        let part = self.part(of_tag(tag).0);
        part.log.take_back();
        part.flight.take_back().map(|pending| pending.bytes)
    }

    /// Books a message that librdkafka will never accept. Returns its bytes.
    pub(crate) fn refused(&mut self, tag: u64) -> Option<u64> {
        let (at, seq) = of_tag(tag);
        let idempotent = self.idempotent;
        let part = self.part(at);
        let mut bytes = None;
        part.flight.end(seq, 1, |_, _, pending| bytes = Some(pending.bytes));
        part.log.failed(seq, Resent::No);
        if idempotent {
            part.refused.push(seq);
        }
        bytes
    }

    /// Queues a delivery report for [`Booking::book`].
    pub(crate) fn push(&mut self, delivery: &Delivery) {
        ended::push(&mut self.ended, delivery);
    }

    /// Counts the broker errors that the producer retried.
    pub(crate) fn count_retries(metrics: &ClientMetrics, events: &[ProducerEvent]) {
        for code in events.iter().filter_map(|event| event.code) {
            metrics.retried(&code.name());
        }
    }

    /// Processes producer events before the delivery reports that they affect: a batch is requeued before it
    /// is acked.
    pub(crate) fn see(&mut self, events: Vec<ProducerEvent>, us: impl Fn(Instant) -> u64) {
        let idempotent = self.idempotent;
        for event in events {
            let (at_us, text) = (us(event.at), event.text.as_str());
            let Some(partition) = event.partition else {
                if event.kind == ProducerEventKind::Many {
                    for part in &mut self.parts {
                        part.retries.lost_lines(at_us, text, &mut part.log);
                    }
                }
                continue;
            };
            let Some(part) = usize::try_from(partition)
                .ok()
                .and_then(|at| self.parts.get_mut(at.checked_sub(self.first)?))
            else {
                continue;
            };
            match event.kind {
                ProducerEventKind::Retried { messages, maybe_written } => {
                    let PartitionBooking { retries, log, .. } = part;
                    retries.went_back(idempotent, (at_us, text), messages, maybe_written, log);
                }
                ProducerEventKind::IdentityChanged => {
                    let PartitionBooking { retries, log, flight, .. } = part;
                    let before = |now: Count| flight.count(|pending| now.is_after(pending.behind));
                    retries.identity_changed(before, log);
                }
                ProducerEventKind::Duplicate { first, messages } => {
                    let last = (first + u64::from(messages)).saturating_sub(1);
                    part.placeless.push(part.seq_of(first)..part.seq_of(last) + 1);
                }
                ProducerEventKind::Disconnected
                | ProducerEventKind::TimedOut
                | ProducerEventKind::NoIdentity
                | ProducerEventKind::Many => {}
            }
        }
    }

    /// Whether delivery reports are queued.
    pub(crate) const fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Books all queued delivery reports at this time. `on` receives them in runs with the same outcome.
    pub(crate) fn book(&mut self, now_us: u64, mut on: impl FnMut(&Booked)) {
        let Self { ended, parts, first, highest, .. } = self;
        for run in ended.drain(..) {
            let (at, seq) = of_tag(run.tag);
            let Some(part) = at.checked_sub(*first).and_then(|at| parts.get_mut(at)) else { continue };
            let PartitionBooking { log, flight, retries, ahead, placeless, .. } = part;
            let partition = Partition::try_from(at).unwrap_or(Partition::MAX);
            flight.end(seq, run.len, |first, len, pending| {
                let resent = retries.since(pending.behind);
                let mut book = |seq: Seq, len: u64, outcome: DeliveryOutcome| {
                    match outcome {
                        DeliveryOutcome::Acked { offset } => {
                            let run = Run { seq, offset, len };
                            log.acked_run(run, resent);
                            log.acked_at(run, now_us);
                            ahead.acked(run, log);
                            highest.acked(partition, run.offset_of(run.end() - 1));
                        }
                        DeliveryOutcome::AckedNowhere => {
                            log.acked_nowhere(seq, len, resent);
                            log.acked_at(Run { seq, offset: 0, len }, now_us);
                        }
                        DeliveryOutcome::Failed { .. } => log.failed(seq, resent),
                        DeliveryOutcome::Unknown { .. } => log.unknown(seq, resent),
                    }
                    let Pending { from_us, bytes, .. } = *pending;
                    on(&Booked { seq, len, from_us, bytes, outcome });
                };
                match run.outcome {
                    DeliveryOutcome::Acked { offset } if placeless.is_empty() => {
                        book(
                            first,
                            len,
                            DeliveryOutcome::Acked { offset: offset + (first - seq).cast_signed() },
                        );
                    }
                    DeliveryOutcome::Acked { offset } => {
                        for one in first..first + len {
                            let outcome = match placeless.iter().any(|range| range.contains(&one)) {
                                true => DeliveryOutcome::AckedNowhere,
                                false => {
                                    DeliveryOutcome::Acked { offset: offset + (one - seq).cast_signed() }
                                }
                            };
                            book(one, 1, outcome);
                        }
                    }
                    outcome => book(first, len, outcome),
                }
            });
            if let Some(first) = flight.first() {
                ahead.forget_before(first);
            }
            if !placeless.is_empty() {
                placeless.retain(|range| flight.first().is_some_and(|first| range.end > first));
            }
        }
    }

    /// The outcome of all messages, by partition; partitions without messages are omitted.
    pub(crate) fn into_logs(self) -> impl Iterator<Item = (Partition, SentLog)> {
        let first = self.first;
        self.parts
            .into_iter()
            .enumerate()
            .filter(|(_, part)| part.log.sent() > 0)
            .map(move |(at, part)| (Partition::try_from(first + at).unwrap_or(Partition::MAX), part.log))
    }
}

impl PartitionBooking {
    /// The sequence of a message, by its number among those that librdkafka accepted.
    fn seq_of(&self, number: u64) -> Seq {
        self.refused.iter().fold(number, |seq, refused| seq + u64::from(*refused <= seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Code;
    use crate::ledger::Bound;

    const OF: Partition = 3;

    /// Bookkeeping of one partition with this number of messages in flight.
    fn sent(idempotent: bool, messages: u64) -> Booking {
        let mut booking = Booking::new(OF..OF + 1, idempotent, HighestAcks::of(OF + 1));
        for at in 0..messages {
            let (seq, tag) = booking.next(OF);
            assert_eq!(seq, at);
            booking.sent(tag, 10 * at, 10 * at, 7);
        }
        booking
    }

    fn event(kind: ProducerEventKind) -> ProducerEvent {
        let at = Instant::now();
        ProducerEvent { at, since: at, kind, partition: Some(OF), text: "x".to_owned(), code: None }
    }

    fn end(booking: &mut Booking, seq: Seq, outcome: DeliveryOutcome) {
        booking.push(&Delivery { tag: tag(OF, seq), outcome });
    }

    fn log(booking: Booking) -> SentLog {
        let mut logs: Vec<_> = booking.into_logs().collect();
        assert_eq!((logs.len(), logs[0].0), (1, OF));
        logs.remove(0).1
    }

    const RETRIED: ProducerEventKind = ProducerEventKind::Retried { messages: 2, maybe_written: true };

    #[test]
    fn each_end_is_booked_once_with_what_it_was_sent_with() {
        let mut booking = sent(false, 6);
        let (_, tag) = booking.next(OF);
        booking.not_sent(tag);
        for (seq, outcome) in [
            (0, DeliveryOutcome::Acked { offset: 5 }),
            (1, DeliveryOutcome::Acked { offset: 6 }),
            (2, DeliveryOutcome::AckedNowhere),
            (3, DeliveryOutcome::AckedNowhere),
            (4, DeliveryOutcome::Failed { code: Code(10) }),
        ] {
            end(&mut booking, seq, outcome);
        }
        let mut booked = Vec::new();
        booking.book(1000, |it| booked.push((it.seq, it.len, it.from_us, it.bytes)));
        assert_eq!(booked, [0, 1, 2, 3, 4].map(|seq| (seq, 1, 10 * seq, 7)));
        let log = log(booking);
        assert_eq!((log.sent(), log.acked_total(), log.acks().len(), log.unknowns()), (6, 4, 2, 1));
    }

    #[test]
    fn a_batch_that_goes_back_makes_its_partitions_messages_eligible_and_bounds_them() {
        let mut booking = sent(false, 3);
        booking.see(vec![event(RETRIED)], |_| 5);
        let (_, tag) = booking.next(OF);
        booking.sent(tag, 0, 0, 0);
        for seq in 0..4 {
            end(&mut booking, seq, DeliveryOutcome::Acked { offset: seq.cast_signed() });
        }
        booking.book(0, |_| {});
        let log = log(booking);
        assert_eq!(log.maybe_twice().len(), 3, "the last was sent after that");
        assert_eq!(log.repeats(), Bound { messages: 2, batches: 1, lines_lost: false });
    }

    #[test]
    fn of_an_idempotent_producer_only_a_change_of_identity_explains() {
        for changes in [false, true] {
            let mut booking = sent(true, 3);
            booking.see(vec![event(RETRIED)], |_| 5);
            end(&mut booking, 0, DeliveryOutcome::Acked { offset: 0 });
            booking.book(0, |_| {});
            if changes {
                booking.see(vec![event(ProducerEventKind::IdentityChanged)], |_| 5);
            }
            end(&mut booking, 1, DeliveryOutcome::Unknown { code: Code(7) });
            end(&mut booking, 2, DeliveryOutcome::Acked { offset: 2 });
            booking.book(0, |_| {});
            let log = log(booking);
            let (messages, eligible) = if changes { (2, 2) } else { (0, 0) };
            assert_eq!((log.repeats().messages, log.maybe_twice().len()), (messages, eligible));
        }
    }

    #[test]
    fn the_offsets_of_a_batch_that_the_broker_had_already_are_none() {
        let mut booking = sent(true, 2);
        booking.refused(tag(OF, 1));
        for _ in 0..3 {
            let (_, tag) = booking.next(OF);
            booking.sent(tag, 0, 0, 0);
        }
        // librdkafka counts only accepted messages: its number 1 is sequence 2.
        booking.see(vec![event(ProducerEventKind::Duplicate { first: 1, messages: 2 })], |_| 5);
        end(&mut booking, 0, DeliveryOutcome::Acked { offset: 9 });
        for seq in 2..5 {
            end(&mut booking, seq, DeliveryOutcome::Acked { offset: seq.cast_signed() });
        }
        booking.book(0, |_| {});
        assert!(booking.parts[0].placeless.is_empty(), "they have ended");
        let log = log(booking);
        let seqs = |log: &crate::ledger::RunLog| log.runs().map(|r| (r.seq, r.len)).collect::<Vec<_>>();
        assert_eq!((seqs(log.placeless()), seqs(log.acks())), (vec![(2, 2)], vec![(0, 1), (4, 1)]));
    }
}
