//! What a run will do and when: pure data, compiled from a scenario file without touching a broker.
//!
//! Owns the plan's types; `compile` makes them, `timeline` prints them for `kaf6 plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::ids::{Offset, Partition};
use crate::scenario::{Diagnostic, Position, Secrets, Series, ServiceTemplate, Template};

mod check;
pub mod cluster;
mod compile;
pub mod defaults;
mod readers;
pub mod render;
pub mod schedule;
pub mod windows;
mod work;

pub use check::{AllowedShares, CheckPlan, CheckSettings, FaultPart};
pub use cluster::{ActionPlan, ClusterPlan, FaultPlan, FaultTarget, ServicePlan};
pub use compile::{compile, load, load_text};
pub use readers::{covers, is_left, judges, waits_for};
pub use schedule::Schedule;

pub use crate::scenario::format::expr::{Counter, Metric, Op, ThresholdExpr, When};
pub use crate::scenario::format::{
    Acks, Aspect, Compression, CountMetric, From, Partitioning, Pull, ValueContent,
};
pub use crate::scenario::{CheckKind, ClientSettings, FaultKind, ScenarioKind, Security};

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
    /// Containers to start or to touch.
    pub cluster: Option<ClusterPlan>,
    /// What is done to them on purpose, in the file's order.
    pub faults: Vec<FaultPlan>,
    /// Questions in the file's order, then those added without asking.
    pub checks: Vec<CheckPlan>,
    /// The run's own timeout, from its zero on.
    pub timeout: Duration,
    /// Fixes payloads and schedule.
    pub seed: u64,
    /// Read everything again with a fresh reader before the verdict; none leaves it to what the run sees.
    pub audit: Option<bool>,
    /// How long a broker that can be reached may give no acked message back before that is called unreadable.
    pub unreadable_after: Duration,
    /// The defaults that this file takes, for `kaf6 plan`.
    pub defaults: Vec<DefaultTaken>,
    /// What is likely a slip in the file, though it is good, in the order of places.
    pub warnings: Vec<Diagnostic>,
    /// What nobody is to see: it is taken out of whatever brokers and containers say.
    pub secrets: Secrets,
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
    /// `host:port` of each, perhaps as references to services.
    Brokers(Vec<ServiceTemplate>),
    /// librdkafka's mock cluster inside this process.
    Embedded,
    /// The `kafka` ports of the services that the run starts.
    Cluster,
}

/// A topic that has to exist before the start of the run.
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
    /// Its timeout, counted from its start; always finite.
    pub timeout: Duration,
    /// Brokers of its own, in place of the file's; perhaps as references to services.
    pub brokers: Option<Vec<ServiceTemplate>>,
    /// What it does.
    pub work: Work,
    /// Where it stands in the file.
    pub position: Position,
}

/// When an activity starts: all that is given must have come true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The scenario or fault that must have ended, well or not.
    pub after: Option<String>,
    /// From the start of the run, or from the end of `after`.
    pub at: Duration,
    /// A count that must be reached.
    pub when: Option<When>,
}

impl Start {
    /// The scenarios and faults that must have ended, or counted, before.
    pub fn waits_for(&self) -> impl Iterator<Item = &str> {
        let when = self.when.as_ref().map(|when| when.scenario.as_str());
        self.after.as_deref().into_iter().chain(when)
    }
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
    /// Look at metadata, again and again.
    Watch(WatchPlan),
}

/// `type: watch`.
#[derive(Debug, Clone)]
pub struct WatchPlan {
    /// Time from one look to the next.
    pub every: Duration,
    /// The topics that are looked at: all that the file names.
    pub topics: Vec<Template>,
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
    /// Where to ask, perhaps with references to services.
    pub url: ServiceTemplate,
    /// Series that must be present, each with its text in the file.
    pub contains: Vec<(String, Series)>,
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
    /// Codec.
    pub compression: Compression,
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
    /// Whether each acked message has to be read back; where not, the account has it as excluded.
    pub verify: bool,
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
    /// Whether kaf6 added it, to read back what no consumer of the file reads: of its topic, the partitions for which
    /// [`is_left`] holds.
    pub readback: bool,
    /// The file does not say that others write the topic, and none of its scenarios does: likely a slip.
    pub nobody_writes: bool,
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
    /// Codec.
    pub compression: Compression,
    /// Ask the broker to drop repeats.
    pub idempotence: bool,
    /// Key of each message.
    pub key: Option<Template>,
    /// Headers of each message.
    pub headers: Vec<(String, Template)>,
    /// Value of each message.
    pub value: ValuePlan,
    /// Whether each acked message has to be read back; where not, the account has it as excluded.
    pub verify: bool,
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
        content: ValueContent,
    },
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

/// A default that a file takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultTaken {
    /// The field, as a path: `scenarios.producer.topic`.
    pub field: String,
    /// The value taken, printed.
    pub value: String,
}
