//! The streams of a run: maps each stream to its scenario, client, topic and partition.
//!
//! Created once, before the first message. Ids are consecutive, so a record's stream is found by index.

use crate::ids::{Partition, StreamId};

/// One client's messages to one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// The scenario's index in the plan.
    pub scenario: usize,
    /// The client's index in the scenario.
    pub client: u32,
    /// The topic's index in the run.
    pub topic: usize,
    pub partition: Partition,
    /// Whether each value contains the message's UUID.
    pub has_uuid: bool,
    /// Whether its messages are round trips, which consumers do not count.
    pub roundtrip: bool,
}

/// All streams of a run.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    list: Vec<StreamInfo>,
}

impl Streams {
    /// Adds the streams of one client, one for each partition, and returns the first id.
    pub fn add(&mut self, first: &StreamInfo, partitions: impl IntoIterator<Item = Partition>) -> StreamId {
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.extend(partitions.into_iter().map(|partition| StreamInfo { partition, ..first.clone() }));
        StreamId(id)
    }

    /// The stream with this id; `None` if it is not from this run.
    pub fn get(&self, id: StreamId) -> Option<&StreamInfo> {
        self.list.get(usize::try_from(id.0).ok()?)
    }

    /// All streams with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &StreamInfo)> {
        self.list.iter().zip(0_u32..).map(|(info, id)| (StreamId(id), info))
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
