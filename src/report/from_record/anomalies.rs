//! The anomalies of a summary: the counts over all observers, with evidence and faults.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::beside::beside;
use crate::anomaly::Anomaly;
use crate::ids::{Identity, RunTag};
use crate::ledger::{Counts, EVIDENCE, Evidence, FoundAs, Judgement, Observer, Spot};
use crate::observe::Observations;
use crate::report::summary::{AnomalySummary, EvidenceRow, SpotRow};

/// Number of acked messages in the run that are lost. `None` if it was not measured.
pub(super) fn lost(seen: &Observations) -> Option<u64> {
    counts(seen, Anomaly::Lost).map(|counts| counts.count)
}

/// The exact count of one anomaly. `None` if it was not measured. A partition's judgement combines all its
/// readers, so partitions are added up.
fn counts(seen: &Observations, anomaly: Anomaly) -> Option<Counts> {
    let mut places: BTreeMap<(usize, i32), Counts> = BTreeMap::new();
    for (place, judgement) in judgements(seen) {
        let Some(counts) = judgement.counts.get(&anomaly) else { continue };
        // Only readings have several entries per partition. All of them read the same log.
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

/// The judgement of each partition, with each message once. If there is none, the judgement of each consumer.
fn judgements(seen: &Observations) -> impl Iterator<Item = ((usize, i32), &Judgement)> {
    let united = is_united(seen);
    let partitions =
        seen.partitions.iter().filter_map(|it| Some(((it.topic, it.partition), it.judgement.as_ref()?)));
    let readings = seen.readings.iter().filter(move |_| !united);
    partitions.chain(readings.filter_map(|it| Some(((it.topic, it.partition), it.judgement.as_ref()?))))
}

fn is_united(seen: &Observations) -> bool {
    seen.partitions.iter().any(|partition| partition.judgement.is_some())
}

/// Every kind of anomaly, by name.
pub(super) fn anomalies(run: RunTag, seen: &Observations) -> IndexMap<String, AnomalySummary> {
    Anomaly::ALL
        .into_iter()
        .map(|anomaly| {
            let counts = counts(seen, anomaly);
            let explainable = matches!(anomaly, Anomaly::Duplicate | Anomaly::Reordered);
            let summary = AnomalySummary {
                count: counts.map(|counts| counts.count),
                explained: counts.filter(|_| explainable).map(|counts| counts.explained),
                undecided: counts.map(|counts| counts.undecided).filter(|n| *n > 0),
                evidence: evidence(run, seen, anomaly),
            };
            (anomaly.name().to_owned(), summary)
        })
        .collect()
}

fn evidence(run: RunTag, seen: &Observations, anomaly: Anomaly) -> Vec<EvidenceRow> {
    let mut pieces: Vec<(Option<Observer>, &Evidence)> = if is_united(seen) {
        judgements(seen).flat_map(|(_, it)| &it.evidence).map(|piece| (piece.observer, piece)).collect()
    } else {
        let readings = seen.readings.iter().filter_map(|it| Some((it.scenario, it.judgement.as_ref()?)));
        let pieces =
            readings.flat_map(|(scenario, it)| it.evidence.iter().map(move |piece| (scenario, piece)));
        pieces.map(|(scenario, piece)| (Some(Observer::Reader(scenario)), piece)).collect()
    };
    pieces.retain(|(_, piece)| piece.anomaly == anomaly);
    pieces.sort_by_key(|(observer, e)| (e.explained, *observer, e.topic, e.partition, e.offset));
    pieces
        .into_iter()
        .take(EVIDENCE)
        .map(|(observer, piece)| evidence_row(run, seen, observer, piece))
        .collect()
}

/// The observer: a consumer's name, `audit`, or `recheck` for a re-read.
fn observer_name(seen: &Observations, observer: Observer) -> Option<String> {
    match observer {
        Observer::Reader(scenario) => seen.scenarios.get(scenario).map(|s| s.name.clone()),
        Observer::Audit => Some("audit".to_owned()),
        Observer::Recheck => Some("recheck".to_owned()),
    }
}

fn evidence_row(
    run: RunTag,
    seen: &Observations,
    observer: Option<Observer>,
    piece: &Evidence,
) -> EvidenceRow {
    let sender = piece.message.and_then(|(id, _)| seen.streams.get(id));
    let explainable = matches!(piece.anomaly, Anomaly::Duplicate | Anomaly::Reordered);
    let beside = beside(&seen.faults, piece);
    let span = Some(&piece.span).filter(|span| span.more > 0);
    EvidenceRow {
        topic: seen.topics.get(piece.topic).cloned().unwrap_or_default(),
        partition: piece.partition,
        count: span.map(|_| piece.messages()),
        offset: piece.offset,
        to_offset: span.and_then(|span| span.to_offset),
        other_offset: piece.other_offset,
        to_other_offset: span.and_then(|span| span.to_other_offset),
        identity: piece.message.map(|(stream, seq)| Identity { run, stream, seq }.uuid().to_string()),
        producer: sender.and_then(|s| {
            seen.scenarios.get(s.scenario).map(|scenario| format!("{}, client {}", scenario.name, s.client))
        }),
        seq: piece.message.map(|(_, seq)| seq),
        to_seq: span.and_then(|_| piece.to_seq()),
        consumer: observer.and_then(|observer| observer_name(seen, observer)),
        at_ms: piece.at_us.map(|us| us / 1000),
        to_ms: span.and_then(|span| span.to_us).map(|us| us / 1000),
        explained: explainable.then_some(piece.explained),
        detail: beside.detail,
        faults: beside.faults,
        spots: piece.spots.iter().map(|spot| spot_row(seen, spot, span.is_some())).collect(),
    }
}

fn spot_row(seen: &Observations, spot: &Spot, is_range: bool) -> SpotRow {
    let found = match spot.found {
        FoundAs::Acked => "acked",
        FoundAs::Read => "read",
        FoundAs::Altered => "altered",
        FoundAs::Missing => "missing",
    };
    SpotRow {
        found: found.to_owned(),
        consumer: spot.observer.and_then(|observer| observer_name(seen, observer)),
        offset: spot.offset,
        to_offset: is_range.then_some(spot.to_offset),
        at_ms: spot.at_us / 1000,
        to_ms: is_range.then_some(spot.to_us / 1000),
    }
}
