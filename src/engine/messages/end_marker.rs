//! End markers: one record per partition that a reader reads, written after all its producers and all faults
//! have ended.
//!
//! Each reader requests its own, so that a reader that starts late still finds one after its start.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ended_writes::EndedWrites;
use super::ends::{AckedMarkers, EndMarkerSeen};
use crate::engine::context::lifecycle::Lifecycle;
use crate::engine::context::outcome::{lock, unwind};
use crate::engine::context::run_context::RunContext;
use crate::engine::context::stop::LOOK;
use crate::engine::context::topology::{TopicState, Topology};
use crate::ids::{Identity, Offset, Partition, StreamId};
use crate::kafka::{self, DeliveryOutcome, Producer, ProducerOptions};
use crate::ledger::SentLog;
use crate::ledger::envelope::{Envelope, RecordKind};
use crate::observe::Note;
use crate::plan::{self, Acks, Plan};

/// The key of every end marker. A compacted topic requires a key, and keeps the last record of each key.
pub(crate) const KEY: &[u8] = b"kaf6-fence";

/// The state of a reader's end markers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndMarkerState {
    /// The producers have not ended, or the end markers are not acked yet.
    Pending,
    Decided(DecidedMarkers),
}

/// A reader's end markers, once they are decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DecidedMarkers {
    pub(crate) at: Instant,
    /// For each partition the end marker, or why there is none.
    pub(crate) markers: HashMap<Partition, Result<EndMarkerSeen, String>>,
    /// The highest acked offset in each partition, of the scenarios that have ended.
    pub(crate) acked: HashMap<Partition, Offset>,
}

/// A reader, and the topic to which its end markers are written.
#[derive(Clone)]
pub(crate) struct MarkedTopic {
    pub(crate) reader: usize,
    pub(crate) topology: Arc<Topology>,
    /// By its index in the run.
    pub(crate) topic: usize,
}

impl MarkedTopic {
    fn state(&self) -> &TopicState {
        &self.topology.topics[self.topic]
    }
}

/// The end markers of a run. All clones are the same.
#[derive(Clone)]
pub(crate) struct EndMarkers {
    context: Arc<RunContext>,
    numbers: Arc<AtomicU64>,
    /// Tasks that wait for a reader's producers and then write its end markers.
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    acked: Arc<Mutex<AckedMarkers>>,
    /// What the scenarios that have ended wrote.
    written: Arc<Mutex<EndedWrites>>,
}

/// Creates the end markers of a run.
pub(crate) fn start(context: &Arc<RunContext>) -> EndMarkers {
    // The run of a saved ledger wrote end markers with the same run tag. The new ones need higher numbers.
    let now_ms = u64::try_from(context.clock.of_day(0) / 1000).unwrap_or(0);
    let first = if context.saved.is_some() { now_ms } else { 0 };
    EndMarkers {
        context: Arc::clone(context),
        numbers: Arc::new(AtomicU64::new(first)),
        tasks: Arc::default(),
        acked: Arc::default(),
        written: Arc::default(),
    }
}

/// The producers that a reader judges: those of its topic that do not wait for the reader.
pub(crate) fn producers_of(plan: &Plan, reader: usize) -> Vec<usize> {
    plan::judges(plan, reader)
}

/// The faults that end before a reader's end marker is written: all except those that wait for the reader.
fn faults_before(plan: &Plan, reader: usize) -> Vec<usize> {
    let first = plan.scenarios.len();
    (first..first + plan.faults.len()).filter(|fault| !plan::waits_for(plan, *fault, reader)).collect()
}

/// The faults that wait for the reader.
fn faults_after(plan: &Plan, reader: usize) -> impl Iterator<Item = usize> {
    let first = plan.scenarios.len();
    (first..first + plan.faults.len()).filter(move |fault| plan::waits_for(plan, *fault, reader))
}

impl EndMarkers {
    /// A scenario that is about to end has sent this.
    pub(crate) fn scenario_sent(&self, topology: &Topology, sent: &HashMap<StreamId, SentLog>) {
        lock(&self.written).add(EndedWrites::of(&topology.streams, sent));
    }

    /// What the scenarios that have ended wrote; for a saved ledger, what its run wrote.
    fn written(&self, topology: &Topology) -> EndedWrites {
        match &topology.restored {
            Some(restored) => EndedWrites::of(&topology.streams, restored),
            None => lock(&self.written).clone(),
        }
    }

    /// Requests the end markers of a reader that has started, for these partitions of its topic. They are
    /// written even if the reader has ended by then (unless the timeout has passed), because an audit reads up to
    /// them.
    pub(crate) fn ask(
        &self,
        marked: MarkedTopic,
        partitions: Vec<Partition>,
        deadline: Instant,
    ) -> watch::Receiver<EndMarkerState> {
        let (sender, receiver) = watch::channel(EndMarkerState::Pending);
        let end_markers = self.clone();
        let task = tokio::spawn(async move {
            end_markers.settled(marked.reader).await;
            let producers = producers_of(&end_markers.context.plan, marked.reader);
            let markers = if producers.is_empty() {
                none(&partitions, "no scenario in this file writes to the topic")
            } else if !end_markers.written(&marked.topology).may_be_by(marked.topic, &producers) {
                none(&partitions, "nothing was produced")
            } else {
                let (task, marked) = (end_markers.clone(), marked.clone());
                let write = move || task.write(&marked, &partitions, deadline);
                unwind(tokio::task::spawn_blocking(write).await)
            };
            let acked = end_markers.written(&marked.topology).acked_ends(marked.topic);
            let decided = DecidedMarkers { at: Instant::now(), markers, acked };
            sender.send_replace(EndMarkerState::Decided(decided));
        });
        lock(&self.tasks).push(task);
        receiver
    }

    /// Waits until all requested end markers are written. All scenarios have ended by then. A message that is acked
    /// during the verdict would not be in any account.
    pub(crate) async fn over(self) -> AckedMarkers {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            unwind(task.await);
        }
        std::mem::take(&mut *lock(&self.acked))
    }

    /// Waits until all producers of this reader have ended, and all faults that do not wait for it.
    pub(crate) async fn settled(&self, reader: usize) {
        let context = &self.context;
        let producers = producers_of(&context.plan, reader);
        for before in producers.into_iter().chain(faults_before(&context.plan, reader)) {
            context.states[before].over().await;
        }
        // A fault that waits for a count of this reader and has started may have stopped the broker, so wait
        // for it. A fault that has not started may never start.
        for fault in faults_after(&context.plan, reader) {
            if context.states[fault].get() == Lifecycle::Running {
                context.states[fault].over().await;
            }
        }
    }

    /// Writes an end marker to each partition, and retries until the ack or the timeout.
    fn write(
        &self,
        marked: &MarkedTopic,
        partitions: &[Partition],
        deadline: Instant,
    ) -> HashMap<Partition, Result<EndMarkerSeen, String>> {
        let context = &self.context;
        let waits = context.client.waits();
        // KafScale rejects writes until its window of storage latencies (one minute by default) is empty.
        let bound = if context.faults_ran() { waits.marker_after_fault } else { waits.marker };
        let until = deadline.min(Instant::now() + bound);
        let name = &marked.state().name;
        let mut out: HashMap<Partition, Result<EndMarkerSeen, String>> = HashMap::new();
        let mut why: HashMap<Partition, String> = HashMap::new();
        while out.len() < partitions.len() && Instant::now() < until && !context.stop.is_stopped() {
            let open: Vec<Partition> = partitions.iter().copied().filter(|p| !out.contains_key(p)).collect();
            if let Err(error) = self.attempt(marked, &open, until, &mut out, &mut why) {
                why.extend(open.into_iter().map(|p| (p, error.to_string())));
                std::thread::sleep(waits.marker_again);
            }
        }
        for partition in partitions {
            out.entry(*partition).or_insert_with(|| {
                Err(why.remove(partition).unwrap_or_else(|| "it timed out before its ack".to_owned()))
            });
        }
        // If the run was stopped, the scenario's end already reports the reason.
        let open = out.values().find(|r| r.is_err()).filter(|_| !context.stop.is_stopped());
        if let Some(Err(reason)) = open {
            let missing = out.values().filter(|r| r.is_err()).count();
            context.notes.add(Note::warning(format!(
                "could not write end markers to {missing} of {} partitions of `{name}`: {reason}; \
                reading there stops at the high watermark or on timeout",
                partitions.len()
            )));
        }
        out
    }

    /// Writes another end marker for a reader that does not find its own. If the reader finds this one, the first is
    /// missing from the log.
    pub(crate) fn mark_again(
        &self,
        marked: &MarkedTopic,
        partition: Partition,
        deadline: Instant,
    ) -> Option<EndMarkerSeen> {
        let until = deadline.min(Instant::now() + self.context.client.waits().marker_ack);
        let (mut out, mut why) = (HashMap::new(), HashMap::new());
        // On failure the reader stays where it is, and its end reports that.
        let _ = self.attempt(marked, &[partition], until, &mut out, &mut why);
        out.remove(&partition)?.ok()
    }

    /// Tries once for each partition that has no end marker yet.
    fn attempt(
        &self,
        marked: &MarkedTopic,
        partitions: &[Partition],
        until: Instant,
        out: &mut HashMap<Partition, Result<EndMarkerSeen, String>>,
        why: &mut HashMap<Partition, String>,
    ) -> Result<(), kafka::Error> {
        let context = &self.context;
        let waits = context.client.waits();
        let options = ProducerOptions {
            acks: Acks::All,
            message_timeout: waits.marker_ack.min(until.saturating_duration_since(Instant::now())),
            linger: Duration::ZERO,
            ..ProducerOptions::new(marked.state().name.as_str())
        };
        let mut producer = Producer::open(&context.client_of(marked.reader), &options)?;
        producer.warm_up(waits.marker_open.min(until.saturating_duration_since(Instant::now())))?;
        let mut sent: Vec<(Partition, u64, u64)> = Vec::new();
        for partition in partitions {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let made_us = context.clock.now_us();
            let envelope = Envelope {
                kind: RecordKind::EndMarker,
                identity: Identity { run: context.run_tag, stream: StreamId(0xff_ffff), seq: number },
                due_us: context.clock.of_day(made_us),
            };
            let value = envelope.write(Some(KEY), std::iter::empty(), &[]);
            match producer.send(*partition, Some(KEY), &value, &[], sent.len() as u64) {
                Ok(()) => sent.push((*partition, number, made_us)),
                Err(error) => {
                    why.insert(*partition, error.to_string());
                }
            }
        }
        let mut book = |delivery: kafka::Delivery| {
            let Some((partition, number, made_us)) =
                usize::try_from(delivery.tag).ok().and_then(|tag| sent.get(tag))
            else {
                return;
            };
            match delivery.outcome {
                DeliveryOutcome::Acked { offset } => {
                    let written_us = (*made_us, context.clock.now_us());
                    let reader = marked.reader;
                    let end_marker = EndMarkerSeen { number: *number, offset, reader, written_us };
                    out.insert(*partition, Ok(end_marker));
                    marked.state().highest.acked(*partition, offset);
                    lock(&self.acked).add((marked.topic, *partition), end_marker);
                }
                DeliveryOutcome::AckedNowhere => {
                    why.insert(*partition, "it was acked without an offset".to_owned());
                }
                DeliveryOutcome::Failed { code } | DeliveryOutcome::Unknown { code } => {
                    why.insert(*partition, code.in_words());
                }
            }
        };
        while producer.in_flight() > 0 && Instant::now() < until && !context.stop.is_stopped() {
            producer.poll(LOOK, &mut book);
        }
        producer.close(Instant::now(), &mut book);
        Ok(())
    }
}

fn none(partitions: &[Partition], why: &str) -> HashMap<Partition, Result<EndMarkerSeen, String>> {
    partitions.iter().map(|p| (*p, Err(why.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::{Options, RunProgress};
    use crate::plan::cluster::FaultTarget;
    use crate::plan::{self, ActionPlan, FaultPlan, Start};
    use crate::scenario::{LoadOptions, Position};

    const FILE: &str = "
brokers: ['127.0.0.1:1']
scenarios:
  write: {type: produce, topic: t, messages: 10}
  read: {type: consume, topic: t}
";
    const WRITE: usize = 0;
    const READ: usize = 1;
    const FAULT: usize = 2;
    /// If there is nothing to wait for, the end markers are decided well within this time.
    const SOON: Duration = Duration::from_millis(300);

    /// A run of [`FILE`] with one fault that has this start condition. Nothing has started yet.
    fn run(start: Start) -> Arc<RunContext> {
        let options = LoadOptions::new(&|_| None);
        let mut plan = plan::load_text(Path::new("x.yaml"), FILE, &options).unwrap();
        let target = FaultTarget { service: "broker".to_owned(), replica: None };
        plan.faults = vec![FaultPlan {
            name: "bounce".to_owned(),
            start,
            length: None,
            timeout: Duration::from_secs(60),
            action: ActionPlan::Start { target },
            position: Position { file: "x.yaml".into(), line: 1, column: 1 },
        }];
        let live = Arc::new(RunProgress::new(&plan));
        let options = Options::for_tests(kafka::Waits::default());
        Arc::new(RunContext::new(Arc::new(plan), options, live, None).unwrap())
    }

    fn ask(context: &Arc<RunContext>) -> watch::Receiver<EndMarkerState> {
        context.states[READ].start();
        let marked = MarkedTopic { reader: READ, topology: Arc::default(), topic: 0 };
        start(context).ask(marked, vec![0], Instant::now() + Duration::from_secs(60))
    }

    async fn decided(end_marker: &mut watch::Receiver<EndMarkerState>) -> bool {
        let decided = end_marker.wait_for(|state| *state != EndMarkerState::Pending);
        tokio::time::timeout(SOON, decided).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_marker_waits_for_producers_and_for_faults() {
        let context = run(Start::default());
        let mut end_marker = ask(&context);
        context.states[WRITE].start();
        assert!(!decided(&mut end_marker).await, "the producer still sends");
        context.states[WRITE].end(false);
        assert!(!decided(&mut end_marker).await, "the fault may still begin, and take what was read with it");
        context.states[FAULT].start();
        assert!(!decided(&mut end_marker).await, "the fault lasts");
        context.states[FAULT].end(false);
        assert!(decided(&mut end_marker).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_marker_waits_for_no_fault_that_waits_for_its_reader_unless_that_has_begun() {
        let after_reader = || Start { after: Some("read".to_owned()), ..Start::default() };
        let context = run(after_reader());
        context.states[WRITE].end(false);
        assert!(decided(&mut ask(&context)).await, "each would wait for the other");
        let context = run(after_reader());
        context.states[WRITE].end(false);
        context.states[FAULT].start();
        let mut end_marker = ask(&context);
        assert!(!decided(&mut end_marker).await, "its broker may be down just now");
        context.states[FAULT].end(true);
        assert!(decided(&mut end_marker).await);
    }
}
