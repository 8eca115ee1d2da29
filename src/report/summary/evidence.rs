//! Anomalies in a summary, with their evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One kind of anomaly.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnomalySummary {
    /// Exact count. Null if the run could not measure it.
    pub count: Option<u64>,
    /// How many more a retry explains (`duplicate` and `reordered`). They are not included in `count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<u64>,
    /// How many more a retry may explain, because it is unknown how much was resent. They are not included in
    /// `count` or `explained`. Absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<u64>,
    /// Up to 20 pieces of evidence, each about one message or a range of messages.
    pub evidence: Vec<EvidenceRow>,
}

/// One piece of evidence, about one message or a range of similar messages. In a range, sequence numbers
/// increase by one and offsets at a constant step. Fields that do not apply are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceRow {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Number of messages in the range. Absent for a single message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Offset at which the message was acked or read. For a range, this and the following fields describe the
    /// first message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Offset of the range's last message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_offset: Option<i64>,
    /// The other offset: of the first copy, or of the ack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_offset: Option<i64>,
    /// The other offset of the range's last message. Equal to `other_offset` if all messages share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_other_offset: Option<i64>,
    /// The message's UUID, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The scenario that sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
    /// The message's number among its client's messages to that partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Number of the range's last message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_seq: Option<u64>,
    /// The observer: a consumer's name, `audit` or `recheck`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Time, in milliseconds from the start of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// Time of the range's last message, in milliseconds from the start of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// True if a retry explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<bool>,
    /// Faults during or after which it happened, as far as known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Description: the neighboring messages, and the fault or retry at that time.
    pub detail: String,
    /// Where it was acked and found, by whom and when. At most 8 entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spots: Vec<SpotRow>,
}

/// Offset and time of one copy of a message: the ack, or what one observer found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpotRow {
    /// What happened at this place. Later versions of kaf6 may add values.
    pub found: String,
    /// The observer: a consumer's name, `audit` or `recheck`. Absent for an ack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// The offset.
    pub offset: i64,
    /// Offset of the range's last message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_offset: Option<i64>,
    /// Approximate time, in milliseconds from the start of the run.
    pub at_ms: u64,
    /// Approximate time of the range's last message, in milliseconds from the start of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
}

impl EvidenceRow {
    /// Number of messages in this piece of evidence.
    pub fn messages(&self) -> u64 {
        self.count.unwrap_or(1)
    }
}
