//! Anomalies of a summary: what readers found, added up, with evidence beside the faults.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::beside::beside;
use crate::anomaly::Anomaly;
use crate::ids::{Identity, RunTag};
use crate::ledger::{Counts, EVIDENCE, Evidence};
use crate::observe::{Observations, Reading};
use crate::report::summary::{AnomalySummary, EvidenceRow};

/// How many acked messages of the whole run are lost; none where that was not measured.
pub(super) fn lost(seen: &Observations) -> Option<u64> {
    counts(seen, Anomaly::Lost).map(|counts| counts.count)
}

/// The exact count of one anomaly; none where it was not measured. Several consumers of one partition see one log: the
/// worst of them counts, not their sum.
fn counts(seen: &Observations, anomaly: Anomaly) -> Option<Counts> {
    let mut places: BTreeMap<(usize, i32), Counts> = BTreeMap::new();
    for (place, counts) in seen.readings.iter().filter_map(|reading| {
        let counts = reading.judgement.as_ref()?.counts.get(&anomaly)?;
        Some(((reading.topic, reading.partition), *counts))
    }) {
        let worst = places.entry(place).or_default();
        worst.count = worst.count.max(counts.count);
        worst.explained = worst.explained.max(counts.explained);
        worst.undecided = worst.undecided.max(counts.undecided);
    }
    (!places.is_empty()).then(|| Counts {
        count: places.values().map(|c| c.count).sum(),
        explained: places.values().map(|c| c.explained).sum(),
        undecided: places.values().map(|c| c.undecided).sum(),
    })
}

/// Each anomaly by its name.
pub(super) fn anomalies(run: RunTag, seen: &Observations) -> IndexMap<String, AnomalySummary> {
    Anomaly::ALL
        .into_iter()
        .map(|anomaly| {
            let counts = counts(seen, anomaly);
            let explainable = matches!(anomaly, Anomaly::Duplicate | Anomaly::Reordered);
            let summary = AnomalySummary {
                count: counts.map(|counts| counts.count),
                explained: counts.filter(|_| explainable).map(|counts| counts.explained),
                evidence: evidence(run, seen, anomaly),
            };
            (anomaly.name().to_owned(), summary)
        })
        .collect()
}

fn evidence(run: RunTag, seen: &Observations, anomaly: Anomaly) -> Vec<EvidenceRow> {
    let mut pieces: Vec<(&Reading, &Evidence)> = seen
        .readings
        .iter()
        .filter_map(|reading| reading.judgement.as_ref().map(|j| (reading, j)))
        .flat_map(|(reading, j)| j.evidence.iter().map(move |e| (reading, e)))
        .filter(|(_, e)| e.anomaly == anomaly)
        .collect();
    pieces.sort_by_key(|(reading, e)| (e.explained, reading.scenario, e.topic, e.partition, e.offset));
    pieces
        .into_iter()
        .take(EVIDENCE)
        .map(|(reading, piece)| evidence_row(run, seen, reading, piece))
        .collect()
}

fn evidence_row(run: RunTag, seen: &Observations, reading: &Reading, piece: &Evidence) -> EvidenceRow {
    let sender = piece.message.and_then(|(id, _)| seen.streams.get(id));
    let explainable = matches!(piece.anomaly, Anomaly::Duplicate | Anomaly::Reordered);
    let beside = beside(&seen.faults, piece);
    EvidenceRow {
        topic: seen.topics.get(piece.topic).cloned().unwrap_or_default(),
        partition: piece.partition,
        offset: piece.offset,
        other_offset: piece.other_offset,
        identity: piece.message.map(|(stream, seq)| Identity { run, stream, seq }.uuid().to_string()),
        producer: sender.and_then(|s| {
            seen.scenarios.get(s.scenario).map(|scenario| format!("{}, client {}", scenario.name, s.client))
        }),
        seq: piece.message.map(|(_, seq)| seq),
        consumer: seen.scenarios.get(reading.scenario).map(|s| s.name.clone()),
        at_ms: piece.at_us.map(|us| us / 1000),
        explained: explainable.then_some(piece.explained),
        detail: beside.detail,
        faults: beside.faults,
    }
}
