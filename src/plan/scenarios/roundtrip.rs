//! Compiles `roundtrip`: the number of round trips, and their messages.

use super::message::{message, message_fields};
use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::compile::topics::{Key, Topics};
use crate::plan::{RoundtripPlan, defaults};
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;
use crate::units::Duration;

pub(super) fn roundtrip(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &raw::Roundtrip,
    topics: &Topics,
    taken: &mut DefaultsRecorder,
) -> Option<RoundtripPlan> {
    let default = defaults::ROUNDTRIP_PARTITION;
    let topic = topics.used(cx, pointer, raw.topic.as_deref(), Some(raw.partition.unwrap_or(default)), taken);
    let partition = taken.or("partition", raw.partition, default, default);
    let iterations = taken.or("iterations", raw.iterations, defaults::ITERATIONS, defaults::ITERATIONS);
    let warmup = taken.or("warmup", raw.warmup, defaults::WARMUP, defaults::WARMUP);
    let clients = taken.or("clients", raw.clients, defaults::CLIENTS, defaults::CLIENTS);
    let each = cx.positive(&below(pointer, "iteration_timeout"), raw.iteration_timeout.as_ref());
    let shown = Duration::from(defaults::ITERATION_TIMEOUT);
    let iteration_timeout = taken.or("iteration_timeout", each, shown, shown).std();
    let message = message(cx, pointer, &message_fields!(raw), taken);
    let topic = topic?;
    let verify = raw.verify.unwrap_or(true);
    let key = Key { is_written: raw.key.is_some(), template: message.key.as_ref(), is_verified: verify };
    topics.check_key(cx, pointer, &topic, key);
    Some(RoundtripPlan {
        topic,
        partition,
        iterations,
        warmup,
        clients,
        iteration_timeout,
        acks: message.acks,
        compression: message.compression,
        idempotence: message.idempotence,
        key: message.key,
        headers: message.headers,
        value: message.value,
        verify,
    })
}
