//! The pictures of partitions with anomalies: what was acked, read and missed, where and when.
//!
//! Selects the partitions and writes the texts. `chart::spots` draws the pictures.

use super::super::chart::spots::{MarkFill, Shape, SpotPlace, SpottedMessage, spots};
use super::super::chart::strip::Frame;
use super::super::format::{count, float};
use super::super::summary::{EvidenceRow, SpotRow, Summary};
use super::super::words::{is_suspect, shown};
use super::timeline::{Label, Tick, frame, lanes, ticks};
use crate::anomaly::Anomaly;

/// Maximum number of pictures. The tables include all partitions.
const MOST: usize = 4;

#[derive(Default)]
pub(super) struct Pictures {
    pub list: Vec<Picture>,
    /// Number of partitions with anomalies but without a picture.
    pub hidden: usize,
    pub lanes: Vec<Vec<Label>>,
    pub ticks: Vec<Tick>,
    pub legend: Vec<PictureKey>,
    pub has_faults: bool,
}

pub(super) struct Picture {
    pub place: String,
    pub facts: String,
    /// What is not drawn.
    pub more: String,
    pub axis: String,
    pub svg: String,
}

/// The legend entry of a mark.
pub(super) struct PictureKey {
    pub id: &'static str,
    pub class: &'static str,
    pub text: String,
    pub is_altered: bool,
}

/// The pictures. Empty if no anomaly has a time.
pub(super) fn pictures(run: &Summary) -> Pictures {
    let frame = frame(run);
    if frame.end_ms <= 0.0 {
        return Pictures::default();
    }
    let mut partitions = partitions(run);
    partitions.sort_by_key(|it| std::cmp::Reverse(it.weight()));
    let hidden = partitions.len().saturating_sub(MOST);
    let mut kinds = Vec::new();
    let mut list = Vec::new();
    for (i, partition) in partitions.iter().take(MOST).enumerate() {
        list.push(partition.draw(i, &frame, &mut kinds));
    }
    kinds.sort_unstable();
    kinds.dedup();
    Pictures {
        has_faults: !frame.bands.is_empty(),
        lanes: lanes(run, &frame),
        ticks: ticks(&frame),
        legend: kinds.into_iter().map(|(shape, filling)| key(shape, filling)).collect(),
        list,
        hidden,
    }
}

/// The outlines of all marks, with their ids. Empty if there are no pictures.
pub(super) fn outlines(run: &Summary) -> Vec<(&'static str, &'static str)> {
    if frame(run).end_ms <= 0.0 || partitions(run).is_empty() {
        return Vec::new();
    }
    Shape::ALL.iter().map(|(_, id, d)| (*id, *d)).chain([Shape::RING, Shape::STROKE]).collect()
}

fn key(shape: Shape, filling: MarkFill) -> PictureKey {
    let who = match shape {
        Shape::Ack => "acknowledged",
        Shape::Reader => "a reader",
        Shape::Audit => "the audit",
        Shape::Recheck => "a re-read",
    };
    let text = match (shape, filling) {
        (Shape::Ack, _) => who.to_owned(),
        (_, MarkFill::Found) => format!("{who} read it"),
        (_, MarkFill::Altered) => format!("{who} read it modified"),
        (_, MarkFill::Missing) => format!("{who} did not find it"),
    };
    PictureKey { id: shape.id(), class: filling.class(), text, is_altered: filling == MarkFill::Altered }
}

/// The evidence of one partition.
struct PartitionPicture<'a> {
    topic: &'a str,
    partition: i32,
    rows: Vec<(Anomaly, &'a EvidenceRow)>,
}

/// The partitions with evidence that has a time, in the order of the evidence.
fn partitions(run: &Summary) -> Vec<PartitionPicture<'_>> {
    let mut out: Vec<PartitionPicture<'_>> = Vec::new();
    for anomaly in Anomaly::ALL.into_iter().filter(|anomaly| is_suspect(*anomaly)) {
        let Some(found) = run.anomalies.get(anomaly.name()) else { continue };
        for row in found.evidence.iter().filter(|row| !places(anomaly, row).is_empty()) {
            let same =
                |it: &&mut PartitionPicture<'_>| it.topic == row.topic && it.partition == row.partition;
            match out.iter_mut().find(same) {
                Some(partition) => partition.rows.push((anomaly, row)),
                None => out.push(PartitionPicture {
                    topic: &row.topic,
                    partition: row.partition,
                    rows: vec![(anomaly, row)],
                }),
            }
        }
    }
    out
}

impl PartitionPicture<'_> {
    /// Number of messages with an unexplained anomaly, and of all messages with an anomaly.
    fn weight(&self) -> (u64, u64) {
        let rows = || self.rows.iter().map(|(_, row)| *row);
        (shown(rows().filter(|row| row.explained != Some(true))), shown(rows()))
    }

    fn draw(&self, number: usize, frame: &Frame, kinds: &mut Vec<(Shape, MarkFill)>) -> Picture {
        let cases: Vec<SpottedMessage> = self.rows.iter().map(|(anomaly, row)| case(*anomaly, row)).collect();
        let place = format!("{}[{}]", self.topic, self.partition);
        let facts: Vec<String> = self
            .rows
            .chunk_by(|(a, _), (b, _)| a == b)
            .map(|rows| {
                let rows_of = |explained: bool| {
                    let rows = rows.iter().map(|(_, row)| *row);
                    shown(rows.filter(move |row| (row.explained == Some(true)) == explained))
                };
                let name = rows[0].0.name().replace('_', " ");
                match (rows_of(false), rows_of(true)) {
                    (bad, 0) => format!("{} {name}", count(bad)),
                    (0, explained) => format!("{} {name} (explained)", count(explained)),
                    (bad, explained) => format!("{} {name} and {} explained", count(bad), count(explained)),
                }
            })
            .collect();
        let facts = facts.join(", ");
        let title = format!("Anomalies of {place}: offset over time");
        let desc = format!("Evidence of {facts}. The tables list the same data.");
        let drawn = spots(&format!("pic{number}"), &title, &desc, &cases, frame);
        kinds.extend(&drawn.kinds);
        let more = match cases.len() - drawn.cases {
            0 => String::new(),
            n => format!("{} more in the tables", count(n as u64)),
        };
        Picture { place, facts, more, axis: drawn.axis, svg: drawn.svg }
    }
}

fn case(anomaly: Anomaly, row: &EvidenceRow) -> SpottedMessage {
    let places = places(anomaly, row);
    let own = |(_, spot): &(SpotPlace, SpotRow)| {
        spot.found != "acked" && Some(spot.offset) == row.offset && spot.consumer == row.consumer
    };
    // The anomaly is the place that differs from what was expected, or else the copy that the evidence is
    // about.
    let wrong = places.iter().position(|(place, _)| place.filling != MarkFill::Found);
    let at = wrong.or_else(|| places.iter().position(own)).unwrap_or(0);
    let explained = row.explained == Some(true);
    let name = anomaly.name().replace('_', " ");
    let name = row.count.map_or_else(|| name.clone(), |messages| format!("{} {name}", count(messages)));
    let name = if explained { format!("{name} (explained)") } else { name };
    SpottedMessage { name, explained, places: places.into_iter().map(|(place, _)| place).collect(), at }
}

/// The places of a piece of evidence. Older summaries have none, so its offset and time are used.
fn places(anomaly: Anomaly, row: &EvidenceRow) -> Vec<(SpotPlace, SpotRow)> {
    let altered = anomaly == Anomaly::Corrupt;
    let old = row.offset.zip(row.at_ms).filter(|_| row.spots.is_empty()).map(|(offset, at_ms)| SpotRow {
        found: if altered { "altered" } else { "read" }.to_owned(),
        consumer: row.consumer.clone(),
        offset,
        to_offset: row.to_offset,
        at_ms,
        to_ms: row.to_ms,
    });
    let spots = row.spots.iter().cloned().chain(old);
    let mut out: Vec<(SpotPlace, SpotRow)> = spots.filter_map(|spot| Some((place(&spot)?, spot))).collect();
    out.sort_by_key(|(_, spot)| spot.at_ms);
    out
}

fn place(spot: &SpotRow) -> Option<SpotPlace> {
    let filling = match spot.found.as_str() {
        "acked" | "read" => MarkFill::Found,
        "altered" => MarkFill::Altered,
        "missing" => MarkFill::Missing,
        _ => return None,
    };
    let shape = match spot.consumer.as_deref() {
        None if spot.found == "acked" => Shape::Ack,
        Some("audit") => Shape::Audit,
        Some("recheck") => Shape::Recheck,
        _ => Shape::Reader,
    };
    let to_ms = spot.to_ms.unwrap_or(spot.at_ms);
    Some(SpotPlace {
        shape,
        filling,
        offsets: (spot.offset, spot.to_offset.unwrap_or(spot.offset)),
        ms: (float(spot.at_ms), float(to_ms)),
    })
}
