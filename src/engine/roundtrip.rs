//! `roundtrip`: write one message, read it back, next; one producer and one reader, kept open for all of them.
//!
//! A round trip's latency runs from the send until the reader has the record.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::message::{Maker, Order, longest};
use super::outcome::{Outcome, cut, unwind};
use super::setup;
use super::shared::{LOOK, Shared};
use crate::ids::{Identity, StreamId};
use crate::kafka::{self, Producer, ProducerOptions, ReadEvent, ReaderOptions, ReaderSet, SendError};
use crate::ledger::SentLog;
use crate::ledger::envelope::{self, HEADER, Kind, Opened};
use crate::metrics::Recorder;
use crate::observe::Ended;
use crate::plan::{RoundtripPlan, StartOffset, Work};

/// Runs one `roundtrip` scenario.
pub(super) async fn run(shared: &Arc<Shared>, index: usize) -> Outcome {
    let Work::Roundtrip(plan) = &shared.plan.scenarios[index].work else {
        return Outcome::failed("not a round trip");
    };
    let (_, state) = match setup::topic(shared, &plan.topic).await {
        Ok(found) => found,
        Err(why) => return Outcome::failed(why),
    };
    if plan.partition >= state.partitions {
        return Outcome::failed(format!(
            "topic `{}` has {} partitions, so there is none numbered {}",
            state.name, state.partitions, plan.partition
        ));
    }
    let deadline = shared.deadline(index);
    let tasks: Vec<_> = (0..plan.clients)
        .map(|client| {
            let task =
                Task { shared: Arc::clone(shared), index, client, topic: state.name.clone(), deadline };
            tokio::task::spawn_blocking(move || task.run())
        })
        .collect();
    let (mut compared, mut wrong, mut in_time, mut failed) = (0, 0, true, None);
    for task in tasks {
        match unwind(task.await) {
            Ok(done) => {
                compared += done.compared;
                wrong += done.wrong;
                in_time &= done.in_time;
            }
            Err(error) => failed = Some(error.to_string()),
        }
    }
    let outcome = match failed {
        Some(error) => Outcome::failed(error),
        None if shared.stop.is_stopped() => Outcome::of(cut(shared)),
        None if !in_time => {
            Outcome::of(Ended::Timeout).because("its time bound came before its last round trip")
        }
        None => Outcome::of(Ended::Done),
    };
    Outcome { uuids: Some((compared, wrong)), ..outcome }
}

/// One client.
struct Task {
    shared: Arc<Shared>,
    index: usize,
    client: u32,
    topic: String,
    deadline: Instant,
}

/// What one client came to.
struct Done {
    in_time: bool,
    compared: u64,
    wrong: u64,
}

/// How one round trip ended.
enum Trip {
    Back,
    Altered,
    Failed(String),
    Late,
}

impl Task {
    fn run(self) -> Result<Done, kafka::Error> {
        let shared = Arc::clone(&self.shared);
        let mut done = Done { in_time: true, compared: 0, wrong: 0 };
        let Work::Roundtrip(plan) = &shared.plan.scenarios[self.index].work else { return Ok(done) };
        let Some(first) = shared.topology().and_then(|t| t.first.get(&(self.index, self.client)).copied())
        else {
            return Ok(done);
        };
        let stream = StreamId(first.0 + plan.partition.unsigned_abs());
        let left = || self.deadline.saturating_duration_since(Instant::now());
        let client = shared.client_of(self.index);
        let mut set = ReaderSet::open(
            &client,
            &ReaderOptions {
                topic: self.topic.clone(),
                partitions: vec![plan.partition],
                start: StartOffset::Latest,
                prefetch_bytes: 1 << 20,
                patient: false,
                open_timeout: Duration::from_secs(20).min(left()),
            },
        )?;
        let mut producer = Producer::open(
            &client,
            &ProducerOptions {
                acks: plan.acks,
                compression: plan.compression.clone(),
                idempotence: plan.idempotence,
                message_timeout: plan.iteration_timeout,
                longest_message: longest(&shared.run_id, plan.key.as_ref(), &plan.headers, &plan.value),
                linger: Duration::ZERO,
                ..ProducerOptions::new(self.topic.as_str())
            },
        )?;
        producer.warm_up(Duration::from_secs(10).min(left()))?;
        let mut maker = Maker::new(
            &shared.run_id,
            self.client,
            shared.plan.seed,
            plan.key.clone(),
            plan.headers.clone(),
            &plan.value,
        );
        let metrics = shared.live.metrics(self.index);
        let mut recorder = Recorder::new(metrics);
        let mut log = SentLog::default();
        let clients = u64::from(plan.clients);
        let mine = |total: u64| total / clients + u64::from(u64::from(self.client) < total % clients);
        let (warmup, trips) = (mine(plan.warmup), mine(plan.iterations));
        for number in 0..warmup + trips {
            if shared.stop.is_stopped() {
                break;
            }
            if Instant::now() >= self.deadline {
                done.in_time = false;
                break;
            }
            let counted = number >= warmup;
            let sent_us = shared.clock.now_us();
            let trip = self.trip(plan, stream, number, &mut maker, &mut log, &mut producer, &mut set);
            if !counted {
                continue;
            }
            let now_us = shared.clock.now_us();
            metrics.counters.sent.fetch_add(1, Ordering::Relaxed);
            match trip {
                Trip::Back => {
                    for counter in
                        [&metrics.counters.acked, &metrics.counters.received, &metrics.counters.records]
                    {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    recorder.latency(now_us, now_us - sent_us);
                    recorder.done(now_us, 1);
                    done.compared += 1;
                }
                Trip::Altered => {
                    metrics.counters.records.fetch_add(1, Ordering::Relaxed);
                    done.compared += 1;
                    done.wrong += 1;
                    recorder.error(now_us, "CORRUPT");
                }
                Trip::Failed(code) => {
                    metrics.counters.failed.fetch_add(1, Ordering::Relaxed);
                    recorder.error(now_us, &code);
                }
                Trip::Late => recorder.error(now_us, "TIMED_OUT"),
            }
        }
        producer.close(Instant::now() + LOOK, &mut |_| {});
        Ok(done)
    }

    /// One round trip.
    #[expect(clippy::too_many_arguments, reason = "the client's parts, lent for one message")]
    fn trip(
        &self,
        plan: &RoundtripPlan,
        stream: StreamId,
        number: u64,
        maker: &mut Maker,
        log: &mut SentLog,
        producer: &mut Producer,
        set: &mut ReaderSet,
    ) -> Trip {
        let shared = &self.shared;
        let identity = Identity { run: shared.run_tag, stream, seq: log.next_seq() };
        let until = self.deadline.min(Instant::now() + plan.iteration_timeout);
        let order = Order {
            kind: Kind::Roundtrip,
            identity,
            number,
            partition: plan.partition,
            due_us: shared.clock.of_day(shared.clock.now_us()),
        };
        let made = maker.make(&order);
        shared.live.metrics(self.index).counters.bytes.fetch_add(made.bytes(), Ordering::Relaxed);
        let sent =
            made.send(|key, value, headers| producer.send(plan.partition, key, value, headers, identity.seq));
        if let Err(error) = sent {
            return Trip::Failed(match error {
                SendError::Refused(code) => code.name(),
                SendError::QueueFull => "_QUEUE_FULL".to_owned(),
            });
        }
        let (mut back, mut failed) = (None, None);
        while back.is_none() && failed.is_none() {
            let now = Instant::now();
            if now >= until || shared.stop.is_stopped() {
                return Trip::Late;
            }
            set.wait(LOOK.min(until - now));
            set.drain(1000, &mut |event| {
                if let ReadEvent::Record(record) = event
                    && let Opened::Kaf6 { envelope, intact } =
                        envelope::open(record.key, record.value, || record.header(HEADER))
                    && envelope.identity == identity
                {
                    back = Some(intact);
                }
            });
            producer.poll(Duration::ZERO, &mut |delivery| {
                if let kafka::Outcome::Failed { code } = delivery.outcome
                    && delivery.tag == identity.seq
                {
                    failed = Some(code.name());
                }
            });
        }
        match (back, failed) {
            (Some(true), _) => Trip::Back,
            (Some(false), _) => Trip::Altered,
            (None, Some(code)) => Trip::Failed(code),
            (None, None) => Trip::Late,
        }
    }
}
