//! All checks: one line each. What a check is, is in its own file.

use super::all_acked::AllAcked;
use super::check::{Check, Described};
use super::continuity::Continuity;
use super::count_at_least::CountAtLeast;
use super::count_equals::CountEquals;
use super::http_ok::HttpOk;
use super::in_order::InOrder;
use super::metadata::Metadata;
use super::metadata_stable::MetadataStable;
use super::no_corruption::NoCorruption;
use super::no_duplicates::NoDuplicates;
use super::no_loss::NoLoss;
use super::non_empty::NonEmpty;
use super::offsets_monotonic::OffsetsMonotonic;
use super::reachable::Reachable;
use super::recovers::Recovers;
use super::roundtrip_ok::RoundtripOk;
use super::series_present::SeriesPresent;
use super::threshold::Threshold;
use super::throughput_drops::ThroughputDrops;
use super::uuid_match::UuidMatch;
use crate::anomaly::Anomaly;
use crate::plan::{Ask, CheckKind, CheckPlan, Plan};

/// Each name is a kind of [`Ask`] and the type that answers it, with the same fields.
macro_rules! checks {
    ($($name:ident $({ $($field:ident),* })?,)*) => {
        /// The check that answers.
        pub(super) fn check_of(ask: &Ask) -> Box<dyn Check + '_> {
            match ask {
                $(Ask::$name $({ $($field,)* .. })? => Box::new($name $({ $($field),* })?),)*
            }
        }

        /// The anomalies of each kind of check.
        const ABOUT: &[(CheckKind, &[Anomaly])] = &[$(($name::KIND, $name::ANOMALIES),)*];
    };
}

checks! {
    Reachable,
    Metadata,
    HttpOk,
    NonEmpty,
    SeriesPresent,
    CountEquals { expected, metric },
    CountAtLeast { expected, metric },
    UuidMatch,
    RoundtripOk,
    AllAcked { allow },
    NoLoss,
    NoDuplicates { strict },
    NoCorruption,
    InOrder { strict },
    OffsetsMonotonic,
    Threshold { expr, span },
    ThroughputDrops { during, at_least },
    Recovers { after, within, tolerance },
    MetadataStable { allow, max_silence },
    Continuity { max_gap },
}

/// The anomalies that a kind of check is about. A `threshold` is about the one that its expression names.
pub fn anomalies_of(kind: CheckKind) -> &'static [Anomaly] {
    ABOUT.iter().find(|(own, _)| *own == kind).map_or(&[], |(_, anomalies)| anomalies)
}

/// The scenarios that a check of a plan runs against, by their numbers.
pub(super) fn targets_of(plan: &Plan, check: &CheckPlan) -> Vec<usize> {
    match &check.scenario {
        Some(name) => plan.scenarios.iter().position(|s| s.name == *name).into_iter().collect(),
        None => check_of(&check.ask).targets(plan),
    }
}
