//! The kinds of checks, with their settings.

use crate::plan::{Aspect, CheckKind, CountMetric, Metric, ThresholdExpr};

/// The kinds of checks, with their settings.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckSettings {
    /// Every broker answers.
    Reachable,
    /// Every topic has metadata.
    Metadata,
    /// The endpoint answers with HTTP status 200.
    HttpOk,
    /// The response has a body.
    NonEmpty,
    /// Every series of `contains` is present.
    SeriesPresent,
    /// A count equals a value.
    CountEquals {
        expected: u64,
        /// `acked`, `sent`, `received` or `records`. `None` means the default of the scenario's kind.
        metric: Option<CountMetric>,
    },
    /// A count is at least a value.
    CountAtLeast {
        /// The minimum count.
        expected: u64,
        /// As for `CountEquals`.
        metric: Option<CountMetric>,
    },
    /// Every message read contains the UUID that was sent in it.
    UuidMatch,
    /// Every round trip completed.
    RoundtripOk,
    /// Every planned message was sent and acked.
    AllAcked {
        /// Messages that may stay unacked.
        allow: AllowedShares,
    },
    /// No acked message is lost, skipped or unread.
    NoLoss,
    /// No identity is at two offsets.
    NoDuplicates {
        /// Also fail on duplicates that a retry explains.
        strict: bool,
    },
    /// No message is altered, misplaced, rewritten or invented.
    NoCorruption,
    /// The order in the log is the order of sending.
    InOrder {
        /// Also fail on reordering that a retry explains.
        strict: bool,
    },
    /// The offsets that a reader receives only increase.
    OffsetsMonotonic,
    /// A metric meets a condition.
    Threshold {
        /// The condition.
        expr: ThresholdExpr,
        /// Evaluate every second, and end the run on failure.
        abort: bool,
        /// Time before the first evaluation.
        delay: std::time::Duration,
        /// Limits the measurement to a part of the run. `None` means the whole run.
        span: Option<FaultPart>,
    },
    /// The rate drops while a fault lasts.
    ThroughputDrops {
        during: String,
        /// Minimum drop, as a share of the rate before the fault: above 0, up to 1.
        at_least: f64,
    },
    /// The rate recovers after a fault.
    Recovers {
        after: String,
        /// Maximum time to recover, from the fault's end.
        within: std::time::Duration,
        /// How far below the rate before the fault a recovered rate may be, as a share from 0 to 1.
        tolerance: f64,
    },
    /// Metadata, as a `watch` scenario sees it, does not change.
    MetadataStable {
        /// Aspects that may change.
        allow: Vec<Aspect>,
        /// How long a broker may stay silent while no fault lasts.
        max_silence: std::time::Duration,
    },
    /// The time between two acks, or two reads, is limited.
    Continuity {
        /// Maximum time between two acks or two reads.
        max_gap: std::time::Duration,
    },
}

/// Shares of the planned messages, from 0 to 1, that `all_acked` permits to stay unacked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AllowedShares {
    /// Messages that failed.
    pub failed: f64,
    /// Messages whose result is unknown.
    pub unknown: f64,
}

/// A part of a run, defined by a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultPart {
    /// From the fault's start to its end.
    During(String),
    /// From the fault's end to the end of the run.
    After(String),
}

impl FaultPart {
    pub fn fault(&self) -> &str {
        match self {
            Self::During(fault) | Self::After(fault) => fault,
        }
    }
}

impl CheckSettings {
    pub const fn kind(&self) -> CheckKind {
        match self {
            Self::Reachable => CheckKind::Reachable,
            Self::Metadata => CheckKind::Metadata,
            Self::HttpOk => CheckKind::HttpOk,
            Self::NonEmpty => CheckKind::NonEmpty,
            Self::SeriesPresent => CheckKind::SeriesPresent,
            Self::CountEquals { .. } => CheckKind::CountEquals,
            Self::CountAtLeast { .. } => CheckKind::CountAtLeast,
            Self::UuidMatch => CheckKind::UuidMatch,
            Self::RoundtripOk => CheckKind::RoundtripOk,
            Self::AllAcked { .. } => CheckKind::AllAcked,
            Self::NoLoss => CheckKind::NoLoss,
            Self::NoDuplicates { .. } => CheckKind::NoDuplicates,
            Self::NoCorruption => CheckKind::NoCorruption,
            Self::InOrder { .. } => CheckKind::InOrder,
            Self::OffsetsMonotonic => CheckKind::OffsetsMonotonic,
            Self::Threshold { .. } => CheckKind::Threshold,
            Self::ThroughputDrops { .. } => CheckKind::ThroughputDrops,
            Self::Recovers { .. } => CheckKind::Recovers,
            Self::MetadataStable { .. } => CheckKind::MetadataStable,
            Self::Continuity { .. } => CheckKind::Continuity,
        }
    }

    /// Whether the check uses the ledger's verdict on a consumer of this run's records.
    pub const fn needs_ledger(&self) -> bool {
        match self {
            Self::NoLoss
            | Self::NoDuplicates { .. }
            | Self::NoCorruption
            | Self::InOrder { .. }
            | Self::OffsetsMonotonic
            | Self::UuidMatch => true,
            Self::Threshold { expr, .. } => matches!(expr.metric, Metric::Anomaly(_)),
            _ => false,
        }
    }
}
