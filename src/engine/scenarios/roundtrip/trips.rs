//! One client's round trips, one after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::engine::context::run_context::RunContext;
use crate::engine::context::stop::LOOK;
use crate::engine::context::topology::Topology;
use crate::engine::messages::booking::Booking;
use crate::engine::messages::ends::PartitionEnd;
use crate::engine::messages::fatal::Fatal;
use crate::engine::messages::message::{Maker, Order, longest};
use crate::engine::messages::sight;
use crate::engine::messages::sight::RecordMatcher;
use crate::ids::{Identity, Offset, Seq, StreamId};
use crate::kafka::{self, Producer, ProducerOptions, ReadEvent, ReaderOptions, ReaderSet, Record, SendError};
use crate::ledger::envelope::{Opened, RecordKind};
use crate::ledger::{PartitionReads, Seen, SentLog};
use crate::metrics::Recorder;
use crate::plan::{RoundtripPlan, StartOffset, Work};

pub(super) struct RoundtripTask {
    pub(super) context: Arc<RunContext>,
    pub(super) index: usize,
    pub(super) client: u32,
    pub(super) topology: Arc<Topology>,
    /// The topic's index in the run, and its name.
    pub(super) topic: usize,
    pub(super) name: String,
    pub(super) deadline: Instant,
}

/// The result of one client.
pub(super) struct RoundtripEnd {
    pub(super) in_time: bool,
    /// Records of its round trips, and how many of them differ from what was sent.
    pub(super) compared: u64,
    pub(super) wrong: u64,
    pub(super) fatal: Option<Fatal>,
    /// What it sent, and what it read; `None` if it did not start.
    pub(super) sent: Option<(StreamId, SentLog)>,
    pub(super) read: Option<PartitionEnd>,
}

/// Records per loop, after which delivery reports are processed.
const BATCH: usize = 1000;

/// The end of one round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trip {
    /// Acked, and read back unaltered.
    Back,
    Altered,
    /// Not acked: failed or unknown, according to the counts.
    NotAcked,
    Late,
}

struct RoundtripClient<'a> {
    task: &'a RoundtripTask,
    plan: &'a RoundtripPlan,
    stream: StreamId,
    /// Number of first trips that count only in the ledger.
    warmup: u64,
    sight: RecordMatcher<'a>,
    recorder: Recorder<'a>,
    booking: Booking,
    reads: PartitionReads,
    start: Offset,
    compared: u64,
    wrong: u64,
}

/// The state of the current trip.
#[derive(Debug, Clone, Copy, Default)]
struct Under {
    seq: Seq,
    /// Whether it was acked; `None` if it has not ended.
    acked: Option<bool>,
    /// Whether the record that was read is intact; `None` if it was not read.
    intact: Option<bool>,
}

impl Under {
    /// The end; `None` if the trip has not ended.
    const fn end(self) -> Option<Trip> {
        match (self.acked, self.intact) {
            (_, Some(false)) => Some(Trip::Altered),
            (Some(true), Some(true)) => Some(Trip::Back),
            (Some(false), _) => Some(Trip::NotAcked),
            _ => None,
        }
    }
}

impl RoundtripTask {
    pub(super) fn run(self) -> Result<RoundtripEnd, kafka::Error> {
        let nothing =
            RoundtripEnd { in_time: true, compared: 0, wrong: 0, fatal: None, sent: None, read: None };
        let context: &RunContext = &self.context;
        let Work::Roundtrip(plan) = &context.plan.scenarios[self.index].work else { return Ok(nothing) };
        let topology = &self.topology;
        let Some(first) = topology.first.get(&(self.index, self.client)) else { return Ok(nothing) };
        let (mut set, mut producer) = self.open(plan)?;
        let clients = u64::from(plan.clients);
        let mine = |total: u64| total / clients + u64::from(u64::from(self.client) < total % clients);
        let partition = plan.partition;
        let mut client = RoundtripClient {
            task: &self,
            plan,
            stream: StreamId(first.0 + partition.unsigned_abs()),
            warmup: mine(plan.warmup),
            sight: RecordMatcher::of(context, topology, self.topic),
            recorder: Recorder::new(context.live.metrics(self.index)),
            booking: Booking::new(
                partition..partition + 1,
                plan.message.idempotence,
                topology.topics[self.topic].highest.with(plan.message.acks),
            ),
            reads: PartitionReads::new(context.run_tag, self.topic, partition),
            start: set.started_at(partition).unwrap_or(0),
            compared: 0,
            wrong: 0,
        };
        let in_time = client.trips(mine(plan.iterations), &mut producer, &mut set);
        let fatal = producer.fatal();
        Ok(client.close(in_time, fatal, producer, set))
    }

    /// A reader at the end of the log, and a producer that has its partitions' metadata.
    fn open(&self, plan: &RoundtripPlan) -> Result<(ReaderSet, Producer), kafka::Error> {
        let context = &self.context;
        let left = || self.deadline.saturating_duration_since(Instant::now());
        let client = context.client_of(self.index);
        let set = ReaderSet::open(
            &client,
            &ReaderOptions {
                topic: self.name.clone(),
                partitions: vec![plan.partition],
                start: StartOffset::Latest,
                prefetch_bytes: 1 << 20,
                patient: false,
                open_timeout: client.waits().open.min(left()),
            },
        )?;
        let mut producer = Producer::open(
            &client,
            &ProducerOptions {
                acks: plan.message.acks,
                compression: plan.message.compression.name().to_owned(),
                idempotence: plan.message.idempotence,
                message_timeout: plan.iteration_timeout,
                longest_message: longest(&context.run_id, &plan.message),
                linger: Duration::ZERO,
                ..ProducerOptions::new(self.name.as_str())
            },
        )?;
        producer.warm_up(client.waits().warm_up.min(left()))?;
        Ok((set, producer))
    }
}

impl RoundtripClient<'_> {
    /// Runs all trips, warm-up first. Returns whether they ended in time.
    fn trips(&mut self, counted: u64, producer: &mut Producer, set: &mut ReaderSet) -> bool {
        let context: &RunContext = &self.task.context;
        let mut maker =
            Maker::new((&context.run_id, context.plan.seed), self.task.client, &self.plan.message);
        if self.warmup > 0 {
            self.recorder.metrics().rests(context.clock.now_us());
        }
        let mut due = Instant::now();
        for number in 0..self.warmup + counted {
            self.pause(due, producer, set);
            if context.stop.is_stopped() || producer.fatal().is_some() {
                break;
            }
            if Instant::now() >= self.task.deadline {
                return false;
            }
            due = Instant::now() + self.plan.every.unwrap_or_default();
            let sent_us = context.clock.now_us();
            self.set_open(u64::from(number >= self.warmup), sent_us);
            let trip = self.trip(number, &mut maker, producer, set);
            if number >= self.warmup {
                self.count(trip, sent_us);
            }
        }
        let now_us = context.clock.now_us();
        self.set_open(0, now_us);
        self.recorder.metrics().sent_all(now_us);
        true
    }

    /// Sets the number of trips that have started and not ended, from this time on.
    fn set_open(&mut self, open: u64, now_us: u64) {
        self.recorder.turn(now_us);
        self.recorder.open(open);
    }

    /// Waits until the next trip is due, and processes late delivery reports and records meanwhile. No trip is
    /// open during this time. A gap that a failed trip started continues.
    fn pause(&mut self, due: Instant, producer: &mut Producer, set: &mut ReaderSet) {
        let context: &RunContext = &self.task.context;
        let until = due.min(self.task.deadline);
        if Instant::now() >= until {
            return;
        }
        self.set_open(0, context.clock.now_us());
        let mut under = Under { seq: Seq::MAX, ..Under::default() };
        while !context.stop.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            set.wait(LOOK.min(left));
            self.read(set, &mut under);
            self.poll(Duration::ZERO, producer, &mut under);
        }
    }

    /// Processes delivery reports. Waits up to `wait` for the first.
    fn poll(&mut self, wait: Duration, producer: &mut Producer, under: &mut Under) {
        let context: &RunContext = &self.task.context;
        let booking = &mut self.booking;
        producer.poll(wait, &mut |delivery| booking.push(&delivery));
        let events = producer.events();
        Booking::count_retries(self.recorder.metrics(), &events);
        self.booking.see(events, |at| context.clock.us(at));
        self.book(under);
    }

    /// Counts a trip that is not warm-up. The outcome of its message is counted when it is booked.
    fn count(&mut self, trip: Trip, sent_us: u64) {
        let now_us = self.task.context.clock.now_us();
        let counters = &self.recorder.metrics().counters;
        counters.sent.fetch_add(1, Ordering::Relaxed);
        if trip != Trip::Back {
            self.recorder.failed(now_us, 1);
        }
        match trip {
            Trip::Back => {
                counters.received.fetch_add(1, Ordering::Relaxed);
                counters.records.fetch_add(1, Ordering::Relaxed);
                self.compared += 1;
                self.recorder.latency(now_us, now_us - sent_us);
                self.recorder.done(now_us, 1);
            }
            Trip::Altered => {
                counters.records.fetch_add(1, Ordering::Relaxed);
                self.compared += 1;
                self.wrong += 1;
                self.recorder.error(now_us, "CORRUPT");
            }
            Trip::NotAcked => {}
            Trip::Late => self.recorder.error(now_us, "TIMED_OUT"),
        }
    }

    fn trip(&mut self, number: u64, maker: &mut Maker, producer: &mut Producer, set: &mut ReaderSet) -> Trip {
        let context: &RunContext = &self.task.context;
        let partition = self.plan.partition;
        let until = self.task.deadline.min(Instant::now() + self.plan.iteration_timeout);
        let due_us = context.clock.now_us();
        let (seq, tag) = self.booking.next(partition);
        let order = Order {
            kind: RecordKind::Roundtrip,
            identity: Identity { run: context.run_tag, stream: self.stream, seq },
            number,
            partition,
            due_us: context.clock.of_day(due_us),
        };
        let made = maker.make(&order);
        let sent = made.send(|key, value, headers| producer.send(partition, key, value, headers, tag));
        self.booking.sent(tag, due_us, due_us, made.bytes());
        let (counted, counters) = (seq >= self.warmup, &self.recorder.metrics().counters);
        if counted {
            counters.bytes.fetch_add(made.bytes(), Ordering::Relaxed);
        }
        if let Err(error) = sent {
            let name = match error {
                SendError::Refused(code) => code.name(),
                SendError::QueueFull => "_QUEUE_FULL".to_owned(),
            };
            self.booking.refused(tag);
            if counted {
                counters.failed.fetch_add(1, Ordering::Relaxed);
                self.recorder.error(due_us, &name);
            }
            return Trip::NotAcked;
        }
        let mut under = Under { seq, ..Under::default() };
        loop {
            if let Some(end) = under.end() {
                return end;
            }
            let now = Instant::now();
            if now >= until || context.stop.is_stopped() {
                return Trip::Late;
            }
            if counted {
                self.recorder.metrics().waits(due_us);
            }
            // A client that only waits for the ack is woken by it.
            let wait = LOOK.min(until - now);
            let of_ack = if under.intact.is_some() {
                wait
            } else {
                set.wait(wait);
                Duration::ZERO
            };
            self.read(set, &mut under);
            self.poll(of_ack, producer, &mut under);
        }
    }

    /// Books delivery reports, and counts them unless their messages are warm-up.
    fn book(&mut self, under: &mut Under) {
        let now_us = self.task.context.clock.now_us();
        let Self { booking, recorder, warmup, .. } = self;
        booking.book(now_us, |it| {
            let counters = &recorder.metrics().counters;
            let (counter, code) = match it.outcome {
                kafka::DeliveryOutcome::Acked { .. } | kafka::DeliveryOutcome::AckedNowhere => {
                    (&counters.acked, None)
                }
                kafka::DeliveryOutcome::Failed { code } => (&counters.failed, Some(code)),
                kafka::DeliveryOutcome::Unknown { code } => (&counters.unknown, Some(code)),
            };
            let counted = (it.seq + it.len).saturating_sub(it.seq.max(*warmup));
            counter.fetch_add(counted, Ordering::Relaxed);
            if let Some(code) = code.filter(|code| counted > 0 && !code.is_none()) {
                recorder.error(now_us, &code.name());
            }
            if (it.seq..it.seq + it.len).contains(&under.seq) {
                // With `acks: 0` there is no answer: the trip ends when the message is read.
                under.acked = Some(code.is_none_or(kafka::Code::is_none));
            }
        });
    }

    /// Processes the records that were read.
    fn read(&mut self, set: &mut ReaderSet, under: &mut Under) {
        let now_us = self.task.context.clock.now_us();
        set.drain(BATCH, &mut |event| match event {
            ReadEvent::Record(record) => self.record(&record, now_us, under),
            ReadEvent::Reset { anew, .. } => {
                if anew {
                    self.reads.reset();
                }
                self.recorder.error(now_us, "OFFSET_RESET");
            }
            ReadEvent::BadBatch { partition, from, to, text } => {
                self.recorder.error(now_us, "BAD_BATCH");
                self.reads.see_bad_batch(from, to, now_us);
                sight::note_bad_batch(&self.task.context, &self.task.name, partition, (from, to), &text);
            }
            ReadEvent::Refused { code, .. } | ReadEvent::Error { code, .. } => {
                self.recorder.error(now_us, &code.name());
            }
        });
    }

    fn record(&mut self, record: &Record<'_>, now_us: u64, under: &mut Under) {
        let opened = sight::open(record);
        let seen = self.sight.see(&mut self.reads, record, opened, now_us, |_| {});
        let wanted = Identity { run: self.task.context.run_tag, stream: self.stream, seq: under.seq };
        if let Opened::Kaf6 { envelope, intact } = opened
            && envelope.identity == wanted
        {
            // The first copy counts for the trip; the ledger judges further copies.
            under.intact.get_or_insert(intact && seen != Seen::Corrupt);
        }
    }

    /// Ends the client: processes the last delivery reports, and returns what was sent and read.
    fn close(
        mut self,
        in_time: bool,
        fatal: Option<Fatal>,
        producer: Producer,
        mut set: ReaderSet,
    ) -> RoundtripEnd {
        let context: &RunContext = &self.task.context;
        let booking = &mut self.booking;
        let events = producer.close(Instant::now() + context.client.waits().late_acks, &mut |delivery| {
            booking.push(&delivery);
        });
        self.booking.see(events, |at| context.clock.us(at));
        let mut under = Under { seq: Seq::MAX, ..Under::default() };
        self.book(&mut under);
        self.read(&mut set, &mut under);
        set.close();
        // It sends to one partition only.
        let sent = self.booking.into_logs().map(|(_, log)| (self.stream, log)).last();
        let read = Some(PartitionEnd { finished: in_time, ..PartitionEnd::new(self.reads, self.start) });
        RoundtripEnd { in_time, compared: self.compared, wrong: self.wrong, fatal, sent, read }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trip_is_back_only_once_it_is_acked_and_read_as_it_was_sent() {
        let end = |acked, intact| Under { seq: 0, acked, intact }.end();
        assert_eq!(end(None, None), None);
        assert_eq!(end(None, Some(true)), None, "its ack is still to come");
        assert_eq!(end(Some(true), None), None);
        assert_eq!(end(Some(true), Some(true)), Some(Trip::Back));
        for acked in [None, Some(true), Some(false)] {
            assert_eq!(end(acked, Some(false)), Some(Trip::Altered));
        }
        assert_eq!(end(Some(false), None), Some(Trip::NotAcked));
        assert_eq!(end(Some(false), Some(true)), Some(Trip::NotAcked));
    }
}
