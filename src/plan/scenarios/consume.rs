//! Compiles `consume`: topic, partitions, start offset, limit, and the producers whose messages it checks.
//!
//! Decides which scenarios of the file are producers of a consumer.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::compile::scenario_table::{ScenarioEntry, scenario_pointer};
use crate::plan::compile::topics::Topics;
use crate::plan::{ConsumePlan, From, ScenarioKind, StartOffset, Work, defaults};
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use crate::units::Duration;

/// The scenarios that write to each topic.
#[derive(Default)]
pub(super) struct Writers {
    producers: Vec<TopicWriter>,
    /// The topics of round trips.
    round_trips: HashSet<String>,
    /// True if no scenario that may write to a topic is invalid.
    all_known: bool,
}

/// A producer.
struct TopicWriter {
    name: String,
    topic: String,
    /// Number of messages that it will send.
    total: Option<u64>,
}

impl Writers {
    /// Collects the writers of a file before its consumers are compiled.
    pub(super) fn of(slots: &IndexMap<String, ScenarioEntry>) -> Self {
        let mut writers = Self {
            all_known: slots
                .values()
                .all(|slot| slot.good().is_some() || slot.kind() == Some(ScenarioKind::Consume)),
            ..Self::default()
        };
        for scenario in slots.values().filter_map(ScenarioEntry::good) {
            match &scenario.work {
                Work::Produce(produce) => writers.producers.push(TopicWriter {
                    name: scenario.name.clone(),
                    topic: produce.topic.to_string(),
                    total: produce.total(),
                }),
                Work::Roundtrip(trip) => {
                    writers.round_trips.insert(trip.topic.to_string());
                }
                _ => {}
            }
        }
        writers
    }
}

pub(super) fn consume(
    cx: &mut Context<'_>,
    name: &str,
    raw: &raw::Consume,
    (topics, writers): (&Topics, &Writers),
    taken: &mut DefaultsRecorder,
) -> Option<ConsumePlan> {
    let pointer = &scenario_pointer(name);
    let idle = cx.positive(&below(pointer, "idle_timeout"), raw.idle_timeout.as_ref());
    let offset = raw.offset.as_ref().and_then(|offset| self::offset(cx, pointer, offset));
    let template = topics.used(cx, pointer, raw.topic.as_deref(), raw.partition, taken)?;
    let topic = template.to_string();
    let mine: Vec<&TopicWriter> = writers.producers.iter().filter(|writer| writer.topic == topic).collect();
    let nobody_writes =
        raw.from.is_none() && mine.is_empty() && writers.all_known && !writers.round_trips.contains(&topic);
    if nobody_writes {
        warn_of_nobody(cx, name, &topic, &writers.producers);
    }
    if raw.from == Some(From::Run) && mine.is_empty() && writers.all_known {
        let hint = Some("set `from: any` to read messages from others".to_owned());
        let message =
            format!("no scenario in the file produces to `{topic}`, so it has no records of this run");
        cx.about_value(&below(pointer, "from"), &message, hint, "possible here");
    }
    let default = if mine.is_empty() { (From::Any, "any") } else { (From::Run, "run") };
    let from = taken.or("from", raw.from, default.0, default.1);
    let clients = taken.or("clients", raw.clients, defaults::CLIENTS, defaults::CLIENTS);
    if raw.partition.is_none() {
        taken.note("partition", "all");
    }
    let offset = taken.or("offset", offset, defaults::OFFSET, "earliest");
    if raw.limit.is_none() {
        taken.note("limit", "to the end of the log");
    }
    let shown = Duration::from(defaults::IDLE_TIMEOUT);
    let idle_timeout = taken.or("idle_timeout", idle, shown, shown).std();
    let judged = if from == From::Run { mine } else { Vec::new() };
    let total = judged.iter().try_fold(0_u64, |sum, writer| Some(sum.saturating_add(writer.total?)));
    let is_partial = |limit| from == From::Run && total.is_none_or(|total| limit < total);
    Some(ConsumePlan {
        topic: template,
        from,
        clients,
        partition: raw.partition,
        offset,
        limit: raw.limit,
        idle_timeout,
        producers: judged.iter().map(|writer| writer.name.clone()).collect(),
        partial: raw.limit.is_some_and(is_partial),
        readback: false,
        nobody_writes,
    })
}

/// Parses `offset`.
fn offset(cx: &mut Context<'_>, pointer: &str, raw: &raw::OffsetField) -> Option<StartOffset> {
    match raw {
        raw::OffsetField::Number(number) => Some(StartOffset::At(*number)),
        raw::OffsetField::Text(text) if text == "earliest" => Some(StartOffset::Earliest),
        raw::OffsetField::Text(text) if text == "latest" => Some(StartOffset::Latest),
        raw::OffsetField::Text(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Some(StartOffset::Timestamp(time.as_millisecond())),
            Err(_) => {
                let hint = Some("write it as `2026-01-16T14:54:02Z`".to_owned());
                let message = format!("invalid timestamp `{text}`");
                cx.about_value(&below(pointer, "offset"), &message, hint, "a timestamp");
                None
            }
        },
    }
}

/// Warns if a consumer reads a topic that no scenario of the file writes to and does not set `from`.
fn warn_of_nobody(cx: &mut Context<'_>, name: &str, topic: &str, writers: &[TopicWriter]) {
    let at_topic = below(&scenario_pointer(name), "topic");
    let is_replaced = cx.document.is_replaced(&at_topic);
    let shown = cx.document.shown(&at_topic).map_or_else(|| "its topic".to_owned(), |it| format!("`{it}`"));
    let message = format!(
        "no scenario in the file produces to {shown}: `{name}` reads whatever is there, and \
        verifies nothing"
    );
    let near = suggest::nearest(topic, writers.iter().map(|writer| writer.topic.as_str()));
    let hint = match near.filter(|_| !is_replaced) {
        Some(near) => format!("did you mean `{near}`? To read messages from others, set `from: any`"),
        None => "check the topic's name; to read messages from others, set `from: any`".to_owned(),
    };
    cx.warn(&at_topic, message, Some(hint));
}
