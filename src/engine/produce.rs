//! `produce`: each client is a thread with a producer of its own that sends what is due and takes what has ended.
//!
//! Open loop: the schedule says when; closed loop: as fast as the bytes in flight allow.

use std::sync::atomic::Ordering;
mod gate;
mod retries;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gate::Gate;
use retries::Retries;

use super::message::{Maker, Order};
use super::outcome::{Outcome, cut, unwind};
use super::shared::{LOOK, Shared};
use super::{partitioner, setup};
use crate::ids::{Identity, Partition, StreamId};
use crate::kafka::{self, Delivery, Producer, ProducerEventKind, ProducerOptions, SendError};
use crate::ledger::envelope::Kind;
use crate::ledger::{Resent, SentLog};
use crate::metrics::Recorder;
use crate::observe::{Ended, Note};
use crate::plan::{Partitioning, ProducePlan, Work};

/// A closed loop takes ended messages after so many sends, if it need not wait before.
const SENDS_A_POLL: u32 = 256;
/// And it looks at the clock after so many: a few microseconds.
const SENDS_A_LOOK: u32 = 16;
/// What librdkafka keeps beside a message's bytes while it is in flight.
const OVERHEAD: u64 = 256;
/// After a stop: how long acks of what is in flight may still come.
const GRACE: Duration = Duration::from_secs(1);
/// librdkafka's answers to a message for a producer that it has given up.
const FATAL: [kafka::Code; 2] = [kafka::Code(-150), kafka::Code(-165)];
/// How long a client may take to learn of its partitions before the schedule starts.
const WARM_UP: Duration = Duration::from_secs(10);

/// Runs one `produce` scenario.
pub(super) async fn run(shared: &Arc<Shared>, index: usize) -> Outcome {
    let Work::Produce(plan) = &shared.plan.scenarios[index].work else {
        return Outcome::failed("not a producer");
    };
    let (_, state) = match setup::topic(shared, &plan.topic).await {
        Ok(found) => found,
        Err(why) => return Outcome::failed(why),
    };
    if let Partitioning::Fixed(partition) = plan.partition
        && partition >= state.partitions
    {
        return Outcome::failed(format!(
            "topic `{}` has {} partitions, so there is none numbered {partition}",
            state.name, state.partitions
        ));
    }
    let deadline = shared.deadline(index);
    let gate = Arc::new(Gate::new(plan.clients));
    let clients: Vec<_> = (0..plan.clients)
        .map(|client| {
            let task = Task {
                shared: Arc::clone(shared),
                index,
                client,
                partitions: state.partitions,
                topic: state.name.clone(),
                gate: Arc::clone(&gate),
                deadline,
            };
            tokio::task::spawn_blocking(move || task.run())
        })
        .collect();
    let mut timed_out = false;
    let mut failed = None;
    for client in clients {
        match unwind(client.await) {
            Ok(in_time) => timed_out |= !in_time,
            Err(error) => failed = Some(error.to_string()),
        }
    }
    note_counts(shared, index);
    if let Some(error) = failed.or_else(|| given_up(shared, index, plan.idempotence)) {
        return Outcome::failed(error);
    }
    if shared.stop.is_stopped() {
        return Outcome::of(cut(shared));
    }
    if timed_out {
        let bound = crate::units::Duration::from(shared.plan.scenarios[index].timeout);
        return Outcome::of(Ended::Timeout).because(format!("not all was sent and acked within its {bound}"));
    }
    Outcome::of(Ended::Done)
}

/// Says so when the generator itself was late enough to matter, and what did not end as acked.
fn note_counts(shared: &Shared, index: usize) {
    let scenario = &shared.plan.scenarios[index];
    let counts = shared.live.metrics(index).snapshot();
    if let Some(late) = counts.late.quantile_ms(0.99)
        && late > 5.0
    {
        shared.note(Note::warning(format!(
            "kaf6 itself sent messages of `{}` late (99th percentile {late:.1} ms): this machine is too busy for its rate, and latencies hold that time",
            scenario.name
        )));
    }
    if counts.failed + counts.unknown > 0 {
        shared.note(Note::warning(format!(
            "`{}`: {} messages failed and {} are unknown (they may be in the log or not); both are left out of `acked`",
            scenario.name, counts.failed, counts.unknown
        )));
    }
}

/// What librdkafka said when it gave an idempotent producer up, such as on a broker that has no InitProducerId. With
/// nothing acked by then the scenario could not work; else it is a note.
fn given_up(shared: &Shared, index: usize, idempotent: bool) -> Option<String> {
    let counts = shared.live.metrics(index).snapshot();
    if !idempotent || counts.failed == 0 {
        return None;
    }
    let logs = shared.client.logs().snapshot();
    let (_, text) = logs.iter().find_map(|kind| kind.sample.split_once("Fatal error: "))?;
    if counts.acked + counts.unknown == 0 {
        return Some(format!("its producer was given up: {text}"));
    }
    let name = &shared.plan.scenarios[index].name;
    shared.note(Note::error(format!("a producer of `{name}` was given up: {text}")));
    None
}

/// One client.
struct Task {
    shared: Arc<Shared>,
    index: usize,
    client: u32,
    partitions: i32,
    topic: String,
    gate: Arc<Gate>,
    deadline: Instant,
}

/// A message that has not ended yet.
#[derive(Clone, Copy)]
struct Pending {
    partition: Partition,
    seq: u64,
    /// When it was due (open loop) or sent, microseconds from the run's zero.
    from_us: u64,
    bytes: u32,
    /// The retries of its partition at its sending.
    retries: Retries,
}

impl Task {
    /// Runs to the end; true where all was sent and ended in time.
    fn run(self) -> Result<bool, kafka::Error> {
        let shared = Arc::clone(&self.shared);
        let Work::Produce(plan) = &shared.plan.scenarios[self.index].work else { return Ok(true) };
        let Some(first) = shared.topology().and_then(|t| t.first.get(&(self.index, self.client)).copied())
        else {
            return Ok(false);
        };
        let rate = plan.schedule.as_ref().map(|s| s.mean_rate() / f64::from(plan.clients));
        let options = ProducerOptions {
            acks: plan.acks,
            compression: plan.compression.clone(),
            idempotence: plan.idempotence,
            queue_bytes: (plan.max_in_flight / u64::from(plan.clients)).max(1 << 16),
            message_timeout: self.deadline.saturating_duration_since(Instant::now()),
            linger: ProducerOptions::linger_for(rate),
            ..ProducerOptions::new(self.topic.as_str())
        };
        let opened = self.open(&options);
        let started_us = self.gate.pass(|| shared.clock.now_us());
        let mut producer = opened?;
        let mut client = Client {
            task: &self,
            plan,
            first,
            started_us,
            recorder: Recorder::new(shared.live.metrics(self.index)),
            logs: vec![SentLog::default(); usize::try_from(self.partitions).unwrap_or(0)],
            retries: vec![Retries::default(); usize::try_from(self.partitions).unwrap_or(0)],
            in_flight: 0,
            budget: options.queue_bytes,
            pending: Vec::new(),
            free: Vec::new(),
            ended: Vec::new(),
            given_up: false,
        };
        let in_time = client.send_all(&mut producer);
        let in_time = client.settle(&mut producer) && in_time;
        let mut rest = Vec::new();
        producer.close(Instant::now() + GRACE, &mut |delivery| rest.push(delivery));
        client.ended = rest;
        client.take();
        let logs = client.logs;
        shared.hand_in_sent(
            logs.into_iter().enumerate().filter(|(_, log)| log.sent() > 0).map(|(partition, log)| {
                (StreamId(first.0 + u32::try_from(partition).unwrap_or(u32::MAX)), log)
            }),
        );
        Ok(in_time)
    }
}

impl Task {
    /// A producer that knows its partitions, so that its first message does not pay for the connection.
    fn open(&self, options: &ProducerOptions) -> Result<Producer, kafka::Error> {
        let shared = &self.shared;
        let mut producer = Producer::open(&shared.client_of(self.index), options)?;
        let bound = WARM_UP.min(self.deadline.saturating_duration_since(Instant::now()));
        if let Err(error) = producer.warm_up(bound) {
            // It goes on trying by itself; its messages wait, and their latency shows it.
            let code = error.code().map_or_else(|| "WARM_UP".to_owned(), kafka::Code::name);
            shared.live.metrics(self.index).error(shared.clock.now_us(), &code);
        }
        Ok(producer)
    }
}

/// A client at work.
struct Client<'a> {
    task: &'a Task,
    plan: &'a ProducePlan,
    first: StreamId,
    /// The schedule's start, microseconds from the run's zero.
    started_us: u64,
    recorder: Recorder<'a>,
    logs: Vec<SentLog>,
    /// By partition: a message between whose sending and end these grew may have been sent again.
    retries: Vec<Retries>,
    /// Bytes in flight with what is kept beside them, and how many there may be.
    in_flight: u64,
    budget: u64,
    pending: Vec<Pending>,
    free: Vec<u32>,
    ended: Vec<Delivery>,
    /// librdkafka has given the producer up: nothing will be sent any more.
    given_up: bool,
}

impl Client<'_> {
    /// The message's number in the scenario: clients take turns.
    fn number(&self, mine: u64) -> u64 {
        mine * u64::from(self.plan.clients) + u64::from(self.task.client)
    }

    /// When this client's next message is due, microseconds from the run's zero; none where there is none.
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

    /// Sends all that is due until nothing is left; true where that was in time.
    fn send_all(&mut self, producer: &mut Producer) -> bool {
        let shared = Arc::clone(&self.task.shared);
        let mut maker = Maker::new(
            &shared.run_id,
            self.task.client,
            shared.plan.seed,
            self.plan.key.clone(),
            self.plan.headers.clone(),
            &self.plan.value,
        );
        let open_loop = self.plan.schedule.is_some();
        let (mut mine, mut unpolled) = (0, 0);
        // Lateness up to here is the broker's: the queue was full.
        let mut blocked_until = 0;
        let mut now = Instant::now();
        loop {
            // A closed loop sends so fast that one look at the clock serves some messages.
            if open_loop || unpolled % SENDS_A_LOOK == 0 {
                now = Instant::now();
            }
            if shared.stop.is_stopped() || self.given_up {
                return true;
            }
            if now >= self.task.deadline {
                return self.due(mine, shared.clock.us(now)).is_none();
            }
            let now_us = shared.clock.us(now);
            let Some(due_us) = self.due(mine, now_us) else { return true };
            if due_us > now_us {
                let wait = Duration::from_micros(due_us - now_us);
                self.poll(producer, wait.min(LOOK));
                continue;
            }
            // One message is always let through, however large.
            if self.in_flight >= self.budget {
                self.poll(producer, LOOK);
                blocked_until = shared.clock.now_us();
                unpolled = 0;
                continue;
            }
            if !self.send(producer, &mut maker, mine, due_us) {
                self.poll(producer, LOOK);
                blocked_until = shared.clock.now_us();
                unpolled = 0;
                continue;
            }
            if open_loop && due_us >= blocked_until {
                self.recorder.late(now_us - due_us);
            }
            mine += 1;
            unpolled += 1;
            if unpolled >= SENDS_A_POLL {
                self.poll(producer, Duration::ZERO);
                unpolled = 0;
            }
        }
    }

    /// Sends one message; false where the queue is full and it has to be tried again.
    fn send(&mut self, producer: &mut Producer, maker: &mut Maker, mine: u64, due_us: u64) -> bool {
        let shared = &self.task.shared;
        let mut order = Order {
            kind: Kind::Message,
            identity: Identity { run: shared.run_tag, stream: self.first, seq: 0 },
            number: self.number(mine),
            partition: 0,
            due_us: shared.clock.of_day(due_us),
        };
        let key = match self.plan.partition {
            Partitioning::ByKey => {
                let values = maker.values(&shared.run_id, &order);
                maker.key(&values)
            }
            _ => None,
        };
        order.partition =
            partitioner::partition(self.plan.partition, self.task.client, mine, key, self.task.partitions);
        let at = usize::try_from(order.partition).unwrap_or(0);
        order.identity.stream = StreamId(self.first.0 + order.partition.unsigned_abs());
        order.identity.seq = self.logs[at].next_seq();
        let made = maker.make(&order);
        let bytes = made.bytes();
        let pending = Pending {
            partition: order.partition,
            seq: order.identity.seq,
            from_us: due_us,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            retries: self.retries[at],
        };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.pending.push(pending);
                u32::try_from(self.pending.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.pending[slot as usize] = pending;
        let sent = made
            .send(|key, value, headers| producer.send(order.partition, key, value, headers, u64::from(slot)));
        let counters = &self.recorder.metrics().counters;
        match sent {
            Ok(()) => {
                self.in_flight += bytes + OVERHEAD;
                counters.sent.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(SendError::QueueFull) => {
                self.logs[at].take_back();
                self.free.push(slot);
                false
            }
            Err(SendError::Refused(code)) => {
                counters.sent.fetch_add(1, Ordering::Relaxed);
                counters.failed.fetch_add(1, Ordering::Relaxed);
                self.logs[at].failed(order.identity.seq, Resent::No);
                self.free.push(slot);
                let now_us = shared.clock.now_us();
                self.recorder.error(now_us, &code.name());
                self.given_up = FATAL.contains(&code);
                true
            }
        }
    }

    /// Takes what has ended, waiting up to `wait` for the first.
    fn poll(&mut self, producer: &mut Producer, wait: Duration) {
        let ended = &mut self.ended;
        producer.poll(wait, &mut |delivery| ended.push(delivery));
        // Events come before the ends that they touch: a batch is sent again before it is acked.
        for event in producer.events() {
            let maybe_written = match event.kind {
                ProducerEventKind::Retried { maybe_written, .. } => maybe_written,
                ProducerEventKind::Many => true,
                ProducerEventKind::Disconnected | ProducerEventKind::TimedOut => continue,
            };
            let at_us = self.task.shared.clock.us(event.at);
            let of_it = |at: usize| event.partition.is_none_or(|p| usize::try_from(p).is_ok_and(|p| p == at));
            for (at, (retries, log)) in self.retries.iter_mut().zip(&mut self.logs).enumerate() {
                if of_it(at) {
                    retries.count(maybe_written);
                    log.retried(at_us, &event.text);
                }
            }
        }
        self.take();
        self.recorder.turn(self.task.shared.clock.now_us());
    }

    /// Books what has ended.
    fn take(&mut self) {
        if self.ended.is_empty() {
            return;
        }
        let now_us = self.task.shared.clock.now_us();
        let (mut acked, mut failed, mut unknown, mut bytes) = (0_u64, 0_u64, 0_u64, 0_u64);
        for delivery in self.ended.drain(..) {
            let Ok(slot) = u32::try_from(delivery.tag) else { continue };
            let pending = self.pending[slot as usize];
            self.free.push(slot);
            self.in_flight = self.in_flight.saturating_sub(u64::from(pending.bytes) + OVERHEAD);
            let at = usize::try_from(pending.partition).unwrap_or(0);
            let resent = self.retries[at].since(pending.retries);
            match delivery.outcome {
                kafka::Outcome::Acked { offset } => {
                    self.logs[at].acked(pending.seq, offset, resent);
                    self.logs[at].acked_at(pending.seq, now_us);
                    self.recorder.latency(now_us, now_us.saturating_sub(pending.from_us));
                    acked += 1;
                    bytes += u64::from(pending.bytes);
                }
                kafka::Outcome::Failed { code } => {
                    self.logs[at].failed(pending.seq, resent);
                    self.recorder.error(now_us, &code.name());
                    failed += 1;
                }
                kafka::Outcome::Unknown { code } => {
                    self.logs[at].unknown(pending.seq);
                    if !code.is_none() {
                        self.recorder.error(now_us, &code.name());
                    }
                    unknown += 1;
                }
            }
        }
        if acked > 0 {
            self.recorder.done(now_us, acked);
        }
        let counters = &self.recorder.metrics().counters;
        for (counter, count) in [
            (&counters.acked, acked),
            (&counters.failed, failed),
            (&counters.unknown, unknown),
            (&counters.bytes, bytes),
        ] {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// Waits for the end of all that is in flight; true where that came in time.
    fn settle(&mut self, producer: &mut Producer) -> bool {
        let mut until = self.task.deadline;
        let mut noticed = false;
        while producer.in_flight() > 0 {
            if self.task.shared.stop.is_stopped() && !noticed {
                noticed = true;
                until = until.min(Instant::now() + GRACE);
            }
            let now = Instant::now();
            if now >= until {
                return false;
            }
            self.poll(producer, LOOK.min(until - now));
        }
        true
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
