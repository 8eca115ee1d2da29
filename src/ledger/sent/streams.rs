//! The streams of a run: maps each stream to its scenario, client, topic and partition.
//!
//! Created once, before the first message. Ids are dense, so a record's stream is found by index.

use crate::ids::{Partition, StreamId};

/// One client's messages to one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// The scenario's number in the plan.
    pub scenario: usize,
    /// The client within the scenario.
    pub client: u32,
    /// The topic's number in the run.
    pub topic: usize,
    pub partition: Partition,
    /// Each value holds the message's UUID.
    pub has_uuid: bool,
    /// Round trips are a kind of their own: in no consumer's counts.
    pub roundtrip: bool,
}

/// All streams of a run.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    list: Vec<StreamInfo>,
}

impl Streams {
    /// Adds the streams of one client, one for each partition, and gives the first one's id.
    pub fn add(&mut self, first: &StreamInfo, partitions: impl IntoIterator<Item = Partition>) -> StreamId {
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.extend(partitions.into_iter().map(|partition| StreamInfo { partition, ..first.clone() }));
        StreamId(id)
    }

    /// The stream of this id; none where it is not of this run.
    pub fn get(&self, id: StreamId) -> Option<&StreamInfo> {
        self.list.get(usize::try_from(id.0).ok()?)
    }

    /// All of them with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &StreamInfo)> {
        self.list.iter().zip(0_u32..).map(|(info, id)| (StreamId(id), info))
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
