//! Compiles `produce`: number of messages, rate, topic and partition.

use super::message::{message, message_fields};
use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::compile::topics::{Key, Topics};
use crate::plan::{Partitioning, ProducePlan, Schedule, ValuePlan, defaults};
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;
use crate::units::{ByteSize, Duration, Rate, thousands};

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
    let verify = raw.verify.unwrap_or(true);
    let key = Key { is_written: raw.key.is_some(), template: message.key.as_ref(), is_verified: verify };
    topics.check_key(cx, pointer, &topic, key);
    let produce = ProducePlan {
        topic,
        clients,
        messages: raw.messages,
        duration,
        schedule,
        partition,
        acks: message.acks,
        compression: message.compression,
        idempotence: message.idempotence,
        max_in_flight,
        key: message.key,
        headers: message.headers,
        value: message.value,
        verify,
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
    duration: Option<std::time::Duration>,
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
