//! Properties of a scenario's work that do not depend on its kind.

use std::time::Duration;

use super::{
    Acks, ConsumePlan, From, Partitioning, Plan, ProducePlan, ScenarioKind, ScenarioPlan, Schedule, Work,
};
use crate::ids::Partition;
use crate::scenario::Template;

impl Work {
    pub const fn kind(&self) -> ScenarioKind {
        match self {
            Self::Connect(_) => ScenarioKind::Connect,
            Self::Metrics(_) => ScenarioKind::Metrics,
            Self::Produce(_) => ScenarioKind::Produce,
            Self::Consume(_) => ScenarioKind::Consume,
            Self::Roundtrip(_) => ScenarioKind::Roundtrip,
            Self::Watch(_) => ScenarioKind::Watch,
        }
    }

    /// The topic that it writes or reads.
    pub const fn topic(&self) -> Option<&Template> {
        match self {
            Self::Produce(p) => Some(&p.topic),
            Self::Consume(c) => Some(&c.topic),
            Self::Roundtrip(r) => Some(&r.topic),
            Self::Connect(_) | Self::Metrics(_) | Self::Watch(_) => None,
        }
    }

    /// Whether kaf6 added it to read back messages that no consumer of the file reads.
    pub const fn is_readback(&self) -> bool {
        matches!(self, Self::Consume(ConsumePlan { readback: true, .. }))
    }

    /// Its fixed partition, if it has one.
    pub const fn fixed_partition(&self) -> Option<Partition> {
        match self {
            Self::Produce(p) => match p.partition {
                Partitioning::Fixed(partition) => Some(partition),
                Partitioning::RoundRobin | Partitioning::ByKey => None,
            },
            Self::Consume(c) => c.partition,
            Self::Roundtrip(r) => Some(r.partition),
            Self::Connect(_) | Self::Metrics(_) | Self::Watch(_) => None,
        }
    }

    /// The planned number of messages or round trips, or the limit.
    pub const fn planned(&self) -> Option<u64> {
        match self {
            Self::Produce(p) => p.messages,
            Self::Consume(c) => c.limit,
            Self::Roundtrip(r) => Some(r.iterations),
            Self::Connect(_) | Self::Metrics(_) | Self::Watch(_) => None,
        }
    }

    /// Whether the acks of the messages that it reads are known: it reads records of this run, and all its
    /// producers request acks.
    pub fn knows_acks(&self, plan: &Plan) -> bool {
        let Self::Consume(consume) = self else { return false };
        let acked = |s: &ScenarioPlan| {
            !consume.producers.contains(&s.name) || s.work.acks().is_none_or(|acks| acks != Acks::None)
        };
        consume.from == From::Run && plan.scenarios.iter().all(acked)
    }

    /// Which replicas must acknowledge its messages. `None` if it writes none.
    pub const fn acks(&self) -> Option<Acks> {
        match self {
            Self::Produce(p) => Some(p.acks),
            Self::Roundtrip(r) => Some(r.acks),
            _ => None,
        }
    }

    /// Whether it writes messages that a broker acks.
    pub fn is_acked(&self) -> bool {
        self.acks().is_some_and(|acks| acks != Acks::None)
    }

    /// Whether it writes messages that are acked and must be read back.
    pub fn is_verified(&self) -> bool {
        let asked = match self {
            Self::Produce(p) => p.verify,
            Self::Roundtrip(r) => r.verify,
            _ => false,
        };
        asked && self.is_acked()
    }
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
    pub fn length(&self) -> Option<Duration> {
        let scheduled = self.schedule.as_ref().and_then(|schedule| schedule.length(self.messages));
        match (scheduled, self.duration) {
            (Some(scheduled), Some(duration)) => Some(scheduled.min(duration)),
            (scheduled, duration) => scheduled.or(duration),
        }
    }
}

impl ScenarioPlan {
    /// Whether it ends with the last other scenario.
    pub const fn is_background(&self) -> bool {
        match &self.work {
            Work::Metrics(metrics) => metrics.every.is_some(),
            Work::Watch(_) => true,
            _ => false,
        }
    }
}
