//! Saving a run's ledger, and standing in for the producers of a saved one.
//!
//! A later run reads what an earlier one wrote: its producers send nothing, and have sent what the ledger says.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::outcome::Outcome;
use super::setup;
use super::shared::{Shared, Topology};
use crate::ids::StreamId;
use crate::ledger::{SAVED_VERSION, Saved, SavedStream, SentLog, StreamInfo};
use crate::observe::Ended;
use crate::plan::{Target, Work};

/// The ledger of this run.
pub(super) fn save(shared: &Shared, topology: &Topology, sent: &HashMap<StreamId, SentLog>) -> Saved {
    let plan = &shared.plan;
    let sends = |i: &usize| matches!(plan.scenarios[*i].work, Work::Produce(_) | Work::Roundtrip(_));
    let senders: Vec<usize> = (0..plan.scenarios.len()).filter(sends).collect();
    let streams = topology.streams.iter().filter_map(|(id, info)| {
        // Numbered among the producers, since a later run knows no other scenarios of this one.
        let scenario = senders.iter().position(|sender| *sender == info.scenario)?;
        Some(SavedStream::new(id, &StreamInfo { scenario, ..info.clone() }, sent.get(&id)?))
    });
    Saved {
        ledger_version: SAVED_VERSION,
        run_id: shared.run_id.clone(),
        name: plan.name.clone(),
        run_tag: shared.run_tag.bits(),
        profile: plan.profile.clone(),
        brokers: match &plan.target {
            Target::Brokers(_) => shared.brokers(),
            // They end with the run.
            Target::Embedded | Target::Cluster => Vec::new(),
        },
        source_path: plan.source.path.display().to_string(),
        source: plan.source.text.clone(),
        topics: shared.topic_names(),
        producers: senders.iter().map(|i| plan.scenarios[*i].name.clone()).collect(),
        streams: streams.collect(),
    }
}

/// Stands in for a producer of a saved ledger.
pub(super) async fn producer(shared: &Arc<Shared>, index: usize) -> Outcome {
    if let Err(why) = setup::ready(shared).await {
        return Outcome::failed(why);
    }
    let [sent, acked, failed, unknown] = shared.sent_by(index);
    let counters = &shared.live.metrics(index).counters;
    for (counter, count) in [
        (&counters.sent, sent),
        (&counters.acked, acked),
        (&counters.failed, failed),
        (&counters.unknown, unknown),
    ] {
        counter.store(count, Ordering::Relaxed);
    }
    let run = shared.saved.as_ref().map_or("", |saved| saved.run_id.as_str());
    Outcome::of(Ended::Done).because(format!("sent by run {run}; nothing was sent now"))
}
