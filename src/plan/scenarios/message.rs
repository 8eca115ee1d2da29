//! What `produce` and `roundtrip` share: acks, compression, key, headers and value of their messages, and
//! timeouts that grow with a count.

use std::time::Duration;

use indexmap::IndexMap;

use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::{Acks, Compression, ValueContent, ValuePlan, defaults};
use crate::scenario::format::activity as raw;
use crate::scenario::format::written::Plain;
use crate::scenario::source::node::below;
use crate::scenario::{Secrets, Template};
use crate::units::ByteSize;

/// Maximum message size that librdkafka can be configured for.
const MESSAGE_MAX: u64 = 1_000_000_000;

/// The fields that `produce` and `roundtrip` share.
pub(super) struct MessageFields<'a> {
    pub(super) acks: Option<Acks>,
    pub(super) compression: Option<Compression>,
    pub(super) idempotence: Option<bool>,
    pub(super) key: Option<&'a str>,
    pub(super) headers: Option<&'a IndexMap<String, Plain>>,
    pub(super) value: Option<&'a raw::Value>,
    pub(super) verify: Option<bool>,
}

/// The fields of `raw`, a `Produce` or a `Roundtrip`.
macro_rules! message_fields {
    ($raw:expr) => {
        $crate::plan::scenarios::message::MessageFields {
            acks: $raw.acks,
            compression: $raw.compression,
            idempotence: $raw.idempotence,
            key: $raw.key.as_deref(),
            headers: $raw.headers.as_ref(),
            value: $raw.value.as_ref(),
            verify: $raw.verify,
        }
    };
}
pub(super) use message_fields;

/// The messages of a scenario.
#[derive(Debug, Clone)]
pub struct MessagePlan {
    /// Replicas that must acknowledge a message.
    pub acks: Acks,
    pub compression: Compression,
    /// Use the idempotent producer, so that the broker drops duplicates.
    pub idempotence: bool,
    pub key: Option<Template>,
    pub headers: Vec<(String, Template)>,
    pub value: ValuePlan,
    /// Whether each acked message must be read back. If not, the account counts it as excluded.
    pub verify: bool,
}

pub(super) fn message(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &MessageFields<'_>,
    taken: &mut DefaultsRecorder,
) -> MessagePlan {
    let acks = taken.or("acks", raw.acks, defaults::ACKS, "all");
    let compression =
        taken.or("compression", raw.compression, defaults::COMPRESSION, defaults::COMPRESSION.name());
    let idempotence = raw.idempotence.unwrap_or(false);
    if idempotence && matches!(acks, Acks::None | Acks::Leader) {
        let hint = Some("set `acks: all`, or remove `acks`".to_owned());
        cx.at(&below(pointer, "acks"), "`idempotence: true` requires `acks: all`", hint);
    }
    let key = raw.key.and_then(|text| cx.template(&below(pointer, "key"), text));
    let at_headers = below(pointer, "headers");
    let mut headers = Vec::new();
    for (name, text) in raw.headers.into_iter().flatten() {
        let at = below(&at_headers, name);
        if name.is_empty() || name.starts_with("kaf6") {
            let hint = Some("names that begin with `kaf6` are reserved for kaf6".to_owned());
            cx.at_key(&at, format!("invalid header name `{name}`"), hint);
        }
        headers.extend(cx.template(&at, &text.0).map(|template| (name.clone(), template)));
    }
    let value = raw.value.and_then(|value| self::value(cx, &below(pointer, "value"), value));
    let value = value.unwrap_or_else(|| {
        let value = defaults::value();
        if let ValuePlan::Text(template) = &value {
            taken.note("value", template);
        }
        value
    });
    MessagePlan { acks, compression, idempotence, key, headers, value, verify: raw.verify.unwrap_or(true) }
}

fn value(cx: &mut Context<'_>, pointer: &str, raw: &raw::Value) -> Option<ValuePlan> {
    let written = [raw.json.is_some(), raw.text.is_some(), raw.size.is_some()];
    let count = written.iter().filter(|written| **written).count();
    if count != 1 {
        let hint = Some("use `json: {...}`, `text: \"...\"` or `size: 1KiB`".to_owned());
        let message = if count == 0 { "the value is missing" } else { "the value is defined more than once" };
        cx.at_key(pointer, message, hint);
    }
    if raw.content.is_some() && raw.size.is_none() {
        cx.at_key(&below(pointer, "content"), "`content` requires `size`", None);
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
        cx.at(&at_size, "too large for a Kafka message", Some("use at most 1GB".to_owned()));
        return None;
    }
    let content = raw.content.unwrap_or(ValueContent::Random);
    Some(ValuePlan::Size { bytes, content })
}

/// A default timeout that grows with a count.
pub(super) fn counted_timeout(count: u64, each: Duration) -> Duration {
    let nanos = each.as_nanos().saturating_mul(count.into());
    let sum = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    sum.saturating_add(defaults::LEAST_TIMEOUT).min(defaults::MOST_TIMEOUT)
}

impl MessagePlan {
    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self, secrets: &Secrets) -> Vec<String> {
        let acks = match self.acks {
            Acks::None => "acks 0",
            Acks::Leader => "acks 1",
            Acks::All => "acks all",
        };
        let value = match &self.value {
            ValuePlan::Text(template) => {
                // A part of a secret would not be recognized as one.
                let text = template.to_string();
                let text = secrets.as_written(&text);
                let short: String = text.chars().take(60).collect();
                if short.len() < text.len() { format!("{short}...") } else { short }
            }
            ValuePlan::Size { bytes, content } => {
                let content = match content {
                    ValueContent::Random => "random",
                    ValueContent::Zeros => "zero",
                };
                format!("{} of {content} bytes", ByteSize::new(*bytes))
            }
        };
        let idempotence = if self.idempotence { ", idempotent" } else { "" };
        let compression = self.compression.name();
        let mut lines = vec![format!("{acks}, compression {compression}{idempotence}; value {value}")];
        if !self.verify {
            lines.push("not verified: the messages need not be read back".to_owned());
        }
        lines
    }
}
