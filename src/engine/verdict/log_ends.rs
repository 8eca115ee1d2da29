//! The ends of logs as brokers report them after everything was written.

use std::collections::HashMap;

use crate::anomaly::Anomaly;
use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::engine::messages::ends::AckedMarkers;
use crate::ids::{Offset, Partition};
use crate::kafka;
use crate::observe::{Note, PartitionSeen};
use crate::units::thousands;

/// The current end of each log with an end marker, as the broker reports it; `None` if it does not.
pub(crate) fn reported_ends(
    context: &RunContext,
    topology: &Topology,
    markers: &AckedMarkers,
) -> HashMap<(usize, Partition), Option<Offset>> {
    let mut out = HashMap::new();
    for (index, topic) in topology.topics.iter().enumerate() {
        let marked: Vec<Partition> =
            (0..topic.partitions).filter(|p| !markers.of((index, *p)).is_empty()).collect();
        if marked.is_empty() || context.stop.is_stopped() {
            continue;
        }
        // An end that is not reported is not judged.
        let wait = context.client.waits().ends;
        let logs =
            kafka::client::metadata::logs(&context.client, &topic.name, &marked, wait).unwrap_or_default();
        let ends = logs.into_iter().map(|(partition, log)| ((index, partition), log.map(|(_, end)| end)));
        out.extend(ends);
    }
    out
}

/// Notes a high watermark that is too low. This is not a loss, but readers that trust it stop too early.
pub(crate) fn note_low_watermarks(context: &RunContext, topology: &Topology, partitions: &[PartitionSeen]) {
    for seen in partitions {
        let counts = seen.judgement.as_ref().and_then(|j| j.counts.get(&Anomaly::StaleEnd));
        if let Some(count) = counts.map(|c| c.count).filter(|count| *count > 0) {
            context.notes.add(Note::warning(format!(
                "partition {} of `{}`: {} records are at or above the high watermark that the \
                broker reports; kaf6 does not rely on it, but other readers may stop too early",
                seen.partition,
                topology.topics[seen.topic].name,
                thousands(count)
            )));
        }
    }
}
