//! The check types as a file defines them.
//!
//! Defines the fields of each type and the fields that all types share.

use schemars::JsonSchema;
use serde::Deserialize;

use super::written::Written;
use crate::units::{Duration, Share};

macro_rules! checks {
    ($($(#[$about:meta])* $variant:ident = $tag:literal { $($(#[$meta:meta])* $field:ident: $kind:ty,)* })*) => {
        /// One check. `type` selects its kind.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(tag = "type")]
        pub enum Check {
            $($(#[$about])* #[serde(rename = $tag)] $variant($variant),)*
        }

        $(
            $(#[$about])*
            #[derive(Debug, Clone, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $variant {
                $($(#[$meta])* pub $field: $kind,)*
                /// Name of the check in reports. Default: its type.
                pub name: Option<String>,
                /// The scenario to check. Default: every scenario that the check applies to.
                pub scenario: Option<String>,
            }
        )*

        kinds! {
            /// The kinds of checks.
            CheckKind {
                $($(#[$about])* $variant = $tag,)*
            }
        }

        impl Check {
            pub const fn kind(&self) -> CheckKind {
                match self { $(Self::$variant(_) => CheckKind::$variant,)* }
            }

            /// The name, if the file gives one.
            pub fn name(&self) -> Option<&str> {
                match self { $(Self::$variant(it) => it.name.as_deref(),)* }
            }

            /// The scenario, if the file gives one.
            pub fn scenario(&self) -> Option<&str> {
                match self { $(Self::$variant(it) => it.scenario.as_deref(),)* }
            }
        }
    };
}

checks! {
    /// Every broker answers.
    Reachable = "reachable" {}
    /// Every topic of the file has metadata.
    Metadata = "metadata" {}
    /// The endpoint answers with HTTP status 200.
    HttpOk = "http_ok" {}
    /// The endpoint's response is not empty.
    NonEmpty = "non_empty" {}
    /// Every series in the scenario's `contains` is present.
    SeriesPresent = "series_present" {}
    /// A count equals a value.
    CountEquals = "count_equals" {
        /// The expected count.
        #[schemars(range(max = 1_000_000_000_000_u64))]
        expected: u64,
        /// What to count. Default: `received` for a consumer or round trip, `acked` for a producer.
        metric: Option<CountMetric>,
    }
    /// A count is at least a value.
    CountAtLeast = "count_at_least" {
        /// The minimum count.
        #[schemars(range(max = 1_000_000_000_000_u64))]
        expected: u64,
        /// What to count. Default: `received` for a consumer or round trip, `acked` for a producer.
        metric: Option<CountMetric>,
    }
    /// Every message read contains the UUID that was sent.
    UuidMatch = "uuid_match" {}
    /// Every round trip completed.
    RoundtripOk = "roundtrip_ok" {}
    /// Every planned message was sent and acknowledged, except what `allow` permits. Added automatically for
    /// each producer and round trip with acks 1 or all.
    AllAcked = "all_acked" {
        /// Messages that may fail or stay unacknowledged. Default: none.
        allow: Option<Allow>,
    }
    /// No acknowledged message is lost, skipped, unreadable or unread.
    NoLoss = "no_loss" {}
    /// No message is in the log twice, except duplicates that a retry explains.
    NoDuplicates = "no_duplicates" {
        /// Also fail on duplicates that a retry explains. Default: false.
        strict: Option<bool>,
    }
    /// No message is altered, misplaced, rewritten, collided, resurrected or phantom.
    NoCorruption = "no_corruption" {}
    /// Messages are in the log in the order in which they were sent, except where a retry explains it.
    InOrder = "in_order" {
        /// Also fail on reordering that a retry explains. Default: false.
        strict: Option<bool>,
    }
    /// The offsets that a reader receives only increase.
    OffsetsMonotonic = "offsets_monotonic" {}
    /// No partition has a reported end at or below an acked offset. Never added automatically.
    NoStaleEnd = "no_stale_end" {}
    /// No start or end of a log, as an `offsets` scenario sees it, goes back.
    LogOffsetsMonotonic = "log_offsets_monotonic" {}
    /// A metric meets a condition.
    Threshold = "threshold" {
        /// The condition, such as `p95 < 200ms`, `error_rate <= 1%` or `rate >= 1k/s`.
        expr: String,
        /// Evaluate every second, and end the run on failure. Default: false.
        abort: Option<bool>,
        /// Time before the first evaluation. Default: 0s.
        delay: Option<Written<Duration>>,
        /// Measure only during this fault.
        during: Option<String>,
        /// Measure only after this fault has ended.
        after: Option<String>,
    }
    /// The rate drops during a fault.
    ThroughputDrops = "throughput_drops" {
        /// The fault's name.
        during: String,
        /// Minimum drop, as a share of the rate before the fault.
        at_least: Written<Share>,
    }
    /// The rate recovers after a fault.
    Recovers = "recovers" {
        /// The fault's name.
        after: String,
        /// Maximum time to recover, from the fault's end.
        within: Written<Duration>,
        /// How far below the rate before the fault a recovered rate may be. Default: 20%.
        tolerance: Option<Written<Share>>,
    }
    /// Metadata, as a `watch` scenario sees it, does not change.
    MetadataStable = "metadata_stable" {
        /// Aspects that may change. Default: none.
        allow: Option<Vec<Aspect>>,
        /// How long a broker may stay silent while no fault is active. Default: 10s.
        max_silence: Option<Written<Duration>>,
    }
    /// The time between two acks, or two reads, is limited.
    Continuity = "continuity" {
        /// Maximum time between two acks or two reads.
        max_gap: Written<Duration>,
    }
}

/// Shares of the planned messages that may stay unacknowledged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Messages that the broker rejected, or that were never sent. Default: 0%.
    pub failed: Option<Written<Share>>,
    /// Messages whose outcome is unknown. Default: 0%.
    pub unknown: Option<Written<Share>>,
}

kinds! {
    /// Aspects of a cluster's metadata.
    #[derive(PartialOrd, Ord, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Aspect {
        /// The partitions of a topic.
        Partitions = "partitions",
        /// The leader of each partition.
        Leaders = "leaders",
        /// The id of a topic.
        TopicIds = "topic_ids",
        /// The controller.
        Controller = "controller",
        /// The brokers and their addresses.
        Brokers = "brokers",
    }
}

kinds! {
    /// What a count check counts.
    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    CountMetric {
        /// Messages passed to the client.
        Sent = "sent",
        /// Messages acknowledged.
        Acked = "acked",
        /// Distinct messages read.
        Received = "received",
        /// Records read, including repeats and foreign records.
        Records = "records",
    }
}
