//! `offsets_monotonic`: did the offsets that a reader received only increase, within each partition?

use super::readings::unmeasured;
use crate::anomaly::Anomaly;
use crate::checks::answer::{Answer, Domain};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::text::counted;
use crate::plan::From;

/// Offsets only increase.
pub(crate) struct OffsetsMonotonic;

const EXPECTED: &str = "0 nonmonotonic";

impl Check for OffsetsMonotonic {
    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let readings = case.readings();
        let Some(counts) = readings.count(Anomaly::Nonmonotonic) else { return unmeasured(case, EXPECTED) };
        let any = case.consume().is_some_and(|consume| consume.from == From::Any);
        let records = case.scenario.counts.records + case.scenario.counts.foreign;
        // A consumer of any records covers what it read.
        let domain = if any {
            if records + counts.count == 0 {
                return case.no_data(EXPECTED);
            }
            Domain::judged_all(records, counted(records, "record read", "records read"))
                .without(case.ended_early())
        } else {
            readings.domain(case)
        };
        Answer::pass_if(counts.count == 0, EXPECTED, format!("{} nonmonotonic", counts.count), domain)
    }
}
