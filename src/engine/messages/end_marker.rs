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

use super::ends::EndMarkerSeen;
use crate::engine::context::lifecycle::Lifecycle;
use crate::engine::context::outcome::{lock, unwind};
use crate::engine::context::run_context::RunContext;
use crate::engine::context::stop::LOOK;
use crate::ids::{Identity, Partition, StreamId};
use crate::kafka::{self, DeliveryOutcome, Producer, ProducerOptions};
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
    /// Decided at this instant: for each partition the end marker, or the reason why there is none.
    Decided(Instant, HashMap<Partition, Result<EndMarkerSeen, String>>),
}

#[derive(Clone)]
pub(crate) struct EndMarkers {
    shared: Arc<RunContext>,
    numbers: Arc<AtomicU64>,
    /// Tasks that wait for a reader's producers and then write its end markers.
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// Creates the end markers of a run.
pub(crate) fn start(shared: &Arc<RunContext>) -> EndMarkers {
    // The run of a saved ledger wrote end markers with the same run tag. The new ones need higher numbers.
    let now_ms = u64::try_from(shared.clock.of_day(0) / 1000).unwrap_or(0);
    let first = if shared.saved.is_some() { now_ms } else { 0 };
    EndMarkers { shared: Arc::clone(shared), numbers: Arc::new(AtomicU64::new(first)), tasks: Arc::default() }
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
    /// Requests the end markers of a reader that has started, for these partitions of this topic. They are written even
    /// if the reader has ended by then (unless the timeout has passed), because an audit reads up to them.
    pub(crate) fn ask(
        &self,
        reader: usize,
        topic: usize,
        partitions: Vec<Partition>,
        deadline: Instant,
    ) -> watch::Receiver<EndMarkerState> {
        let (sender, receiver) = watch::channel(EndMarkerState::Pending);
        let end_markers = self.clone();
        let task = tokio::spawn(async move {
            end_markers.settled(reader).await;
            let producers = producers_of(&end_markers.shared.plan, reader);
            let decided = if producers.is_empty() {
                none(&partitions, "no scenario in this file writes to the topic")
            } else if !end_markers.shared.may_have_written(topic, &producers) {
                none(&partitions, "nothing was produced")
            } else {
                let task = end_markers.clone();
                let write = move || task.write(reader, topic, &partitions, deadline);
                unwind(tokio::task::spawn_blocking(write).await)
            };
            sender.send_replace(EndMarkerState::Decided(Instant::now(), decided));
        });
        lock(&self.tasks).push(task);
        receiver
    }

    /// Waits until all requested end markers are written. All scenarios have ended by then. A message that is acked
    /// during the verdict would not be in any account.
    pub(crate) async fn over(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            unwind(task.await);
        }
    }

    /// Waits until all producers of this reader have ended, and all faults that do not wait for it.
    pub(crate) async fn settled(&self, reader: usize) {
        let shared = &self.shared;
        let producers = producers_of(&shared.plan, reader);
        for before in producers.into_iter().chain(faults_before(&shared.plan, reader)) {
            shared.states[before].over().await;
        }
        // A fault that waits for a count of this reader and has started may have stopped the broker, so wait
        // for it. A fault that has not started may never start.
        for fault in faults_after(&shared.plan, reader) {
            if shared.states[fault].get() == Lifecycle::Running {
                shared.states[fault].over().await;
            }
        }
    }

    /// Writes an end marker to each partition, and retries until the ack or the timeout.
    fn write(
        &self,
        reader: usize,
        topic: usize,
        partitions: &[Partition],
        deadline: Instant,
    ) -> HashMap<Partition, Result<EndMarkerSeen, String>> {
        let shared = &self.shared;
        let waits = shared.client.waits();
        // KafScale rejects writes until its window of storage latencies (one minute by default) is empty.
        let timeout = if shared.faults_ran() { waits.marker_after_fault } else { waits.marker };
        let until = deadline.min(Instant::now() + timeout);
        let name = &shared.topic_names()[topic];
        let mut out: HashMap<Partition, Result<EndMarkerSeen, String>> = HashMap::new();
        let mut why: HashMap<Partition, String> = HashMap::new();
        while out.len() < partitions.len() && Instant::now() < until && !shared.stop.is_stopped() {
            let open: Vec<Partition> = partitions.iter().copied().filter(|p| !out.contains_key(p)).collect();
            if let Err(error) = self.attempt(reader, topic, name, &open, until, &mut out, &mut why) {
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
        let open = out.values().find(|r| r.is_err()).filter(|_| !shared.stop.is_stopped());
        if let Some(Err(reason)) = open {
            let missing = out.values().filter(|r| r.is_err()).count();
            shared.note(Note::warning(format!(
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
        reader: usize,
        topic: usize,
        partition: Partition,
        deadline: Instant,
    ) -> Option<EndMarkerSeen> {
        let until = deadline.min(Instant::now() + self.shared.client.waits().marker_ack);
        let (mut out, mut why) = (HashMap::new(), HashMap::new());
        let name = &self.shared.topic_names()[topic];
        // On failure, the reader keeps its position, and its end reports the failure.
        let _ = self.attempt(reader, topic, name, &[partition], until, &mut out, &mut why);
        out.remove(&partition)?.ok()
    }

    /// Makes one attempt for each partition that has no end marker yet.
    #[expect(clippy::too_many_arguments, reason = "the two maps are its results, by kind")]
    fn attempt(
        &self,
        reader: usize,
        topic: usize,
        name: &str,
        partitions: &[Partition],
        until: Instant,
        out: &mut HashMap<Partition, Result<EndMarkerSeen, String>>,
        why: &mut HashMap<Partition, String>,
    ) -> Result<(), kafka::Error> {
        let shared = &self.shared;
        let waits = shared.client.waits();
        let options = ProducerOptions {
            acks: Acks::All,
            message_timeout: waits.marker_ack.min(until.saturating_duration_since(Instant::now())),
            linger: Duration::ZERO,
            ..ProducerOptions::new(name)
        };
        let mut producer = Producer::open(&shared.client_of(reader), &options)?;
        producer.warm_up(waits.marker_open.min(until.saturating_duration_since(Instant::now())))?;
        let mut sent: Vec<(Partition, u64, u64)> = Vec::new();
        for partition in partitions {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let made_us = shared.clock.now_us();
            let envelope = Envelope {
                kind: RecordKind::EndMarker,
                identity: Identity { run: shared.run_tag, stream: StreamId(0xff_ffff), seq: number },
                due_us: shared.clock.of_day(made_us),
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
                    let written_us = (*made_us, shared.clock.now_us());
                    let end_marker = EndMarkerSeen { number: *number, offset, reader, written_us };
                    out.insert(*partition, Ok(end_marker));
                    shared.hand_in_end_marker(topic, *partition, end_marker);
                }
                DeliveryOutcome::AckedNowhere => {
                    why.insert(*partition, "it was acked without an offset".to_owned());
                }
                DeliveryOutcome::Failed { code } | DeliveryOutcome::Unknown { code } => {
                    why.insert(*partition, code.in_words());
                }
            }
        };
        while producer.in_flight() > 0 && Instant::now() < until && !shared.stop.is_stopped() {
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

    fn ask(shared: &Arc<RunContext>) -> watch::Receiver<EndMarkerState> {
        shared.states[READ].start();
        start(shared).ask(READ, 0, vec![0], Instant::now() + Duration::from_secs(60))
    }

    async fn decided(end_marker: &mut watch::Receiver<EndMarkerState>) -> bool {
        let decided = end_marker.wait_for(|state| *state != EndMarkerState::Pending);
        tokio::time::timeout(SOON, decided).await.is_ok()
    }

    #[tokio::test]
    async fn an_end_marker_waits_for_producers_and_for_faults() {
        let shared = run(Start::default());
        let mut end_marker = ask(&shared);
        shared.states[WRITE].start();
        assert!(!decided(&mut end_marker).await, "the producer still sends");
        shared.states[WRITE].end(false);
        assert!(!decided(&mut end_marker).await, "the fault may still begin, and take what was read with it");
        shared.states[FAULT].start();
        assert!(!decided(&mut end_marker).await, "the fault lasts");
        shared.states[FAULT].end(false);
        assert!(decided(&mut end_marker).await);
    }

    #[tokio::test]
    async fn an_end_marker_waits_for_no_fault_that_waits_for_its_reader_unless_that_has_begun() {
        let after_reader = || Start { after: Some("read".to_owned()), ..Start::default() };
        let shared = run(after_reader());
        shared.states[WRITE].end(false);
        assert!(decided(&mut ask(&shared)).await, "each would wait for the other");
        let shared = run(after_reader());
        shared.states[WRITE].end(false);
        shared.states[FAULT].start();
        let mut end_marker = ask(&shared);
        assert!(!decided(&mut end_marker).await, "its broker may be down just now");
        shared.states[FAULT].end(true);
        assert!(decided(&mut end_marker).await);
    }
}
