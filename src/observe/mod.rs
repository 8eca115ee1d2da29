//! Observations of a run: counts per scenario, and what was found about brokers, endpoints, partitions and
//! messages.
//!
//! Plain data, produced by `engine` and used by `checks` and `record`.

mod of_type;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Offset, Partition};
use crate::ledger::{Accounts, Judgement, Saved, Streams};
use crate::metrics::{Snapshot, Throttling};
use crate::plan::{FaultKind, FaultPlan, ScenarioKind};
use crate::scenario::Secrets;

pub use of_type::*;

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
    /// Periods in which kaf6 itself made no progress, in order.
    pub own_stalls: Vec<(Duration, Duration)>,
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

kinds! {
    ScenarioEnd {
        /// It completed its work.
        Done = "done",
        /// It timed out.
        Timeout = "timeout",
        /// It stopped, because no message arrived for its `idle_timeout`.
        Idle = "idle",
        /// A check with `abort`, the run's timeout or an exited container ended it.
        Aborted = "aborted",
        Interrupted = "interrupted",
        /// It never started, because its start condition was never met.
        Skipped = "skipped",
        /// It could not run.
        Failed = "failed",
        /// Its client stopped with a fatal error after some of the work was done.
        Fatal = "fatal",
    }
}

impl ScenarioEnd {
    /// Whether it could not run, so that missing observations prove nothing.
    pub const fn could_not_work(self) -> bool {
        matches!(self, Self::Skipped | Self::Failed)
    }

    /// Whether something else ended it.
    pub const fn cut_short(self) -> bool {
        matches!(self, Self::Aborted | Self::Interrupted)
    }
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

/// A note about the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NoteSummary")]
pub struct Note {
    /// Severity.
    pub level: NoteLevel,
    /// The note's text.
    pub text: String,
}

/// Severity of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteLevel {
    /// Useful to know.
    Hint,
    /// Needs attention.
    Warning,
    /// A problem that prevented part of the run.
    Error,
}

impl Note {
    pub fn hint(text: impl Into<String>) -> Self {
        Self { level: NoteLevel::Hint, text: text.into() }
    }

    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: NoteLevel::Warning, text: text.into() }
    }

    /// A note that something prevented part of the run.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: NoteLevel::Error, text: text.into() }
    }
}
