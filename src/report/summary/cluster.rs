//! The part of `summary.json` that is about the cluster: faults, containers, and what metadata said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultSummary {
    /// Its name in the file.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it was done to.
    pub target: String,
    /// Start, from the start of the run; null where it never began.
    pub started_ms: Option<u64>,
    /// End, from the start of the run. A restart ends when its container is started again; what is left down ends when another
    /// fault starts it, or with the run.
    pub ended_ms: Option<u64>,
    /// Whether it was shown to have taken effect.
    pub effective: bool,
    /// How that was shown, or why it was not.
    pub proof: String,
    /// From its end to the first ack.
    pub first_ack_ms: Option<u64>,
    /// From its end to the first read.
    pub first_read_ms: Option<u64>,
    /// The longest time without an ack of one scenario, or without a read of one, that lies in part within it.
    pub longest_gap_ms: Option<u64>,
    /// Acked messages that are lost (the recovery point), where no other fault took effect; null where that is not known.
    #[serde(default)]
    pub lost: Option<u64>,
}

/// One container that the run started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerSummary {
    /// The service.
    pub service: String,
    /// Which replica, from 0.
    pub replica: u32,
    /// The image, as written.
    pub image: String,
    /// The container's name.
    pub container: String,
    /// From its start to its being ready; null where it never was.
    pub ready_ms: Option<u64>,
    /// Its log, from the run's folder.
    pub log: Option<String>,
    /// The last lines of its log; absent where the run passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
}

/// Whom a `watch` asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchSummary {
    /// Each broker, asked for itself.
    pub brokers: Vec<WatchedBrokerSummary>,
    /// Changes that it saw beyond those listed.
    pub more_changes: u64,
}

/// One broker that was asked for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedBrokerSummary {
    /// `host:port`.
    pub broker: String,
    /// Times that it was asked.
    pub asked: u64,
    /// Times that it answered.
    pub answered: u64,
    /// Its first answer, from the start of the run.
    pub first_ms: Option<u64>,
    /// Its last answer.
    pub last_ms: Option<u64>,
    /// The last error of a look that got no answer.
    pub error: Option<String>,
}

/// One change of metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetadataChangeSummary {
    /// When it was seen, from the start of the run.
    pub at_ms: u64,
    /// The `watch` that saw it.
    pub scenario: String,
    /// The broker that was asked.
    pub broker: String,
    /// `partitions`, `leaders`, `topic_ids`, `controller` or `brokers`.
    pub aspect: String,
    /// The topic that it is about.
    pub topic: Option<String>,
    /// The partition that it is about.
    pub partition: Option<i32>,
    /// What was said before.
    pub before: String,
    /// What was said then.
    pub after: String,
}
