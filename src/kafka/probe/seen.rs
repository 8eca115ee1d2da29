//! The results of a probe, as plain data.

use std::time::Duration;

use crate::ids::{Offset, Partition};
use crate::kafka::client::cluster::Broker;
use crate::kafka::client::code::Code;

/// What a probe of one broker saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probe {
    /// The address probed, as given.
    pub broker: String,
    /// The steps taken, in order; the first with an error is the last.
    pub stages: Vec<ProbeStage>,
    /// The broker's API versions; empty where that step was not reached.
    pub apis: Vec<Api>,
    /// The broker's view of the cluster; none where that step was not reached.
    pub metadata: Option<ProbedMetadata>,
}

/// One step of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeStage {
    /// `resolve`, `tcp`, `tls`, `api_versions` or `metadata`.
    pub name: &'static str,
    pub took: Duration,
    /// What went wrong; none where it worked.
    pub error: Option<String>,
}

/// One request type that a broker knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    pub key: i16,
    /// Kafka's name for it; `Unknown` for one that kaf6 does not know.
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

/// Metadata as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbedMetadata {
    pub cluster_id: Option<String>,
    /// The controller's broker id; none where there is none.
    pub controller: Option<i32>,
    /// The cluster's brokers, as they advertise themselves.
    pub brokers: Vec<Broker>,
    pub topics: Vec<ProbedTopic>,
}

/// One topic of [`ProbedMetadata`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbedTopic {
    pub name: String,
    /// Its id as a UUID's text; none where the broker gives none (Metadata below version 10).
    pub id: Option<String>,
    /// What is wrong with it.
    pub code: Code,
    /// number and leader (none where it has none) of each partition.
    pub partitions: Vec<(Partition, Option<i32>)>,
    /// The leader epoch of each partition; empty where the broker gives none (Metadata below version 7).
    pub leader_epochs: Vec<(Partition, i32)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchProbe {
    /// The answer's code: the partition's, or the whole answer's.
    pub code: Code,
    /// Whether the records were null, where Kafka sends empty ones.
    pub null_records: bool,
    /// Bytes of records in the answer, without control records at their start.
    pub record_bytes: usize,
    /// One past these control records (markers of transactions). Clients read past them without handing any out.
    pub behind_control: Option<Offset>,
    /// The end of the log according to the answer, if it has one.
    pub high_watermark: Option<Offset>,
    /// The log start according to the answer, if it has one.
    pub log_start: Option<Offset>,
    /// The last stable offset according to the answer, if it has one: `read_committed` readers cannot pass
    /// it.
    pub last_stable_offset: Option<Offset>,
    /// The header of the first batch behind these; none without records that are long enough.
    pub batch: Option<BatchHeader>,
    /// The Fetch version that was spoken.
    pub version: i16,
}

impl FetchProbe {
    /// Whether it contains records from this offset on. A broker may send the end of a batch that is before
    /// it.
    pub fn gives(&self, at: Offset) -> bool {
        let last = |batch: BatchHeader| batch.base_offset.saturating_add(batch.last_offset_delta.into());
        self.code.is_none() && self.record_bytes > 0 && self.batch.is_none_or(|batch| last(batch) >= at)
    }
}

/// The header of a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: Offset,
    /// Its length in bytes, without the first twelve.
    pub length: i32,
    /// Its last offset, less the first.
    pub last_offset_delta: i32,
    /// How many records it has, by its header.
    pub records: i32,
    /// Whether its checksum is right; none where the answer does not hold all of it.
    pub crc_ok: Option<bool>,
}

/// Why a Fetch of the probe has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFetch {
    #[error("the probe does not support SASL")]
    Sasl,
    /// A broker answers that it does not know the topic or the partition.
    #[error("{0}")]
    Unknown(String),
    /// The partition has no leader, or one that is not in the cluster.
    #[error("{0}")]
    NoLeader(String),
    /// No reachable broker answered.
    #[error("{0}")]
    Unanswered(String),
}
