//! Anomalies in a summary, with their evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One kind of anomaly.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnomalySummary {
    /// Exact count; null where the run had no way to measure it.
    pub count: Option<u64>,
    /// Those that a retry explains (`duplicate` and `reordered`); counted apart from `count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<u64>,
    /// Those that a retry may explain, since it is not known how much was sent again; counted apart from both. Absent where
    /// there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<u64>,
    /// Up to 20 pieces, each of one message or of a range of them.
    pub evidence: Vec<EvidenceRow>,
}

/// One piece of evidence: of one message, or of a range of them of which the same is true. In a range, sequences grow by one,
/// and offsets evenly. Fields that do not apply are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceRow {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// How many messages it is of; absent for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Offset at which it was acked or read; of a range, that of the first message, like the fields below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// The offset of the last message of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_offset: Option<i64>,
    /// The other offset: of the first copy, or of the ack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_offset: Option<i64>,
    /// The other offset of the last message of a range; the same if it is one for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_other_offset: Option<i64>,
    /// The message's identity as UUID, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The scenario that sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
    /// Its number among that client's messages to that partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The number of the last message of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_seq: Option<u64>,
    /// Who noticed: the name of the consumer, else `audit` or `recheck`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// When, milliseconds from the start of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// The same of the last message of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// A retry explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<bool>,
    /// Faults during or after which it happened, as far as that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// In words: neighbours, and the fault or retry beside it.
    pub detail: String,
    /// Where it was acked and found, by whom and when; at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spots: Vec<SpotRow>,
}

/// One place of a message in offset and time: of its ack, or as one observer found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpotRow {
    /// What happened there: a later kaf6 may have others.
    pub found: String,
    /// Who found it, as in the evidence; absent for the ack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Where.
    pub offset: i64,
    /// Where the last message of a range is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_offset: Option<i64>,
    /// About when, milliseconds from the start of the run.
    pub at_ms: u64,
    /// The same of the last message of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
}

impl EvidenceRow {
    /// How many messages it is of.
    pub fn messages(&self) -> u64 {
        self.count.unwrap_or(1)
    }
}
