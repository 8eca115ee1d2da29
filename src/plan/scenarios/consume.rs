//! `consume`: topic, partitions, start offset, limit, and the producers whose messages it checks.

use std::collections::HashSet;
use std::time::Duration as StdDuration;

use crate::ids::Partition;
use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::compile::scenario_table::scenario_pointer;
use crate::plan::compile::topics::Topics;
use crate::plan::render::{count, time};
use crate::plan::{From, StartOffset, defaults};
use crate::scenario::Template;
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use crate::units::{Duration, thousands};

/// `type: consume`.
#[derive(Debug, Clone)]
pub struct ConsumePlan {
    pub topic: Template,
    /// Which records count.
    pub from: From,
    /// Number of threads that share the partitions.
    pub clients: u32,
    /// One partition. `None` means all partitions of the topic.
    pub partition: Option<Partition>,
    pub offset: StartOffset,
    /// Number of distinct messages to read, over all clients. With `from: any`, records.
    pub limit: Option<u64>,
    /// How long no message may arrive. The time starts when the end marker is acked or cannot be written.
    pub idle_timeout: StdDuration,
    /// Scenarios of this file that write what this consumer reads. The log is complete when they have ended.
    pub producers: Vec<String>,
    /// Whether the limit is below the number of messages that the producers will send. The rest is not
    /// checked.
    pub partial: bool,
    /// Whether kaf6 added the consumer to read back messages that no consumer of the file reads. It reads the
    /// partitions for which [`is_left`](crate::plan::is_left) is true.
    pub readback: bool,
    /// No scenario of the file writes to the topic, and the file does not say that others do. That is a
    /// likely mistake.
    pub nobody_writes: bool,
}

/// The scenarios that write to each topic.
#[derive(Default)]
pub(super) struct Writers {
    pub(super) producers: Vec<TopicWriter>,
    /// The topics of round trips.
    pub(super) round_trips: HashSet<String>,
    /// True if no scenario that may write to a topic is invalid.
    pub(super) all_known: bool,
}

/// A producer.
pub(super) struct TopicWriter {
    pub(super) name: String,
    pub(super) topic: String,
    /// Number of messages that it will send.
    pub(super) total: Option<u64>,
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
        let hint = Some("set `from: any` to read messages that this file does not produce".to_owned());
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
        "no scenario in the file produces to {shown}: `{name}` reads all records in it, and \
        verifies nothing"
    );
    let near = suggest::nearest(topic, writers.iter().map(|writer| writer.topic.as_str()));
    let hint = match near.filter(|_| !is_replaced) {
        Some(near) => {
            format!(
                "did you mean `{near}`? To read messages that this file does not produce, set `from: any`"
            )
        }
        None => "check the topic's name; to read messages that this file does not produce, set `from: any`"
            .to_owned(),
    };
    cx.warn(&at_topic, message, Some(hint));
}

impl ConsumePlan {
    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.readback {
            let added = "added automatically: reads back what no consumer in the file reads";
            return vec![added.to_owned(), self.judges()];
        }
        let what = match self.from {
            From::Run => "records of this run",
            From::Any => "all records",
        };
        let where_ = self.partition.map_or_else(
            || format!("all partitions of {}", self.topic),
            |partition| format!("partition {partition} of {}", self.topic),
        );
        let from = match self.offset {
            StartOffset::Earliest => "the log's start".to_owned(),
            StartOffset::Latest => "the log's end".to_owned(),
            StartOffset::At(offset) => format!("offset {offset}"),
            StartOffset::Timestamp(ms) => {
                jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |t| t.to_string())
            }
        };
        let until = match self.limit {
            Some(1) => "until 1 message is read".to_owned(),
            Some(limit) => format!("until {} distinct messages are read", thousands(limit)),
            None => "to the end of the log".to_owned(),
        };
        let mut lines = vec![
            format!("{} reading {where_}, from {from}", count(self.clients.into(), "client")),
            format!("{what}, {until}, or until nothing arrives for {}", time(self.idle_timeout)),
        ];
        if !self.producers.is_empty() {
            lines.push(self.judges());
        }
        lines
    }

    fn judges(&self) -> String {
        let sends = if self.producers.len() == 1 { "sends" } else { "send" };
        format!("verifies what {} {sends}", self.producers.join(", "))
    }
}
