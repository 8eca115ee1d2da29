//! One reading thread: opens its readers, and returns what they found.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use super::backlog::Backlog;
use super::consumer::{Consumer, End};
use super::place::PartitionPosition;
use super::reader::ReadLoop;
use crate::engine::context::stop::LOOK;
use crate::engine::messages::end_marker::EndMarkerState;
use crate::engine::messages::ends::PartitionEnd;
use crate::engine::messages::sight::RecordMatcher;
use crate::ids::Partition;
use crate::kafka::{self, Code, ReaderOptions, ReaderSet};
use crate::metrics::Recorder;
use crate::observe::Note;
use crate::plan::{ConsumePlan, StartOffset, Work};

/// Prefetch budget in bytes, shared by all readers of the run.
const PREFETCH: u64 = 32 << 20;

/// One thread's part of a consumer.
pub(super) struct ReadTask {
    pub(super) consumer: Arc<Consumer>,
    pub(super) partitions: Vec<Partition>,
    /// Number of partitions that are read in the whole run.
    pub(super) readers: u64,
    pub(super) deadline: Instant,
}

impl ReadTask {
    /// Reads to the end. Signals `open` when the readers are at their start, and then waits for the end marker.
    ///
    /// # Errors
    ///
    /// The reason why it could not read.
    pub(super) fn run(
        self,
        open: oneshot::Sender<()>,
        end_marker: oneshot::Receiver<watch::Receiver<EndMarkerState>>,
    ) -> Result<(End, Vec<PartitionEnd>), String> {
        let consumer = Arc::clone(&self.consumer);
        let context = &consumer.context;
        let Work::Consume(plan) = &context.plan.scenarios[consumer.index].work else {
            return Ok((End::Done, Vec::new()));
        };
        let client = context.client_of(consumer.index);
        let mut set = match self.open(&client, plan) {
            Ok(set) => set,
            Err(NotOpen::Unknown { since_us }) => {
                let unknown = |partition: &Partition| {
                    let mut place = PartitionPosition::new(&consumer, *partition, 0, None);
                    place.is_unknown(since_us, true);
                    place.end(&consumer)
                };
                let end = if context.stop.is_stopped() { End::Done } else { End::Timeout };
                return Ok((end, self.partitions.iter().map(unknown).collect()));
            }
            Err(NotOpen::Failed(error)) => return Err(error.to_string()),
        };
        let places = self.partitions.iter().map(|p| self.place(&set, *p, plan.offset)).collect();
        let _ = open.send(());
        let topology = &consumer.topology;
        let knows_acks = context.plan.scenarios[consumer.index].work.knows_acks(&context.plan);
        let mut reader = ReadLoop {
            consumer: &consumer,
            deadline: self.deadline,
            plan,
            sight: RecordMatcher::of(context, topology, consumer.topic),
            recorder: Recorder::new(context.live.metrics(consumer.index)),
            places,
            client: &client,
            touched: Instant::now(),
            compared: 0,
            wrong: 0,
            backlog: Backlog::new(knows_acks.then(|| topology.topics[consumer.topic].highest.clone())),
        };
        let end = reader.read(&mut set, end_marker);
        consumer.compared.fetch_add(reader.compared, Ordering::Relaxed);
        consumer.wrong.fetch_add(reader.wrong, Ordering::Relaxed);
        let ends = reader.places.into_iter().map(|place| place.end(&consumer)).collect();
        set.close();
        Ok((end, ends))
    }

    /// Opens the readers. If they need the log's offsets and the broker does not know the topic, retries until the
    /// reader's timeout: a broker that has just started may not know its topics yet.
    fn open(&self, client: &kafka::Client, plan: &ConsumePlan) -> Result<ReaderSet, NotOpen> {
        let context = &self.consumer.context;
        let mut unknown_since = None;
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let options = ReaderOptions {
                topic: self.consumer.name.clone(),
                partitions: self.partitions.clone(),
                start: plan.offset,
                prefetch_bytes: (PREFETCH / self.readers).max(64 << 10) * self.partitions.len() as u64,
                patient: false,
                open_timeout: client.waits().open.min(left),
            };
            let began = Instant::now();
            let error = match ReaderSet::open_unknown_too(client, &options) {
                Ok(set) => return Ok(set),
                Err(error) => error,
            };
            if !error.code().is_some_and(Code::means_gone) {
                return Err(NotOpen::Failed(error));
            }
            let since_us = *unknown_since.get_or_insert(context.clock.us(began));
            let again = Instant::now() + client.waits().ask;
            while Instant::now() < again {
                if context.stop.is_stopped() || again >= self.deadline {
                    return Err(NotOpen::Unknown { since_us });
                }
                std::thread::sleep(LOOK.min(client.waits().ask));
            }
        }
    }

    fn place(&self, set: &ReaderSet, partition: Partition, start: StartOffset) -> PartitionPosition {
        let consumer = &self.consumer;
        let start = match start {
            StartOffset::Earliest => 0,
            _ => set.started_at(partition).unwrap_or(0),
        };
        if set.is_unknown(partition) {
            let mut place = PartitionPosition::new(consumer, partition, start, None);
            place.is_unknown(consumer.context.clock.now_us(), true);
            return place;
        }
        let marks = set.watermarks(partition, consumer.context.client.waits().answer).ok();
        if let (Some((low, _)), true) = (marks, consumer.context.saved.is_some())
            && low > start
        {
            consumer.context.notes.add(Note::hint(format!(
                "the log of partition {partition} of `{}` begins at offset {low}: earlier records were removed",
                consumer.name
            )));
        }
        PartitionPosition::new(consumer, partition, start, marks)
    }
}

/// The reasons why no reader was opened.
enum NotOpen {
    /// The broker did not know the topic until the timeout.
    Unknown {
        since_us: u64,
    },
    Failed(kafka::Error),
}
