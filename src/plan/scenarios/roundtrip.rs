//! `roundtrip`: the number of round trips, and their messages.

use std::time::Duration as StdDuration;

use super::message::{MessagePlan, counted_timeout, message, message_fields};
use crate::ids::Partition;
use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::compile::topics::{Key, Topics};
use crate::plan::defaults;
use crate::plan::render::{count, time};
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;
use crate::scenario::{Secrets, Template};
use crate::units::Duration;

/// `type: roundtrip`: one producer and one reader per client, open for all iterations.
#[derive(Debug, Clone)]
pub struct RoundtripPlan {
    pub topic: Template,
    pub partition: Partition,
    /// Number of measured round trips, over all clients.
    pub iterations: u64,
    /// Number of round trips before the measured ones. They are not counted.
    pub warmup: u64,
    /// Number of clients that run in parallel.
    pub clients: u32,
    /// Time from the start of a round trip to the start of the client's next one. `None`: the next one starts
    /// immediately.
    pub every: Option<StdDuration>,
    /// Timeout of one round trip.
    pub iteration_timeout: StdDuration,
    pub message: MessagePlan,
}

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
    let every = cx.positive(&below(pointer, "every"), raw.every.as_ref()).map(Duration::std);
    let each = cx.positive(&below(pointer, "iteration_timeout"), raw.iteration_timeout.as_ref());
    let shown = Duration::from(defaults::ITERATION_TIMEOUT);
    let iteration_timeout = taken.or("iteration_timeout", each, shown, shown).std();
    let message = message(cx, pointer, &message_fields!(raw), taken);
    let topic = topic?;
    let (template, is_verified) = (message.key.as_ref(), message.verify);
    let key = Key { is_written: raw.key.is_some(), template, is_verified };
    topics.check_key(cx, pointer, &topic, key);
    Some(RoundtripPlan { topic, partition, iterations, warmup, clients, every, iteration_timeout, message })
}

impl RoundtripPlan {
    pub(super) fn default_timeout(&self) -> StdDuration {
        let count = self.iterations.saturating_add(self.warmup);
        let each = count.div_ceil(u64::from(self.clients).max(1));
        let paused = self
            .every
            .map_or(StdDuration::ZERO, |every| every.saturating_mul(u32::try_from(each).unwrap_or(u32::MAX)));
        paused.saturating_add(counted_timeout(each, defaults::PER_ROUNDTRIP))
    }

    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self, secrets: &Secrets) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{}: {} in total, on partition {} of {}, after {} for warm-up",
                count(self.clients.into(), "client"),
                count(self.iterations, "round trip"),
                self.partition,
                self.topic,
                self.warmup,
            ),
            match self.every {
                Some(every) => format!(
                    "each client starts one every {}; each waits at most {}",
                    time(every),
                    time(self.iteration_timeout)
                ),
                None => format!("each waits at most {}", time(self.iteration_timeout)),
            },
        ];
        lines.extend(self.message.lines(secrets));
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::plan::{load_text, render};
    use crate::scenario::LoadOptions;

    #[test]
    fn paced_round_trips_have_the_time_of_their_pauses_too() {
        let timeout = |fields: &str| {
            let text = format!(
                "brokers: embedded\ntopics: [{{name: t}}]\nscenarios: {{ping: {{type: roundtrip, {fields}}}}}\n"
            );
            let none = |_: &str| None;
            let plan = load_text(Path::new("f.yaml"), &text, &LoadOptions::new(&none)).expect("a good file");
            let shown = render::timeline::render(&plan);
            assert_eq!(shown.contains("each client starts one every 2s; each waits"), fields.contains("2s"));
            plan.scenarios[0].timeout.as_secs()
        };
        assert_eq!(timeout("iterations: 95"), 80);
        assert_eq!(timeout("iterations: 95, every: 2s"), 280);
        assert_eq!(timeout("iterations: 95, clients: 4, every: 2s"), 115);
        // A day of round trips may last longer than a day.
        assert_eq!(timeout("iterations: 43195, every: 2s"), 86_400 + 60 + 43_200 / 5);
    }
}
