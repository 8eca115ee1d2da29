//! The anomalies section: anomalies with evidence, and one line for those that did not occur.
//!
//! Separates anomalies into found, not found and not measured.

use askama::Template;

use crate::anomaly::Anomaly;

use super::super::chart::prose;
use super::super::findings;
use super::super::format::{count, instant};
use super::super::summary::{EvidenceRow, Summary};
use super::super::words::{
    all_of, beside_count, how_many, is_suspect, meaning, observer_words, range, shown,
};
use super::pictures::{Pictures, pictures};

#[derive(Template)]
#[template(path = "report/anomalies.html")]
pub(super) struct AnomaliesSection {
    pub pictures: Pictures,
    pub found: Vec<AnomalyView>,
    pub none_of: String,
    pub unmeasured: String,
}

pub(super) struct AnomalyView {
    pub name: &'static str,
    pub link: String,
    pub meaning: &'static str,
    pub count: String,
    pub beside: String,
    pub bad: bool,
    pub has_other: bool,
    pub evidence: Vec<EvidenceView>,
    pub more: String,
}

pub(super) struct EvidenceView {
    pub place: String,
    pub offset: String,
    pub other: String,
    pub identity: String,
    pub sender: String,
    /// The message's number in its stream, or the first and last of a range.
    pub numbers: String,
    /// Number of messages, for a range.
    pub messages: String,
    pub at: String,
    pub by: String,
    pub explained: bool,
    pub detail: String,
}

pub(super) fn anomalies(run: &Summary) -> Option<AnomaliesSection> {
    let (mut views, mut none, mut unmeasured) = (Vec::new(), Vec::new(), Vec::new());
    for anomaly in Anomaly::ALL {
        let Some(found) = run.anomalies.get(anomaly.name()) else {
            unmeasured.push(anomaly.name().replace('_', " "));
            continue;
        };
        match found.count {
            None => unmeasured.push(anomaly.name().replace('_', " ")),
            Some(_) if all_of(found) == 0 => none.push(anomaly.name().replace('_', " ")),
            Some(n) => {
                let shown = shown(&found.evidence);
                let hidden = all_of(found).saturating_sub(shown);
                let says_more = hidden > 0 && shown > 0;
                views.push(AnomalyView {
                    name: anomaly.name(),
                    link: findings::link(anomaly.name()),
                    meaning: meaning(anomaly),
                    count: count(n),
                    beside: beside_count(found),
                    bad: n > 0 && is_suspect(anomaly),
                    has_other: found.evidence.iter().any(|e| e.other_offset.is_some()),
                    evidence: found.evidence.iter().map(evidence).collect(),
                    more: if says_more { count(hidden) } else { String::new() },
                });
            }
        }
    }
    Some(AnomaliesSection {
        pictures: pictures(run),
        found: views,
        none_of: none.join(", "),
        unmeasured: unmeasured.join(", "),
    })
}

fn evidence(piece: &EvidenceRow) -> EvidenceView {
    let numbers = piece.seq.map(|seq| {
        let to = piece.to_seq.map_or_else(String::new, |to| format!(" to #{to}"));
        format!("#{seq}{to}")
    });
    let places = |first: Option<i64>, to| first.map(|first| range(first, to, piece.messages()));
    EvidenceView {
        place: format!("{}[{}]", piece.topic, piece.partition),
        offset: places(piece.offset, piece.to_offset).unwrap_or_else(|| "–".to_owned()),
        other: places(piece.other_offset, piece.to_other_offset).unwrap_or_default(),
        // The identity of the first message is not useful for a range.
        identity: piece.identity.clone().filter(|_| piece.count.is_none()).unwrap_or_default(),
        sender: piece.producer.clone().unwrap_or_default(),
        numbers: numbers.unwrap_or_default(),
        messages: how_many(piece),
        at: instant(piece.at_ms),
        by: piece.consumer.as_deref().map_or_else(String::new, |it| prose(&observer_words(it))),
        explained: piece.explained == Some(true),
        detail: prose(&piece.detail),
    }
}
