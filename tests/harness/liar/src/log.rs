//! The broker's log for the oracle. Bytes are hex. Offsets and times are numbers.

use std::collections::BTreeMap;

use serde::Serialize;

/// All that happened, and what is stored now.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Log {
    /// The logs as they are now, by topic, by partition.
    pub topics: BTreeMap<String, Vec<PartitionLog>>,
    /// Batches that came, in the order of their coming.
    pub produced: Vec<Produced>,
    /// Answers to fetches.
    pub fetched: Vec<Fetched>,
    /// What rules did.
    pub fired: Vec<Fired>,
    /// How many requests came, by API.
    pub requests: BTreeMap<String, u64>,
    /// Milliseconds of the wall clock at the start.
    pub started_ms: i64,
    /// The settings of topics, where they are not Kafka's defaults.
    pub settings: BTreeMap<String, BTreeMap<String, String>>,
    /// DescribeConfigs is served.
    pub describes: bool,
    /// Topics that were made.
    pub created: Vec<Created>,
    /// Records that were removed, but for those that `truncate` cut.
    pub removed: Vec<Removed>,
    /// New leader epochs.
    pub moved: Vec<Moved>,
}

impl Log {
    /// Only what happened from this time on, in microseconds from the start: of two runs against one broker, the second.
    #[must_use]
    pub fn since(mut self, at_us: u64) -> Self {
        self.produced.retain(|it| it.at_us >= at_us);
        self.fetched.retain(|it| it.at_us >= at_us);
        self.fired.retain(|it| it.at_us >= at_us);
        self.created.retain(|it| it.at_us >= at_us);
        self.removed.retain(|it| it.at_us >= at_us);
        self.moved.retain(|it| it.at_us >= at_us);
        self
    }
}

/// One partition's log.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionLog {
    /// First offset.
    pub start: i64,
    /// One past the last.
    pub end: i64,
    /// Its records, without control records.
    pub records: Vec<Stored>,
    /// Offsets of control records.
    pub control: Vec<i64>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// Its offset; in a batch that came, its place in the batch.
    pub offset: i64,
    /// Its timestamp, in milliseconds of the wall clock.
    pub time_ms: i64,
    /// Its key.
    pub key: Option<String>,
    /// Its value.
    pub value: Option<String>,
    /// Its headers.
    pub headers: Vec<(String, Option<String>)>,
    /// FNV-1a of 64 bits over key, value and headers, as [`crate::batch::Record::digest`] writes them.
    pub digest: String,
}

/// A batch that came.
#[derive(Debug, Clone, Serialize)]
pub struct Produced {
    /// When, microseconds from the start.
    pub at_us: u64,
    /// To which broker.
    pub node: usize,
    /// On which connection.
    pub connection: u64,
    /// For which topic.
    pub topic: String,
    /// And partition.
    pub partition: i32,
    /// The request's acks.
    pub acks: i16,
    /// The idempotent producer, or -1.
    pub producer_id: i64,
    /// Its first sequence number there, or -1.
    pub base_sequence: i32,
    /// It is an end marker.
    pub marker: bool,
    /// What came.
    pub records: Vec<Stored>,
    /// Where it was stored: partition and base offset, each time.
    pub stored: Vec<(i32, i64)>,
    /// The answer's error code; none where there is no answer.
    pub code: Option<i16>,
    /// The answer's base offset.
    pub base_offset: i64,
    /// When it began to write the answer to the connection.
    pub answering_us: Option<u64>,
    /// When it was written; none while it is not known to be.
    pub answered_us: Option<u64>,
    /// Names of the actions.
    pub did: Vec<&'static str>,
}

/// An answer to a fetch of one partition.
#[derive(Debug, Clone, Serialize)]
pub struct Fetched {
    /// When, microseconds from the start.
    pub at_us: u64,
    /// By which broker.
    pub node: usize,
    /// On which connection.
    pub connection: u64,
    /// Of which topic.
    pub topic: String,
    /// And partition.
    pub partition: i32,
    /// From where.
    pub offset: i64,
    /// 1: only committed records.
    pub isolation: i8,
    /// The error code.
    pub code: i16,
    /// The reported end.
    pub high_watermark: i64,
    /// The reported last stable offset.
    pub last_stable: i64,
    /// Offset, digest and timestamp of each record from the fetch offset on, as handed out.
    pub records: Vec<(i64, String, i64)>,
    /// The records of each batch whose CRC does not fit, also those below the fetch offset: offset and digest.
    pub bad_crc: Vec<Vec<(i64, String)>>,
    /// The offsets of each such batch: the first, and one past the last. A compacted one has fewer records.
    pub bad_offsets: Vec<(i64, i64)>,
    /// The answer was written to the connection.
    pub answered: bool,
    /// Names of the actions.
    pub did: Vec<&'static str>,
}

/// A rule at work.
#[derive(Debug, Clone, Serialize)]
pub struct Fired {
    /// When, microseconds from the start.
    pub at_us: u64,
    /// The rule's place in the list.
    pub rule: usize,
    /// What it did.
    pub action: &'static str,
    /// A correct broker may do this.
    pub legal: bool,
    /// To which partition; -1 where to none.
    pub partition: i32,
}

/// A topic that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Created {
    /// When, microseconds from the start.
    pub at_us: u64,
    /// Its name.
    pub topic: String,
    /// Records of a deleted topic of this name that were there from the start, without control records.
    pub old: u64,
}

/// A record that was removed.
#[derive(Debug, Clone, Serialize)]
pub struct Removed {
    /// When, microseconds from the start.
    pub at_us: u64,
    /// From which topic.
    pub topic: String,
    /// And partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<String>,
    /// Its digest.
    pub digest: String,
    /// `retention` and `compaction` follow the topic's settings; the others are names of actions.
    pub why: &'static str,
    /// It was handed out before.
    pub seen: bool,
}

/// A new leader epoch.
#[derive(Debug, Clone, Serialize)]
pub struct Moved {
    /// When, microseconds from the start.
    pub at_us: u64,
    /// Of which topic.
    pub topic: String,
    /// And partition.
    pub partition: i32,
}
