//! `no_corruption`: is each message unaltered, and at the offset at which it was acked?

use super::answer::Answer;
use super::case::Case;
use super::check::{Check, Described};
use super::readings::unmeasured;
use super::targets;
use crate::anomaly::Anomaly;
use crate::plan::{CheckKind, Plan};

/// Nothing is altered, misplaced, rewritten, collided, resurrected or phantom.
pub(super) struct NoCorruption;

const EXPECTED: &str = "0 corrupt";

impl Described for NoCorruption {
    const KIND: CheckKind = CheckKind::NoCorruption;
    const ANOMALIES: &'static [Anomaly] = &[
        Anomaly::Corrupt,
        Anomaly::Misplaced,
        Anomaly::Rewritten,
        Anomaly::Collided,
        Anomaly::Resurrected,
        Anomaly::Phantom,
    ];
}

impl Check for NoCorruption {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::messages(plan)
    }

    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        let readings = case.readings();
        if readings.count(Anomaly::Corrupt).is_none() {
            return unmeasured(case, EXPECTED);
        }
        let domain = readings.domain(case).without(readings.no_audit());
        let found: Vec<String> = Self::ANOMALIES
            .iter()
            .map(|anomaly| (readings.number(*anomaly), anomaly.name()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        if found.is_empty() {
            return Answer::pass(EXPECTED, EXPECTED, domain);
        }
        Answer::fail(EXPECTED, found.join(", "), "").covering(domain)
    }
}
