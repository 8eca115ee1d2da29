//! Observations of a run: counts per scenario, and what was found about brokers, endpoints, partitions and
//! messages.
//!
//! Plain data, produced by `engine` and used by `checks` and `record`.

use std::time::Duration;

use crate::ids::{Offset, Partition};
use crate::ledger::{Accounts, Judgement, Saved, Streams};
use crate::metrics::{Snapshot, Throttling};
use crate::plan::{Aspect, FaultKind, FaultPlan, ScenarioKind};
use crate::scenario::Secrets;

/// Everything that a run observed.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// Scenarios, by their index in the plan.
    pub scenarios: Vec<ScenarioSeen>,
    /// The result of each consumer in each partition that it read.
    pub readings: Vec<JudgedReading>,
    /// Each partition that was written or read.
    pub partitions: Vec<PartitionSeen>,
    /// Where every message went. `None` if no scenario sends messages.
    pub accounts: Option<Accounts>,
    /// The ledger, if it must be saved.
    pub saved: Option<Saved>,
    /// The injected faults, by their index in the plan.
    pub faults: Vec<FaultSeen>,
    /// Containers that the run started, ordered by start.
    pub containers: Vec<ContainerSeen>,
    /// Containers that exited unexpectedly, as one sentence each. A run with such a container does not pass.
    pub crashed: Vec<String>,
    /// Advertised broker addresses that clients cannot reach, as one sentence each.
    pub advertised: Vec<String>,
    /// The brokers of the clients as `host:port`, or `embedded` for the broker inside kaf6.
    pub brokers: Vec<String>,
    /// Names of the run's topics, by index.
    pub topics: Vec<String>,
    pub streams: Streams,
    /// Notes, in the order in which they occurred.
    pub notes: Vec<Note>,
    /// How brokers throttled the clients.
    pub throttling: Throttling,
    /// From the start of the run to its end.
    pub duration: Duration,
    /// From the start of kaf6's work to the start of the run.
    pub setup: Duration,
    /// What ended the run early.
    pub cut: Option<EarlyEnd>,
}

impl Observations {
    /// Hides secrets in everything that brokers, containers and endpoints returned.
    pub fn hide(&mut self, secrets: &Secrets) {
        let hide = |text: &mut String| secrets.hide_from(text);
        for scenario in &mut self.scenarios {
            scenario.message.iter_mut().for_each(hide);
            scenario.of_type.hide(secrets);
        }
        self.faults.iter_mut().for_each(|fault| hide(&mut fault.proof));
        self.containers.iter_mut().flat_map(|it| &mut it.last_lines).for_each(hide);
        self.crashed.iter_mut().chain(&mut self.advertised).for_each(hide);
        self.notes.iter_mut().for_each(|note| hide(&mut note.text));
    }
}

/// What ended a run early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EarlyEnd {
    /// The run's timeout.
    Timeout,
    /// A container that exited unexpectedly.
    Crash,
    /// A check with `abort`, by name.
    Abort(String),
    /// A signal, by name.
    Signal(&'static str),
}

#[derive(Debug, Clone)]
pub struct ScenarioSeen {
    pub name: String,
    pub kind: ScenarioKind,
    pub ended: ScenarioEnd,
    /// An explanation of the end, if it needs one.
    pub message: Option<String>,
    pub counts: Snapshot,
    /// The planned number of messages or iterations, or the limit.
    pub planned: Option<u64>,
    /// Open or closed loop. `None` if it sends no messages.
    pub open_loop: Option<bool>,
    /// Average of the configured rate, in messages per second.
    pub target_rate: Option<f64>,
    /// Start and end, from the start of the run. `None` if it never started.
    pub span: Option<(Duration, Duration)>,
    /// What only scenarios of its type observe.
    pub of_type: TypeSeen,
}

/// What only scenarios of some types observe.
#[derive(Debug, Clone, Default)]
pub struct TypeSeen {
    /// `connect`: the brokers.
    pub brokers: Vec<BrokerSeen>,
    /// `connect`: the topics.
    pub topics: Vec<TopicSeen>,
    /// `metrics`: the responses.
    pub scrape: Option<ScrapeSeen>,
    /// `watch`: the metadata.
    pub watch: Option<WatchSeen>,
    /// `consume`, `roundtrip`: how many values had their UUID compared, and how many of these differed from
    /// what was sent.
    pub uuids: Option<(u64, u64)>,
}

impl TypeSeen {
    /// Hides secrets in what brokers and endpoints returned.
    fn hide(&mut self, secrets: &Secrets) {
        let hide = |text: &mut String| secrets.hide_from(text);
        let stages = self.brokers.iter_mut().flat_map(|broker| &mut broker.stages);
        stages.filter_map(|(_, _, error)| error.as_mut()).for_each(hide);
        self.topics.iter_mut().filter_map(|topic| topic.error.as_mut()).for_each(hide);
        self.scrape.iter_mut().filter_map(|scrape| scrape.last_error.as_mut()).for_each(hide);
        let watched = self.watch.iter_mut().flat_map(|watch| &mut watch.brokers);
        watched.filter_map(|broker| broker.last_error.as_mut()).for_each(hide);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScenarioEnd {
    /// It completed its work.
    Done,
    /// It timed out.
    Timeout,
    /// It stopped, because no message arrived for its `idle_timeout`.
    Idle,
    /// A check with `abort`, the run's timeout or an exited container ended it.
    Aborted,
    Interrupted,
    /// It never started, because its start condition was never met.
    Skipped,
    /// It could not run.
    Failed,
    /// Its client stopped with a fatal error after some of the work was done.
    Fatal,
}

impl ScenarioEnd {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Timeout => "timeout",
            Self::Idle => "idle",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Fatal => "fatal",
        }
    }

    /// Whether it could not run, so that missing observations prove nothing.
    pub const fn could_not_work(self) -> bool {
        matches!(self, Self::Skipped | Self::Failed)
    }

    /// Whether something else ended it.
    pub const fn cut_short(self) -> bool {
        matches!(self, Self::Aborted | Self::Interrupted)
    }
}

/// A broker, as of the last attempt to connect.
#[derive(Debug, Clone, Default)]
pub struct BrokerSeen {
    /// `host:port`.
    pub broker: String,
    pub reachable: bool,
    pub attempts: u64,
    /// Name, duration and error of each stage. A failed stage is the last one.
    pub stages: Vec<(&'static str, Duration, Option<String>)>,
    /// Key, name, lowest and highest version of each API.
    pub apis: Vec<(i16, &'static str, i16, i16)>,
}

impl BrokerSeen {
    /// The error, such as `kafka:9092: tcp: connection refused`. `None` if the broker was reached.
    pub fn why_unreached(&self) -> Option<String> {
        let failed = self.stages.iter().find_map(|(name, _, error)| Some((name, error.as_ref()?)));
        (!self.reachable).then(|| match failed {
            Some((stage, error)) => format!("{}: {stage}: {error}", self.broker),
            None => format!("{}: not reached", self.broker),
        })
    }
}

/// A topic, as of the last metadata response.
#[derive(Debug, Clone, Default)]
pub struct TopicSeen {
    pub topic: String,
    /// Number of partitions.
    pub partitions: usize,
    pub error: Option<String>,
}

/// Responses of an HTTP endpoint.
#[derive(Debug, Clone, Default)]
pub struct ScrapeSeen {
    pub requests: u64,
    /// Number of responses with status 200.
    pub ok: u64,
    /// Number of responses with a body.
    pub with_body: u64,
    /// Status of the last response.
    pub last_status: Option<u16>,
    /// Length of the last body in bytes.
    pub last_bytes: usize,
    /// The error of the last request without a response.
    pub last_error: Option<String>,
    pub series: Vec<SeriesSeen>,
    /// Number of responses that were too long to read completely.
    pub cut: u64,
    /// Values of the configured series over time.
    pub points: Vec<SeriesPoints>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesSeen {
    /// The series as the file has it.
    pub name: String,
    /// Number of responses that contain it.
    pub present: u64,
    /// Number of responses that do not contain it in the part that was read.
    pub beyond: u64,
    /// Series of the same name with other labels, from the last response without it.
    pub near: Vec<String>,
}

/// One scraped series over time.
#[derive(Debug, Clone, Default)]
pub struct SeriesPoints {
    /// The series with its labels.
    pub name: String,
    /// Time from the start of the run, and value.
    pub points: Vec<(Duration, f64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSeen {
    pub name: String,
    pub kind: FaultKind,
    /// The target as written.
    pub target: String,
    /// Start and end, from the start of the run. `None` if it never started. A restart ends when its container is
    /// started again; the proof says whether it became ready. A `stop` without a duration ends when another fault
    /// starts the target, or with the run.
    pub span: Option<(Duration, Duration)>,
    /// When the fault was in full effect: from when Docker had applied it to every target, until it was first
    /// undone. `None` means the whole span.
    pub effect: Option<(Duration, Duration)>,
    /// When the targets were ready again, or kaf6 stopped waiting for them. Not before the end of the span.
    pub settled: Option<Duration>,
    /// Whether the fault is proven to have taken effect.
    pub effective: bool,
    /// The proof that it took effect, or why there is none.
    pub proof: String,
}

impl FaultSeen {
    /// A fault that has not started.
    pub fn of(fault: &FaultPlan) -> Self {
        Self {
            name: fault.name.clone(),
            kind: fault.action.kind(),
            target: fault.action.target(),
            span: None,
            effect: None,
            settled: None,
            effective: false,
            proof: String::new(),
        }
    }
}

/// A container that the run started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerSeen {
    pub service: String,
    pub replica: u32,
    /// The image as written.
    pub image: String,
    pub container: String,
    /// Time from its start until it was ready. `None` if it never was.
    pub ready: Option<Duration>,
    /// Path of its log, relative to the run's folder.
    pub log: Option<String>,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}

/// Metadata over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSeen {
    /// Each broker that was queried separately.
    pub brokers: Vec<WatchedBroker>,
    /// The changes, in order.
    pub changes: Vec<MetadataChange>,
    /// Number of further changes that were not stored.
    pub more_changes: u64,
    /// Aspects that were missing from the answers, so that changes of them could not be seen.
    pub unseen: Vec<Aspect>,
}

/// A broker that a `watch` queries separately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedBroker {
    /// `host:port`.
    pub broker: String,
    /// Number of requests to it.
    pub asked: u64,
    pub answered: u64,
    /// Time of its first answer, from the start of the run.
    pub first: Option<Duration>,
    pub last: Option<Duration>,
    /// The last error of a request without an answer.
    pub last_error: Option<String>,
    /// Periods without an answer after it had answered once, in order.
    pub silences: Vec<Silence>,
}

/// A period in which a broker did not answer, after it had answered once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silence {
    /// Time of the first request without an answer.
    pub from: Duration,
    /// When the last of these requests ended.
    pub to: Duration,
    /// Whether it did not answer again, although it was queried until the end.
    pub to_the_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataChange {
    /// Time from the start of the run.
    pub at: Duration,
    /// The broker that answered.
    pub broker: String,
    pub aspect: Aspect,
    /// The topic that changed.
    pub topic: Option<String>,
    /// The partition that changed.
    pub partition: Option<Partition>,
    /// The previous value, from this broker or another one.
    pub before: String,
    pub after: String,
}

/// The reason why a reader or an audit did not read a partition that its broker does not know.
pub const NOT_KNOWN: &str = "the broker does not know the partition";

/// The result of one consumer in one partition.
#[derive(Debug, Clone)]
pub struct JudgedReading {
    /// The consumer's index in the plan.
    pub scenario: usize,
    /// The topic's index in the run.
    pub topic: usize,
    pub partition: Partition,
    /// Distinct messages of this run.
    pub received: u64,
    pub foreign: u64,
    /// First and last offset that the consumer received.
    pub offsets: (Option<Offset>, Option<Offset>),
    pub reached_end_marker: bool,
    /// How often the log was reset while it was read.
    pub resets: u64,
    /// Acked messages in this partition that the consumer must find.
    pub wanted: u64,
    /// Whether it needed an audit that could not run.
    pub unaudited: bool,
    /// Whether it read everything that it had to read.
    pub complete: bool,
    /// Why it is not complete. Empty otherwise.
    pub incomplete_why: String,
    /// The ledger's verdict. `None` without a ledger (`from: any`).
    pub judgement: Option<Judgement>,
}

/// The rules that decide what retention and compaction may remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retention {
    #[default]
    Settings,
    /// The topic's configuration, which is unknown.
    Unknown,
    /// The embedded broker, which keeps a fixed amount per partition.
    Embedded,
}

/// What was written to one partition.
#[derive(Debug, Clone, Default)]
pub struct PartitionSeen {
    /// The topic's index in the run.
    pub topic: usize,
    pub partition: Partition,
    pub acked: u64,
    /// Lowest and highest acked offset.
    pub acked_offsets: Option<(Offset, Offset)>,
    /// Offset of the last acked end marker.
    pub end_marker: Option<Offset>,
    /// Acked end markers that are missing from the log. The log's verdict counts them as lost.
    pub lost_markers: u64,
    /// The rules that decide what may be removed.
    pub retention: Retention,
    /// Anomalies that any observer found, with evidence. Each message counts once. `None` if nothing read the
    /// partition.
    pub judgement: Option<Judgement>,
}

/// A note for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub level: Level,
    pub text: String,
}

/// Severity of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Hint,
    Warning,
    /// It prevented part of the run.
    Error,
}

impl Note {
    pub fn hint(text: impl Into<String>) -> Self {
        Self { level: Level::Hint, text: text.into() }
    }

    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    /// A note that something prevented part of the run.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}
