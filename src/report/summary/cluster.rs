//! The cluster part of `summary.json`: faults, containers and metadata changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultSummary {
    /// The fault's name in the file.
    pub name: String,
    /// The fault's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The service, replica or connection that the fault was applied to.
    pub target: String,
    /// Start, in milliseconds from the start of the run. Null if the fault never started.
    pub started_ms: Option<u64>,
    /// End, in milliseconds from the start of the run. A `restart` ends when its container is started again.
    /// A `stop` without `for` ends when a `start` fault starts the target again, or with the run.
    pub ended_ms: Option<u64>,
    /// Whether the fault is proven to have taken effect.
    pub effective: bool,
    /// The proof that the fault took effect, or why there is none.
    pub proof: String,
    /// Time from the fault's end to the first ack.
    pub first_ack_ms: Option<u64>,
    /// Time from the fault's end to the first read.
    pub first_read_ms: Option<u64>,
    /// The longest gap that overlaps the fault: a time in which one scenario got no ack, or read nothing.
    pub longest_gap_ms: Option<u64>,
    /// Acked messages that are lost (the recovery point). Null if it is unknown or if another fault also took
    /// effect.
    #[serde(default)]
    pub lost: Option<u64>,
}

/// One container that the run started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerSummary {
    /// The service's name.
    pub service: String,
    /// The replica's number, from 0.
    pub replica: u32,
    /// The image as written in the file.
    pub image: String,
    /// The container's name.
    pub container: String,
    /// Time from the container's start until it was ready. Null if it never was.
    pub ready_ms: Option<u64>,
    /// Path of its log, relative to the run's folder.
    pub log: Option<String>,
    /// The last lines of its log. Absent if the run passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
}

/// The brokers that a `watch` scenario queried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchSummary {
    /// Each broker that the scenario queried.
    pub brokers: Vec<WatchedBrokerSummary>,
    /// Number of further changes that are not listed.
    pub more_changes: u64,
}

/// One broker that the scenario queried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedBrokerSummary {
    /// `host:port`.
    pub broker: String,
    /// Number of requests to the broker.
    pub asked: u64,
    /// Number of responses from the broker.
    pub answered: u64,
    /// Time of the broker's first response, in milliseconds from the start of the run.
    pub first_ms: Option<u64>,
    /// Time of the broker's last response, in milliseconds from the start of the run.
    pub last_ms: Option<u64>,
    /// The last error of a request without a response.
    pub error: Option<String>,
}

/// One change of metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetadataChangeSummary {
    /// Time of the response that shows the change, in milliseconds from the start of the run.
    pub at_ms: u64,
    /// The `watch` scenario that saw it.
    pub scenario: String,
    /// The broker that reported the change.
    pub broker: String,
    /// `partitions`, `leaders`, `topic_ids`, `controller` or `brokers`.
    pub aspect: String,
    /// The topic that changed.
    pub topic: Option<String>,
    /// The partition that changed.
    pub partition: Option<i32>,
    /// The value before.
    pub before: String,
    /// The value after.
    pub after: String,
}
