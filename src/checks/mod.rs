//! Checks: conditions on the observations of a run, each answered with pass, fail or inconclusive.
//!
//! Checks are pure functions of a plan and observations. Each check has its own file, which is named after
//! its `type` in scenario files. This file lists all of them. An answer passes only with a domain, which says
//! what it covers.

mod answer;
mod case;
mod check;
mod evaluate;
mod own_stalls;
mod proof;
mod shortfall;
mod targets;
#[cfg(test)]
mod tests;
mod text;

pub use answer::{Answer, CheckOutcome};
pub use evaluate::{CheckResult, evaluate, stall_at_end, to_abort, worst};
pub use messages::permitted::{allowance, permitted};
pub use own_stalls::no_progress;
pub use proof::{Unproven, reason_of, unproven};

use check::Check;

use crate::anomaly::Anomaly;
use crate::plan::{CheckKind, CheckPlan, CheckSettings, Plan};

/// Checks of the answers of brokers and metrics endpoints.
mod answers {
    pub(crate) mod http_ok;
    pub(crate) mod log_offsets_monotonic;
    pub(crate) mod metadata;
    pub(crate) mod metadata_stable;
    pub(crate) mod non_empty;
    pub(crate) mod reachable;
    pub(crate) mod series_present;
}

/// Checks of messages: loss, duplicates, order, corruption and counts.
mod messages {
    pub(crate) mod all_acked;
    pub(crate) mod count_at_least;
    pub(crate) mod count_equals;
    pub(crate) mod in_order;
    pub(crate) mod no_corruption;
    pub(crate) mod no_duplicates;
    pub(crate) mod no_loss;
    pub(crate) mod no_stale_end;
    pub(crate) mod offsets_monotonic;
    pub(crate) mod permitted;
    pub(crate) mod readings;
    pub(crate) mod roundtrip_ok;
    pub(crate) mod uuid_match;
}

/// Checks of rates and times, for the whole run and around faults.
mod rates {
    pub(crate) mod continuity;
    pub(crate) mod rate;
    pub(crate) mod recovers;
    pub(crate) mod threshold;
    pub(crate) mod throughput_drops;
    pub(crate) mod work;
}

/// Each name is a variant of [`CheckSettings`] and the type that implements it, with the same fields. The
/// anomalies are those that the check is about. Reports show their evidence next to it.
macro_rules! checks {
    ($($room:ident::$file:ident::$name:ident $({ $($field:ident),* })? $(=> $anomalies:expr)?,)*) => {
        fn check_of(ask: &CheckSettings) -> Box<dyn Check + '_> {
            match ask {
                $(CheckSettings::$name $({ $($field,)* .. })? => {
                    Box::new($room::$file::$name $({ $($field),* })?)
                })*
            }
        }

        /// The anomalies that a kind of check is about. For a `threshold`, its expression may name one more.
        pub const fn anomalies_of(kind: CheckKind) -> &'static [Anomaly] {
            match kind {
                $($(CheckKind::$name => $anomalies,)?)*
                _ => &[],
            }
        }
    };
}

checks! {
    answers::reachable::Reachable,
    answers::metadata::Metadata,
    answers::http_ok::HttpOk,
    answers::non_empty::NonEmpty,
    answers::series_present::SeriesPresent,
    messages::count_equals::CountEquals { expected, metric },
    messages::count_at_least::CountAtLeast { expected, metric },
    messages::uuid_match::UuidMatch => &[Anomaly::Corrupt, Anomaly::Lost],
    messages::roundtrip_ok::RoundtripOk,
    messages::all_acked::AllAcked { allow },
    messages::no_loss::NoLoss => &[Anomaly::Lost, Anomaly::Unreadable, Anomaly::Skipped, Anomaly::Unread],
    messages::no_duplicates::NoDuplicates { strict } => &[Anomaly::Duplicate],
    messages::no_corruption::NoCorruption => messages::no_corruption::ANOMALIES,
    messages::in_order::InOrder { strict } => &[Anomaly::Reordered, Anomaly::Overtaken],
    messages::offsets_monotonic::OffsetsMonotonic => &[Anomaly::Nonmonotonic],
    messages::no_stale_end::NoStaleEnd => &[Anomaly::StaleEnd],
    rates::threshold::Threshold { expr, span },
    rates::throughput_drops::ThroughputDrops { during, at_least },
    rates::recovers::Recovers { after, within, tolerance },
    answers::metadata_stable::MetadataStable { allow, max_silence },
    answers::log_offsets_monotonic::LogOffsetsMonotonic,
    rates::continuity::Continuity { max_gap } => &[Anomaly::Lost, Anomaly::Unreadable, Anomaly::Skipped, Anomaly::Unread],
}

/// The scenarios that a check of a plan runs against, by index in the plan.
fn targets_of(plan: &Plan, check: &CheckPlan) -> Vec<usize> {
    match &check.scenario {
        Some(name) => plan.scenarios.iter().position(|s| s.name == *name).into_iter().collect(),
        None => check_of(&check.ask).targets(plan),
    }
}
