//! `no_stale_end`: was each acked offset below the end of the log that the broker reported after that ack?

use super::readings::unmeasured;
use crate::anomaly::Anomaly;
use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::text::counted;
use crate::observe::JudgedReading;

/// No reported end is at or below an acked offset.
pub(crate) struct NoStaleEnd;

const EXPECTED: &str = "0 stale ends";

impl Check for NoStaleEnd {
    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let readings = case.readings();
        let own: Vec<&JudgedReading> =
            case.seen.readings.iter().filter(|reading| reading.scenario == case.index).collect();
        if own.iter().all(|reading| reading.judgement.is_none()) {
            return unmeasured(case, EXPECTED);
        }
        let (known, open): (Vec<&JudgedReading>, Vec<&JudgedReading>) =
            own.iter().copied().partition(|reading| offsets_above(reading).is_some());
        let all = own.len() as u64;
        let partitions = counted(all, "partition", "partitions");
        let partitions =
            if open.is_empty() { partitions } else { format!("{} of {partitions}", known.len()) };
        let covers = format!("the end of {partitions}, requested after an ack");
        let domain = Domain::part(known.len() as u64, all, covers)
            .without(readings.missing(case))
            .without(open.first().map(|reading| no_end(case, reading)));
        let stale: Vec<u64> =
            known.into_iter().filter_map(offsets_above).filter(|count| *count > 0).collect();
        if !stale.is_empty() {
            let offsets = counted(stale.iter().sum(), "acked offset", "acked offsets");
            let evidence = format!("{offsets} at or above the end that the broker reported later");
            let ends = counted(stale.len() as u64, "stale end", "stale ends");
            return Answer::fail(EXPECTED, ends, evidence).covering(domain);
        }
        let actual = if open.len() == own.len() { "not measured" } else { EXPECTED };
        Answer::pass(EXPECTED, actual, domain)
    }
}

/// How many acked offsets are at or above the reported end. `None` if no end was reported after an ack.
fn offsets_above(reading: &JudgedReading) -> Option<u64> {
    let counts = reading.judgement.as_ref()?.counts.get(&Anomaly::StaleEnd)?;
    Some(counts.count)
}

/// Why the end of a partition is unknown.
fn no_end(case: &CheckedScenario<'_>, reading: &JudgedReading) -> UnknownBecause {
    let partition = reading.partition;
    let place = (reading.topic, partition);
    let seen = case.seen.partitions.iter().find(|it| (it.topic, it.partition) == place);
    let notes = "see the notes of the run";
    if case.seen.cut.is_some() {
        let why = format!("the run ended before kaf6 requested the end of partition {partition}");
        UnknownBecause::new(why, case.after_cut())
    } else if seen.is_some_and(|it| it.end_marker.is_none()) {
        UnknownBecause::new(format!("partition {partition} has no end marker"), notes)
    } else if reading.resets > 0 {
        let why = format!("the log of partition {partition} was truncated or recreated during the run");
        UnknownBecause::new(why, notes)
    } else if !reading.reached_end_marker {
        let name = &case.scenario.name;
        UnknownBecause::new(
            format!("`{name}` did not reach the end marker of partition {partition}"),
            format!("increase `timeout` of `{name}`"),
        )
    } else {
        let why =
            format!("the broker did not report the end of partition {partition}, or the topic was recreated");
        UnknownBecause::new(why, notes)
    }
}
