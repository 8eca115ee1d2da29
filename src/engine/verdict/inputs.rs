//! The inputs of the verdict, by partition: who sent to it, and who read from it.

use std::collections::{BTreeMap, HashMap};

use crate::engine::context::findings::RunFindings;
use crate::engine::context::topology::Topology;
use crate::engine::messages::ends::{EndMarkerSeen, PartitionEnd};
use crate::ids::{Partition, StreamId};
use crate::ledger::{Marker, PartitionReads, SentLog};

/// Judges what the readers found against what was acked.
pub(crate) fn settle(topology: &Topology, found: &RunFindings, reads: &mut PartitionReads, times: bool) {
    let place = reads.place();
    let here = topology.streams.iter().filter(|(_, info)| (info.topic, info.partition) == place);
    let logs = here.filter_map(|(id, _)| Some((id, found.sent().get(&id)?)));
    let markers: Vec<Marker> = found.markers.of(place).iter().map(marker).collect();
    reads.settle(logs, &markers, times);
}

/// Each partition with its streams and readings.
pub(crate) type Places<'a> = BTreeMap<(usize, Partition), PartitionInputs<'a>>;

/// The inputs of one partition's judgment.
#[derive(Default)]
pub(crate) struct PartitionInputs<'a> {
    pub(crate) ids: Vec<StreamId>,
    pub(crate) ends: Vec<&'a (usize, PartitionEnd)>,
}

pub(crate) fn places<'a>(
    topology: &Topology,
    sent: &HashMap<StreamId, SentLog>,
    ends: &'a [(usize, PartitionEnd)],
) -> Places<'a> {
    let mut out = Places::new();
    for (topic, state) in topology.topics.iter().enumerate() {
        out.extend((0..state.partitions).map(|partition| ((topic, partition), PartitionInputs::default())));
    }
    for (id, info) in topology.streams.iter().filter(|(id, _)| sent.contains_key(id)) {
        out.entry((info.topic, info.partition)).or_default().ids.push(id);
    }
    for end in ends {
        out.entry(end.1.reads.place()).or_default().ends.push(end);
    }
    out
}

pub(crate) fn marker(end_marker: &EndMarkerSeen) -> Marker {
    Marker { number: end_marker.number, offset: end_marker.offset }
}
