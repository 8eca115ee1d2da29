//! The validated scenario: every text parsed, every reference known to exist, defaults not yet taken.
//!
//! Owns the types between the file as written and the plan; the plan uses many of them as they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::format::ScenarioKind;
use super::{Diagnostic, Position, Secrets, Series, Span as Place, Template, Wired};
use crate::ids::{Offset, Partition};
use crate::units::{Duration, Rate};

mod check;
pub mod cluster;
mod when;

pub use check::{Allow, Ask, Aspect, Check, CountMetric, Metric, Op, Span, ThresholdExpr};
pub use when::{Counter, When};

/// A scenario file that makes sense.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The path as given.
    pub path: PathBuf,
    /// The text as read, before `${}` was replaced.
    pub text: String,
    /// `name`; none where the file's stem stands in.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// The profile's name.
    pub profile: Option<String>,
    /// Where the load goes; command line before file before profile.
    pub target: Target,
    /// How clients connect, profile and file merged.
    pub client: ClientSettings,
    /// The topics declared.
    pub topics: Vec<Topic>,
    /// The activities in the file's order.
    pub activities: Vec<Activity>,
    /// `cluster`: what to start or touch.
    pub cluster: Option<cluster::Cluster>,
    /// What is done to it on purpose, in the file's order.
    pub faults: Vec<cluster::Fault>,
    /// The checks written out, in the file's order.
    pub checks: Vec<Check>,
    /// `run.timeout`.
    pub timeout: Option<Duration>,
    /// Where that stands.
    pub timeout_at: Place,
    /// `run.seed`.
    pub seed: Option<u64>,
    /// `run.audit`; none where it is left to kaf6.
    pub audit: Option<bool>,
    /// `run.unreadable_after`.
    pub unreadable_after: Option<Duration>,
    /// What the environment brought in and nobody is to see.
    pub secrets: Secrets,
    /// What is likely a slip, though the file is good, in the order of places.
    pub warnings: Vec<Diagnostic>,
}

/// What a profile gives; the file and the command line stand over it.
#[derive(Debug, Default)]
pub struct Profile {
    /// Its name.
    pub name: Option<String>,
    /// Its brokers.
    pub target: Option<Target>,
    /// Where `metrics` scenarios ask.
    pub metrics_url: Option<String>,
    /// How clients connect.
    pub client: ClientSettings,
    /// What is likely a slip in its file.
    pub warnings: Vec<Diagnostic>,
    /// It was named and could not be read, so nothing can be said of what is missing.
    pub failed: bool,
}

/// The brokers of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `host:port` of each, perhaps as references to services.
    Brokers(Vec<Wired>),
    /// librdkafka's mock cluster inside this process.
    Embedded,
    /// The `kafka` ports of the services that the run starts.
    Cluster,
}

/// How clients connect: security, and librdkafka properties by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// TLS and SASL; plaintext where absent.
    pub security: Option<Security>,
    /// librdkafka's own names; librdkafka checks them.
    pub properties: BTreeMap<String, String>,
}

/// TLS and SASL settings. `Debug` never shows the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    pub protocol: String,
    /// SASL mechanism, such as `SCRAM-SHA-512`.
    pub mechanism: Option<String>,
    /// SASL user.
    pub username: Option<String>,
    /// SASL password.
    pub password: Option<String>,
    /// PEM file of the certificate authority.
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate.
    pub certificate: Option<PathBuf>,
    /// PEM file of the client key.
    pub key: Option<PathBuf>,
}

impl std::fmt::Debug for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Security")
            .field("protocol", &self.protocol)
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "(hidden)"))
            .field("ca", &self.ca)
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish()
    }
}

/// A topic as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name, possibly with `{{run_id}}` in it.
    pub name: Template,
    /// Partitions to create it with.
    pub partitions: Option<i32>,
    /// Copies of each partition.
    pub replication_factor: Option<i32>,
    /// Delete and create it anew first.
    pub recreate: bool,
    /// Topic properties.
    pub config: BTreeMap<String, String>,
    /// Where it stands.
    pub position: Position,
}

/// One activity.
#[derive(Debug, Clone)]
pub struct Activity {
    /// Its name.
    pub name: String,
    /// The scenario that must have ended.
    pub after: Option<String>,
    /// Offset from the run's zero, or from the end of `after`.
    pub at: Option<Duration>,
    /// A count to wait for.
    pub when: Option<When>,
    /// Time bound.
    pub timeout: Option<Duration>,
    /// Brokers of its own, perhaps as references to services; none where the command line says where the load goes.
    pub brokers: Option<Vec<Wired>>,
    /// What it does.
    pub work: Work,
    /// Where its name stands.
    pub position: Position,
}

/// What an activity does.
#[derive(Debug, Clone)]
pub enum Work {
    /// `type: connect`.
    Connect,
    /// `type: metrics`.
    Metrics(Metrics),
    /// `type: produce`.
    Produce(Box<Produce>),
    /// `type: consume`.
    Consume(Consume),
    /// `type: roundtrip`.
    Roundtrip(Box<Roundtrip>),
    /// `type: watch`.
    Watch(Watch),
}

/// `type: metrics`.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Where to ask, perhaps with references to services.
    pub url: Wired,
    /// Series that must be present.
    pub contains: Vec<(String, Series)>,
    /// Ask again and again.
    pub every: Option<Duration>,
}

/// `type: watch`.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// Time from one look to the next.
    pub every: Option<Duration>,
}

/// A topic that a scenario uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicUse {
    /// Its name.
    pub name: Template,
    /// The scenario does not say so; it is the only topic declared.
    pub by_default: bool,
}

/// `type: produce`.
#[derive(Debug, Clone)]
pub struct Produce {
    /// Where to.
    pub topic: TopicUse,
    /// Producers.
    pub clients: Option<u32>,
    /// Messages in all.
    pub messages: Option<u64>,
    /// How long.
    pub duration: Option<Duration>,
    /// How fast.
    pub pace: Pace,
    /// Which partition each message goes to.
    pub partition: Option<Partitioning>,
    /// What each message is.
    pub message: Message,
    /// Bytes in flight.
    pub max_in_flight: Option<u64>,
    /// Whether each acknowledged message has to be read back.
    pub verify: bool,
}

/// How fast a producer sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// As fast as acks allow.
    Closed,
    /// At one rate.
    Rate(Rate),
    /// At rates one after the other.
    Stages(Vec<(Duration, Rate)>),
}

/// What producers and round trips write, and how.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// How many replicas must confirm.
    pub acks: Option<Acks>,
    /// Codec by librdkafka's name.
    pub compression: Option<&'static str>,
    /// Ask the broker to drop repeats.
    pub idempotence: bool,
    /// Key.
    pub key: Option<Template>,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// Value.
    pub value: Option<ValuePlan>,
}

/// `type: consume`.
#[derive(Debug, Clone)]
pub struct Consume {
    /// Where from.
    pub topic: TopicUse,
    /// Whose records; where not written, by whether a scenario of the file writes the topic.
    pub from: From,
    /// Whether `from` is written.
    pub from_written: bool,
    /// `from` is left out, and no scenario of the file writes the topic.
    pub nobody_writes: bool,
    /// Threads.
    pub clients: Option<u32>,
    /// Only this one.
    pub partition: Option<Partition>,
    /// Where reading starts.
    pub offset: Option<StartOffset>,
    /// Messages to read.
    pub limit: Option<u64>,
    /// How long nothing may come.
    pub idle_timeout: Option<Duration>,
    /// Scenarios of this file that write what this one reads.
    pub producers: Vec<String>,
    /// One of them, where all send with `acks: 0`, so that nobody knows what could be lost.
    pub unconfirmed: Option<String>,
    /// Whether the limit lies under what the producers will send, or might.
    pub partial: bool,
    /// Whether it is none of the file's: the plan adds it to read back what no consumer of the file reads.
    pub readback: bool,
}

/// `type: roundtrip`.
#[derive(Debug, Clone)]
pub struct Roundtrip {
    /// Where to and from.
    pub topic: TopicUse,
    /// The partition that is used.
    pub partition: Option<Partition>,
    /// Round trips that count.
    pub iterations: Option<u64>,
    /// Round trips before those.
    pub warmup: Option<u64>,
    /// Side by side.
    pub clients: Option<u32>,
    /// Longest wait for one.
    pub iteration_timeout: Option<Duration>,
    /// What each message is.
    pub message: Message,
    /// Whether each acknowledged message has to be read back.
    pub verify: bool,
}

impl Work {
    /// Whether it writes messages that are confirmed and have to be read back.
    pub fn is_verified(&self) -> bool {
        match self {
            Self::Produce(it) => it.verify && it.message.acks != Some(Acks::None),
            Self::Roundtrip(it) => it.verify && it.message.acks != Some(Acks::None),
            Self::Connect | Self::Metrics(_) | Self::Consume(_) | Self::Watch(_) => false,
        }
    }

    /// Its kind.
    pub const fn kind(&self) -> ScenarioKind {
        match self {
            Self::Connect => ScenarioKind::Connect,
            Self::Metrics(_) => ScenarioKind::Metrics,
            Self::Produce(_) => ScenarioKind::Produce,
            Self::Consume(_) => ScenarioKind::Consume,
            Self::Roundtrip(_) => ScenarioKind::Roundtrip,
            Self::Watch(_) => ScenarioKind::Watch,
        }
    }

    /// Whether it ends with the last other scenario, so that nothing can wait for it.
    pub const fn is_background(&self) -> bool {
        matches!(self, Self::Metrics(Metrics { every: Some(_), .. }) | Self::Watch(_))
    }

    /// The topic that it uses.
    pub fn topic(&self) -> Option<&TopicUse> {
        match self {
            Self::Connect | Self::Metrics(_) | Self::Watch(_) => None,
            Self::Produce(it) => Some(&it.topic),
            Self::Consume(it) => Some(&it.topic),
            Self::Roundtrip(it) => Some(&it.topic),
        }
    }

    /// The one partition that it is fixed to.
    pub const fn fixed_partition(&self) -> Option<Partition> {
        match self {
            Self::Connect | Self::Metrics(_) | Self::Watch(_) => None,
            Self::Produce(it) => match it.partition {
                Some(Partitioning::Fixed(partition)) => Some(partition),
                _ => None,
            },
            Self::Consume(it) => it.partition,
            Self::Roundtrip(it) => it.partition,
        }
    }
}

impl Produce {
    /// How many messages it will send, where that is known beforehand.
    pub fn planned_total(&self) -> Option<u64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rates are below 1e8 and durations below a year: far below 2^63"
        )]
        let due = |length: Duration, rate: Rate| (length.std().as_secs_f64() * rate.get()).round() as u64;
        let scheduled = match &self.pace {
            Pace::Closed => None,
            Pace::Rate(rate) => self.duration.map(|length| due(length, *rate)),
            Pace::Stages(stages) => Some(stages.iter().map(|(length, rate)| due(*length, *rate)).sum()),
        };
        match (self.messages, scheduled) {
            (Some(messages), Some(scheduled)) => Some(messages.min(scheduled)),
            // Without a rate, `duration` may cut `messages` short.
            (Some(_), None) if self.duration.is_some() && self.pace == Pace::Closed => None,
            (messages, scheduled) => messages.or(scheduled),
        }
    }
}

/// `partition:` of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// Always this one.
    Fixed(Partition),
    /// One after the other.
    RoundRobin,
    /// By the key's hash, as Kafka's own clients do (murmur2).
    ByKey,
}

/// `acks:` of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nobody confirms.
    None,
    /// The leader confirms.
    Leader,
    /// All in-sync replicas confirm.
    All,
}

/// What a message's value is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuePlan {
    /// A text or JSON document with template functions in it.
    Text(Template),
    /// So many bytes, made by kaf6.
    Size {
        /// Length of the value.
        bytes: u64,
        /// What fills it.
        content: Content,
    },
}

/// What fills a value of a given size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Bytes that do not compress, from the run's seed.
    Random,
    /// Zero bytes.
    Zeros,
}

/// `from:` of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Records of this run; all others are counted as foreign.
    Run,
    /// Whatever is there; no ledger.
    Any,
}

/// `offset:` of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOffset {
    /// The log's start.
    Earliest,
    /// The log's end at the reader's start.
    Latest,
    /// This offset.
    At(Offset),
    /// The first record at or after this time, milliseconds since 1970.
    Timestamp(i64),
}
