//! The results of a probe, as plain data.

use std::time::Duration;

use crate::ids::{Offset, Partition};
use crate::kafka::client::cluster::Broker;
use crate::kafka::client::code::Code;

/// The result of probing one broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probe {
    /// The probed address, as given.
    pub broker: String,
    /// The completed steps, in order. Only the last can have an error.
    pub stages: Vec<ProbeStage>,
    /// The broker's API versions; empty if that step was not reached.
    pub apis: Vec<Api>,
    /// The broker's view of the cluster; `None` if that step was not reached.
    pub metadata: Option<ProbedMetadata>,
}

/// One step of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeStage {
    /// `resolve`, `tcp`, `tls`, `api_versions` or `metadata`.
    pub name: &'static str,
    pub took: Duration,
    /// The error; `None` on success.
    pub error: Option<String>,
}

/// One request type that a broker supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    pub key: i16,
    /// Kafka's name of the request type; `Unknown` if kaf6 does not know it.
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

/// Metadata as received on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbedMetadata {
    pub cluster_id: Option<String>,
    /// The controller's broker id; `None` if there is no controller.
    pub controller: Option<i32>,
    /// The cluster's brokers with their advertised addresses.
    pub brokers: Vec<Broker>,
    pub topics: Vec<ProbedTopic>,
}

/// One topic of [`ProbedMetadata`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbedTopic {
    pub name: String,
    /// The topic id as UUID text; `None` if the broker does not return one (Metadata below version 10).
    pub id: Option<String>,
    /// The topic's error code.
    pub code: Code,
    /// Number and leader (`None` if there is no leader) of each partition.
    pub partitions: Vec<(Partition, Option<i32>)>,
    /// The leader epoch of each partition; empty if the broker does not return them (Metadata below version 7).
    pub leader_epochs: Vec<(Partition, i32)>,
}

/// The logs of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicBounds {
    pub name: String,
    /// As in [`ProbedTopic`].
    pub id: Option<String>,
    /// Why the broker does not report the topic.
    pub error: Option<String>,
    /// Each partition in the metadata, by number.
    pub partitions: Vec<PartitionBounds>,
}

/// The log of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionBounds {
    pub partition: Partition,
    /// The leader epoch in the metadata. `None` if the broker does not report it.
    pub leader_epoch: Option<i32>,
    /// The error is the reason why there is no answer.
    pub bounds: Result<LogBounds, String>,
}

/// The start and the end of a log. The start was requested first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    pub start: Offset,
    /// The high watermark.
    pub end: Offset,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchProbe {
    /// The code of the partition, or of the whole answer.
    pub code: Code,
    /// Whether the records are null. Kafka sends empty records instead.
    pub null_records: bool,
    /// Bytes of records in the answer, without control records at their start.
    pub record_bytes: usize,
    /// The offset after these control records (markers of transactions). Clients skip them.
    pub behind_control: Option<Offset>,
    /// The end of the log according to the answer, if it has one.
    pub high_watermark: Option<Offset>,
    /// The log start according to the answer, if it has one.
    pub log_start: Option<Offset>,
    /// The last stable offset according to the answer, if it has one: `read_committed` readers cannot pass
    /// it.
    pub last_stable_offset: Option<Offset>,
    /// The header of the first batch after the control records; `None` if there are not enough bytes.
    pub batch: Option<BatchHeader>,
    /// The Fetch version that was used.
    pub version: i16,
}

impl FetchProbe {
    /// Whether the answer contains records at or after this offset. A broker may send the end of a batch that starts
    /// before it.
    pub fn gives(&self, at: Offset) -> bool {
        let last = |batch: BatchHeader| batch.base_offset.saturating_add(batch.last_offset_delta.into());
        self.code.is_none() && self.record_bytes > 0 && self.batch.is_none_or(|batch| last(batch) >= at)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: Offset,
    /// The length field: the batch's length without the first twelve bytes.
    pub length: i32,
    /// The last offset minus the first.
    pub last_offset_delta: i32,
    /// The number of records, according to the header.
    pub records: i32,
    /// Whether the checksum is correct; `None` if the answer does not contain the whole batch.
    pub crc_ok: Option<bool>,
}

/// The reasons why a Fetch of the probe failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFetch {
    #[error("the probe does not support SASL")]
    Sasl,
    /// A broker answered that it does not know the topic or the partition.
    #[error("{0}")]
    Unknown(String),
    /// The partition has no leader, or its leader is not in the cluster.
    #[error("{0}")]
    NoLeader(String),
    /// No reachable broker answered.
    #[error("{0}")]
    Unanswered(String),
}
