//! The checks as they are written.
//!
//! Owns the fields of each type of check, and those that all share.

use schemars::JsonSchema;
use serde::Deserialize;

use super::kind::kinds;
use super::written::Written;
use crate::units::{Duration, Share};

macro_rules! checks {
    ($($(#[$about:meta])* $variant:ident = $tag:literal { $($(#[$meta:meta])* $field:ident: $kind:ty,)* })*) => {
        /// One question; `type` says which.
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
                /// Its name in the reports. Default: its type.
                pub name: Option<String>,
                /// The scenario that is asked. Default: each one that can answer.
                pub scenario: Option<String>,
            }
        )*

        kinds! {
            /// The kinds of check.
            CheckKind {
                $($(#[$about])* $variant = $tag,)*
            }
        }

        impl Check {
            /// The kind.
            pub const fn kind(&self) -> CheckKind {
                match self { $(Self::$variant(_) => CheckKind::$variant,)* }
            }

            /// The name, where one is written.
            pub fn name(&self) -> Option<&str> {
                match self { $(Self::$variant(it) => it.name.as_deref(),)* }
            }

            /// The scenario, where one is written.
            pub fn scenario(&self) -> Option<&str> {
                match self { $(Self::$variant(it) => it.scenario.as_deref(),)* }
            }
        }
    };
}

checks! {
    /// Each broker answers.
    Reachable = "reachable" {}
    /// Each topic that the file names has metadata.
    Metadata = "metadata" {}
    /// The endpoint answers with HTTP 200.
    HttpOk = "http_ok" {}
    /// The endpoint's answer holds something.
    NonEmpty = "non_empty" {}
    /// Each series that the scenario's `contains` names is there.
    SeriesPresent = "series_present" {}
    /// A count is exactly this.
    CountEquals = "count_equals" {
        /// The count.
        #[schemars(range(max = 1_000_000_000_000_u64))]
        expected: u64,
        /// What is counted. Default: received of a consumer or round trip, acked of a producer.
        metric: Option<CountMetric>,
    }
    /// A count is this or more.
    CountAtLeast = "count_at_least" {
        /// The least count.
        #[schemars(range(max = 1_000_000_000_000_u64))]
        expected: u64,
        /// What is counted. Default: received of a consumer or round trip, acked of a producer.
        metric: Option<CountMetric>,
    }
    /// Each message read carries the UUID that was sent in it.
    UuidMatch = "uuid_match" {}
    /// Each round trip came back.
    RoundtripOk = "roundtrip_ok" {}
    /// Each message planned was sent and acknowledged, but for what `allow` allows. Added automatically for each producer
    /// and round trip with acks 1 or all.
    AllAcked = "all_acked" {
        /// What may fail, or stay without an answer. Default: nothing.
        allow: Option<Allow>,
    }
    /// Nothing acknowledged is lost, skipped or unread.
    NoLoss = "no_loss" {}
    /// No message lies in the log twice, but for repeats that a retry explains.
    NoDuplicates = "no_duplicates" {
        /// Fail repeats that a retry explains, too. Default: false.
        strict: Option<bool>,
    }
    /// Nothing is altered, misplaced, rewritten or made up.
    NoCorruption = "no_corruption" {}
    /// Messages lie in the log in the order of their sending, but for what a retry explains.
    InOrder = "in_order" {
        /// Fail what a retry explains, too. Default: false.
        strict: Option<bool>,
    }
    /// Offsets handed out to a reader only grow.
    OffsetsMonotonic = "offsets_monotonic" {}
    /// A metric compared with a value.
    Threshold = "threshold" {
        /// Such as `p95 < 200ms`, `error_rate <= 1%` or `rate >= 1k/s`.
        expr: String,
        /// Try it each second, and end the run when it fails. Default: false.
        abort: Option<bool>,
        /// Do not try before this time. Default: 0s.
        delay: Option<Written<Duration>>,
        /// Only what was measured while this fault lasted.
        during: Option<String>,
        /// Only what was measured after this fault had ended.
        after: Option<String>,
    }
    /// The rate falls while a fault lasts.
    ThroughputDrops = "throughput_drops" {
        /// The fault.
        during: String,
        /// The least fall, as a share of the rate before the fault.
        at_least: Written<Share>,
    }
    /// The rate comes back after a fault.
    Recovers = "recovers" {
        /// The fault.
        after: String,
        /// How long it may take, from the fault's end.
        within: Written<Duration>,
        /// How far below the rate before the fault still counts as back. Default: 20%.
        tolerance: Option<Written<Share>>,
    }
    /// Metadata, as a `watch` sees it, does not change.
    MetadataStable = "metadata_stable" {
        /// What may change all the same. Default: nothing.
        allow: Option<Vec<Aspect>>,
        /// How long a broker may give no answer while no fault lasts. Default: 10s.
        max_silence: Option<Written<Duration>>,
    }
    /// No longer time without an ack, or without a read, than this.
    Continuity = "continuity" {
        /// The longest time allowed.
        max_gap: Written<Duration>,
    }
}

/// Shares of the messages planned that need not be acknowledged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Messages that the broker refused, or that never left the client. Default: 0%.
    pub failed: Option<Written<Share>>,
    /// Messages that nobody knows the end of. Default: 0%.
    pub unknown: Option<Written<Share>>,
}

/// What metadata says of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Which partitions a topic has.
    Partitions,
    /// Who leads each of them.
    Leaders,
    /// The id of a topic.
    TopicIds,
    /// Who is the controller.
    Controller,
    /// Which brokers there are, and where.
    Brokers,
}

impl Aspect {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Partitions, Self::Leaders, Self::TopicIds, Self::Controller, Self::Brokers];

    /// As files and reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partitions => "partitions",
            Self::Leaders => "leaders",
            Self::TopicIds => "topic_ids",
            Self::Controller => "controller",
            Self::Brokers => "brokers",
        }
    }
}

/// Counts that a count check may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountMetric {
    /// Messages handed to the client.
    Sent,
    /// Messages acknowledged.
    Acked,
    /// Distinct messages read.
    Received,
    /// Records read, with repeats and foreign ones.
    Records,
}
