//! `produce`: number of messages, rate, topic and partition.

use std::fmt::Write;
use std::time::Duration as StdDuration;

use super::message::{MessagePlan, counted_timeout, message, message_fields};
use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::compile::topics::{Key, Topics};
use crate::plan::render::{count, time};
use crate::plan::{Partitioning, Schedule, ValuePlan, defaults};
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;
use crate::scenario::{Secrets, Template};
use crate::units::{ByteSize, Duration, Rate, thousands};

/// `type: produce`.
#[derive(Debug, Clone)]
pub struct ProducePlan {
    pub topic: Template,
    /// Number of producers that share the totals.
    pub clients: u32,
    /// Stop after this number of messages, over all clients.
    pub messages: Option<u64>,
    /// Stop after this time.
    pub duration: Option<StdDuration>,
    /// When each message is scheduled, over all clients. `None` means a closed loop.
    pub schedule: Option<Schedule>,
    /// How a message's partition is chosen.
    pub partition: Partitioning,
    /// Maximum bytes in flight over all clients.
    pub max_in_flight: u64,
    pub message: MessagePlan,
}

pub(super) fn produce(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &raw::Produce,
    topics: &Topics,
    taken: &mut DefaultsRecorder,
) -> Option<ProducePlan> {
    let duration = cx.positive(&below(pointer, "duration"), raw.duration.as_ref()).map(Duration::std);
    let rate: Option<Rate> = cx.quantity(&below(pointer, "rate"), raw.rate.as_ref());
    let stages = raw.stages.as_ref().map(|stages| self::stages(cx, &below(pointer, "stages"), stages));
    if raw.rate.is_some() && stages.is_some() {
        let hint = Some("remove `rate`, because each stage has its own".to_owned());
        cx.at_key(&below(pointer, "rate"), "`rate` and `stages` cannot be combined", hint);
    }
    if raw.messages.is_none() && raw.duration.is_none() && stages.is_none() {
        let hint = Some("add `messages: 1000`, `duration: 30s` or `stages`".to_owned());
        cx.at_key(pointer, "this producer has no end", hint);
    }
    if raw.partition == Some(Partitioning::ByKey) && raw.key.is_none() {
        let hint = Some("add a `key`, such as `key: \"{{client}}\"`".to_owned());
        cx.at(&below(pointer, "partition"), "`partition: by_key` requires a `key`", hint);
    }
    let fixed = match raw.partition {
        Some(Partitioning::Fixed(number)) => Some(number),
        _ => None,
    };
    let topic = topics.used(cx, pointer, raw.topic.as_deref(), fixed, taken);
    let clients = taken.or("clients", raw.clients, defaults::CLIENTS, defaults::CLIENTS);
    let is_paced = rate.is_some() && stages.is_none();
    // An invalid stage is already reported.
    let is_staged = stages.as_ref().map(Vec::len) == raw.stages.as_ref().map(Vec::len) && stages.is_some();
    let schedule = schedule(rate, stages, duration);
    if schedule.is_none() {
        taken.note("rate", "as fast as acks allow");
    }
    let partition = taken.or("partition", raw.partition, defaults::PARTITIONING, "round_robin");
    let message = message(cx, pointer, &message_fields!(raw), taken);
    let at_most = below(pointer, "max_in_flight");
    let max_in_flight = cx.quantity(&at_most, raw.max_in_flight.as_ref()).map(ByteSize::get);
    if max_in_flight == Some(0) {
        cx.at(&at_most, "invalid size `0`: expected more than 0", None);
    }
    if let (Some(bytes), ValuePlan::Size { bytes: size, .. }) = (max_in_flight, &message.value)
        && bytes < *size
    {
        let hint = Some(format!("each value has {} bytes", thousands(*size)));
        cx.at(&at_most, "`max_in_flight` is too small for a single message", hint);
    }
    let shown = ByteSize::new(defaults::MAX_IN_FLIGHT);
    let max_in_flight = taken.or("max_in_flight", max_in_flight, defaults::MAX_IN_FLIGHT, shown);
    let topic = topic?;
    let (template, is_verified) = (message.key.as_ref(), message.verify);
    let key = Key { is_written: raw.key.is_some(), template, is_verified };
    topics.check_key(cx, pointer, &topic, key);
    let produce = ProducePlan {
        topic,
        clients,
        messages: raw.messages,
        duration,
        schedule,
        partition,
        max_in_flight,
        message,
    };
    if is_paced && produce.total() == Some(0) {
        cx.at(&below(pointer, "duration"), "no message is due within this time at this rate", None);
    }
    if is_staged && produce.total() == Some(0) {
        cx.at_key(&below(pointer, "stages"), "the stages are too short for a single message", None);
    }
    Some(produce)
}

/// The schedule of the messages. `None` means a closed loop.
fn schedule(
    rate: Option<Rate>,
    stages: Option<Vec<(Duration, Rate)>>,
    duration: Option<StdDuration>,
) -> Option<Schedule> {
    if let Some(stages) = stages {
        return Some(Schedule::stages(stages.iter().map(|(length, rate)| (length.std(), rate.get()))));
    }
    let rate = rate?.get();
    Some(match duration {
        Some(length) => Schedule::stages([(length, rate)]),
        None => Schedule::constant(rate),
    })
}

fn stages(cx: &mut Context<'_>, pointer: &str, raw: &[raw::StageFields]) -> Vec<(Duration, Rate)> {
    let mut stages = Vec::new();
    for (index, stage) in raw.iter().enumerate() {
        let pointer = below(pointer, index);
        let duration = cx.positive(&below(&pointer, "duration"), Some(&stage.duration));
        let rate = cx.quantity(&below(&pointer, "rate"), Some(&stage.rate));
        stages.extend(duration.zip(rate));
    }
    stages
}

impl ProducePlan {
    /// Number of messages that it will send, if known in advance.
    pub fn total(&self) -> Option<u64> {
        match (self.messages, self.schedule.as_ref().and_then(Schedule::total)) {
            (Some(messages), Some(scheduled)) => Some(messages.min(scheduled)),
            // Without a rate, `duration` may end the scenario before all `messages` are sent.
            (Some(_), None) if self.duration.is_some() && self.schedule.is_none() => None,
            (messages, scheduled) => messages.or(scheduled),
        }
    }

    /// How long it sends, if known in advance.
    pub fn length(&self) -> Option<StdDuration> {
        let scheduled = self.schedule.as_ref().and_then(|schedule| schedule.length(self.messages));
        match (scheduled, self.duration) {
            (Some(scheduled), Some(duration)) => Some(scheduled.min(duration)),
            (scheduled, duration) => scheduled.or(duration),
        }
    }

    pub(super) fn default_timeout(&self) -> StdDuration {
        match self.length() {
            Some(length) => length.saturating_add(defaults::GRACE),
            None => counted_timeout(self.messages.unwrap_or(0), defaults::PER_MESSAGE),
        }
    }

    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self, secrets: &Secrets) -> Vec<String> {
        let clients = u64::from(self.clients);
        let scheduled = self.schedule.as_ref().and_then(Schedule::total);
        let total = match (self.messages, scheduled) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let mut what = count(clients, "client");
        match total {
            Some(total) if clients == 1 => {
                let _ = write!(what, " sending {}", count(total, "message"));
            }
            Some(total) => {
                let each = if total % clients == 0 {
                    format!("{} each", thousands(total / clients))
                } else {
                    format!("{} or {} each", thousands(total / clients), thousands(total / clients + 1))
                };
                let _ = write!(what, " sharing {}, {each}", count(total, "message"));
            }
            None => what.push_str(" sending"),
        }
        if let Some(duration) = self.duration {
            let _ = write!(what, ", for at most {}", time(duration));
        }
        what.push_str(&match &self.schedule {
            None => ", as fast as acks allow".to_owned(),
            Some(schedule) => {
                let rate = Rate::per_second(round(schedule.mean_rate()));
                let rate = rate.map_or_else(String::new, |rate| rate.to_string());
                let exact = schedule.total().is_none() || self.duration.is_some();
                format!(", {rate} in total{}", if exact { "" } else { " on average, in stages" })
            }
        });
        let to = match self.partition {
            Partitioning::Fixed(partition) => format!("partition {partition} of {}", self.topic),
            Partitioning::RoundRobin => format!("{}, round robin over its partitions", self.topic),
            Partitioning::ByKey => format!("{}, partitions by key", self.topic),
        };
        let mut lines =
            vec![what, format!("to {to}; at most {} in flight", ByteSize::new(self.max_in_flight))];
        lines.extend(self.message.lines(secrets));
        if let Some(key) = &self.message.key {
            lines.push(format!("key {key}"));
        }
        if !self.message.headers.is_empty() {
            let headers: Vec<String> =
                self.message.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
            lines.push(format!("headers {}", headers.join(", ")));
        }
        lines
    }
}

/// Two decimal places are precise enough.
fn round(rate: f64) -> f64 {
    if rate < 1.0 { rate } else { (rate * 100.0).round() / 100.0 }
}
