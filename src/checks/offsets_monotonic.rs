//! `offsets_monotonic`: did the offsets that a reader was given only grow, within each partition?

use super::answer::{Answer, Domain};
use super::case::Case;
use super::check::{Check, Described};
use super::readings::unmeasured;
use super::targets;
use super::text::counted;
use crate::anomaly::Anomaly;
use crate::plan::{CheckKind, From, Plan};

/// Offsets only grow.
pub(super) struct OffsetsMonotonic;

const EXPECTED: &str = "0 nonmonotonic";

impl Described for OffsetsMonotonic {
    const KIND: CheckKind = CheckKind::OffsetsMonotonic;
    const ANOMALIES: &'static [Anomaly] = &[Anomaly::Nonmonotonic];
}

impl Check for OffsetsMonotonic {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::messages(plan)
    }

    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &Case<'_>) -> Answer {
        let readings = case.readings();
        let Some(counts) = readings.count(Anomaly::Nonmonotonic) else { return unmeasured(case, EXPECTED) };
        let any = case.consume().is_some_and(|consume| consume.from == From::Any);
        let records = case.scenario.counts.records + case.scenario.counts.foreign;
        // Who reads what others wrote has no other part of the log than what it read.
        let domain = if any {
            if records + counts.count == 0 {
                return case.no_data(EXPECTED);
            }
            Domain::all(records, counted(records, "record read", "records read")).without(case.ended_early())
        } else {
            readings.domain(case)
        };
        Answer::pass_if(counts.count == 0, EXPECTED, format!("{} nonmonotonic", counts.count), domain)
    }
}
