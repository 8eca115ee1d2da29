//! `consume`: each client is a thread that reads its share of the partitions, with one librdkafka client per
//! partition.
//!
//! A reader that judges producers reads up to its end marker. Others end by limit, high watermark, idle
//! timeout or timeout.

mod backlog;
mod batch;
mod blocked;
mod consumer;
mod place;
mod prober;
mod reader;
mod still;
mod task;
mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use futures_util::future::select_all;

use consumer::{Consumer, End};
use place::PartitionPosition;

use crate::engine::context::outcome::{ScenarioOutcome, cut, unwind};
use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::engine::messages::end_marker;
use crate::engine::messages::end_marker::EndMarkers;
use crate::engine::messages::ends::PartitionEnd;
use crate::engine::scheduling::setup::Setup;
use crate::ids::Partition;
use crate::observe::{ScenarioEnd, TypeSeen};
use crate::plan::{self, ConsumePlan, From, Work};

/// Maximum number of partitions that an automatically added reader reads during the run. If the topic has more, it
/// reads all of them afterwards.
const LIVE: usize = 64;
/// How many partitions it then reads at the same time.
const GROUP: usize = 32;

pub(crate) async fn run(
    context: &Arc<RunContext>,
    setup: &Setup,
    index: usize,
    plan: &ConsumePlan,
    end_markers: &EndMarkers,
) -> ScenarioOutcome {
    let deadline = context.deadline(index);
    let (topology, topic) = match topic_of(context, setup, index, plan, deadline).await {
        Ok(found) => found,
        Err(Some(why)) => return ScenarioOutcome::failed(why),
        Err(None) if context.stop.is_stopped() => return ScenarioOutcome::of(cut(&context.stop)),
        Err(None) => return out_of_time(context, index),
    };
    let state = &topology.topics[topic];
    let partitions: Vec<Partition> = match plan.partition {
        Some(partition) if partition >= state.partitions => {
            return ScenarioOutcome::failed(format!(
                "topic `{}` has {} partitions, but no partition {partition}",
                state.name, state.partitions
            ));
        }
        Some(partition) => vec![partition],
        None if plan.readback => context.left_of(plan, state.partitions).collect(),
        None => (0..state.partitions).collect(),
    };
    let consumer = Arc::new(Consumer {
        context: Arc::clone(context),
        end_markers: end_markers.clone(),
        index,
        topic,
        name: state.name.clone(),
        topology: Arc::clone(&topology),
        taken: AtomicU64::new(0),
        compared: AtomicU64::new(0),
        wrong: AtomicU64::new(0),
        unknown_told: AtomicBool::new(false),
    });
    let group = ReadPlan { consumer: &consumer, plan, end_markers, deadline };
    let GroupEnd { end, failed, ends } = if plan.readback && partitions.len() > LIVE {
        group.one_after_another(&partitions).await
    } else if partitions.is_empty() {
        GroupEnd::default()
    } else {
        group.read(partitions).await
    };
    let uuids = (consumer.compared.load(Ordering::Relaxed), consumer.wrong.load(Ordering::Relaxed));
    let outcome = match (failed, end) {
        (Some(why), _) => ScenarioOutcome::failed(why),
        _ if context.stop.is_stopped() => ScenarioOutcome::of(cut(&context.stop)),
        (None, End::Done) => ScenarioOutcome::of(ScenarioEnd::Done),
        (None, End::Idle) => ScenarioOutcome::of(ScenarioEnd::Idle).because(format!(
            "received nothing more within {}",
            crate::units::Duration::from(plan.idle_timeout)
        )),
        (None, End::Timeout) => out_of_time(context, index),
    };
    let of_type = TypeSeen { uuids: Some(uuids), ..TypeSeen::default() };
    ScenarioOutcome { of_type, ends, ..outcome }
}

fn out_of_time(context: &RunContext, index: usize) -> ScenarioOutcome {
    ScenarioOutcome::of(ScenarioEnd::Timeout).because(format!(
        "timed out after {}, before the end of the log",
        crate::units::Duration::from(context.plan.scenarios[index].timeout)
    ))
}

/// The topic, ready for use. There is nothing to read before the producers start. So if no broker was reached, the
/// reader waits for the producers and tries again when one starts.
///
/// # Errors
///
/// The reason why it cannot work; `None` if it timed out, or the run was stopped first.
async fn topic_of(
    context: &Arc<RunContext>,
    setup: &Setup,
    index: usize,
    plan: &ConsumePlan,
    deadline: Instant,
) -> Result<(Arc<Topology>, usize), Option<String>> {
    let producers = end_marker::producers_of(&context.plan, index);
    let mut waiting: Vec<_> = producers.into_iter().map(|it| Box::pin(context.states[it].begun())).collect();
    loop {
        if setup.topology().is_none() && !waiting.is_empty() {
            tokio::select! {
                biased;
                (.., others) = select_all(std::mem::take(&mut waiting)) => waiting = others,
                () = context.stop.stopped() => return Err(None),
                () = tokio::time::sleep_until(deadline.into()) => return Err(None),
            }
        }
        let found = setup.topic(&plan.topic).await;
        if found.is_ok() || setup.topology().is_some() || waiting.is_empty() {
            return found.map_err(Some);
        }
    }
}

/// How some partitions of one consumer were read.
#[derive(Default)]
struct GroupEnd {
    /// How the last thread ended.
    end: End,
    /// Why a thread failed.
    failed: Option<String>,
    ends: Vec<PartitionEnd>,
}

/// How the partitions of one consumer are read.
struct ReadPlan<'a> {
    consumer: &'a Arc<Consumer>,
    plan: &'a ConsumePlan,
    end_markers: &'a EndMarkers,
    deadline: Instant,
}

impl ReadPlan<'_> {
    /// Reads these partitions in parallel, on the consumer's threads.
    async fn read(&self, partitions: Vec<Partition>) -> GroupEnd {
        let context = &self.consumer.context;
        let threads = usize::try_from(self.plan.clients).unwrap_or(1).clamp(1, partitions.len());
        let readers = context.readers(&self.consumer.topology).max(1);
        let mut tasks = Vec::new();
        let mut opened = Vec::new();
        for thread in 0..threads {
            let share: Vec<Partition> = partitions.iter().copied().skip(thread).step_by(threads).collect();
            let (open, is_open) = tokio::sync::oneshot::channel();
            let (end_marker, end_marker_of) = tokio::sync::oneshot::channel();
            let consumer = Arc::clone(self.consumer);
            let task = task::ReadTask { consumer, partitions: share, readers, deadline: self.deadline };
            tasks.push(tokio::task::spawn_blocking(move || task.run(open, end_marker_of)));
            opened.push((is_open, end_marker));
        }
        // The end marker must be after the position at which the last thread starts.
        let mut waiting = Vec::new();
        for (is_open, end_marker) in opened {
            if is_open.await.is_ok() {
                waiting.push(end_marker);
            }
        }
        if self.plan.from == From::Run && !waiting.is_empty() {
            let state = self.end_markers.ask(self.consumer.marked_topic(), partitions, self.deadline);
            for end_marker in waiting {
                // A thread that has ended in the meantime needs no end marker.
                let _ = end_marker.send(state.clone());
            }
        }
        let mut out = GroupEnd::default();
        for task in tasks {
            match unwind(task.await) {
                Ok((end, ends)) => {
                    out.end = out.end.max(end);
                    out.ends.extend(ends);
                }
                Err(why) => out.failed = Some(why),
            }
        }
        out
    }

    /// Reads many partitions in groups, after all their producers and all faults have ended.
    async fn one_after_another(&self, partitions: &[Partition]) -> GroupEnd {
        let context = &self.consumer.context;
        tokio::select! {
            biased;
            () = context.stop.stopped() => {}
            () = tokio::time::sleep_until(self.deadline.into()) => {}
            () = self.end_markers.settled(self.consumer.index) => {}
        }
        let mut out = GroupEnd::default();
        for (number, group) in partitions.chunks(GROUP).enumerate() {
            let late = Instant::now() >= self.deadline;
            if late || context.stop.is_stopped() {
                for partition in &partitions[number * GROUP..] {
                    let unread = PartitionPosition::new(self.consumer, *partition, 0, None);
                    out.ends.push(unread.end(self.consumer));
                }
                out.end = if late { End::Timeout } else { out.end };
                return out;
            }
            let read = self.read(group.to_vec()).await;
            out.end = out.end.max(read.end);
            out.ends.extend(read.ends);
            if read.failed.is_some() {
                out.failed = read.failed;
                return out;
            }
        }
        out
    }
}

impl RunContext {
    /// The number of partitions that are read in the whole run. They share the prefetch budget.
    fn readers(&self, topology: &Topology) -> u64 {
        let partitions = |topic| {
            self.topic_index(topic)
                .map(|index| topology.topics[index].partitions)
                .map_or(1, |count| u64::from(count.unsigned_abs()))
        };
        self.plan
            .scenarios
            .iter()
            .map(|s| match &s.work {
                Work::Consume(c) if c.partition.is_some() => 1,
                Work::Consume(c) if c.readback => {
                    let all = i32::try_from(partitions(&c.topic)).unwrap_or(i32::MAX);
                    let left = self.left_of(c, all).take(LIVE + 1).count();
                    (if left > LIVE { GROUP } else { left }) as u64
                }
                Work::Consume(c) => partitions(&c.topic),
                Work::Roundtrip(r) => u64::from(r.clients),
                _ => 0,
            })
            .sum()
    }

    /// The partitions that an automatically added reader has to read: those that no consumer of the file
    /// reads completely.
    fn left_of(&self, consumer: &ConsumePlan, partitions: Partition) -> impl Iterator<Item = Partition> {
        (0..partitions).filter(|partition| plan::is_left(&self.plan, &consumer.topic, *partition))
    }
}

#[cfg(test)]
mod tests;
