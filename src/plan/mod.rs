//! What a run will do and when: pure data, made from a validated scenario without touching a broker.
//!
//! Owns the plan's types; `build` makes them, `timeline` prints them for `kaf6 plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::ids::{Offset, Partition};
use crate::scenario::{Position, Template};

pub mod schedule;
mod work;

pub use schedule::Schedule;

/// One scenario file, resolved: every default taken, every reference known to exist.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The run's name: the file's `name`, or its stem.
    pub name: String,
    /// What the file says of itself.
    pub description: Option<String>,
    /// The profile's name, as a label or as looked up.
    pub profile: Option<String>,
    /// The file as its author wrote it, before `${}` was replaced.
    pub source: Source,
    /// Where the load goes.
    pub target: Target,
    /// How clients connect.
    pub client: ClientSettings,
    /// Topics to create where missing, in the file's order. Names still hold `{{run_id}}` where written so.
    pub topics: Vec<TopicPlan>,
    /// Activities in the file's order.
    pub scenarios: Vec<ScenarioPlan>,
    /// Questions in the file's order, then those added without asking.
    pub checks: Vec<CheckPlan>,
    /// The run's own time bound, from its zero on.
    pub timeout: Duration,
    /// Fixes payloads and schedule.
    pub seed: u64,
    /// The defaults that this file takes, for `kaf6 plan`.
    pub defaults: Vec<DefaultTaken>,
}

/// Where a plan came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as given on the command line.
    pub path: PathBuf,
    /// The text as read.
    pub text: String,
}

/// The brokers of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `host:port` of each.
    Brokers(Vec<String>),
    /// librdkafka's mock cluster inside this process.
    Embedded,
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

/// A topic that has to exist before the run's zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// Its name, possibly with `{{run_id}}` in it.
    pub name: Template,
    /// Partitions to create it with.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication_factor: i32,
    /// Delete and create it anew first.
    pub recreate: bool,
    /// Topic properties by Kafka's names.
    pub config: BTreeMap<String, String>,
    /// Where the file declares it; none where a scenario merely names it.
    pub position: Option<Position>,
}

/// One activity.
#[derive(Debug, Clone)]
pub struct ScenarioPlan {
    /// Its name in the file.
    pub name: String,
    /// When it starts.
    pub start: Start,
    /// Its time bound, counted from its start; always finite.
    pub timeout: Duration,
    /// Brokers of its own, in place of the file's.
    pub brokers: Option<Vec<String>>,
    /// What it does.
    pub work: Work,
    /// Where it stands in the file.
    pub position: Position,
}

/// When an activity starts: all that is given must have come true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The scenario that must have ended, well or not.
    pub after: Option<String>,
    /// From the run's zero, or from the end of `after`.
    pub at: Duration,
    /// A count that must be reached.
    pub when: Option<When>,
}

/// A start by count, such as `write.acked >= 500`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The scenario that counts.
    pub scenario: String,
    /// What is counted.
    pub counter: Counter,
    /// The count to reach.
    pub at_least: u64,
}

/// What a running scenario counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Messages handed to the client.
    Sent,
    /// Messages acknowledged.
    Acked,
    /// Distinct messages of this run read.
    Received,
}

/// The kinds of activity.
#[derive(Debug, Clone)]
pub enum Work {
    /// Can the brokers be reached, and do they know the topics?
    Connect(ConnectPlan),
    /// Does an HTTP endpoint answer, and with what?
    Metrics(MetricsPlan),
    /// Write messages.
    Produce(ProducePlan),
    /// Read them, partition by partition.
    Consume(ConsumePlan),
    /// Write one, read it back, next.
    Roundtrip(RoundtripPlan),
}

/// `type: connect`.
#[derive(Debug, Clone)]
pub struct ConnectPlan {
    /// The topics whose metadata is asked for: all that the file names.
    pub topics: Vec<Template>,
}

/// `type: metrics`.
#[derive(Debug, Clone)]
pub struct MetricsPlan {
    /// Where to ask.
    pub url: String,
    /// Series that must be present, by name.
    pub contains: Vec<String>,
    /// Ask again and again, as long as other scenarios run; once where absent.
    pub every: Option<Duration>,
}

/// `type: produce`.
#[derive(Debug, Clone)]
pub struct ProducePlan {
    /// Where to.
    pub topic: Template,
    /// How many producers share the totals.
    pub clients: u32,
    /// Stop after so many messages, over all clients.
    pub messages: Option<u64>,
    /// Stop after so long.
    pub duration: Option<Duration>,
    /// When each message is due, over all clients; none is a closed loop.
    pub schedule: Option<Schedule>,
    /// Which partition each message goes to.
    pub partition: Partitioning,
    /// How many replicas must confirm.
    pub acks: Acks,
    /// Codec by librdkafka's name: `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Ask the broker to drop repeats.
    pub idempotence: bool,
    /// Bytes in flight over all clients.
    pub max_in_flight: u64,
    /// Key of each message.
    pub key: Option<Template>,
    /// Headers of each message.
    pub headers: Vec<(String, Template)>,
    /// Value of each message.
    pub value: ValuePlan,
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

/// `type: consume`.
#[derive(Debug, Clone)]
pub struct ConsumePlan {
    /// Where from.
    pub topic: Template,
    /// Whose records.
    pub from: From,
    /// Threads that share the partitions.
    pub clients: u32,
    /// Only this one; none is all of the topic.
    pub partition: Option<Partition>,
    /// Where reading starts.
    pub offset: StartOffset,
    /// Distinct messages (`from: any`: records) to read, over all clients.
    pub limit: Option<u64>,
    /// How long nothing may come; the clock runs once the fence is acked or given up.
    pub idle_timeout: Duration,
    /// Scenarios of this file that write what this one reads; they decide when the log has ended.
    pub producers: Vec<String>,
    /// Whether the limit lies under what the producers will send, so that the rest is out of scope.
    pub partial: bool,
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

/// `type: roundtrip`: one producer and one reader, kept open for all iterations.
#[derive(Debug, Clone)]
pub struct RoundtripPlan {
    /// Where to and from.
    pub topic: Template,
    /// The partition that is used.
    pub partition: Partition,
    /// Round trips that count, over all clients.
    pub iterations: u64,
    /// Round trips before those, counted nowhere.
    pub warmup: u64,
    /// How many do it side by side.
    pub clients: u32,
    /// Longest wait for one round trip.
    pub iteration_timeout: Duration,
    /// How many replicas must confirm.
    pub acks: Acks,
    /// Codec by librdkafka's name.
    pub compression: String,
    /// Ask the broker to drop repeats.
    pub idempotence: bool,
    /// Key of each message.
    pub key: Option<Template>,
    /// Headers of each message.
    pub headers: Vec<(String, Template)>,
    /// Value of each message.
    pub value: ValuePlan,
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckPlan {
    /// Its name; unique in the file.
    pub name: String,
    /// What is asked.
    pub ask: Ask,
    /// The scenario that is asked; none means each consumer, or each producer where nobody consumes.
    pub scenario: Option<String>,
    /// Added without asking, since a file with a producer and a consumer deserves it.
    pub implicit: bool,
    /// Where it stands in the file; for an implicit one, where its consumer stands.
    pub position: Position,
}

/// The kinds of check, with what each needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Each broker answers.
    Reachable,
    /// Each topic has metadata.
    Metadata,
    /// HTTP 200.
    HttpOk,
    /// The body holds something.
    NonEmpty,
    /// Each series of `contains` is there.
    SeriesPresent,
    /// A count is exactly this. `metric` where written.
    CountEquals {
        /// The count wanted.
        expected: u64,
        /// `acked`, `sent`, `received`; the scenario's own where absent.
        metric: Option<CountMetric>,
    },
    /// A count is this or more.
    CountAtLeast {
        /// The least count.
        expected: u64,
        /// As above.
        metric: Option<CountMetric>,
    },
    /// Each message read carries the UUID that was sent in it.
    UuidMatch,
    /// Each round trip came back.
    RoundtripOk,
    /// Nothing acked is lost, skipped or unread.
    NoLoss,
    /// No identity lies at two offsets. `strict`: explained ones count too.
    NoDuplicates {
        /// Fail explained ones too.
        strict: bool,
    },
    /// Nothing is altered, misplaced, rewritten or phantom.
    NoCorruption,
    /// Order of sending is order in the log. `strict`: explained ones count too.
    InOrder {
        /// Fail explained ones too.
        strict: bool,
    },
    /// Offsets handed out only grow.
    OffsetsMonotonic,
    /// A metric compared with a value.
    Threshold {
        /// What is measured and how it is compared.
        expr: ThresholdExpr,
        /// Try it each second and end the run when it fails.
        abort: bool,
        /// Do not try before this time.
        delay: Duration,
    },
}

/// Counts that a count check may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountMetric {
    /// Messages handed to the client.
    Sent,
    /// Messages acknowledged.
    Acked,
    /// Distinct messages read.
    Received,
    /// Records read, with repeats and foreign ones.
    Records,
}

/// `<metric> <op> <value>` of a threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdExpr {
    /// What is measured.
    pub metric: Metric,
    /// How it is compared.
    pub op: Op,
    /// With what: counts plain, latencies in milliseconds, rates in messages a second, `throughput` in bytes a
    /// second, `error_rate` as a share of 1.
    pub value: f64,
    /// The expression as written.
    pub text: String,
}

/// What a threshold may measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the name it has in the file and in the docs")]
pub enum Metric {
    Sent,
    Acked,
    Received,
    Errors,
    ErrorRate,
    Rate,
    Throughput,
    P50,
    P90,
    P95,
    P99,
    P999,
    Max,
    Mean,
    Anomaly(crate::anomaly::Anomaly),
}

/// Comparison operators of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as they are spoken")]
pub enum Op {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// A default that a file takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultTaken {
    /// The field, as a path: `scenarios.producer.topic`.
    pub field: String,
    /// The value taken, printed.
    pub value: String,
}
