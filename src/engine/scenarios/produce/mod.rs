//! `produce`: each client is a thread with its own producer that sends what is due and books what has ended.
//!
//! Open loop: the schedule decides when to send. Closed loop: as fast as the limit of bytes in flight
//! permits.

mod client;
mod gate;
mod pile_up;
mod task;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::ProduceClient;
use gate::Gate;
use pile_up::PileUp;
use task::ProduceTask;

use crate::engine::context::outcome::{ScenarioOutcome, cut, unwind};
use crate::engine::context::run_context::RunContext;
use crate::engine::messages::fatal::{Fatal, given_up};
use crate::engine::messages::message::longest;
use crate::engine::scheduling::setup::Setup;
use crate::ids::{Partition, StreamId};
use crate::kafka::{self, Producer, ProducerOptions};
use crate::ledger::SentLog;
use crate::observe::{Note, ScenarioEnd};
use crate::plan::{Acks, Partitioning, ProducePlan, Work};

pub(crate) async fn run(context: &Arc<RunContext>, setup: &Setup, index: usize) -> ScenarioOutcome {
    let Work::Produce(plan) = &context.plan.scenarios[index].work else {
        return ScenarioOutcome::failed("not a producer");
    };
    let (topology, topic) = match setup.topic(&plan.topic).await {
        Ok(found) => found,
        Err(why) => return ScenarioOutcome::failed(why),
    };
    let state = &topology.topics[topic];
    if let Partitioning::Fixed(partition) = plan.partition
        && partition >= state.partitions
    {
        return ScenarioOutcome::failed(format!(
            "topic `{}` has {} partitions, but no partition {partition}",
            state.name, state.partitions
        ));
    }
    let deadline = context.deadline(index);
    // The wait for the first ack starts when its clients connect.
    if plan.message.acks != Acks::None {
        context.live.metrics(index).waits(context.clock.now_us());
    }
    let gate = Arc::new(Gate::new(plan.clients));
    let clients: Vec<_> = (0..plan.clients)
        .map(|client| {
            let task = ProduceTask {
                context: Arc::clone(context),
                index,
                client,
                first: topology.first.get(&(index, client)).copied(),
                partitions: state.partitions,
                topic: state.name.clone(),
                highest: state.highest.with(plan.message.acks),
                gate: Arc::clone(&gate),
                deadline,
            };
            tokio::task::spawn_blocking(move || task.run())
        })
        .collect();
    let (mut timed_out, mut failed, mut fatal) = (false, None, None);
    let mut sent = HashMap::new();
    for client in clients {
        match unwind(client.await) {
            Ok(done) => {
                timed_out |= !done.in_time;
                fatal = fatal.or(done.fatal);
                sent.extend(done.sent);
            }
            Err(error) => failed = Some(error.to_string()),
        }
    }
    note_counts(context, index);
    note_pile_up(context, index, plan, state.partitions);
    let outcome = match (failed, fatal) {
        (Some(error), _) => ScenarioOutcome::failed(error),
        (None, Some(fatal)) => given_up(context, index, &fatal),
        _ if context.stop.is_stopped() => ScenarioOutcome::of(cut(&context.stop)),
        _ if timed_out => ScenarioOutcome::of(ScenarioEnd::Timeout).because(format!(
            "not all messages were sent and acked within {}",
            crate::units::Duration::from(context.plan.scenarios[index].timeout)
        )),
        _ => ScenarioOutcome::of(ScenarioEnd::Done),
    };
    ScenarioOutcome { sent, ..outcome }
}

/// Notes significant lateness of the load generator, and messages that were not acked.
fn note_counts(context: &RunContext, index: usize) {
    let scenario = &context.plan.scenarios[index];
    let counts = context.live.metrics(index).snapshot();
    if let Some(late) = counts.late.quantile_ms(0.99)
        && late > 5.0
    {
        context.notes.add(Note::warning(format!(
            "the load generator sent messages of `{}` late (99th percentile {late:.1} ms): this \
            machine is too busy for the rate, and latencies include that delay",
            scenario.name
        )));
    }
    // With `acks: 0`, the account reports how many messages were found.
    if counts.failed + counts.unknown > 0 && scenario.work.is_acked() {
        context.notes.add(Note::warning(format!(
            "`{}`: {} messages failed and {} are unknown (they may or may not be in the log); \
            `acked` includes neither",
            scenario.name, counts.failed, counts.unknown
        )));
    }
}

/// Notes that unacked messages accumulated during a run with a rate.
fn note_pile_up(context: &RunContext, index: usize, plan: &ProducePlan, partitions: Partition) {
    if plan.schedule.is_none() || plan.message.acks == Acks::None {
        return;
    }
    let Some(found) = PileUp::of(&context.live.metrics(index).snapshot()) else { return };
    let partitions = match plan.partition {
        Partitioning::Fixed(_) => 1,
        Partitioning::ByKey | Partitioning::RoundRobin => u64::from(partitions.unsigned_abs().max(1)),
    };
    let linger = context.client_of(index).property("linger.ms").and_then(|ms| ms.parse().ok());
    let linger = linger.map_or_else(|| own_linger(plan), Duration::from_millis);
    let name = &context.plan.scenarios[index].name;
    context.notes.add(Note::warning(found.note(name, partitions * u64::from(plan.clients), linger)));
}

/// How long a client waits to fill a batch, if the file does not define it.
fn own_linger(plan: &ProducePlan) -> Duration {
    let rate = plan.schedule.as_ref().map(|s| s.mean_rate() / f64::from(plan.clients));
    ProducerOptions::linger_for(rate, plan.max_in_flight / u64::from(plan.clients))
}

struct ProduceEnd {
    /// Whether everything was sent and ended in time.
    in_time: bool,
    fatal: Option<Fatal>,
    sent: HashMap<StreamId, SentLog>,
}

impl ProduceTask {
    fn run(self) -> Result<ProduceEnd, kafka::Error> {
        let context = Arc::clone(&self.context);
        let done = |in_time| ProduceEnd { in_time, fatal: None, sent: HashMap::new() };
        let Work::Produce(plan) = &context.plan.scenarios[self.index].work else { return Ok(done(true)) };
        let Some(first) = self.first else { return Ok(done(false)) };
        let budget = plan.max_in_flight / u64::from(plan.clients);
        let options = ProducerOptions {
            acks: plan.message.acks,
            compression: plan.message.compression.name().to_owned(),
            idempotence: plan.message.idempotence,
            // librdkafka's own limit is only a fallback for the client's limit.
            queue_bytes: budget.max(1 << 16),
            message_timeout: self.deadline.saturating_duration_since(Instant::now()),
            longest_message: longest(&context.run_id, &plan.message),
            linger: own_linger(plan),
            ..ProducerOptions::new(self.topic.as_str())
        };
        let opened = self.open(&options);
        let started_us = self.gate.pass(|| context.clock.now_us());
        let mut producer = opened?;
        let metrics = context.live.metrics(self.index);
        if plan.schedule.as_ref().and_then(|schedule| schedule.due(0)).is_some_and(|due| !due.is_zero()) {
            metrics.rests(started_us);
        }
        let mut client = ProduceClient::new(&self, plan, first, started_us, budget);
        let in_time = client.send_all(&mut producer);
        metrics.sent_all(context.clock.now_us());
        let in_time = client.settle(&mut producer) && in_time;
        let closed = client.close(producer, Instant::now() + context.client.waits().late_acks);
        let stream = |partition: Partition| StreamId(first.0 + partition.unsigned_abs());
        let sent = closed.logs.into_iter().map(|(partition, log)| (stream(partition), log)).collect();
        Ok(ProduceEnd { in_time, fatal: closed.fatal, sent })
    }
}

impl ProduceTask {
    /// A producer that has its partitions' metadata, so that its first message does not include the time to
    /// connect.
    fn open(&self, options: &ProducerOptions) -> Result<Producer, kafka::Error> {
        let context = &self.context;
        let mut producer = Producer::open(&context.client_of(self.index), options)?;
        let bound =
            context.client.waits().warm_up.min(self.deadline.saturating_duration_since(Instant::now()));
        if let Err(error) = producer.warm_up(bound) {
            // The producer retries automatically. Its messages wait, and their latency includes it.
            let code = error.code().map_or_else(|| "WARM_UP".to_owned(), kafka::Code::name);
            context.live.metrics(self.index).error(context.clock.now_us(), &code);
        }
        Ok(producer)
    }
}
