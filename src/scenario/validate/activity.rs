//! Activities: each scenario type's fields, taken together.
//!
//! Owns what makes one scenario a sensible one; what scenarios mean to each other is `references`'.

use indexmap::IndexMap;

use super::client;
use super::context::Context;
use super::parts::Parts;
use super::slot::{Slot, legal_name, scenario_pointer};
use super::topics::{Key, Topics};
use crate::scenario::expr;
use crate::scenario::format::{self, ScenarioKind, activity as raw};
use crate::scenario::node::below;
use crate::scenario::options::LoadOptions;
use crate::scenario::valid::{
    Acks, Activity, Consume, Content, From, Message, Metrics, Pace, Partitioning, Produce, Profile,
    Roundtrip, StartOffset, ValuePlan, Watch, When, Work,
};
use crate::scenario::{Series, Wired};
use crate::units::Duration;

/// The largest message that librdkafka can be told to send.
const MESSAGE_MAX: u64 = 1_000_000_000;

/// All activities by name, in the file's order.
pub(super) fn all(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    topics: &Topics,
    profile: &Profile,
    options: &LoadOptions<'_>,
) -> IndexMap<String, Slot> {
    let members = parts.json.pointer("/scenarios").and_then(serde_json::Value::as_object);
    let names: Vec<&String> = members.into_iter().flatten().map(|(name, _)| name).collect();
    if names.is_empty() && members.is_some() {
        cx.at_key(
            "/scenarios",
            "there is no scenario in it",
            Some("add one of type `produce`, say".to_owned()),
        );
    }
    let mut slots = IndexMap::new();
    for name in names {
        let pointer = scenario_pointer(name);
        if !legal_name(name) {
            let hint = Some("letters, digits, `_` and `-` may stand in the name of a scenario".to_owned());
            cx.at_key(&pointer, format!("`{name}` is no name for a scenario"), hint);
        }
        let kind = parts.json.pointer(&below(&pointer, "type")).and_then(|kind| kind.as_str());
        let kind = kind.and_then(ScenarioKind::from_name);
        let good = parts
            .get::<raw::Activity>(&pointer, cx)
            .and_then(|activity| one(cx, &pointer, name, &activity, topics, profile, options));
        let slot = good.map_or(Slot::Refused { kind }, |activity| Slot::Good(Box::new(activity)));
        slots.insert(name.clone(), slot);
    }
    slots
}

fn one(
    cx: &mut Context<'_>,
    pointer: &str,
    name: &str,
    activity: &raw::Activity,
    topics: &Topics,
    profile: &Profile,
    options: &LoadOptions<'_>,
) -> Option<Activity> {
    let common = activity.common();
    let timeout = cx.positive(&below(pointer, "timeout"), common.timeout.as_ref());
    let (at, when) = start(cx, pointer, "a scenario", common.at.as_ref(), common.when.as_deref());
    let own = common.brokers.and_then(|list| client::addresses(cx, &below(pointer, "brokers"), &list));
    let from_command_line = options.embedded || options.brokers.is_some();
    let work = match activity {
        raw::Activity::Connect(_) => Work::Connect,
        raw::Activity::Metrics(it) => Work::Metrics(metrics(cx, pointer, it, profile)?),
        raw::Activity::Produce(it) => Work::Produce(Box::new(produce(cx, pointer, it, topics)?)),
        raw::Activity::Consume(it) => Work::Consume(consume(cx, pointer, it, topics)?),
        raw::Activity::Roundtrip(it) => Work::Roundtrip(Box::new(roundtrip(cx, pointer, it, topics)?)),
        raw::Activity::Watch(it) => {
            Work::Watch(Watch { every: cx.positive(&below(pointer, "every"), it.every.as_ref()) })
        }
    };
    Some(Activity {
        name: name.to_owned(),
        after: common.after,
        at,
        when,
        timeout,
        brokers: own.filter(|_| !from_command_line),
        work,
        position: cx.document.position(cx.document.key_place(pointer)),
    })
}

/// Reads when a scenario or a fault starts.
pub(super) fn start(
    cx: &mut Context<'_>,
    pointer: &str,
    what: &str,
    at: Option<&format::Written<Duration>>,
    when: Option<&str>,
) -> (Option<Duration>, Option<When>) {
    let at = cx.quantity(&below(pointer, "at"), at);
    let at_when = below(pointer, "when");
    let when = when.and_then(|text| match expr::when(text) {
        Ok(when) => Some(when),
        Err(error) => {
            cx.about_value(&at_when, &error.message, error.hint, "a start by count");
            None
        }
    });
    if when.is_some() && at.is_some() {
        let hint = Some(format!("{what} starts by time or by count; leave one of the two out"));
        cx.at_key(&at_when, "`when` stands in place of `at`", hint);
    }
    (at, when)
}

fn metrics(cx: &mut Context<'_>, pointer: &str, raw: &raw::Metrics, profile: &Profile) -> Option<Metrics> {
    let every = cx.positive(&below(pointer, "every"), raw.every.as_ref());
    let url = match raw.url.as_ref().or(profile.metrics_url.as_ref()) {
        Some(url) => url.trim().to_owned(),
        None => {
            if !profile.failed {
                let hint = Some("add `url: http://...`, or give the profile a `metrics_url`".to_owned());
                cx.at_key(pointer, "the scenario has no `url`", hint);
            }
            return None;
        }
    };
    let at_url = below(pointer, "url");
    let read = match Wired::parse(&url) {
        Ok(wired) => wired,
        Err(error) => {
            cx.about_value(&at_url, &error.message, error.hint, "an HTTP address");
            return None;
        }
    };
    let sample = read.resolve(|_| "host:1".to_owned());
    let host = sample.strip_prefix("http://").or_else(|| sample.strip_prefix("https://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace))
    {
        let hint = Some("write `http://host:port/path`".to_owned());
        cx.about_value(&at_url, &format!("`{url}` is no HTTP address"), hint, "an HTTP address");
        return None;
    }
    let mut contains = Vec::new();
    for (index, text) in raw.contains.iter().flatten().enumerate() {
        match Series::parse(text) {
            Some(series) => contains.push((text.clone(), series)),
            None => {
                let hint = Some("write its name, or its name with labels: `up{job=\"a\"}`".to_owned());
                let at = below(&below(pointer, "contains"), index);
                cx.about_value(&at, &format!("`{text}` is no series"), hint, "a series");
            }
        }
    }
    Some(Metrics { url: read, contains, every })
}

fn produce(cx: &mut Context<'_>, pointer: &str, raw: &raw::Produce, topics: &Topics) -> Option<Produce> {
    let duration = cx.positive(&below(pointer, "duration"), raw.duration.as_ref());
    let rate = cx.quantity(&below(pointer, "rate"), raw.rate.as_ref());
    let stages = raw.stages.as_ref().map(|stages| self::stages(cx, &below(pointer, "stages"), stages));
    if raw.rate.is_some() && stages.is_some() {
        let hint = Some("a stage has its own rate; leave `rate` out".to_owned());
        cx.at_key(&below(pointer, "rate"), "`rate` and `stages` exclude each other", hint);
    }
    if raw.messages.is_none() && raw.duration.is_none() && stages.is_none() {
        let hint = Some("add `messages: 1000`, `duration: 30s` or `stages`".to_owned());
        cx.at_key(pointer, "nothing says when this producer is done", hint);
    }
    let partition = raw.partition.as_ref().map(|partition| match partition {
        raw::ProducePartition::Number(number) => Partitioning::Fixed(*number),
        raw::ProducePartition::Word(word) if word == "by_key" => Partitioning::ByKey,
        raw::ProducePartition::Word(_) => Partitioning::RoundRobin,
    });
    if partition == Some(Partitioning::ByKey) && raw.key.is_none() {
        let hint = Some("add a `key`, such as `key: \"{{client}}\"`".to_owned());
        cx.at(&below(pointer, "partition"), "messages without a key cannot go by their key", hint);
    }
    let max_in_flight = cx.quantity(&below(pointer, "max_in_flight"), raw.max_in_flight.as_ref());
    if max_in_flight.is_some_and(|bytes| bytes.get() == 0) {
        cx.at(&below(pointer, "max_in_flight"), "this must be above 0", None);
    }
    let message = message(
        cx,
        pointer,
        &MessageFields {
            acks: raw.acks.as_ref(),
            compression: raw.compression,
            idempotence: raw.idempotence,
            key: raw.key.as_deref(),
            headers: raw.headers.as_ref(),
            value: raw.value.as_ref(),
        },
    );
    if let (Some(bytes), Some(ValuePlan::Size { bytes: size, .. })) = (max_in_flight, &message.value)
        && bytes.get() < *size
    {
        let hint = Some(format!("a message's value alone has {size} bytes"));
        cx.at(&below(pointer, "max_in_flight"), "no message fits into this", hint);
    }
    let fixed = match partition {
        Some(Partitioning::Fixed(number)) => Some(number),
        _ => None,
    };
    let topic = topics.used(cx, pointer, raw.topic.as_deref(), fixed)?;
    let verify = raw.verify.unwrap_or(true);
    let template = message.key.as_ref();
    topics.check_key(
        cx,
        pointer,
        &topic,
        Key { is_written: raw.key.is_some(), template, is_verified: verify },
    );
    let pace = match (rate, stages) {
        (_, Some(stages)) => Pace::Stages(stages),
        (Some(rate), None) => Pace::Rate(rate),
        (None, None) => Pace::Closed,
    };
    let max_in_flight = max_in_flight.map(crate::units::ByteSize::get);
    let produce = Produce {
        topic,
        clients: raw.clients,
        messages: raw.messages,
        duration,
        pace,
        partition,
        message,
        max_in_flight,
        verify,
    };
    // A stage that is refused itself has been told of.
    let all_read =
        matches!(&produce.pace, Pace::Stages(read) if read.len() == raw.stages.as_ref().map_or(0, Vec::len));
    if matches!(produce.pace, Pace::Rate(_)) && produce.planned_total() == Some(0) {
        cx.at(&below(pointer, "duration"), "at this rate, no message is due in this time", None);
    }
    if all_read && produce.planned_total() == Some(0) {
        cx.at_key(&below(pointer, "stages"), "the stages are too short for a single message", None);
    }
    Some(produce)
}

fn stages(cx: &mut Context<'_>, pointer: &str, raw: &[raw::Stage]) -> Vec<(Duration, crate::units::Rate)> {
    let mut stages = Vec::new();
    for (index, stage) in raw.iter().enumerate() {
        let pointer = below(pointer, index);
        let duration = cx.positive(&below(&pointer, "duration"), Some(&stage.duration));
        let rate = cx.quantity(&below(&pointer, "rate"), Some(&stage.rate));
        stages.extend(duration.zip(rate));
    }
    stages
}

/// What producers and round trips have in common.
struct MessageFields<'a> {
    acks: Option<&'a raw::Acks>,
    compression: Option<raw::Compression>,
    idempotence: Option<bool>,
    key: Option<&'a str>,
    headers: Option<&'a IndexMap<String, format::written::Plain>>,
    value: Option<&'a raw::Value>,
}

fn message(cx: &mut Context<'_>, pointer: &str, raw: &MessageFields<'_>) -> Message {
    let acks = raw.acks.map(|acks| match acks.0.as_str() {
        "0" => Acks::None,
        "1" => Acks::Leader,
        _ => Acks::All,
    });
    let idempotence = raw.idempotence.unwrap_or(false);
    if idempotence && matches!(acks, Some(Acks::None | Acks::Leader)) {
        let hint = Some("write `acks: all`, or leave it out".to_owned());
        cx.at(&below(pointer, "acks"), "idempotence needs all replicas to confirm", hint);
    }
    let key = raw.key.and_then(|text| cx.template(&below(pointer, "key"), text));
    let at_headers = below(pointer, "headers");
    let mut headers = Vec::new();
    for (name, text) in raw.headers.into_iter().flatten() {
        let at = below(&at_headers, name);
        if name.is_empty() || name.starts_with("kaf6") {
            let hint = Some("names that begin with `kaf6` are kaf6's own".to_owned());
            cx.at_key(&at, format!("`{name}` is no name for a header here"), hint);
        }
        headers.extend(cx.template(&at, &text.0).map(|template| (name.clone(), template)));
    }
    let value = raw.value.and_then(|value| self::value(cx, &below(pointer, "value"), value));
    let compression = raw.compression.map(|codec| match codec {
        raw::Compression::None => "none",
        raw::Compression::Gzip => "gzip",
        raw::Compression::Snappy => "snappy",
        raw::Compression::Lz4 => "lz4",
        raw::Compression::Zstd => "zstd",
    });
    Message { acks, compression, idempotence, key, headers, value }
}

fn value(cx: &mut Context<'_>, pointer: &str, raw: &raw::Value) -> Option<ValuePlan> {
    let written = [raw.json.is_some(), raw.text.is_some(), raw.size.is_some()];
    let count = written.iter().filter(|written| **written).count();
    if count != 1 {
        let hint = Some("`json: {...}`, `text: \"...\"` or `size: 1KiB`".to_owned());
        let message =
            if count == 0 { "the value is not said" } else { "the value is said in more than one way" };
        cx.at_key(pointer, message, hint);
    }
    if raw.content.is_some() && raw.size.is_none() {
        cx.at_key(&below(pointer, "content"), "`content` goes with `size` only", None);
    }
    if let Some(document) = &raw.json {
        return cx.json_template(&below(pointer, "json"), document).map(ValuePlan::Text);
    }
    if let Some(text) = &raw.text {
        return cx.template(&below(pointer, "text"), text).map(ValuePlan::Text);
    }
    let at_size = below(pointer, "size");
    let bytes = cx.quantity(&at_size, raw.size.as_ref())?.get();
    if bytes > MESSAGE_MAX {
        cx.at(
            &at_size,
            "no Kafka client sends a message as large as this",
            Some("the most is 1GB".to_owned()),
        );
        return None;
    }
    let content = match raw.content {
        Some(raw::Filling::Zeros) => Content::Zeros,
        Some(raw::Filling::Random) | None => Content::Random,
    };
    Some(ValuePlan::Size { bytes, content })
}

fn consume(cx: &mut Context<'_>, pointer: &str, raw: &raw::Consume, topics: &Topics) -> Option<Consume> {
    let idle_timeout = cx.positive(&below(pointer, "idle_timeout"), raw.idle_timeout.as_ref());
    let offset = raw.offset.as_ref().and_then(|offset| match offset {
        raw::Offset::Number(number) => Some(StartOffset::At(*number)),
        raw::Offset::Text(text) if text == "earliest" => Some(StartOffset::Earliest),
        raw::Offset::Text(text) if text == "latest" => Some(StartOffset::Latest),
        raw::Offset::Text(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Some(StartOffset::Timestamp(time.as_millisecond())),
            Err(_) => {
                let hint = Some("write it as `2026-01-16T14:54:02Z`".to_owned());
                let message = format!("`{text}` is no moment in time");
                cx.about_value(&below(pointer, "offset"), &message, hint, "a moment in time");
                None
            }
        },
    });
    let topic = topics.used(cx, pointer, raw.topic.as_deref(), raw.partition)?;
    Some(Consume {
        topic,
        from: if raw.from == Some(raw::From::Run) { From::Run } else { From::Any },
        from_written: raw.from.is_some(),
        nobody_writes: false,
        clients: raw.clients,
        partition: raw.partition,
        offset,
        limit: raw.limit,
        idle_timeout,
        producers: Vec::new(),
        unconfirmed: None,
        partial: false,
        readback: false,
    })
}

fn roundtrip(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &raw::Roundtrip,
    topics: &Topics,
) -> Option<Roundtrip> {
    let iteration_timeout = cx.positive(&below(pointer, "iteration_timeout"), raw.iteration_timeout.as_ref());
    let message = message(
        cx,
        pointer,
        &MessageFields {
            acks: raw.acks.as_ref(),
            compression: raw.compression,
            idempotence: raw.idempotence,
            key: raw.key.as_deref(),
            headers: raw.headers.as_ref(),
            value: raw.value.as_ref(),
        },
    );
    let topic = topics.used(cx, pointer, raw.topic.as_deref(), Some(raw.partition.unwrap_or(0)))?;
    let verify = raw.verify.unwrap_or(true);
    let template = message.key.as_ref();
    topics.check_key(
        cx,
        pointer,
        &topic,
        Key { is_written: raw.key.is_some(), template, is_verified: verify },
    );
    Some(Roundtrip {
        topic,
        partition: raw.partition,
        iterations: raw.iterations,
        warmup: raw.warmup,
        clients: raw.clients,
        iteration_timeout,
        message,
        verify,
    })
}
