//! The scenario types as they are written.
//!
//! Owns the fields of `connect`, `metrics`, `produce`, `consume`, `roundtrip` and `watch`, and those that all share.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::kind::kinds;
use super::written::{Plain, Written};
use crate::ids::Partition;
use crate::units::{ByteSize, Duration, Rate};

/// One activity; `type` says which.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Activity {
    /// Can the brokers be reached, and do they know the topics?
    Connect(Connect),
    /// Does an HTTP endpoint answer, and with what?
    Metrics(Metrics),
    /// Write messages.
    Produce(Box<Produce>),
    /// Read them, partition by partition.
    Consume(Box<Consume>),
    /// Write one, read it back, next.
    Roundtrip(Box<Roundtrip>),
    /// Look at metadata, as a client sees it, again and again.
    Watch(Watch),
}

kinds! {
    /// The kinds of scenario.
    ScenarioKind {
        /// Can the brokers be reached, and do they know the topics?
        Connect = "connect",
        /// Does an HTTP endpoint answer, and with what?
        Metrics = "metrics",
        /// Write messages.
        Produce = "produce",
        /// Read them, partition by partition.
        Consume = "consume",
        /// Write one, read it back, next.
        Roundtrip = "roundtrip",
        /// Look at metadata, as a client sees it, again and again.
        Watch = "watch",
    }
}

impl ScenarioKind {
    /// It writes messages.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Produce | Self::Roundtrip)
    }

    /// It reads messages.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Consume | Self::Roundtrip)
    }

    /// It makes attempts, each of which works or fails, and no messages.
    pub const fn attempts(self) -> bool {
        matches!(self, Self::Connect | Self::Metrics)
    }

    /// It talks to brokers.
    pub const fn needs_kafka(self) -> bool {
        !matches!(self, Self::Metrics)
    }
}

/// What every scenario may say.
#[derive(Debug, Clone, Default)]
pub struct ScenarioCommon {
    /// The scenario or fault that must have ended.
    pub after: Option<String>,
    /// Offset from the start of the run, or from the end of `after`.
    pub at: Option<Written<Duration>>,
    /// A count to wait for.
    pub when: Option<String>,
    /// Time bound from its start.
    pub timeout: Option<Written<Duration>>,
    /// Brokers of its own.
    pub brokers: Option<Vec<String>>,
}

/// serde cannot flatten into structs that refuse unknown fields, so the shared ones are written into each.
macro_rules! activity {
    ($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$meta])* pub $field: Option<$kind>,)*
            /// The scenario or fault that must have ended, well or not. Default: start at once.
            pub after: Option<String>,
            /// Offset from the run's start, or from the end of `after`. Default: 0s.
            pub at: Option<Written<Duration>>,
            /// Starts by count in place of `at`, such as `write.acked >= 500`.
            pub when: Option<String>,
            /// Time bound, from its start on. Every scenario has one; see the table of defaults.
            pub timeout: Option<Written<Duration>>,
            /// Brokers of its own, such as `{{broker.1.kafka}}`. Default: the file's.
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
    /// Tries to reach each broker until it works or the time is up.
    Connect {}
}

activity! {
    /// Asks an HTTP endpoint for metrics.
    Metrics {
        /// Where to ask; a port of a service as `http://{{broker.metrics}}/metrics`. Default: the profile's
        /// metrics_url.
        url: String,
        /// Series that must be present, by name.
        contains: Vec<String>,
        /// Ask again and again, as long as other scenarios run. Default: once.
        every: Written<Duration>,
    }
}

activity! {
    /// Writes messages. `messages`, `rate` and `max_in_flight` are totals over the clients.
    Produce {
        /// Where to. Default: the only topic declared.
        topic: String,
        /// Producers that share the totals. Default: 1.
        #[schemars(range(min = 1, max = 10_000))]
        clients: u32,
        /// Stop after so many messages.
        #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
        messages: u64,
        /// Stop after so long.
        duration: Written<Duration>,
        /// Messages in a time. Default: as fast as acks allow.
        rate: Written<Rate>,
        /// Rates one after the other, in place of `rate`.
        #[schemars(length(min = 1, max = 1000))]
        stages: Vec<StageFields>,
        /// Which partition each message goes to. Default: round_robin.
        partition: Partitioning,
        /// How many replicas must confirm. Default: all.
        acks: Acks,
        /// Codec. Default: none.
        compression: Compression,
        /// Ask the broker to drop repeats. Default: false.
        idempotence: bool,
        /// Bytes in flight. Default: 32MiB.
        max_in_flight: Written<ByteSize>,
        /// Key of each message, a template.
        key: String,
        /// Headers of each message, templates.
        headers: IndexMap<String, Plain>,
        /// Value of each message. Default: JSON with a UUID and a time.
        value: Value,
        /// Whether each acknowledged message has to be read back. Default: true.
        verify: bool,
    }
}

activity! {
    /// Reads partition by partition, without a consumer group. `limit` is a total over the clients.
    Consume {
        /// Where from. Default: the only topic declared.
        topic: String,
        /// Records of this run, or any. Default: run where a scenario of the file writes this topic, else any.
        from: From,
        /// Threads that share the partitions. Default: 1.
        #[schemars(range(min = 1, max = 10_000))]
        clients: u32,
        /// Only this partition. Default: all of the topic.
        #[schemars(range(min = 0, max = 1_000_000))]
        partition: i32,
        /// Where to start: earliest, latest, an offset, or a time as RFC 3339. Default: earliest.
        offset: OffsetField,
        /// Stop after so many distinct messages.
        #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
        limit: u64,
        /// Stop when nothing has come for so long. Default: 15s.
        idle_timeout: Written<Duration>,
    }
}

activity! {
    /// Writes a message, reads it back, and goes on to the next.
    Roundtrip {
        /// Where to and from. Default: the only topic declared.
        topic: String,
        /// The partition that is used. Default: 0.
        #[schemars(range(min = 0, max = 1_000_000))]
        partition: i32,
        /// Round trips that count. Default: 100.
        #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
        iterations: u64,
        /// Round trips before those, counted nowhere. Default: 5.
        #[schemars(range(max = 1_000_000_000_u64))]
        warmup: u64,
        /// How many do it side by side. Default: 1.
        #[schemars(range(min = 1, max = 10_000))]
        clients: u32,
        /// Longest wait for one round trip. Default: 10s.
        iteration_timeout: Written<Duration>,
        /// How many replicas must confirm. Default: all.
        acks: Acks,
        /// Codec. Default: none.
        compression: Compression,
        /// Ask the broker to drop repeats. Default: false.
        idempotence: bool,
        /// Key of each message, a template.
        key: String,
        /// Headers of each message, templates.
        headers: IndexMap<String, Plain>,
        /// Value of each message. Default: JSON with a UUID and a time.
        value: Value,
        /// Whether each acknowledged message has to be read back. Default: true.
        verify: bool,
    }
}

activity! {
    /// Looks at metadata as clients see it, as long as other scenarios run, and keeps each change.
    Watch {
        /// Time from one look to the next. Default: 500ms.
        every: Written<Duration>,
    }
}

impl Activity {
    /// What every scenario may say.
    pub fn common(&self) -> ScenarioCommon {
        match self {
            Self::Connect(it) => it.common(),
            Self::Metrics(it) => it.common(),
            Self::Produce(it) => it.common(),
            Self::Consume(it) => it.common(),
            Self::Roundtrip(it) => it.common(),
            Self::Watch(it) => it.common(),
        }
    }
}

/// A stage of a schedule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub struct StageFields {
    /// How long it lasts.
    pub duration: Written<Duration>,
    /// Messages in a time while it lasts.
    pub rate: Written<Rate>,
}

/// What a message's value is made of: exactly one of `json`, `text` and `size`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// A JSON document with templates in its texts.
    pub json: Option<serde_json::Value>,
    /// A text, a template.
    pub text: Option<String>,
    /// So many bytes, made by kaf6.
    pub size: Option<Written<ByteSize>>,
    /// What fills a value of a given size. Default: random.
    pub content: Option<ValueContent>,
}

/// What fills a value of a given size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Filling")]
pub enum ValueContent {
    /// Bytes that do not compress, from the run's seed.
    Random,
    /// Zero bytes.
    Zeros,
}

/// Codecs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    /// As files and librdkafka write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Whose records a consumer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// Records of this run; all others are counted as foreign.
    Run,
    /// Whatever is there; no ledger.
    Any,
}

/// How many replicas must confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nobody confirms.
    None,
    /// The leader confirms.
    Leader,
    /// All in-sync replicas confirm.
    All,
}

/// Which partition a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// Always this one.
    Fixed(Partition),
    /// One after the other.
    RoundRobin,
    /// By the key's hash, as Kafka's own clients do (murmur2).
    ByKey,
}

/// Where a consumer starts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OffsetField {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Acks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The schema takes no other.
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
        // The schema takes no other word.
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
