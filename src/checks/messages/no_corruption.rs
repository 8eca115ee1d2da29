//! `no_corruption`: is each message unmodified, and at the offset at which it was acked?

use super::readings::unmeasured;
use crate::anomaly::Anomaly;
use crate::checks::answer::Answer;
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;

/// No message is altered, misplaced, rewritten, collided, resurrected or phantom.
pub(crate) struct NoCorruption;

const EXPECTED: &str = "0 corrupt";
pub(crate) const ANOMALIES: &[Anomaly] = &[
    Anomaly::Corrupt,
    Anomaly::Misplaced,
    Anomaly::Rewritten,
    Anomaly::Collided,
    Anomaly::Resurrected,
    Anomaly::Phantom,
];

impl Check for NoCorruption {
    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let readings = case.readings();
        if readings.count(Anomaly::Corrupt).is_none() {
            return unmeasured(case, EXPECTED);
        }
        let domain = readings.domain(case).without(readings.no_audit());
        let found: Vec<String> = ANOMALIES
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
