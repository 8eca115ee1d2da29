//! End markers: a record written to each partition that a reader reads, once all who write for it and all faults have ended.
//!
//! Each reader asks for its own, so that one that starts late still finds one behind its start.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ends::EndMarkerSeen;
use crate::engine::context::outcome::unwind;
use crate::engine::context::run_context::{LOOK, Lifecycle, RunContext, lock};
use crate::ids::{Identity, Partition, StreamId};
use crate::kafka::{self, DeliveryOutcome, Producer, ProducerOptions};
use crate::ledger::envelope::{Envelope, RecordKind};
use crate::observe::Note;
use crate::plan::{self, Acks, Plan};

/// The key of each end marker, so that a compacted topic keeps the last one and takes it at all.
pub(crate) const KEY: &[u8] = b"kaf6-fence";

/// What a reader knows of its end marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndMarkerState {
    /// Its producers are still at work, or the end marker is on its way.
    Pending,
    /// Decided at this instant: for each partition the end marker, or why there is none.
    Decided(Instant, HashMap<Partition, Result<EndMarkerSeen, String>>),
}

#[derive(Clone)]
pub(crate) struct EndMarkers {
    shared: Arc<RunContext>,
    numbers: Arc<AtomicU64>,
    /// Those that wait for the producers of a reader, and then write its end marker.
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// The end markers of a run.
pub(crate) fn start(shared: &Arc<RunContext>) -> EndMarkers {
    // A saved ledger's run wrote end markers of its own under the same mark; those of now have to come after them.
    let now_ms = u64::try_from(shared.clock.of_day(0) / 1000).unwrap_or(0);
    let first = if shared.saved.is_some() { now_ms } else { 0 };
    EndMarkers { shared: Arc::clone(shared), numbers: Arc::new(AtomicU64::new(first)), tasks: Arc::default() }
}

/// The producers that a reader judges: those of its topic that do not themselves wait for it.
pub(crate) fn producers_of(plan: &Plan, reader: usize) -> Vec<usize> {
    plan::judges(plan, reader)
}

/// The faults that a reader's end marker has to lie behind: all but those that wait for the reader.
fn faults_before(plan: &Plan, reader: usize) -> Vec<usize> {
    let first = plan.scenarios.len();
    (first..first + plan.faults.len()).filter(|fault| !plan::waits_for(plan, *fault, reader)).collect()
}

/// The other faults, which wait for the reader.
fn faults_after(plan: &Plan, reader: usize) -> impl Iterator<Item = usize> {
    let first = plan.scenarios.len();
    (first..first + plan.faults.len()).filter(move |fault| plan::waits_for(plan, *fault, reader))
}

impl EndMarkers {
    /// Asks for a reader's end marker; it has started, and reads these partitions of this topic. It is written for one that has
    /// ended by then, too, unless its time is up: an audit reads up to it.
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

    /// Waits until all end markers that were asked for are written. All scenarios have ended; what is acked while the run is judged
    /// would be in no account.
    pub(crate) async fn over(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            unwind(task.await);
        }
    }

    /// Waits until all who write for this reader have ended, and all faults that do not wait for it.
    pub(crate) async fn settled(&self, reader: usize) {
        let shared = &self.shared;
        let producers = producers_of(&shared.plan, reader);
        for before in producers.into_iter().chain(faults_before(&shared.plan, reader)) {
            shared.states[before].over().await;
        }
        // One that waited for a count of this reader and began: its broker may be down just now. One that did not
        // begin may never do so.
        for fault in faults_after(&shared.plan, reader) {
            if shared.states[fault].get() == Lifecycle::Running {
                shared.states[fault].over().await;
            }
        }
    }

    /// Writes an end marker to each partition, again and again until it is acked or time is up.
    fn write(
        &self,
        reader: usize,
        topic: usize,
        partitions: &[Partition],
        deadline: Instant,
    ) -> HashMap<Partition, Result<EndMarkerSeen, String>> {
        let shared = &self.shared;
        let waits = shared.client.waits();
        // KafScale refuses what is sent until its window of storage latencies, by default a minute, is empty.
        let bound = if shared.faults_ran() { waits.marker_after_fault } else { waits.marker };
        let until = deadline.min(Instant::now() + bound);
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
        // Of a run that was stopped, its end says enough.
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

    /// Writes one more end marker for a reader whose own does not come: what lies behind it shows whether it is in the log.
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
        // What fails leaves the reader where it is, and its end says so.
        let _ = self.attempt(reader, topic, name, &[partition], until, &mut out, &mut why);
        out.remove(&partition)?.ok()
    }

    /// One try for each partition that is still open.
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
                    why.insert(*partition, format!("{} {}", code.text(), code.aside()));
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
    /// What does not wait is decided well within this.
    const SOON: Duration = Duration::from_millis(300);

    /// A run of [`FILE`] with one fault that starts like this; nothing of it has begun.
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
