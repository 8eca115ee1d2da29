//! The plan of a run: what it will do and when. Plain data, compiled from a scenario file without contacting
//! a broker.
//!
//! Defines the plan's types. `compile` creates a plan, and `render` prints it for `kaf6 plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Offset;
use crate::scenario::{Diagnostic, Position, Secrets, ServiceTemplate, Template};

pub mod cluster;
mod compile;
pub mod defaults;
mod readers;
pub mod render;
mod scenarios;
pub mod schedule;
pub mod windows;

pub use cluster::{ClusterPlan, FaultTarget, ServicePlan};
pub use compile::{ActionPlan, AllowedShares, CheckSettings, FaultPart, FaultPlan, compile, load, load_text};
pub use readers::{covers, is_left, judges, waits_for};
pub use scenarios::*;
pub use schedule::Schedule;

pub use crate::scenario::format::expr::{Counter, Metric, Op, ThresholdExpr, When};
pub use crate::scenario::format::{
    Acks, Aspect, Compression, CountMetric, From, Partitioning, Pull, ValueContent,
};
pub use crate::scenario::{CheckKind, ClientSettings, FaultKind, ScenarioKind, Security};

/// A compiled scenario file: all defaults are applied, and all references are valid.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The run's name: the file's `name`, or the file name without its extension.
    pub name: String,
    /// The file's `description`.
    pub description: Option<String>,
    /// The profile's name.
    pub profile: Option<String>,
    /// The file as written, before variables are replaced.
    pub source: Source,
    /// The brokers.
    pub target: Target,
    /// How clients connect.
    pub client: ClientSettings,
    /// Topics to create if missing, in the file's order. Names may still contain `{{run_id}}`.
    pub topics: Vec<TopicPlan>,
    /// Scenarios, in the file's order.
    pub scenarios: Vec<ScenarioPlan>,
    /// Containers to start or attach to.
    pub cluster: Option<ClusterPlan>,
    /// Faults, in the file's order.
    pub faults: Vec<FaultPlan>,
    /// Checks, in the file's order, followed by those added automatically.
    pub checks: Vec<CheckPlan>,
    /// Timeout of the run, from the start of the run.
    pub timeout: Duration,
    /// Seed for payloads and schedule.
    pub seed: u64,
    /// Whether to re-read everything with a fresh reader before the verdict. `None`: decided at run time.
    pub audit: Option<bool>,
    /// How long a reachable broker may return no record before acked messages count as unreadable.
    pub unreadable_after: Duration,
    /// The defaults that this file uses, for `kaf6 plan`.
    pub defaults: Vec<DefaultTaken>,
    /// Likely mistakes in a valid file, ordered by position.
    pub warnings: Vec<Diagnostic>,
    /// Secrets to hide in everything that brokers and containers return.
    pub secrets: Secrets,
}

/// The scenario file of a plan.
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
    /// Addresses as `host:port`. They may contain references to services.
    Brokers(Vec<ServiceTemplate>),
    /// librdkafka's mock cluster in this process.
    Embedded,
    /// The `kafka` ports of the services that the run starts.
    Cluster,
}

/// A topic that must exist before the start of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// Its name. It may contain `{{run_id}}`.
    pub name: Template,
    /// Number of partitions if it is created.
    pub partitions: i32,
    pub replication_factor: i32,
    /// Delete and recreate it before the run.
    pub recreate: bool,
    /// Topic configuration, by Kafka's names.
    pub config: BTreeMap<String, String>,
    /// Position in the file. `None` if only a scenario names it.
    pub position: Option<Position>,
}

/// One scenario.
#[derive(Debug, Clone)]
pub struct ScenarioPlan {
    /// Its name in the file.
    pub name: String,
    pub start: Start,
    /// Timeout from its start. Always finite.
    pub timeout: Duration,
    /// Brokers for this scenario only. They may contain references to services.
    pub brokers: Option<Vec<ServiceTemplate>>,
    pub work: Work,
    /// Position in the file.
    pub position: Position,
}

/// When a scenario or fault starts. All conditions must be met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The scenario or fault that must have ended, with any result.
    pub after: Option<String>,
    /// Delay after the start of the run, or after the end of `after`.
    pub at: Duration,
    /// A count that must be reached.
    pub when: Option<When>,
}

impl Start {
    /// The scenarios and faults that it waits for, because of `after` or `when`.
    pub fn waits_for(&self) -> impl Iterator<Item = &str> {
        let when = self.when.as_ref().map(|when| when.scenario.as_str());
        self.after.as_deref().into_iter().chain(when)
    }
}

/// The value of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuePlan {
    /// A text or JSON document with template functions.
    Text(Template),
    /// A generated value.
    Size {
        /// Length of the value.
        bytes: u64,
        content: ValueContent,
    },
}

/// `offset` of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOffset {
    /// The start of the log.
    Earliest,
    /// The end of the log when the reader starts.
    Latest,
    At(Offset),
    /// The first record at or after this time, in milliseconds since 1970.
    Timestamp(i64),
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckPlan {
    /// Its name, unique in the file.
    pub name: String,
    /// The kind of check, with its settings.
    pub ask: CheckSettings,
    /// The scenario it runs against. `None` means the default targets of its kind.
    pub scenario: Option<String>,
    /// Added automatically, because the file has a producer or consumer without this check.
    pub implicit: bool,
    /// Position in the file. For an implicit check, the position of its scenario.
    pub position: Position,
}

/// A default that the run used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DefaultSummary")]
pub struct DefaultTaken {
    /// Path of the field in the file, such as `scenarios.write.acks`.
    pub field: String,
    /// The value as text.
    pub value: String,
}
