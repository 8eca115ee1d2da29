//! All checks: one line each. What a check is, is in its own file.

use super::all_acked::AllAcked;
use super::answer::Answer;
use super::case::Case;
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
use crate::plan::{Ask, Plan};

/// What is known of a kind of check without its settings.
pub(super) trait Described {
    /// Its type, as files and reports write it.
    const KIND: &'static str;
    /// The anomalies that it is about: reports show their evidence beside it.
    const ANOMALIES: &'static [Anomaly] = &[];
}

/// One check with its settings.
pub(super) trait Check {
    /// The scenarios that it runs against where the file names none, by their numbers.
    fn targets(&self, plan: &Plan) -> Vec<usize>;

    /// What it expects, in words, before anything was seen.
    fn expected(&self) -> String;

    /// Its answer for one scenario that could work.
    fn evaluate(&self, case: &Case<'_>) -> Answer;

    /// Finding that something is out of reach is its purpose: it runs against scenarios that could not work, too.
    fn answers_for_the_unreachable(&self) -> bool {
        false
    }

    /// The fault that it names.
    fn fault(&self) -> Option<&str> {
        None
    }
}

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
        const ABOUT: &[(&str, &[Anomaly])] = &[$(($name::KIND, $name::ANOMALIES),)*];
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

/// The anomalies that a kind of check is about, by its type as written; none for an unknown one. A `threshold` is about the one
/// that its expression names.
pub fn anomalies_of(kind: &str) -> &'static [Anomaly] {
    ABOUT.iter().find(|(own, _)| *own == kind).map_or(&[], |(_, anomalies)| anomalies)
}
