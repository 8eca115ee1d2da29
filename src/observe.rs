//! The observations of a run: counts for each scenario, and findings about brokers, endpoints, partitions and
//! messages.
//!
//! Plain data between the engine (which observes), the checks (which judge) and the record (which reports).

use std::time::Duration;

use crate::ids::{Offset, Partition};
use crate::ledger::{Accounts, Judgement, Saved, Streams};
use crate::metrics::{Snapshot, Throttling};
use crate::plan::{Aspect, FaultKind, FaultPlan, ScenarioKind};
use crate::scenario::Secrets;

/// All observations of a run.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// By their numbers in the plan.
    pub scenarios: Vec<ScenarioSeen>,
    /// Each consumer's reading of each partition, judged.
    pub readings: Vec<JudgedReading>,
    /// Each partition that was written or read.
    pub partitions: Vec<PartitionSeen>,
    /// The class of every message; `None` if nothing in the file sends.
    pub accounts: Option<Accounts>,
    /// The ledger, if it is saved.
    pub saved: Option<Saved>,
    /// The effects of the faults, by their indexes in the plan.
    pub faults: Vec<FaultSeen>,
    /// Containers that the run started, in the order of starting.
    pub containers: Vec<ContainerSeen>,
    /// Containers that exited unexpectedly, a sentence each. A run with one never passes.
    pub crashed: Vec<String>,
    /// Advertised addresses that clients cannot use, a sentence each.
    pub advertised: Vec<String>,
    /// `host:port` of the bootstrap brokers; `embedded` for the embedded broker.
    pub brokers: Vec<String>,
    /// Names of the run's topics, by their numbers.
    pub topics: Vec<String>,
    pub streams: Streams,
    /// Notes, in the order in which they came up.
    pub notes: Vec<Note>,
    /// Throttle times that brokers reported to the clients.
    pub throttling: Throttling,
    /// From the start of the run to its end.
    pub duration: Duration,
    /// From the start of the program's work to the start of the run.
    pub setup: Duration,
    /// Why the run ended before its scenarios did.
    pub cut: Option<EarlyEnd>,
}

impl Observations {
    /// Removes secrets from everything that brokers, containers and endpoints reported.
    pub fn hide(&mut self, secrets: &Secrets) {
        let hide = |text: &mut String| secrets.hide_from(text);
        for scenario in &mut self.scenarios {
            scenario.message.iter_mut().for_each(hide);
            let stages = scenario.brokers.iter_mut().flat_map(|broker| &mut broker.stages);
            stages.filter_map(|(_, _, error)| error.as_mut()).for_each(hide);
            scenario.topics.iter_mut().filter_map(|topic| topic.error.as_mut()).for_each(hide);
            scenario.scrape.iter_mut().filter_map(|scrape| scrape.last_error.as_mut()).for_each(hide);
            let watched = scenario.watch.iter_mut().flat_map(|watch| &mut watch.brokers);
            watched.filter_map(|broker| broker.last_error.as_mut()).for_each(hide);
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
    /// The run's own timeout.
    Timeout,
    /// A container exited unexpectedly.
    Crash,
    /// A check with `abort`, by its name.
    Abort(String),
    /// A signal, by its name.
    Signal(&'static str),
}

#[derive(Debug, Clone)]
pub struct ScenarioSeen {
    pub name: String,
    /// Its kind.
    pub kind: ScenarioKind,
    pub ended: ScenarioEnd,
    /// Why, where that needs words.
    pub message: Option<String>,
    pub counts: Snapshot,
    /// The planned number of messages, limit or iterations.
    pub planned: Option<u64>,
    /// Open loop or closed; none where it sends nothing.
    pub open_loop: Option<bool>,
    /// The rate that the file asks for, on average.
    pub target_rate: Option<f64>,
    /// Start and end, since the start of the run; `None` if it never started.
    pub span: Option<(Duration, Duration)>,
    /// `connect`: each broker.
    pub brokers: Vec<BrokerSeen>,
    /// `connect`: each topic.
    pub topics: Vec<TopicSeen>,
    /// `metrics`: the answers.
    pub scrape: Option<ScrapeSeen>,
    /// `watch`: what metadata said.
    pub watch: Option<WatchSeen>,
    /// `consume`, `roundtrip`: values whose UUID was compared, and how many were another than sent.
    pub uuids: Option<(u64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScenarioEnd {
    /// It did what it was to do.
    Done,
    /// Its timeout came first.
    Timeout,
    /// Nothing came for so long that it gave up.
    Idle,
    /// A check with `abort`, the run's timeout or a container that crashed ended it.
    Aborted,
    Interrupted,
    /// It never started, since what it waits for never came.
    Skipped,
    /// It could not do its work.
    Failed,
    /// Its client gave up for good after it had done some of its work.
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

    /// It could not work, so that what it did not see says nothing.
    pub const fn could_not_work(self) -> bool {
        matches!(self, Self::Skipped | Self::Failed)
    }

    /// Something other than itself ended it.
    pub const fn cut_short(self) -> bool {
        matches!(self, Self::Aborted | Self::Interrupted)
    }
}

/// A broker, as the last attempt to reach it went.
#[derive(Debug, Clone, Default)]
pub struct BrokerSeen {
    /// `host:port`.
    pub broker: String,
    pub reachable: bool,
    pub attempts: u64,
    /// Name, length and error of each stage; the first failed one is the last.
    pub stages: Vec<(&'static str, Duration, Option<String>)>,
    /// Number, name, lowest and highest version of each API.
    pub apis: Vec<(i16, &'static str, i16, i16)>,
}

impl BrokerSeen {
    /// `kafka:9092: tcp: connection refused`; none where it was reached.
    pub fn why_unreached(&self) -> Option<String> {
        let failed = self.stages.iter().find_map(|(name, _, error)| Some((name, error.as_ref()?)));
        (!self.reachable).then(|| match failed {
            Some((stage, error)) => format!("{}: {stage}: {error}", self.broker),
            None => format!("{}: not reached", self.broker),
        })
    }
}

/// A topic, as the last metadata showed it.
#[derive(Debug, Clone, Default)]
pub struct TopicSeen {
    pub topic: String,
    /// How many partitions it has.
    pub partitions: usize,
    /// What is wrong with it, if anything.
    pub error: Option<String>,
}

/// Answers of an HTTP endpoint.
#[derive(Debug, Clone, Default)]
pub struct ScrapeSeen {
    pub requests: u64,
    /// Answers with status 200.
    pub ok: u64,
    /// Answers with a body that is not empty.
    pub with_body: u64,
    /// Status of the last answer.
    pub last_status: Option<u16>,
    /// Bytes of the last body.
    pub last_bytes: usize,
    /// The last error of a request that got no answer.
    pub last_error: Option<String>,
    pub series: Vec<SeriesSeen>,
    /// Answers that were too long to be read whole.
    pub cut: u64,
    /// Numbers of wanted series over time.
    pub points: Vec<SeriesPoints>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesSeen {
    /// The series, as the file has it.
    pub name: String,
    /// In how many answers it was present.
    pub present: u64,
    /// In how many it was not, and may be in the part that was not read.
    pub beyond: u64,
    /// What the last answer without it has of its name, with other labels.
    pub near: Vec<String>,
}

/// One scraped series over time.
#[derive(Debug, Clone, Default)]
pub struct SeriesPoints {
    /// The series with its labels.
    pub name: String,
    /// When, from the start of the run, and what it was.
    pub points: Vec<(Duration, f64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSeen {
    pub name: String,
    /// Its kind.
    pub kind: FaultKind,
    /// What it was done to, as written.
    pub target: String,
    /// Start and end, from the start of the run; none where it never began. A restart ends when its container is started
    /// again; whether it was then ready is in the proof. What is left down ends when it is started by another fault, or
    /// with the run.
    pub span: Option<(Duration, Duration)>,
    /// The part of that in which it was in full effect: from when Docker had done it to all of its target, until it began to
    /// be undone. None: all of it.
    pub effect: Option<(Duration, Duration)>,
    /// When what it touched was ready again, or was no longer waited for: not before the span's end.
    pub settled: Option<Duration>,
    /// It was shown to have taken effect.
    pub effective: bool,
    /// How that was shown, or why it was not.
    pub proof: String,
}

impl FaultSeen {
    /// One that has not begun.
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
    /// The image, as written.
    pub image: String,
    pub container: String,
    /// From its start to its being ready; none where it never was.
    pub ready: Option<Duration>,
    /// Path of its log, below the run's folder.
    pub log: Option<String>,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}

/// The changes of metadata over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSeen {
    /// Each broker that was asked for itself.
    pub brokers: Vec<WatchedBroker>,
    /// What changed, in its order.
    pub changes: Vec<MetadataChange>,
    /// Changes beyond those that are kept.
    pub more_changes: u64,
    /// What the answers did not contain, so that changes of it could not be seen.
    pub unseen: Vec<Aspect>,
}

/// A broker that a `watch` asks for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedBroker {
    /// `host:port`.
    pub broker: String,
    /// Times that it was asked.
    pub asked: u64,
    pub answered: u64,
    /// Its first answer, from the start of the run.
    pub first: Option<Duration>,
    pub last: Option<Duration>,
    /// The last error of a look that got no answer.
    pub last_error: Option<String>,
    /// When it gave no answer after it had given one, in their order.
    pub silences: Vec<Silence>,
}

/// A time in which a broker that had answered before did not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silence {
    /// When the first unanswered question was sent.
    pub from: Duration,
    /// When the last unanswered question was given up.
    pub to: Duration,
    /// It never answered again, though it was asked to the end.
    pub to_the_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataChange {
    /// When it was seen, from the start of the run.
    pub at: Duration,
    /// The broker that was asked.
    pub broker: String,
    pub aspect: Aspect,
    /// The topic that it is about, and the partition.
    pub topic: Option<String>,
    /// The partition that it is about.
    pub partition: Option<Partition>,
    /// What was said before: by this broker, or by another one.
    pub before: String,
    pub after: String,
}

/// Why a reader or an audit did not read a partition that its broker does not know.
pub const NOT_KNOWN: &str = "the broker does not know the partition";

/// One consumer's reading of one partition, judged.
#[derive(Debug, Clone)]
pub struct JudgedReading {
    /// The consumer's number in the plan.
    pub scenario: usize,
    /// The topic's number in the run.
    pub topic: usize,
    pub partition: Partition,
    /// Distinct messages of this run.
    pub received: u64,
    pub foreign: u64,
    /// First and last offset handed out.
    pub offsets: (Option<Offset>, Option<Offset>),
    pub reached_end_marker: bool,
    /// Times that the log was reset under it.
    pub resets: u64,
    /// Acked messages that it had to find in this partition.
    pub wanted: u64,
    /// An audit was required and could not be made.
    pub unaudited: bool,
    /// It read everything it had to.
    pub complete: bool,
    /// Why it did not; empty if it did.
    pub incomplete_why: String,
    /// The ledger's verdict; `None` without a ledger (`from: any`).
    pub judgement: Option<Judgement>,
}

/// Whose rules decide what retention and compaction may remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retention {
    #[default]
    Settings,
    /// The topic's settings, which are unknown.
    Unknown,
    /// The embedded broker, which keeps a fixed amount per partition.
    Embedded,
}

/// The sending side of one partition.
#[derive(Debug, Clone, Default)]
pub struct PartitionSeen {
    /// The topic's number in the run.
    pub topic: usize,
    pub partition: Partition,
    pub acked: u64,
    /// Lowest and highest offset of an ack.
    pub acked_offsets: Option<(Offset, Offset)>,
    /// Offset of the last end marker that was acked.
    pub end_marker: Option<Offset>,
    /// Acked end markers that are not in the log.
    pub lost_markers: u64,
    /// Whose rules say what may be removed there.
    pub retention: Retention,
    /// The anomalies that any observer saw there, each message once, with evidence; `None` if nobody read it.
    pub judgement: Option<Judgement>,
}

/// A remark in the user's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub level: Level,
    pub text: String,
}

/// How serious a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Hint,
    Warning,
    /// Kept the run from doing its work.
    Error,
}

impl Note {
    pub fn hint(text: impl Into<String>) -> Self {
        Self { level: Level::Hint, text: text.into() }
    }

    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    /// Kept the run from doing its work.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}
