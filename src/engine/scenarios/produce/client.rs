//! One client of a producer: sends messages that are due, and books those that have ended.
//!
//! Messages without headers are staged and passed to librdkafka together with others of their partition, before
//! delivery reports are read. So a retry is always seen after the sending of every message that it may affect.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::task::ProduceTask;
use crate::engine::context::stop::LOOK;
use crate::engine::messages::booking::Booking;
use crate::engine::messages::fatal::Fatal;
use crate::engine::messages::message::{Maker, Order};
use crate::engine::messages::partitioner;
use crate::ids::{Identity, Partition, StreamId};
use crate::kafka::{self, Delivery, Producer, SendError};
use crate::ledger::SentLog;
use crate::ledger::envelope::RecordKind;
use crate::metrics::Recorder;
use crate::plan::{Acks, Partitioning, ProducePlan};

/// After this number of sends, an open loop that is late passes on staged messages and reads delivery reports.
const SENDS_A_POLL: u32 = 256;
/// The same for a closed loop that does not have to wait earlier, in messages and in bytes: enough to make the messages
/// of each partition adjacent in memory, and little enough for a CPU cache.
const CLOSED_SENDS_A_POLL: u32 = 4096;
const BYTES_A_POLL: u64 = 1 << 20;
/// A closed loop reads the clock after this number of sends: about ten microseconds.
const SENDS_A_LOOK: u32 = 64;
/// Memory that librdkafka uses for a message in flight, in addition to its bytes.
const OVERHEAD: u64 = 256;
/// How often librdkafka stores the bytes of a message: in the message, and in the request until it is
/// answered.
const COPIES: u64 = 2;
/// librdkafka's error codes for a message of a producer with a fatal error.
const FATAL: [kafka::Code; 2] = [kafka::Code(-150), kafka::Code(-165)];

pub(super) struct ProduceClient<'a> {
    task: &'a ProduceTask,
    plan: &'a ProducePlan,
    first: StreamId,
    /// The start of the schedule, in microseconds since the start of the run.
    started_us: u64,
    recorder: Recorder<'a>,
    /// Outcomes, and messages in flight.
    booking: Booking,
    /// Bytes in flight including overhead, and their limit.
    in_flight: u64,
    budget: u64,
    /// Number of messages that were sent or staged. The next field is how many of them have not ended.
    sent: u64,
    open: u64,
    /// Since when it waits for an ack.
    waiting_us: Option<u64>,
    /// Whether librdkafka's queue was full, so that staged messages wait.
    full: bool,
    /// Whether the producer has a fatal error, and nothing more is sent.
    given_up: bool,
}

/// The result of a client.
pub(super) struct Closed {
    /// The outcome of its messages.
    pub(super) logs: Vec<(Partition, SentLog)>,
    /// The producer's fatal error.
    pub(super) fatal: Option<Fatal>,
}

impl<'a> ProduceClient<'a> {
    pub(super) fn new(
        task: &'a ProduceTask,
        plan: &'a ProducePlan,
        first: StreamId,
        started_us: u64,
        budget: u64,
    ) -> Self {
        let partitions = match plan.partition {
            Partitioning::Fixed(partition) => partition..partition + 1,
            Partitioning::ByKey | Partitioning::RoundRobin => 0..task.partitions,
        };
        Self {
            task,
            plan,
            first,
            started_us,
            recorder: Recorder::new(task.context.live.metrics(task.index)),
            booking: Booking::new(partitions, plan.message.idempotence, task.highest.clone()),
            in_flight: 0,
            budget,
            sent: 0,
            open: 0,
            waiting_us: None,
            full: false,
            given_up: false,
        }
    }

    /// The message's number in the scenario. Clients take turns.
    fn number(&self, mine: u64) -> u64 {
        mine * u64::from(self.plan.clients) + u64::from(self.task.client)
    }

    /// When this client's next message is due, in microseconds since the start of the run; `None` if there is
    /// none.
    fn due(&self, mine: u64, now_us: u64) -> Option<u64> {
        let number = self.number(mine);
        if self.plan.messages.is_some_and(|total| number >= total) {
            return None;
        }
        let due_us = match &self.plan.schedule {
            Some(schedule) => self.started_us + micros(schedule.due(number)?),
            None => now_us,
        };
        let over = self.plan.duration.is_some_and(|d| due_us >= self.started_us + micros(d));
        (!over).then_some(due_us)
    }

    /// How many of its messages are due and not sent; 0 for a closed loop.
    fn overdue(&self, now_us: u64) -> u64 {
        let Some(schedule) = &self.plan.schedule else { return 0 };
        let elapsed = Duration::from_micros(now_us.saturating_sub(self.started_us) + 1);
        let until = self.plan.duration.map_or(elapsed, |duration| duration.min(elapsed));
        let due = schedule.due_before(until).min(self.plan.messages.unwrap_or(u64::MAX));
        let (clients, client) = (u64::from(self.plan.clients), u64::from(self.task.client));
        due.saturating_sub(client).div_ceil(clients).saturating_sub(self.sent)
    }

    /// Reports the messages that have no ack yet.
    fn tell(&mut self, now_us: u64) {
        let metrics = self.recorder.metrics();
        // After a failure it waits for the next ack, whichever client gets it.
        if self.open == 0
            && self.waiting_us.is_some_and(|since| metrics.last_us().is_some_and(|at| at >= since))
        {
            self.waiting_us = None;
        }
        if let Some(since_us) = self.waiting_us.filter(|_| self.plan.message.acks != Acks::None) {
            metrics.waits(since_us);
        }
        let open = self.open + self.overdue(now_us);
        self.recorder.open(open);
    }

    /// Sends everything that becomes due, until nothing is left. Returns whether that was in time. Some messages may
    /// still be staged.
    pub(super) fn send_all(&mut self, producer: &mut Producer) -> bool {
        let context = Arc::clone(&self.task.context);
        let mut maker =
            Maker::new((&context.run_id, context.plan.seed), self.task.client, &self.plan.message);
        let open_loop = self.plan.schedule.is_some();
        let sends_a_poll = if open_loop { SENDS_A_POLL } else { CLOSED_SENDS_A_POLL };
        let (mut unpolled, mut unpolled_bytes) = (0, 0);
        // The broker caused the lateness up to this time: the queue was full.
        let mut blocked_until = 0;
        let mut now = Instant::now();
        loop {
            // A closed loop sends so fast that it reads the clock once for several messages.
            if open_loop || unpolled % SENDS_A_LOOK == 0 {
                now = Instant::now();
            }
            if context.stop.is_stopped() || self.given_up {
                return true;
            }
            if now >= self.task.deadline {
                return self.due(self.sent, context.clock.us(now)).is_none() && producer.staged() == 0;
            }
            let now_us = context.clock.us(now);
            let Some(due_us) = self.due(self.sent, now_us) else { return true };
            if due_us > now_us {
                let wait = Duration::from_micros(due_us - now_us);
                self.poll(producer, wait.min(LOOK));
                (unpolled, unpolled_bytes) = (0, 0);
                continue;
            }
            // One message is always allowed, even if it is larger than the budget.
            let sent = if self.in_flight >= self.budget || self.full {
                None
            } else {
                self.send(producer, &mut maker, self.sent, (due_us, now_us))
            };
            let Some(bytes) = sent else {
                self.poll(producer, LOOK);
                blocked_until = context.clock.now_us();
                (unpolled, unpolled_bytes) = (0, 0);
                continue;
            };
            if open_loop && due_us >= blocked_until {
                self.recorder.late(now_us - due_us);
            }
            self.sent += 1;
            unpolled += 1;
            unpolled_bytes += bytes;
            if unpolled >= sends_a_poll || unpolled_bytes >= BYTES_A_POLL {
                self.poll(producer, Duration::ZERO);
                (unpolled, unpolled_bytes) = (0, 0);
            }
        }
    }

    /// Sends or stages one message that was due at `due_us`. Returns its bytes, or `None` if the queue is
    /// full and the caller has to retry.
    fn send(
        &mut self,
        producer: &mut Producer,
        maker: &mut Maker,
        mine: u64,
        (due_us, now_us): (u64, u64),
    ) -> Option<u64> {
        let context = &self.task.context;
        let mut order = Order {
            kind: RecordKind::Message,
            identity: Identity { run: context.run_tag, stream: self.first, seq: 0 },
            number: self.number(mine),
            partition: 0,
            due_us: context.clock.of_day(due_us),
        };
        let key = match self.plan.partition {
            Partitioning::ByKey => maker.hashed_key(&order, self.task.index),
            _ => None,
        };
        order.partition =
            partitioner::partition(self.plan.partition, self.task.client, mine, key, self.task.partitions);
        order.identity.stream = StreamId(self.first.0 + order.partition.unsigned_abs());
        let (seq, tag) = self.booking.next(order.partition);
        order.identity.seq = seq;
        let (bytes, sent) = if let Some(size) = maker.plain_size() {
            maker.render_key(&order);
            let key_len = maker.last_key().map_or(0, <[u8]>::len);
            let (maker, order) = (&*maker, &order);
            producer.stage(order.partition, tag, maker.last_key(), size, |bytes, note| {
                maker.fill(order, bytes, note);
            });
            ((key_len + size) as u64, None)
        } else {
            let made = maker.make(&order);
            let sent =
                made.send(|key, value, headers| producer.send(order.partition, key, value, headers, tag));
            (made.bytes(), Some(sent))
        };
        if sent == Some(Err(SendError::QueueFull)) {
            self.booking.not_sent(tag);
            return None;
        }
        self.booking.sent(tag, due_us, now_us, bytes);
        self.in_flight += weight(bytes);
        self.open += 1;
        self.waiting_us.get_or_insert(due_us);
        if let Some(sent) = sent {
            self.recorder.metrics().counters.sent.fetch_add(1, Ordering::Relaxed);
            if let Err(SendError::Refused(code)) = sent {
                self.refused(tag, code);
            }
        }
        Some(bytes)
    }

    /// Books a message that librdkafka will never accept.
    fn refused(&mut self, tag: u64, code: kafka::Code) {
        let bytes = self.booking.refused(tag);
        self.in_flight = self.in_flight.saturating_sub(bytes.map_or(0, weight));
        self.open = self.open.saturating_sub(1);
        let now_us = self.task.context.clock.now_us();
        self.recorder.metrics().counters.failed.fetch_add(1, Ordering::Relaxed);
        self.recorder.failed(now_us, 1);
        self.recorder.error(now_us, &code.name());
        self.given_up |= FATAL.contains(&code);
    }

    /// Passes staged messages to librdkafka.
    fn hand_over(&mut self, producer: &mut Producer) {
        if producer.staged() == 0 {
            return;
        }
        let mut sent = 0;
        let handed = producer.hand_over(&mut |tag, code| {
            // After a fatal error, the first message reports it. The others were not sent.
            if self.given_up {
                self.take_back(tag);
            } else {
                sent += 1;
                self.refused(tag, code);
            }
        });
        self.full = handed.full;
        sent += handed.taken;
        if sent > 0 {
            self.recorder.metrics().counters.sent.fetch_add(sent, Ordering::Relaxed);
        }
    }

    /// Takes back the last message of a partition, which was not sent.
    fn take_back(&mut self, tag: u64) {
        let bytes = self.booking.take_back(tag);
        self.in_flight = self.in_flight.saturating_sub(bytes.map_or(0, weight));
        self.open = self.open.saturating_sub(1);
    }

    /// Passes on staged messages and processes delivery reports. Waits up to `wait` for the first one.
    fn poll(&mut self, producer: &mut Producer, wait: Duration) {
        self.turn(producer, |producer, on| producer.poll(wait, on));
    }

    /// Passes on staged messages, and books the delivery reports that `take` returns.
    fn turn(
        &mut self,
        producer: &mut Producer,
        take: impl FnOnce(&mut Producer, &mut dyn FnMut(Delivery)) -> usize,
    ) {
        self.hand_over(producer);
        let booking = &mut self.booking;
        take(producer, &mut |delivery| booking.push(&delivery));
        let events = producer.events();
        Booking::count_retries(self.recorder.metrics(), &events);
        booking.see(events, |at| self.task.context.clock.us(at));
        self.given_up |= self.plan.message.idempotence && producer.fatal().is_some();
        let now_us = self.task.context.clock.now_us();
        self.recorder.turn(now_us);
        self.book();
        self.tell(now_us);
    }

    fn book(&mut self) {
        if !self.booking.has_ended() {
            return;
        }
        let now_us = self.task.context.clock.now_us();
        let (mut acked, mut failed, mut unknown, mut acked_bytes) = (0_u64, 0_u64, 0_u64, 0_u64);
        let Self { booking, recorder, in_flight, open, .. } = self;
        booking.book(now_us, |it| {
            *in_flight = in_flight.saturating_sub(weight(it.bytes) * it.len);
            *open = open.saturating_sub(it.len);
            match it.outcome {
                kafka::DeliveryOutcome::Acked { .. } | kafka::DeliveryOutcome::AckedNowhere => {
                    let count = u32::try_from(it.len).unwrap_or(u32::MAX);
                    recorder.latencies(now_us, now_us.saturating_sub(it.from_us), count);
                    acked += it.len;
                    acked_bytes += it.bytes * it.len;
                }
                kafka::DeliveryOutcome::Failed { code } => {
                    recorder.error(now_us, &code.name());
                    failed += it.len;
                }
                kafka::DeliveryOutcome::Unknown { code } => {
                    if !code.is_none() {
                        recorder.error(now_us, &code.name());
                    }
                    unknown += it.len;
                }
            }
        });
        if failed + unknown > 0 {
            recorder.failed(now_us, failed + unknown);
        }
        if acked > 0 {
            recorder.done(now_us, acked);
            self.waiting_us = (*open > 0).then_some(now_us);
        }
        let counters = &recorder.metrics().counters;
        for (counter, count) in [
            (&counters.acked, acked),
            (&counters.failed, failed),
            (&counters.unknown, unknown),
            (&counters.bytes, acked_bytes),
        ] {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// Waits until no message is in flight. Returns whether that was in time.
    pub(super) fn settle(&mut self, producer: &mut Producer) -> bool {
        let mut until = self.task.deadline;
        let mut noticed = false;
        loop {
            if (self.task.context.stop.is_stopped() || self.given_up) && !noticed {
                noticed = true;
                until = until.min(Instant::now() + self.task.context.client.waits().late_acks);
            }
            if noticed {
                producer.unstage(&mut |tag| self.take_back(tag));
            }
            if producer.in_flight() == 0 && producer.staged() == 0 {
                return true;
            }
            let now = Instant::now();
            if now >= until {
                producer.unstage(&mut |tag| self.take_back(tag));
                return false;
            }
            self.turn(producer, |producer, on| producer.flush(LOOK.min(until - now), on));
        }
    }

    /// Ends the client. Messages that are in flight at `deadline` become unknown.
    pub(super) fn close(mut self, producer: Producer, deadline: Instant) -> Closed {
        let fatal = producer.fatal();
        let booking = &mut self.booking;
        let events = producer.close(deadline, &mut |delivery| booking.push(&delivery));
        booking.see(events, |at| self.task.context.clock.us(at));
        self.book();
        Closed { logs: self.booking.into_logs().collect(), fatal }
    }
}

/// The share of the memory budget that a message uses.
const fn weight(bytes: u64) -> u64 {
    COPIES * bytes + OVERHEAD
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
