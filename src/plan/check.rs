//! The checks of a plan: what each asks, and of whom.
//!
//! Owns what each kind of check asks; what the answers are is the checks' own.

use super::{Aspect, CheckKind, CountMetric, Metric, ThresholdExpr};
use crate::scenario::Position;

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckPlan {
    /// Its name; unique in the file.
    pub name: String,
    /// What is asked.
    pub ask: CheckSettings,
    /// The scenario that is asked; none means each consumer, or each producer where nobody consumes.
    pub scenario: Option<String>,
    /// Added without asking, since a file with a producer and a consumer deserves it.
    pub implicit: bool,
    /// Where it stands in the file; for an implicit one, where its consumer stands.
    pub position: Position,
}

/// The kinds of check, with what each needs.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckSettings {
    /// Each broker answers.
    Reachable,
    /// Each topic has metadata.
    Metadata,
    /// HTTP 200.
    HttpOk,
    /// The body holds something.
    NonEmpty,
    /// Each series of `contains` is there.
    SeriesPresent,
    /// A count is exactly this. `metric` where written.
    CountEquals {
        /// The count wanted.
        expected: u64,
        /// `acked`, `sent`, `received`; the scenario's own where absent.
        metric: Option<CountMetric>,
    },
    /// A count is this or more.
    CountAtLeast {
        /// The least count.
        expected: u64,
        /// As above.
        metric: Option<CountMetric>,
    },
    /// Each message read carries the UUID that was sent in it.
    UuidMatch,
    /// Each round trip came back.
    RoundtripOk,
    /// Each message planned was sent and acked.
    AllAcked {
        /// What need not be.
        allow: AllowedShares,
    },
    /// Nothing acked is lost, skipped or unread.
    NoLoss,
    /// No identity lies at two offsets. `strict`: explained ones count too.
    NoDuplicates {
        /// Fail explained ones too.
        strict: bool,
    },
    /// Nothing is altered, misplaced, rewritten or phantom.
    NoCorruption,
    /// Order of sending is order in the log. `strict`: explained ones count too.
    InOrder {
        /// Fail explained ones too.
        strict: bool,
    },
    /// Offsets handed out only grow.
    OffsetsMonotonic,
    /// A metric compared with a value.
    Threshold {
        /// What is measured and how it is compared.
        expr: ThresholdExpr,
        /// Try it each second and end the run when it fails.
        abort: bool,
        /// Do not try before this time.
        delay: std::time::Duration,
        /// Only the part of the run that a fault cuts out; none is all of it.
        span: Option<FaultPart>,
    },
    /// The rate falls while a fault lasts.
    ThroughputDrops {
        /// The fault.
        during: String,
        /// By at least this share of the rate before it, above 0 up to 1.
        at_least: f64,
    },
    /// The rate comes back after a fault.
    Recovers {
        /// The fault.
        after: String,
        /// Within this time from its end.
        within: std::time::Duration,
        /// To within this share of the rate before it, 0 up to 1.
        tolerance: f64,
    },
    /// Metadata, as a `watch` sees it, does not change.
    MetadataStable {
        /// What may change all the same.
        allow: Vec<Aspect>,
        /// How long a broker may give no answer while no fault lasts.
        max_silence: std::time::Duration,
    },
    /// No longer time without an ack or a read than this.
    Continuity {
        /// The longest time allowed.
        max_gap: std::time::Duration,
    },
}

/// Shares of the messages planned, 0 up to 1, that `all_acked` does not want acked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AllowedShares {
    /// Messages that failed.
    pub failed: f64,
    /// Messages whose end is not known.
    pub unknown: f64,
}

/// The part of a run that a fault cuts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultPart {
    /// From its start to its end.
    During(String),
    /// From its end on.
    After(String),
}

impl FaultPart {
    /// The fault.
    pub fn fault(&self) -> &str {
        match self {
            Self::During(fault) | Self::After(fault) => fault,
        }
    }
}

impl CheckSettings {
    /// Its kind.
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

    /// Whether the answer comes from what a consumer of this run's records finds.
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
