//! `summary.json` as types: the one source of every other report, and what its JSON Schema is made from.
//!
//! Owned apart from the internal types, so that these can change while the file's version stays.

mod account;
mod cluster;
mod evidence;

pub use account::{
    AccountSummary, AccountsSummary, MarkersSummary, PartitionAccountSummary, ScenarioAccountSummary,
};
pub use cluster::{
    ContainerSummary, FaultSummary, MetadataChangeSummary, WatchSummary, WatchedBrokerSummary,
};
pub use evidence::{AnomalySummary, EvidenceRow, SpotRow};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::plan::{CheckKind, ScenarioKind};

/// The version of the file's form.
pub const SCHEMA_VERSION: u32 = 1;

/// A number of milliseconds or the like: written without a decimal point where it is whole, rounded to
/// 3 digits behind it elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Num(#[schemars(with = "f64")] pub Number);

impl Num {
    /// The number in its written form; non-finite ones become 0 (they cannot arise from counts and times).
    pub fn new(value: f64) -> Self {
        let rounded = (value * 1000.0).round() / 1000.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        if rounded.fract() == 0.0 && rounded.abs() < 9e15 {
            Self(Number::from(rounded as i64))
        } else {
            Self(Number::from_f64(rounded).unwrap_or_else(|| Number::from(0)))
        }
    }

    /// The value for arithmetic.
    pub fn get(&self) -> f64 {
        self.0.as_f64().unwrap_or(0.0)
    }
}

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The promise was kept.
    Pass,
    /// It was broken.
    Fail,
    /// Neither passed nor failed: something was not observed.
    Inconclusive,
}

impl CheckOutcome {
    /// The order in which people want to see them.
    pub const WORST_FIRST: [Self; 3] = [Self::Fail, Self::Inconclusive, Self::Pass];

    /// Its place in that order.
    pub fn rank(self) -> usize {
        Self::WORST_FIRST.into_iter().take_while(|outcome| *outcome != self).count()
    }
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Each check passed, and every planned message is accounted for.
    Pass,
    /// A check failed, or the account has a broken promise.
    Fail,
    /// Neither: the run is inconclusive.
    Error,
}

/// One run of one scenario file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "kaf6 run summary")]
pub struct Summary {
    /// The form's version: 1.
    pub schema_version: u32,
    /// The run's name.
    pub name: String,
    /// What the file says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The kaf6 that ran it.
    pub kaf6_version: String,
    /// Start of the program's work, RFC 3339 in UTC with milliseconds.
    pub started_at: String,
    /// 40 random bits in hex that mark this execution's messages.
    pub run_tag: String,
    /// The run's id; also the name of its folder.
    pub run_id: String,
    /// The profile's name.
    pub profile: Option<String>,
    /// The brokers, `host:port`, or `embedded`.
    pub brokers: Vec<String>,
    /// Each scenario by its name.
    pub scenarios: IndexMap<String, ScenarioSummary>,
    /// Each check by its name, in short.
    pub checks: IndexMap<String, CheckOutcome>,
    /// Each check in full; one row for each scenario that it was put to.
    pub check_results: Vec<CheckRow>,
    /// Where every message went; absent where nothing of the file sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<AccountsSummary>,
    /// For how long brokers said that they throttled clients, by kind of request; absent if they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttling: Option<ThrottlingSummary>,
    /// Each anomaly by its name; always all of them.
    pub anomalies: IndexMap<String, AnomalySummary>,
    /// Faults, in the order of their start.
    pub faults: Vec<FaultSummary>,
    /// Rates and latencies over time.
    pub timeline: TimelineSummary,
    /// Warnings and hints in the user's words.
    pub notes: Vec<NoteSummary>,
    /// The verdict.
    pub status: RunStatus,
    /// Why the status is what it is, in a sentence.
    pub reason: String,
    /// From the start of the run to the end of its last scenario, milliseconds.
    pub duration_ms: u64,
    /// From the program's work's start to the start of the run (topics created), milliseconds.
    pub setup_ms: u64,
    /// Set where a signal ended the run: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// The scenario file.
    pub source: SourceSummary,
    /// Latency histograms by scenario name; only those with data.
    pub histograms: IndexMap<String, HistogramSummary>,
    /// Accounting for each partition that was written or read.
    pub partitions: Vec<PartitionSummary>,
    /// What `connect` scenarios saw, by scenario name.
    pub connect: IndexMap<String, Vec<BrokerConnect>>,
    /// Changes of metadata that `watch` scenarios saw, in the order of time.
    pub metadata_changes: Vec<MetadataChangeSummary>,
    /// Whom `watch` scenarios asked, by scenario name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub watch: IndexMap<String, WatchSummary>,
    /// Containers that the run started, in the order of their start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerSummary>,
    /// Named series of `metrics` scenarios over time.
    pub metric_series: Vec<MetricSeries>,
    /// Other files of the run's folder, such as the logs of containers; the three reports are not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileSummary>,
}

/// One further file of the run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileSummary {
    /// Its path, from the run's folder.
    pub path: String,
    /// What it holds, in a few words.
    pub about: String,
}

/// Where the scenario file came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceSummary {
    /// The path as given.
    pub path: String,
    /// The text as read, before `${}` was replaced.
    pub text: String,
}

/// What one scenario did. Fields that its type does not have are absent; those it could not measure are null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioSummary {
    /// `connect`, `metrics`, `produce`, `consume`, `roundtrip` or `watch`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it ended: `done`, `timeout`, `idle`, `aborted`, `interrupted`, `skipped`, `failed` or `fatal`.
    pub ended: String,
    /// Added by kaf6, to read back what no reader of the file reads; absent where the file has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub implicit: bool,
    /// Where the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionSummary>,
    /// Messages handed to the client (`produce`, `roundtrip`); requests made (`metrics`); attempts (`connect`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<u64>,
    /// Messages acknowledged with an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acked: Option<u64>,
    /// Messages known not to be in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// Messages that may or may not be in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<u64>,
    /// Distinct messages of this run that were read (`from: any`: records).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    /// All records that were read, with repeats, without end markers and foreign ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Records of others, or of earlier runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<u64>,
    /// What the plan wanted: messages, limit or iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<u64>,
    /// Errors of all kinds.
    pub errors: u64,
    /// The same by code.
    pub errors_by_code: IndexMap<String, u64>,
    /// Errors of brokers for which the client asked again, by code; they are not in `errors`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub retries_by_code: IndexMap<String, u64>,
    /// Latency percentiles in milliseconds; null where nothing was measured.
    pub p50_ms: Option<Num>,
    /// 90th percentile.
    pub p90_ms: Option<Num>,
    /// 95th percentile.
    pub p95_ms: Option<Num>,
    /// 99th percentile.
    pub p99_ms: Option<Num>,
    /// 99.9th percentile.
    pub p999_ms: Option<Num>,
    /// Longest.
    pub max_ms: Option<Num>,
    /// Mean.
    pub mean_ms: Option<Num>,
    /// How many latencies were measured.
    pub measured: u64,
    /// Acked (or read) messages a second, between the first and the last; null where that is less than 200 ms.
    pub rate_per_s: Option<Num>,
    /// The rate that the file asks for, on average, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_rate_per_s: Option<Num>,
    /// Bytes of keys and values acked (or read).
    pub bytes: u64,
    /// How late the generator itself was, 99th percentile; open loop only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_p99_ms: Option<Num>,
    /// Open loop: latency counts from the due instant. Closed: from the send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_loop: Option<bool>,
    /// Start, from the start of the run; null where it never started.
    pub started_ms: Option<u64>,
    /// End, from the start of the run.
    pub ended_ms: Option<u64>,
    /// Why it ended as it did, where that needs words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `metrics`: the last HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
}

/// A place in a scenario file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PositionSummary {
    /// The file's path as given.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl ScenarioSummary {
    /// Its kind; none where this version of kaf6 does not know it.
    pub fn scenario_kind(&self) -> Option<ScenarioKind> {
        ScenarioKind::from_name(&self.kind)
    }
}

impl CheckRow {
    /// Its kind; none where this version of kaf6 does not know it.
    pub fn check_kind(&self) -> Option<CheckKind> {
        CheckKind::from_name(&self.kind)
    }
}

/// One check, put to one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckRow {
    /// The check's name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its outcome.
    pub result: CheckOutcome,
    /// What was wanted.
    pub expected: String,
    /// What was found.
    pub actual: String,
    /// In words, where expected and actual do not say it all; empty elsewhere.
    pub message: String,
    /// What the answer is about: these messages, this span of time; absent where it did not get that far.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub covers: String,
    /// The scenario that it was put to.
    pub scenario: Option<String>,
    /// Added by kaf6 without being asked.
    pub implicit: bool,
    /// Where it stands in the file.
    pub position: PositionSummary,
}

/// Rates and latencies over time, in at most 600 buckets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineSummary {
    /// Width of a bucket.
    pub bucket_ms: u64,
    /// By scenario name.
    pub series: IndexMap<String, SeriesSummary>,
}

/// One scenario over time; all three of the same length, bucket 0 begins at the start of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesSummary {
    /// Acked or read messages a second.
    pub rate: Vec<Num>,
    /// 95th percentile of latency; null in a bucket without a measurement.
    pub p95_ms: Vec<Option<Num>>,
    /// Errors in the bucket.
    pub errors: Vec<u64>,
}

/// A remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoteSummary {
    /// How serious.
    pub level: NoteLevel,
    /// In the user's words.
    pub text: String,
}

/// How serious a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteLevel {
    /// Good to know.
    Hint,
    /// Should be looked at.
    Warning,
    /// Kept the run from doing its work.
    Error,
}

/// Answers of brokers that had a throttle time, because a quota was used up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThrottlingSummary {
    /// Answers to Produce.
    pub produce: ThrottledSummary,
    /// Answers to Fetch.
    pub fetch: ThrottledSummary,
}

/// Throttled answers to one kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThrottledSummary {
    /// How many answers had a throttle time.
    pub answers: u64,
    /// The sum of their throttle times, in milliseconds.
    pub total_ms: u64,
    /// The longest throttle time, in milliseconds.
    pub longest_ms: u64,
}

/// A latency histogram: logarithmic buckets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramSummary {
    /// Upper bound of each bucket in milliseconds, growing.
    pub upper_ms: Vec<Num>,
    /// Count in each bucket.
    pub count: Vec<u64>,
}

/// Accounting of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartitionSummary {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Messages of this run acked there.
    pub acked: u64,
    /// Lowest offset of an ack.
    pub first_acked_offset: Option<i64>,
    /// Highest offset of an ack.
    pub last_acked_offset: Option<i64>,
    /// Offset of the end marker, where one was acked.
    pub fence_offset: Option<i64>,
    /// How far each reader came.
    pub readers: Vec<ReaderSummary>,
}

/// How far one consumer came in one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReaderSummary {
    /// The consumer's name.
    pub scenario: String,
    /// Distinct messages of this run read.
    pub received: u64,
    /// Records of others.
    pub foreign: u64,
    /// First offset handed out.
    pub first_offset: Option<i64>,
    /// Last offset handed out.
    pub last_offset: Option<i64>,
    /// It read the end marker.
    pub reached_fence: bool,
    /// Times that it had to start over since the log was reset under it.
    pub resets: u64,
}

/// One attempt to reach one broker, the last one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BrokerConnect {
    /// `host:port`.
    pub broker: String,
    /// Each stage passed.
    pub reachable: bool,
    /// Attempts made.
    pub attempts: u64,
    /// Stages in their order; the first failed one is the last.
    pub stages: Vec<StageSummary>,
    /// API versions that the broker answered.
    pub apis: Vec<ApiSummary>,
}

/// One stage of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageSummary {
    /// `resolve`, `tcp`, `tls`, `api_versions` or `metadata`.
    pub name: String,
    /// How long it took.
    pub ms: Num,
    /// What went wrong; null where nothing did.
    pub error: Option<String>,
}

/// Versions of one API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiSummary {
    /// Number in the protocol.
    pub key: i16,
    /// Name in the protocol.
    pub name: String,
    /// Lowest version.
    pub min: i16,
    /// Highest version.
    pub max: i16,
}

/// One scraped series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricSeries {
    /// The `metrics` scenario.
    pub scenario: String,
    /// The series with its labels, as scraped.
    pub name: String,
    /// When, milliseconds from the start of the run.
    pub at_ms: Vec<u64>,
    /// What it was.
    pub value: Vec<Num>,
}
