//! The kinds of checks, with their settings: how they are compiled from the fields of a file, which scenarios
//! they apply to, and what they need.
//!
//! Everything about a kind of check that does not need the observations of a run is here. `checks` evaluates
//! checks.

use crate::plan::compile::context::Context;
use crate::plan::{Aspect, CheckKind, CountMetric, Metric, ScenarioKind, ThresholdExpr, defaults};
use crate::scenario::format::check::{Check, Threshold};
use crate::scenario::format::{Written, expr};
use crate::scenario::source::node::below;
use crate::units::{Duration, Share, thousands};

/// Defines [`CheckSettings`]. Each variant has the name of its [`CheckKind`].
macro_rules! check_settings {
    ($($(#[$about:meta])* $kind:ident $({ $($(#[$meta:meta])* $field:ident: $type:ty,)* })?,)*) => {
        /// The kinds of checks, with their settings.
        #[derive(Debug, Clone, PartialEq)]
        pub enum CheckSettings {
            $($(#[$about])* $kind $({ $($(#[$meta])* $field: $type,)* })?,)*
        }

        impl CheckSettings {
            pub const fn kind(&self) -> CheckKind {
                match self { $(Self::$kind { .. } => CheckKind::$kind,)* }
            }
        }
    };
}

check_settings! {
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
    /// Every message read contains the UUID that was sent.
    UuidMatch,
    /// Every round trip completed.
    RoundtripOk,
    /// Every planned message was sent and acked.
    AllAcked {
        /// Messages that may stay unacked.
        allow: AllowedShares,
    },
    /// No acked message is lost, skipped, unreadable or unread.
    NoLoss,
    /// No identity is at two offsets.
    NoDuplicates {
        /// Also fail on duplicates that a retry explains.
        strict: bool,
    },
    /// No message is altered, misplaced, rewritten, collided, resurrected or phantom.
    NoCorruption,
    /// The order in the log is the order of sending.
    InOrder {
        /// Also fail on reordering that a retry explains.
        strict: bool,
    },
    /// The offsets that a reader receives only increase.
    OffsetsMonotonic,
    /// No partition has a reported end at or below an acked offset.
    NoStaleEnd,
    /// No start or end of a log, as an `offsets` scenario sees it, goes back.
    LogOffsetsMonotonic,
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
    /// The rate drops during a fault.
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
        /// How long a broker may stay silent while no fault is active.
        max_silence: std::time::Duration,
    },
    /// The time between two acks, or two reads, is limited.
    Continuity {
        /// Maximum time between two acks or two reads.
        max_gap: std::time::Duration,
    },
}

/// What a check needs from a scenario that it runs against, besides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requirement {
    /// Brokers ack the messages that the scenario sends.
    Acks,
    /// The scenario lists series.
    Series,
    /// Scenarios of the file send the messages that the scenario reads, so the ledger has a verdict on them.
    Ledger,
    /// Brokers ack some of the messages that the scenario reads.
    AckedMessages,
    /// Some of the messages that the scenario reads contain a UUID.
    Uuids,
}

/// Shares of the planned messages, from 0 to 1, that `all_acked` permits to stay unacked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AllowedShares {
    /// Messages that failed.
    pub failed: f64,
    /// Messages whose outcome is unknown.
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
    /// The settings of a check of the file. `None` if a field is invalid.
    pub(super) fn from_fields(cx: &mut Context<'_>, pointer: &str, fields: &Check) -> Option<Self> {
        Some(match fields {
            Check::Reachable(_) => Self::Reachable,
            Check::Metadata(_) => Self::Metadata,
            Check::HttpOk(_) => Self::HttpOk,
            Check::NonEmpty(_) => Self::NonEmpty,
            Check::SeriesPresent(_) => Self::SeriesPresent,
            Check::CountEquals(it) => Self::CountEquals { expected: it.expected, metric: it.metric },
            Check::CountAtLeast(it) => Self::CountAtLeast { expected: it.expected, metric: it.metric },
            Check::UuidMatch(_) => Self::UuidMatch,
            Check::RoundtripOk(_) => Self::RoundtripOk,
            Check::AllAcked(it) => {
                let shares = it.allow.as_ref();
                let failed = allowed(cx, pointer, "failed", shares.and_then(|allow| allow.failed.as_ref()));
                let unknown =
                    allowed(cx, pointer, "unknown", shares.and_then(|allow| allow.unknown.as_ref()));
                Self::AllAcked { allow: AllowedShares { failed: failed?, unknown: unknown? } }
            }
            Check::NoLoss(_) => Self::NoLoss,
            Check::NoDuplicates(it) => Self::NoDuplicates { strict: it.strict.unwrap_or(false) },
            Check::NoCorruption(_) => Self::NoCorruption,
            Check::InOrder(it) => Self::InOrder { strict: it.strict.unwrap_or(false) },
            Check::OffsetsMonotonic(_) => Self::OffsetsMonotonic,
            Check::NoStaleEnd(_) => Self::NoStaleEnd,
            Check::LogOffsetsMonotonic(_) => Self::LogOffsetsMonotonic,
            Check::Threshold(it) => threshold(cx, pointer, it)?,
            Check::ThroughputDrops(it) => {
                let at = below(pointer, "at_least");
                let at_least: Share = cx.quantity(&at, Some(&it.at_least))?;
                if at_least.get() == 0.0 {
                    cx.at(&at, format!("invalid share `{at_least}`: expected more than 0%"), None);
                }
                Self::ThroughputDrops { during: it.during.clone(), at_least: at_least.get() }
            }
            Check::Recovers(it) => {
                let within = cx.positive(&below(pointer, "within"), Some(&it.within));
                let tolerance = match &it.tolerance {
                    Some(written) => cx.quantity(&below(pointer, "tolerance"), Some(written))?,
                    None => defaults::TOLERANCE,
                };
                Self::Recovers { after: it.after.clone(), within: within?.std(), tolerance: tolerance.get() }
            }
            Check::MetadataStable(it) => {
                let max_silence = match &it.max_silence {
                    Some(written) => cx.positive(&below(pointer, "max_silence"), Some(written))?.std(),
                    None => defaults::MAX_SILENCE,
                };
                let mut allow = it.allow.clone().unwrap_or_default();
                allow.sort_unstable();
                allow.dedup();
                Self::MetadataStable { allow, max_silence }
            }
            Check::Continuity(it) => Self::Continuity {
                max_gap: cx.positive(&below(pointer, "max_gap"), Some(&it.max_gap))?.std(),
            },
        })
    }

    /// Whether the check applies to scenarios of this kind.
    pub(super) const fn applies_to(&self, kind: ScenarioKind) -> bool {
        let (sends, reads) = (kind.writes(), kind.reads());
        match self {
            Self::Reachable | Self::Metadata => matches!(kind, ScenarioKind::Connect),
            Self::HttpOk | Self::NonEmpty | Self::SeriesPresent => matches!(kind, ScenarioKind::Metrics),
            Self::CountEquals { metric, .. } | Self::CountAtLeast { metric, .. } => match metric {
                None => sends || reads,
                Some(CountMetric::Sent | CountMetric::Acked) => sends,
                Some(CountMetric::Received | CountMetric::Records) => reads,
            },
            Self::UuidMatch => reads,
            Self::RoundtripOk => matches!(kind, ScenarioKind::Roundtrip),
            Self::AllAcked { .. } => sends,
            Self::NoLoss
            | Self::NoDuplicates { .. }
            | Self::NoCorruption
            | Self::InOrder { .. }
            | Self::OffsetsMonotonic
            | Self::NoStaleEnd => matches!(kind, ScenarioKind::Consume),
            Self::ThroughputDrops { .. } | Self::Recovers { .. } | Self::Continuity { .. } => sends || reads,
            Self::MetadataStable { .. } => matches!(kind, ScenarioKind::Watch),
            Self::LogOffsetsMonotonic => matches!(kind, ScenarioKind::Offsets),
            Self::Threshold { expr, .. } => match expr.metric {
                Metric::Sent | Metric::Acked => sends,
                Metric::Received => reads,
                Metric::Anomaly(_) => matches!(kind, ScenarioKind::Consume),
                _ => sends || reads,
            },
        }
    }

    /// What the check needs, so that its result means something.
    const fn requirements(&self) -> &'static [Requirement] {
        match self {
            Self::AllAcked { .. } => &[Requirement::Acks],
            Self::SeriesPresent => &[Requirement::Series],
            Self::UuidMatch => &[Requirement::Ledger, Requirement::Uuids],
            Self::NoLoss => &[Requirement::Ledger, Requirement::AckedMessages],
            Self::NoDuplicates { .. }
            | Self::NoCorruption
            | Self::InOrder { .. }
            | Self::OffsetsMonotonic
            | Self::NoStaleEnd => &[Requirement::Ledger],
            Self::Threshold { expr, .. } => match expr.metric {
                Metric::Anomaly(_) => &[Requirement::Ledger],
                _ => &[],
            },
            Self::Reachable
            | Self::Metadata
            | Self::HttpOk
            | Self::NonEmpty
            | Self::CountEquals { .. }
            | Self::CountAtLeast { .. }
            | Self::RoundtripOk
            | Self::ThroughputDrops { .. }
            | Self::Recovers { .. }
            | Self::MetadataStable { .. }
            | Self::LogOffsetsMonotonic
            | Self::Continuity { .. } => &[],
        }
    }

    pub(super) fn needs(&self, requirement: Requirement) -> bool {
        self.requirements().contains(&requirement)
    }

    /// The fault that the check names, with the field that names it.
    pub(crate) fn fault(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::ThroughputDrops { during, .. } => Some(("during", during)),
            Self::Recovers { after, .. } => Some(("after", after)),
            Self::Threshold { span: Some(FaultPart::During(fault)), .. } => Some(("during", fault)),
            Self::Threshold { span: Some(FaultPart::After(fault)), .. } => Some(("after", fault)),
            _ => None,
        }
    }

    /// What the check measures, in messages about its scenario.
    pub(super) const fn subject(&self) -> &'static str {
        match self {
            Self::Threshold { expr, .. } => expr.metric.name(),
            _ => self.kind().name(),
        }
    }

    /// The settings that its kind does not show, for `kaf6 plan`. `default_count` is what a count check counts
    /// by default.
    pub(crate) fn in_words(&self, default_count: CountMetric) -> Option<String> {
        let time = |length: std::time::Duration| Duration::from(length).to_string();
        let count = |metric: Option<CountMetric>| metric.unwrap_or(default_count).name();
        match self {
            Self::CountEquals { expected, metric } => {
                Some(format!("{} = {}", count(*metric), thousands(*expected)))
            }
            Self::CountAtLeast { expected, metric } => {
                Some(format!("{} >= {}", count(*metric), thousands(*expected)))
            }
            Self::NoDuplicates { strict } | Self::InOrder { strict } => strict.then(|| "strict".to_owned()),
            Self::Threshold { expr, abort, delay, span } => {
                let mut text = expr.text.clone();
                match span {
                    Some(FaultPart::During(fault)) => text.push_str(&format!(" during {fault}")),
                    Some(FaultPart::After(fault)) => text.push_str(&format!(" after {fault}")),
                    None => {}
                }
                Some(match (abort, delay.is_zero()) {
                    (false, _) => text,
                    (true, true) => format!("{text}, aborts the run"),
                    (true, false) => format!("{text}, aborts the run from {} on", time(*delay)),
                })
            }
            Self::ThroughputDrops { during, at_least } => {
                Some(format!("during {during}, by at least {}", Share::new(*at_least)))
            }
            Self::Recovers { after, within, tolerance } => Some(format!(
                "after {after}, within {}, to within {} of the rate before it",
                time(*within),
                Share::new(*tolerance)
            )),
            Self::MetadataStable { allow, max_silence } => {
                let names: Vec<&str> = allow.iter().copied().map(Aspect::name).collect();
                let but =
                    if names.is_empty() { String::new() } else { format!("except {}, ", names.join(", ")) };
                Some(format!("{but}no silence over {}", time(*max_silence)))
            }
            Self::AllAcked { allow } => {
                let shares = [(allow.failed, "failed"), (allow.unknown, "unknown")];
                let shares = shares.into_iter().filter(|(share, _)| *share > 0.0);
                let texts: Vec<String> =
                    shares.map(|(share, what)| format!("{} {what}", Share::new(share))).collect();
                (!texts.is_empty()).then(|| format!("except {}", texts.join(" and ")))
            }
            Self::Continuity { max_gap } => Some(format!("no gap over {}", time(*max_gap))),
            Self::Reachable
            | Self::Metadata
            | Self::HttpOk
            | Self::NonEmpty
            | Self::SeriesPresent
            | Self::UuidMatch
            | Self::RoundtripOk
            | Self::NoLoss
            | Self::NoCorruption
            | Self::OffsetsMonotonic
            | Self::NoStaleEnd
            | Self::LogOffsetsMonotonic => None,
        }
    }
}

/// Parses a share in `allow`. The default is 0.
fn allowed(
    cx: &mut Context<'_>,
    pointer: &str,
    field: &str,
    written: Option<&Written<Share>>,
) -> Option<f64> {
    let Some(written) = written else { return Some(0.0) };
    let share = cx.quantity(&below(&below(pointer, "allow"), field), Some(written))?;
    Some(share.get())
}

/// Compiles the fields of a `threshold`.
fn threshold(cx: &mut Context<'_>, pointer: &str, fields: &Threshold) -> Option<CheckSettings> {
    let abort = fields.abort.unwrap_or(false);
    let at_delay = below(pointer, "delay");
    let delay = cx.quantity(&at_delay, fields.delay.as_ref());
    if fields.delay.is_some() && !abort {
        let hint = Some("add `abort: true`, or remove `delay`".to_owned());
        cx.at_key(&at_delay, "`delay` requires `abort: true`", hint);
    }
    let (field, span) = match (&fields.during, &fields.after) {
        (Some(_), Some(_)) => {
            let hint = Some("use two checks".to_owned());
            cx.at_key(&below(pointer, "after"), "`during` and `after` cannot be combined", hint);
            return None;
        }
        (Some(fault), None) => ("during", Some(FaultPart::During(fault.clone()))),
        (None, Some(fault)) => ("after", Some(FaultPart::After(fault.clone()))),
        (None, None) => ("", None),
    };
    if span.is_some() && abort {
        let hint = Some("remove one of the two".to_owned());
        let message =
            format!("`abort` evaluates the run so far, but `{field}` limits the check to a part of the run");
        cx.at_key(&below(pointer, "abort"), message, hint);
    }
    let expr = match expr::threshold(&fields.expr) {
        Ok(expr) => expr,
        Err(error) => {
            cx.about_value(&below(pointer, "expr"), &error.message, error.hint, "a threshold");
            return None;
        }
    };
    if span.is_some() && matches!(expr.metric, Metric::Sent | Metric::Anomaly(_)) {
        let hint = Some("use a rate, a latency, errors, `acked` or `received`".to_owned());
        let message = format!(
            "`{}` is counted only for the whole run, so `{field}` cannot select a part of \
            it",
            expr.metric.name()
        );
        cx.at_key(&below(pointer, field), message, hint);
    }
    Some(CheckSettings::Threshold { expr, abort, delay: delay.unwrap_or_default().std(), span })
}
