//! `consume`: each client is a thread that reads its share of the partitions, one librdkafka client a partition.
//!
//! A reader that judges producers reads to its fence; others end by limit, watermark, idle time or time bound.

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
use std::sync::atomic::{AtomicU64, Ordering};

use consumer::{Consumer, End};

use super::fence::Fences;
use super::outcome::{Outcome, cut, unwind};
use super::setup;
use super::shared::Shared;
use crate::ids::Partition;
use crate::observe::Ended;
use crate::plan::{From, Work};

/// Runs one `consume` scenario.
pub(super) async fn run(shared: &Arc<Shared>, index: usize, fences: &Fences) -> Outcome {
    let Work::Consume(plan) = &shared.plan.scenarios[index].work else {
        return Outcome::failed("not a consumer");
    };
    let (topic, state) = match setup::topic(shared, &plan.topic).await {
        Ok(found) => found,
        Err(why) => return Outcome::failed(why),
    };
    let partitions: Vec<Partition> = match plan.partition {
        Some(partition) if partition >= state.partitions => {
            return Outcome::failed(format!(
                "topic `{}` has {} partitions, so there is none numbered {partition}",
                state.name, state.partitions
            ));
        }
        Some(partition) => vec![partition],
        None => (0..state.partitions).collect(),
    };
    let deadline = shared.deadline(index);
    let consumer = Arc::new(Consumer {
        shared: Arc::clone(shared),
        index,
        topic,
        name: state.name,
        taken: AtomicU64::new(0),
        compared: AtomicU64::new(0),
        wrong: AtomicU64::new(0),
    });
    let threads = usize::try_from(plan.clients).unwrap_or(1).clamp(1, partitions.len());
    let readers = shared.readers().max(1);
    let mut tasks = Vec::new();
    let mut opened = Vec::new();
    for thread in 0..threads {
        let share: Vec<Partition> = partitions.iter().copied().skip(thread).step_by(threads).collect();
        let (open, is_open) = tokio::sync::oneshot::channel();
        let (fence, fence_of) = tokio::sync::oneshot::channel();
        let consumer = Arc::clone(&consumer);
        let task = task::Task { consumer, partitions: share, readers, deadline };
        tasks.push(tokio::task::spawn_blocking(move || task.run(open, fence_of)));
        opened.push((is_open, fence));
    }
    // The fence has to lie behind where the last thread starts reading.
    let mut waiting = Vec::new();
    for (is_open, fence) in opened {
        if is_open.await.is_ok() {
            waiting.push(fence);
        }
    }
    if plan.from == From::Run && !waiting.is_empty() {
        let state = fences.ask(index, topic, partitions, deadline);
        for fence in waiting {
            // A thread that has ended meanwhile needs none.
            let _ = fence.send(state.clone());
        }
    }
    let (mut end, mut failed) = (End::Done, None);
    for task in tasks {
        match unwind(task.await) {
            Ok(thread) => end = end.max(thread),
            Err(why) => failed = Some(why),
        }
    }
    let uuids = (consumer.compared.load(Ordering::Relaxed), consumer.wrong.load(Ordering::Relaxed));
    let outcome = match (failed, end) {
        (Some(why), _) => Outcome::failed(why),
        _ if shared.stop.is_stopped() => Outcome::of(cut(shared)),
        (None, End::Done) => Outcome::of(Ended::Done),
        (None, End::Idle) => Outcome::of(Ended::Idle)
            .because(format!("nothing more came within {}", crate::units::Duration::from(plan.idle_timeout))),
        (None, End::Timeout) => Outcome::of(Ended::Timeout).because(format!(
            "its time bound of {} came before the end of the log",
            crate::units::Duration::from(shared.plan.scenarios[index].timeout)
        )),
    };
    Outcome { uuids: Some(uuids), ..outcome }
}

impl Shared {
    /// How many partitions are read in the run as a whole: what the prefetch budget is shared over.
    fn readers(&self) -> u64 {
        let partitions = |topic| {
            self.topic_index(topic)
                .and_then(|index| self.topology().map(|t| t.topics[index].partitions))
                .map_or(1, |count| u64::from(count.unsigned_abs()))
        };
        self.plan
            .scenarios
            .iter()
            .map(|s| match &s.work {
                Work::Consume(c) if c.partition.is_some() => 1,
                Work::Consume(c) => partitions(&c.topic),
                Work::Roundtrip(r) => u64::from(r.clients),
                _ => 0,
            })
            .sum()
    }
}

#[cfg(test)]
mod tests;
