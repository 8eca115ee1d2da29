//! `summary.json` as Rust types. All other reports and the summary's JSON Schema are generated from them.
//!
//! Except for short ones, such as [`RunStatus`], they are separate from the internal types, so that those can
//! change while the version of the file stays.

mod account;
mod cluster;
mod evidence;

pub use account::{AccountSummary, AccountsSummary, PartitionAccountSummary, ScenarioAccountSummary};
pub use cluster::{
    ContainerSummary, FaultSummary, MetadataChangeSummary, WatchSummary, WatchedBrokerSummary,
};
pub use evidence::{AnomalySummary, EvidenceRow, SpotRow};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

pub use crate::checks::CheckOutcome;
pub use crate::ledger::Markers;
pub use crate::observe::{Note, NoteLevel};
pub use crate::plan::DefaultTaken;
pub use crate::record::RunStatus;

use crate::plan::{CheckKind, ScenarioKind};

/// Version of the summary format.
pub const SCHEMA_VERSION: u32 = 1;

/// A number. Whole numbers are written without a decimal point, others are rounded to 3 decimal places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Num(#[schemars(with = "f64")] pub Number);

impl Num {
    /// Rounds a value. Non-finite values become 0; counts and times never produce them.
    pub fn new(value: f64) -> Self {
        let rounded = (value * 1000.0).round() / 1000.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        if rounded.fract() == 0.0 && rounded.abs() < 9e15 {
            Self(Number::from(rounded as i64))
        } else {
            Self(Number::from_f64(rounded).unwrap_or_else(|| Number::from(0)))
        }
    }

    pub fn get(&self) -> f64 {
        self.0.as_f64().unwrap_or(0.0)
    }
}

/// The result of one run of one scenario file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "kaf6 run summary")]
pub struct Summary {
    /// Version of the summary format: 1.
    pub schema_version: u32,
    /// The run's name.
    pub name: String,
    /// The file's `description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Version of kaf6.
    pub kaf6_version: String,
    /// Start of kaf6's work, in RFC 3339, UTC, with milliseconds.
    pub started_at: String,
    /// 40 random bits in hexadecimal. They mark the messages of this run.
    pub run_tag: String,
    /// The run's id, which is also the name of its folder.
    pub run_id: String,
    /// The profile's name.
    pub profile: Option<String>,
    /// The brokers, `host:port`, or `embedded`.
    pub brokers: Vec<String>,
    /// Each scenario, by name.
    pub scenarios: IndexMap<String, ScenarioSummary>,
    /// Outcome of each check, by name.
    pub checks: IndexMap<String, CheckOutcome>,
    /// Each check in detail, with one row per scenario that it ran against.
    pub check_results: Vec<CheckRow>,
    /// Where every message went. Absent if no scenario sends messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<AccountsSummary>,
    /// How long brokers throttled clients, by request type. Absent if they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttling: Option<ThrottlingSummary>,
    /// Every kind of anomaly, by name. Kinds with a count of 0 are included.
    pub anomalies: IndexMap<String, AnomalySummary>,
    /// Faults, ordered by start.
    pub faults: Vec<FaultSummary>,
    /// Rates and latencies over time.
    pub timeline: TimelineSummary,
    /// Hints, warnings and errors about the run.
    pub notes: Vec<Note>,
    /// The verdict.
    pub status: RunStatus,
    /// Why the run has this status, in one sentence.
    pub reason: String,
    /// Time from the start of the run to the end of its last scenario, in milliseconds.
    pub duration_ms: u64,
    /// Time from the start of kaf6's work to the start of the run, in milliseconds. Topics are created in
    /// that time.
    pub setup_ms: u64,
    /// Name of the signal that ended the run. Absent if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// The scenario file.
    pub source: SourceSummary,
    /// The defaults that the run used, for fields that the file does not set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defaults: Vec<DefaultTaken>,
    /// Latency histograms by scenario name. Scenarios without measurements are absent.
    pub histograms: IndexMap<String, HistogramSummary>,
    /// Statistics of each partition that was written or read.
    pub partitions: Vec<PartitionSummary>,
    /// Results of `connect` scenarios, by scenario name.
    pub connect: IndexMap<String, Vec<BrokerConnect>>,
    /// Metadata changes that `watch` scenarios saw, ordered by time.
    pub metadata_changes: Vec<MetadataChangeSummary>,
    /// Brokers that `watch` scenarios queried, by scenario name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub watch: IndexMap<String, WatchSummary>,
    /// Containers that the run started, ordered by start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerSummary>,
    /// Series that `metrics` scenarios name, over time.
    pub metric_series: Vec<MetricSeries>,
    /// Further files in the run's folder, such as container logs. The three reports are not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileSummary>,
}

/// A further file in the run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileSummary {
    /// Path, relative to the run's folder.
    pub path: String,
    /// Short description of its contents.
    pub about: String,
}

/// The scenario file of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceSummary {
    /// The path as given.
    pub path: String,
    /// The text as read, before variables are replaced.
    pub text: String,
}

/// Results of one scenario. Fields that do not apply to its type are absent. Fields that could not be
/// measured are null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioSummary {
    /// The `type` in the scenario file, such as `produce`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How the scenario ended: `done`, `timeout`, `idle`, `aborted`, `interrupted`, `skipped`, `failed` or
    /// `fatal`.
    pub ended: String,
    /// True if kaf6 added the scenario to read back messages that no consumer in the file reads. Absent
    /// otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub implicit: bool,
    /// Position in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionSummary>,
    /// Messages passed to the client (`produce`, `roundtrip`), requests (`metrics`) or attempts (`connect`).
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
    /// Distinct messages of this run that were read. With `from: any`, records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    /// All records that were read, including repeats, without end markers and foreign records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Records of other producers or of earlier runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<u64>,
    /// The planned number of messages or iterations, or the `limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<u64>,
    /// Errors of all kinds.
    pub errors: u64,
    /// Errors by code.
    pub errors_by_code: IndexMap<String, u64>,
    /// Broker errors after which the client retried, by code. They are not included in `errors`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub retries_by_code: IndexMap<String, u64>,
    /// Median latency in milliseconds. This and the other latencies are null if nothing was measured.
    pub p50_ms: Option<Num>,
    /// 90th percentile of latency in milliseconds.
    pub p90_ms: Option<Num>,
    /// 95th percentile of latency in milliseconds.
    pub p95_ms: Option<Num>,
    /// 99th percentile of latency in milliseconds.
    pub p99_ms: Option<Num>,
    /// 99.9th percentile of latency in milliseconds.
    pub p999_ms: Option<Num>,
    /// Longest latency in milliseconds.
    pub max_ms: Option<Num>,
    /// Mean latency in milliseconds.
    pub mean_ms: Option<Num>,
    /// Number of latency measurements.
    pub measured: u64,
    /// Acked (or read) messages per second, between the first and the last. Null if these are less than 200
    /// ms apart.
    pub rate_per_s: Option<Num>,
    /// Average of the configured rate, in messages per second. Absent if no rate is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_rate_per_s: Option<Num>,
    /// Bytes of keys and values that were acked (or read).
    pub bytes: u64,
    /// Delay of the load generator in milliseconds, 99th percentile. Open loop only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_p99_ms: Option<Num>,
    /// True (open loop): latency is measured from the scheduled send time. False (closed loop): from the
    /// actual send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_loop: Option<bool>,
    /// Start, in milliseconds from the start of the run. Null if it never started.
    pub started_ms: Option<u64>,
    /// End, in milliseconds from the start of the run.
    pub ended_ms: Option<u64>,
    /// Why the scenario ended this way, if that needs an explanation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The last HTTP status (`metrics` only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
}

/// A position in a scenario file. Lines and columns are numbered from 1.
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
    /// The kind of scenario. `None` if this version of kaf6 does not know it.
    pub fn scenario_kind(&self) -> Option<ScenarioKind> {
        ScenarioKind::from_name(&self.kind)
    }
}

impl CheckRow {
    /// The kind of check. `None` if this version of kaf6 does not know it.
    pub fn check_kind(&self) -> Option<CheckKind> {
        CheckKind::from_name(&self.kind)
    }
}

/// The result of one check against one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckRow {
    /// The check's name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its outcome.
    pub result: CheckOutcome,
    /// The expected value.
    pub expected: String,
    /// The actual value.
    pub actual: String,
    /// Explanation, if expected and actual value are not enough. Empty otherwise.
    pub message: String,
    /// The messages or the period that the result covers. Absent if the check did not run that far.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub covers: String,
    /// The scenario that the check ran against.
    pub scenario: Option<String>,
    /// True if kaf6 added the check automatically.
    pub implicit: bool,
    /// Position in the file.
    pub position: PositionSummary,
}

/// Rates and latencies over time, in at most 600 buckets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineSummary {
    /// Width of a bucket in milliseconds.
    pub bucket_ms: u64,
    /// Each scenario's series, by scenario name.
    pub series: IndexMap<String, SeriesSummary>,
}

/// One scenario over time. All lists have the same length. Bucket 0 begins at the start of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesSummary {
    /// Acked or read messages per second.
    pub rate: Vec<Num>,
    /// 95th percentile of latency in milliseconds. Null for buckets without a measurement.
    pub p95_ms: Vec<Option<Num>>,
    /// Number of errors in the bucket.
    pub errors: Vec<u64>,
}

/// Broker responses with a throttle time, because a quota was exceeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThrottlingSummary {
    /// Responses to Produce requests.
    pub produce: ThrottledSummary,
    /// Responses to Fetch requests.
    pub fetch: ThrottledSummary,
}

/// Throttled responses to one type of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThrottledSummary {
    /// Number of responses with a throttle time.
    pub answers: u64,
    /// Sum of the throttle times, in milliseconds.
    pub total_ms: u64,
    /// Longest throttle time, in milliseconds.
    pub longest_ms: u64,
}

/// A latency histogram with logarithmic buckets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramSummary {
    /// Upper bound of each bucket in milliseconds, ascending.
    pub upper_ms: Vec<Num>,
    /// Number of measurements in each bucket.
    pub count: Vec<u64>,
}

/// Statistics of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartitionSummary {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Messages of this run that were acked in the partition.
    pub acked: u64,
    /// Lowest acked offset.
    pub first_acked_offset: Option<i64>,
    /// Highest acked offset.
    pub last_acked_offset: Option<i64>,
    /// Offset of the end marker, if one was acked.
    pub fence_offset: Option<i64>,
    /// How far each consumer read.
    pub readers: Vec<ReaderSummary>,
}

/// How far one consumer read one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReaderSummary {
    /// The consumer's name.
    pub scenario: String,
    /// Distinct messages of this run that were read.
    pub received: u64,
    /// Records of other producers or of earlier runs.
    pub foreign: u64,
    /// First offset read.
    pub first_offset: Option<i64>,
    /// Last offset read.
    pub last_offset: Option<i64>,
    /// Whether the consumer read the end marker.
    pub reached_fence: bool,
    /// How often the consumer started over because the log was reset.
    pub resets: u64,
}

/// The last attempt to connect to one broker.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BrokerConnect {
    /// `host:port`.
    pub broker: String,
    /// Whether every stage passed.
    pub reachable: bool,
    /// Number of attempts.
    pub attempts: u64,
    /// Stages in order. A failed stage is the last one.
    pub stages: Vec<StageSummary>,
    /// API versions that the broker supports.
    pub apis: Vec<ApiSummary>,
}

/// One stage of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageSummary {
    /// `resolve`, `tcp`, `tls`, `api_versions` or `metadata`.
    pub name: String,
    /// Duration in milliseconds.
    pub ms: Num,
    /// What failed. Null if nothing did.
    pub error: Option<String>,
}

/// Supported versions of one Kafka API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiSummary {
    /// The API key.
    pub key: i16,
    /// The API's name in the Kafka protocol.
    pub name: String,
    /// Lowest version.
    pub min: i16,
    /// Highest version.
    pub max: i16,
}

/// One scraped series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricSeries {
    /// The `metrics` scenario's name.
    pub scenario: String,
    /// The series with its labels, as scraped.
    pub name: String,
    /// Time of each value, in milliseconds from the start of the run.
    pub at_ms: Vec<u64>,
    /// The values.
    pub value: Vec<Num>,
}
