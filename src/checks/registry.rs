//! The list of all checks, one line each. Each check is defined in its own file.

use super::check::{Check, CheckDescription};
use crate::anomaly::Anomaly;
use crate::checks::answers::http_ok::HttpOk;
use crate::checks::answers::metadata::Metadata;
use crate::checks::answers::metadata_stable::MetadataStable;
use crate::checks::answers::non_empty::NonEmpty;
use crate::checks::answers::reachable::Reachable;
use crate::checks::answers::series_present::SeriesPresent;
use crate::checks::messages::all_acked::AllAcked;
use crate::checks::messages::count_at_least::CountAtLeast;
use crate::checks::messages::count_equals::CountEquals;
use crate::checks::messages::in_order::InOrder;
use crate::checks::messages::no_corruption::NoCorruption;
use crate::checks::messages::no_duplicates::NoDuplicates;
use crate::checks::messages::no_loss::NoLoss;
use crate::checks::messages::offsets_monotonic::OffsetsMonotonic;
use crate::checks::messages::roundtrip_ok::RoundtripOk;
use crate::checks::messages::uuid_match::UuidMatch;
use crate::checks::rates::continuity::Continuity;
use crate::checks::rates::recovers::Recovers;
use crate::checks::rates::threshold::Threshold;
use crate::checks::rates::throughput_drops::ThroughputDrops;
use crate::plan::{CheckKind, CheckPlan, CheckSettings, Plan};

/// Each name is a variant of [`CheckSettings`] and the type that implements it, with the same fields.
macro_rules! checks {
    ($($name:ident $({ $($field:ident),* })?,)*) => {
        pub(super) fn check_of(ask: &CheckSettings) -> Box<dyn Check + '_> {
            match ask {
                $(CheckSettings::$name $({ $($field,)* .. })? => Box::new($name $({ $($field),* })?),)*
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

/// The anomalies that a kind of check is about. For a `threshold`, its expression may name one more.
pub fn anomalies_of(kind: CheckKind) -> &'static [Anomaly] {
    ABOUT.iter().find(|(own, _)| *own == kind).map_or(&[], |(_, anomalies)| anomalies)
}

/// The scenarios that a check of a plan runs against, by index in the plan.
pub(super) fn targets_of(plan: &Plan, check: &CheckPlan) -> Vec<usize> {
    match &check.scenario {
        Some(name) => plan.scenarios.iter().position(|s| s.name == *name).into_iter().collect(),
        None => check_of(&check.ask).targets(plan),
    }
}
