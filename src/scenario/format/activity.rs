//! The scenario types as a file defines them.
//!
//! Defines the fields of each type and the fields that all types share.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::written::{Plain, Written};
use crate::ids::Partition;
use crate::units::{ByteSize, Duration, Rate};

/// One scenario. `type` selects its kind.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Activity {
    /// Connects to each broker and requests its metadata.
    Connect(Connect),
    /// Requests an HTTP endpoint and reads its metrics.
    Metrics(Metrics),
    /// Writes messages.
    Produce(Box<Produce>),
    /// Reads messages, partition by partition.
    Consume(Box<Consume>),
    /// Writes a message, reads it back, and repeats.
    Roundtrip(Box<Roundtrip>),
    /// Polls metadata and records each change.
    Watch(Watch),
    /// Polls the start and end of each log and records each one that goes back.
    Offsets(Offsets),
}

kinds! {
    /// The kinds of scenario.
    ScenarioKind {
        /// Connects to each broker and requests its metadata.
        Connect = "connect",
        /// Requests an HTTP endpoint and reads its metrics.
        Metrics = "metrics",
        /// Writes messages.
        Produce = "produce",
        /// Reads messages, partition by partition.
        Consume = "consume",
        /// Writes a message, reads it back, and repeats.
        Roundtrip = "roundtrip",
        /// Polls metadata and records each change.
        Watch = "watch",
        /// Polls the start and end of each log and records each one that goes back.
        Offsets = "offsets",
    }
}

impl ScenarioKind {
    pub const fn writes(self) -> bool {
        matches!(self, Self::Produce | Self::Roundtrip)
    }

    pub const fn reads(self) -> bool {
        matches!(self, Self::Consume | Self::Roundtrip)
    }

    /// True if its unit of work is an attempt that passes or fails, not a message.
    pub const fn attempts(self) -> bool {
        matches!(self, Self::Connect | Self::Metrics)
    }

    /// The label of what it sends, in reports.
    pub const fn sent_label(self) -> &'static str {
        match self {
            Self::Connect => "Attempts",
            Self::Metrics => "Requests",
            Self::Produce | Self::Consume | Self::Roundtrip | Self::Watch | Self::Offsets => "Sent",
        }
    }

    pub const fn needs_kafka(self) -> bool {
        !matches!(self, Self::Metrics)
    }
}

/// The fields that every scenario shares.
#[derive(Debug, Clone, Default)]
pub struct ScenarioCommon {
    /// The scenario or fault that must have ended.
    pub after: Option<String>,
    /// Delay after the start of the run, or after the end of `after`.
    pub at: Option<Written<Duration>>,
    /// A count to wait for, such as `write.acked >= 500`.
    pub when: Option<String>,
    /// Timeout, measured from the scenario's start.
    pub timeout: Option<Written<Duration>>,
    /// Brokers for this scenario only.
    pub brokers: Option<Vec<String>>,
}

/// serde cannot flatten into structs that deny unknown fields. So this macro adds the shared fields to each
/// type.
macro_rules! activity {
    ($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$meta])* pub $field: Option<$kind>,)*
            /// The scenario or fault that must have ended, with any result. Default: start at once.
            pub after: Option<String>,
            /// Delay after the start of the run, or after the end of `after`. Default: 0s.
            pub at: Option<Written<Duration>>,
            /// Start when a count is reached, such as `write.acked >= 500`. Replaces `at`.
            pub when: Option<String>,
            /// Timeout, measured from the scenario's start. The default depends on the type; see the table of
            /// defaults.
            pub timeout: Option<Written<Duration>>,
            /// Brokers for this scenario only, such as `{{broker.1.kafka}}`. Default: the file's.
            #[schemars(length(min = 1))]
            pub brokers: Option<Vec<String>>,
        }

        impl $name {
            fn common(&self) -> ScenarioCommon {
                ScenarioCommon {
                    after: self.after.clone(),
                    at: self.at.clone(),
                    when: self.when.clone(),
                    timeout: self.timeout.clone(),
                    brokers: self.brokers.clone(),
                }
            }
        }
    };
}

activity! {
    /// Connects to each broker and retries until it succeeds or the timeout expires.
    Connect {}
}

activity! {
    /// Requests metrics from an HTTP endpoint.
    Metrics {
        /// URL of the endpoint. For a service's port, use `http://{{broker.metrics}}/metrics`. Default: the
        /// profile's `metrics_url`.
        url: String,
        /// Names of series that must be present.
        contains: Vec<String>,
        /// Repeat the request at this interval while other scenarios run. Default: one request.
        every: Written<Duration>,
    }
}

activity! {
    /// Writes messages. `messages`, `rate` and `max_in_flight` are totals over all clients.
    Produce {
        /// Topic to write to. Default: the only topic declared.
        topic: String,
        /// Number of producers that share the totals. Default: 1.
        #[schemars(range(min = 1, max = 10_000))]
        clients: u32,
        /// Stop after this number of messages.
        #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
        messages: u64,
        /// Stop after this time.
        duration: Written<Duration>,
        /// Messages per unit of time, such as `1k/s`. Default: as fast as acks allow.
        rate: Written<Rate>,
        /// Rates that apply one after the other. Replaces `rate`.
        #[schemars(length(min = 1, max = 1000))]
        stages: Vec<StageFields>,
        /// How a message's partition is chosen. Default: round_robin.
        partition: Partitioning,
        /// Replicas that must acknowledge a message. Default: all.
        acks: Acks,
        /// Compression codec. Default: none.
        compression: Compression,
        /// Enable the idempotent producer, so that the broker drops duplicates. Default: false.
        idempotence: bool,
        /// Maximum bytes in flight. Default: 32MiB.
        max_in_flight: Written<ByteSize>,
        /// Template for the key of each message.
        key: String,
        /// Templates for the headers of each message.
        headers: IndexMap<String, Plain>,
        /// Value of each message. Default: JSON with a UUID and a timestamp.
        value: Value,
        /// Whether every acknowledged message must be read back. Default: true.
        verify: bool,
    }
}

activity! {
    /// Reads partition by partition, without a consumer group. `limit` is a total over all clients.
    Consume {
        /// Topic to read from. Default: the only topic declared.
        topic: String,
        /// Records to count: those of this run, or any. Default: run if a scenario of the file writes to this
        /// topic, otherwise any.
        from: From,
        /// Number of threads that share the partitions. Default: 1.
        #[schemars(range(min = 1, max = 10_000))]
        clients: u32,
        /// Read only this partition. Default: all partitions of the topic.
        #[schemars(range(min = 0, max = 1_000_000))]
        partition: i32,
        /// Where to start: earliest, latest, an offset, or an RFC 3339 time. Default: earliest.
        offset: OffsetField,
        /// Stop after this number of distinct messages.
        #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
        limit: u64,
        /// Stop if no message arrives for this time. Default: 15s.
        idle_timeout: Written<Duration>,
    }
}

activity! {
    /// Writes a message, reads it back, and continues with the next.
    Roundtrip {
        /// Topic to write to and read from. Default: the only topic declared.
        topic: String,
        /// Partition to use. Default: 0.
        #[schemars(range(min = 0, max = 1_000_000))]
        partition: i32,
        /// Number of measured round trips. Default: 100.
        #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
        iterations: u64,
        /// Number of round trips before the measured ones. They are not counted. Default: 5.
        #[schemars(range(max = 1_000_000_000_u64))]
        warmup: u64,
        /// Number of clients that run in parallel. Default: 1.
        #[schemars(range(min = 1, max = 10_000))]
        clients: u32,
        /// Time from the start of a round trip to the start of the client's next one. Default: none; the next one
        /// starts immediately.
        every: Written<Duration>,
        /// Timeout of one round trip. Default: 10s.
        iteration_timeout: Written<Duration>,
        /// Replicas that must acknowledge a message. Default: all.
        acks: Acks,
        /// Compression codec. Default: none.
        compression: Compression,
        /// Enable the idempotent producer, so that the broker drops duplicates. Default: false.
        idempotence: bool,
        /// Template for the key of each message.
        key: String,
        /// Templates for the headers of each message.
        headers: IndexMap<String, Plain>,
        /// Value of each message. Default: JSON with a UUID and a timestamp.
        value: Value,
        /// Whether every acknowledged message must be read back. Default: true.
        verify: bool,
    }
}

activity! {
    /// Polls metadata, as clients see it, while other scenarios run, and records each change.
    Watch {
        /// Interval between requests. Default: 500ms.
        every: Written<Duration>,
    }
}

activity! {
    /// Polls the start and end of each partition's log while other scenarios run, and records each one that goes
    /// back.
    Offsets {
        /// Interval between requests. Default: 1s.
        every: Written<Duration>,
    }
}

impl Activity {
    /// The fields that every scenario shares.
    pub fn common(&self) -> ScenarioCommon {
        match self {
            Self::Connect(it) => it.common(),
            Self::Metrics(it) => it.common(),
            Self::Produce(it) => it.common(),
            Self::Consume(it) => it.common(),
            Self::Roundtrip(it) => it.common(),
            Self::Watch(it) => it.common(),
            Self::Offsets(it) => it.common(),
        }
    }
}

/// One stage of `stages`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub struct StageFields {
    /// How long the stage lasts.
    pub duration: Written<Duration>,
    /// Messages per unit of time during the stage.
    pub rate: Written<Rate>,
}

/// The value of a message. Set exactly one of `json`, `text` and `size`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// A JSON document. Its strings are templates.
    pub json: Option<serde_json::Value>,
    /// A text template.
    pub text: Option<String>,
    /// A generated value of this size in bytes.
    pub size: Option<Written<ByteSize>>,
    /// Content of a generated value. Default: random.
    pub content: Option<ValueContent>,
}

/// Content of a generated value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Filling")]
pub enum ValueContent {
    /// Incompressible bytes, generated from the run's seed.
    Random,
    /// Zero bytes, which compress well.
    Zeros,
}

kinds! {
    /// Compression codecs.
    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Compression {
        None = "none",
        Gzip = "gzip",
        Snappy = "snappy",
        Lz4 = "lz4",
        Zstd = "zstd",
    }
}

/// Which records a consumer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// Records of this run. All others are counted as foreign.
    Run,
    /// Any record. The records are not matched to sent messages.
    Any,
}

/// Which replicas must acknowledge a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// None: the producer does not wait.
    None,
    /// The partition leader.
    Leader,
    /// All in-sync replicas.
    All,
}

/// How a message's partition is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// Always this partition.
    Fixed(Partition),
    /// Each partition in turn.
    RoundRobin,
    /// By the key's murmur2 hash, as the Java client does.
    ByKey,
}

/// Where a consumer starts reading.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OffsetField {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Acks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The schema accepts no other value.
        Plain::deserialize(deserializer).map(|plain| match plain.0.as_str() {
            "0" => Self::None,
            "1" => Self::Leader,
            _ => Self::All,
        })
    }
}

impl JsonSchema for Acks {
    fn schema_name() -> Cow<'static, str> {
        "Acks".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "all, 1 (only the leader) or 0 (none)", "enum": ["all", 1, 0, -1, "1", "0", "-1"]})
    }
}

impl<'de> Deserialize<'de> for Partitioning {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(Partition),
            Word(String),
        }
        // The schema accepts no other word.
        Written::deserialize(deserializer).map(|written| match written {
            Written::Number(number) => Self::Fixed(number),
            Written::Word(word) if word == "by_key" => Self::ByKey,
            Written::Word(_) => Self::RoundRobin,
        })
    }
}

impl JsonSchema for Partitioning {
    fn schema_name() -> Cow<'static, str> {
        "ProducePartition".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a partition's number, round_robin or by_key",
            "anyOf": [{"type": "integer", "minimum": 0, "maximum": 1_000_000}, {"enum": ["round_robin", "by_key"]}]
        })
    }
}

impl JsonSchema for OffsetField {
    fn schema_name() -> Cow<'static, str> {
        "Offset".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "earliest, latest, an offset, or a time such as 2026-01-16T14:54:02Z",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": i64::MAX},
                {"enum": ["earliest", "latest"]},
                {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}"}
            ]
        })
    }
}
