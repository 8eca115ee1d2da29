//! The misbehavior of the broker, as plain data that can be printed, parsed, generated and shrunk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The behaviour of a cluster. The default is one honest broker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// How many brokers there are; 0 is 1.
    pub brokers: u8,
    /// A fetch without data is answered with null records instead of empty ones. Legal.
    pub null_when_empty: bool,
    /// DescribeConfigs is not served. Legal.
    pub no_describe: bool,
    /// Settings of topics that are made without them, such as `retention.ms`. Legal.
    pub defaults: BTreeMap<String, String>,
    /// Host and port that brokers advertise in place of their own.
    pub advertised: Option<(String, i32)>,
    /// The time for which answers to Produce and Fetch say that they were throttled. Legal.
    pub throttle_ms: i32,
    /// Clients have to say who they are, by PLAIN; each gets this code for it.
    pub sasl: Option<i16>,
    /// What is done to which requests.
    pub rules: Vec<Rule>,
}

/// What is done to some requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    pub on: Api,
    /// Only those for this partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// From which matching request on, counted from 0.
    #[serde(default)]
    pub from: u32,
    /// For how many; none: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// For how long from the first of them; none: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// At which time of a run.
    #[serde(default)]
    pub phase: Phase,
    /// What is done.
    pub action: Action,
}

/// The requests that a rule can match. A request for several partitions is counted once for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// Produce, of messages; end markers are never matched.
    Produce,
    /// Produce, of end markers.
    ProduceMarker,
    /// Fetch.
    Fetch,
    /// Metadata (by topic, and for rules with a partition by partition).
    Metadata,
    /// ListOffsets.
    ListOffsets,
    /// OffsetForLeaderEpoch.
    EpochEnd,
    /// InitProducerId.
    InitProducerId,
    /// CreateTopics, of a topic that was deleted before.
    CreateTopics,
    /// CreateTopics, of any other.
    NewTopic,
}

/// A time of a run, by the first end marker that reached the partition (for metadata: any partition).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// At all times.
    #[default]
    Always,
    /// Until the end marker was written: producers still send.
    BeforeMarker,
    /// From then on: all producers have ended.
    AfterMarker,
}

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Its key.
    Key,
    /// Its value.
    Value,
    /// The value of its first header that is not kaf6's own.
    Header,
}

/// What is done to a request. Offsets are absolute; indexes of records are taken modulo the batch's length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    // Any request.
    /// Answers with this code; a batch is stored before where `written`.
    Error {
        /// Kafka's error code.
        code: i16,
        /// The batch is stored.
        #[serde(default)]
        written: bool,
    },
    /// Waits before it looks at the request.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Never answers.
    NoAnswer {
        /// The batch is stored.
        #[serde(default)]
        written: bool,
    },
    /// Closes the connection without an answer.
    Drop {
        /// The batch is stored.
        #[serde(default)]
        written: bool,
    },
    /// The partition gets its next leader, in a new leader epoch.
    MoveLeader,
    /// The log ends at this offset from now on.
    Truncate {
        /// The new end.
        to: i64,
    },
    /// The next leader lacks the newest batches. Legal where each of them was sent with `acks` 1 or 0, or never acked, and
    /// nobody has read it.
    LoseTail {
        /// How many.
        batches: u32,
    },
    /// Removes the oldest batches although nothing explains it; the log starts behind them.
    DeleteEarly {
        /// How many.
        batches: u32,
    },
    /// Removes the last record of a key from a compacted topic. Other topics are left as they are.
    CompactLast {
        /// Which of the partition's keys, in the order of their last records, modulo their number.
        index: u32,
    },

    // Produce.
    /// Stores the batch twice.
    Twice,
    /// Stores the batch behind the next one of its partition.
    Swap,
    /// The same, and the batch is acked at once, at the offset that it will have behind one of its own length. For clients
    /// that send one batch at a time. What comes into the next batch after this ack is overtaken: acked at a lower offset, and
    /// stored where it was acked.
    SwapAfterAck,
    /// Acks without storing; with `gap` its offsets are left out, else the next batch gets them again.
    AckUnwritten {
        /// The offsets are left out.
        #[serde(default)]
        gap: bool,
    },
    /// Acks with base offset -1 and no error.
    AckWithoutOffset {
        /// The batch is stored.
        written: bool,
    },
    /// Answers DUPLICATE_SEQUENCE_NUMBER (46) and base offset -1, to a batch that is none.
    AckDuplicate {
        /// The batch is stored.
        written: bool,
    },
    /// Acks another base offset.
    AckOffset {
        /// Added to the right one.
        by: i64,
    },
    /// Leaves one record of the batch out; its offset stays free.
    DropRecord {
        /// Which.
        index: u32,
    },
    /// Flips the lowest bit of a record's byte before it stores the batch.
    FlipOnWrite {
        /// Which record.
        index: u32,
        /// Of what.
        part: Part,
        /// Which byte, counted from the end.
        byte: u32,
        /// The batch's CRC is that of the altered bytes.
        fix_crc: bool,
    },
    /// Leaves the first header of a record out before it stores the batch; here and below, kaf6's own header is none.
    StripHeader {
        /// Which record.
        index: u32,
    },
    /// Gives a record one more header.
    AddHeader {
        /// Which record.
        index: u32,
    },
    /// Swaps the first two headers of a record.
    SwapHeaders {
        /// Which record.
        index: u32,
    },
    /// Makes the value of a record's first header null.
    NullHeader {
        /// Which record.
        index: u32,
    },
    /// Makes the empty value of a record null; others stay.
    NullValue {
        /// Which record.
        index: u32,
    },
    /// Makes the null key of a record empty; others stay.
    EmptyKey {
        /// Which record.
        index: u32,
    },
    /// Shifts all timestamps of the batch. Under LogAppendTime nothing of it is left.
    ShiftTime {
        /// By so much.
        by_ms: i64,
    },
    /// Stores the batch unaltered under a wrong CRC.
    BadCrc,
    /// Stores the batch in another partition, and acks as if it were in its own.
    OtherPartition {
        /// The other one.
        to: i32,
    },
    /// Stores a batch again that an idempotent producer sent again. Matches only such batches.
    WriteRetries,
    /// Answers DUPLICATE_SEQUENCE_NUMBER (46) and base offset -1 to a batch that an idempotent producer sent again. Matches only
    /// such batches. Legal.
    DuplicateToRetries,
    /// Stores a control record behind the batch. Legal.
    ControlRecord,
    /// Stores records of somebody else behind the batch. Legal.
    ForeignRecords {
        /// How many.
        count: u32,
    },
    /// The same, of a size and an age. Legal.
    OddRecords {
        /// How many.
        count: u32,
        /// Bytes of each value.
        bytes: u32,
        /// How long ago their producer stamped them.
        age_ms: i64,
    },

    // Fetch.
    /// Flips the lowest bit of a value's last byte in the answer alone.
    FlipOnRead {
        /// At which offset.
        offset: i64,
        /// From which time on that it is handed out, counted from 0.
        sights: u32,
        /// The batch's CRC is that of the altered bytes.
        fix_crc: bool,
    },
    /// Leaves the first header of the records out in the answer alone.
    StripHeaderOnRead {
        /// At which offset.
        offset: i64,
    },
    /// Gives the batch of this offset a wrong CRC in the answer alone.
    BadCrcOnRead {
        /// At which offset.
        offset: i64,
    },
    /// Answers without records.
    Empty,
    /// Answers with null records.
    NullRecords,
    /// Reports this end, and with `hide` gives no records from there on.
    EndAt {
        /// The reported end.
        offset: i64,
        /// Records from there on are not given.
        hide: bool,
    },
    /// Answers OFFSET_OUT_OF_RANGE to fetch offsets of this range, and gives no record of it to fetches from before it.
    OutOfRange {
        /// First offset.
        from: i64,
        /// One past the last.
        to: i64,
    },
    /// Answers with the records of another partition.
    FromPartition {
        /// The other one.
        partition: i32,
    },
    /// Leaves the batch at the fetch offset out where there is another behind it.
    SkipBatch,
    /// Answers with one batch, however many there are. Legal.
    OneBatch,
    /// An open transaction of somebody else begins here: readers with `read_committed` get no further. Legal.
    LastStable {
        /// The last stable offset.
        offset: i64,
    },

    // Metadata.
    /// Answers UNKNOWN_TOPIC_OR_PARTITION.
    UnknownTopic,

    // OffsetForLeaderEpoch.
    /// Answers an end that is too low.
    EndTooLow {
        /// Taken from the right one.
        by: i64,
    },

    // CreateTopics.
    /// The records that the topic had when it was deleted are there again.
    Resurrect,
}

impl Action {
    /// A correct broker may do this, at most to the disadvantage of a run's speed. Errors are judged by their code and time
    /// elsewhere.
    pub const fn is_legal(&self) -> bool {
        matches!(
            self,
            // A code after which a batch may have been written: REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND, unknown.
            Self::Error { code: -1 | 7 | 20, .. }
                | Self::Error { written: false, .. }
                | Self::Delay { .. }
                | Self::NoAnswer { .. }
                | Self::Drop { .. }
                | Self::MoveLeader
                | Self::DuplicateToRetries
                | Self::ControlRecord
                | Self::ForeignRecords { .. }
                | Self::OddRecords { .. }
                | Self::LastStable { .. }
                | Self::OneBatch
                | Self::UnknownTopic
                | Self::EndTooLow { .. }
                | Self::AckWithoutOffset { written: true }
                | Self::AckDuplicate { written: true }
        )
    }

    /// What it is called in files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Error { .. } => "error",
            Self::Delay { .. } => "delay",
            Self::NoAnswer { .. } => "no_answer",
            Self::Drop { .. } => "drop",
            Self::MoveLeader => "move_leader",
            Self::Truncate { .. } => "truncate",
            Self::LoseTail { .. } => "lose_tail",
            Self::DeleteEarly { .. } => "delete_early",
            Self::CompactLast { .. } => "compact_last",
            Self::Twice => "twice",
            Self::Swap => "swap",
            Self::SwapAfterAck => "swap_after_ack",
            Self::AckUnwritten { .. } => "ack_unwritten",
            Self::AckWithoutOffset { .. } => "ack_without_offset",
            Self::AckDuplicate { .. } => "ack_duplicate",
            Self::AckOffset { .. } => "ack_offset",
            Self::DropRecord { .. } => "drop_record",
            Self::FlipOnWrite { .. } => "flip_on_write",
            Self::StripHeader { .. } => "strip_header",
            Self::AddHeader { .. } => "add_header",
            Self::SwapHeaders { .. } => "swap_headers",
            Self::NullHeader { .. } => "null_header",
            Self::NullValue { .. } => "null_value",
            Self::EmptyKey { .. } => "empty_key",
            Self::ShiftTime { .. } => "shift_time",
            Self::BadCrc => "bad_crc",
            Self::OtherPartition { .. } => "other_partition",
            Self::WriteRetries => "write_retries",
            Self::DuplicateToRetries => "duplicate_to_retries",
            Self::ControlRecord => "control_record",
            Self::ForeignRecords { .. } => "foreign_records",
            Self::OddRecords { .. } => "odd_records",
            Self::FlipOnRead { .. } => "flip_on_read",
            Self::StripHeaderOnRead { .. } => "strip_header_on_read",
            Self::BadCrcOnRead { .. } => "bad_crc_on_read",
            Self::Empty => "empty",
            Self::NullRecords => "null_records",
            Self::EndAt { .. } => "end_at",
            Self::OutOfRange { .. } => "out_of_range",
            Self::FromPartition { .. } => "from_partition",
            Self::SkipBatch => "skip_batch",
            Self::OneBatch => "one_batch",
            Self::LastStable { .. } => "last_stable",
            Self::UnknownTopic => "unknown_topic",
            Self::EndTooLow { .. } => "end_too_low",
            Self::Resurrect => "resurrect",
        }
    }
}

impl Rule {
    /// A correct broker may do this: legal actions; for a short while, answers without records and refusals.
    pub fn is_legal(&self) -> bool {
        let short = self.for_ms.is_some_and(|ms| ms <= 400) || self.count.is_some_and(|count| count <= 3);
        let empty =
            matches!(self.action, Action::Empty | Action::NullRecords | Action::EndAt { hide: true, .. });
        // And so is a refusal, but for those of what is to be stored.
        let produces = matches!(self.on, Api::Produce | Api::ProduceMarker);
        let refuses = matches!(self.action, Action::Error { .. } | Action::UnknownTopic) && !produces;
        if empty || refuses { short } else { self.action.is_legal() }
    }

    /// A rule for all requests of this kind, at all times.
    pub const fn new(on: Api, action: Action) -> Self {
        Self { on, partition: None, from: 0, count: None, for_ms: None, phase: Phase::Always, action }
    }

    /// Only from the nth matching request on, counted from 0.
    #[must_use]
    pub const fn from(mut self, nth: u32) -> Self {
        self.from = nth;
        self
    }

    /// Only so many times.
    #[must_use]
    pub const fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Only for so long.
    #[must_use]
    pub const fn for_ms(mut self, ms: u64) -> Self {
        self.for_ms = Some(ms);
        self
    }

    /// Only for this partition.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Only at this time.
    #[must_use]
    pub const fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }
}

impl Behaviour {
    /// One broker with these rules.
    pub fn of(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { rules: rules.into_iter().collect(), ..Self::default() }
    }
}
