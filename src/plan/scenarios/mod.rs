//! The scenario types: a file for each, with its plan, how a file's fields compile into it, its default timeout
//! and its lines in `kaf6 plan`.
//!
//! Defines [`Work`], the questions that others ask about it, and the fields that all types share. Consumers are
//! compiled last, because they depend on the producers of their topics.

mod connect;
mod consume;
mod message;
mod metrics;
mod offsets;
mod produce;
mod roundtrip;
mod watch;

use std::time::Duration;

use indexmap::IndexMap;

use crate::ids::Partition;
use crate::plan::compile::client::{self, ProfileSettings};
use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::compile::scenario_table::{Compiled, ScenarioEntry, legal_name, scenario_pointer};
use crate::plan::compile::section::Parts;
use crate::plan::compile::start::start;
use crate::plan::compile::topics::Topics;
use crate::plan::{Acks, From, Partitioning, Plan, ScenarioKind, ScenarioPlan, defaults};
use crate::scenario::environment::options::LoadOptions;
use crate::scenario::format::Activity;
use crate::scenario::source::node::below;
use crate::scenario::{Secrets, Template};
use crate::units;
use consume::{TopicWriter, Writers};

pub use connect::ConnectPlan;
pub use consume::ConsumePlan;
pub use message::MessagePlan;
pub use metrics::MetricsPlan;
pub use offsets::OffsetsPlan;
pub use produce::ProducePlan;
pub use roundtrip::RoundtripPlan;
pub use watch::WatchPlan;

/// The kinds of scenarios, with their settings.
#[derive(Debug, Clone)]
pub enum Work {
    /// Connects to each broker and requests its metadata.
    Connect(ConnectPlan),
    /// Requests an HTTP endpoint and reads its metrics.
    Metrics(MetricsPlan),
    /// Writes messages.
    Produce(ProducePlan),
    /// Reads messages, partition by partition.
    Consume(ConsumePlan),
    /// Writes a message, reads it back, and repeats.
    Roundtrip(RoundtripPlan),
    /// Polls metadata and records each change.
    Watch(WatchPlan),
    /// Polls the start and end of each log and records each one that goes back.
    Offsets(OffsetsPlan),
}

/// Timeout of a scenario without `timeout`.
pub(super) enum DefaultTimeout<'a> {
    Fixed(Duration),
    /// It ends with the last other scenario.
    Background,
    /// It depends on when the producers have ended.
    Reading(&'a ConsumePlan),
}

impl Work {
    pub const fn kind(&self) -> ScenarioKind {
        match self {
            Self::Connect(_) => ScenarioKind::Connect,
            Self::Metrics(_) => ScenarioKind::Metrics,
            Self::Produce(_) => ScenarioKind::Produce,
            Self::Consume(_) => ScenarioKind::Consume,
            Self::Roundtrip(_) => ScenarioKind::Roundtrip,
            Self::Watch(_) => ScenarioKind::Watch,
            Self::Offsets(_) => ScenarioKind::Offsets,
        }
    }

    /// Whether it writes or reads messages. The other types only send requests.
    pub const fn has_messages(&self) -> bool {
        match self {
            Self::Produce(_) | Self::Consume(_) | Self::Roundtrip(_) => true,
            Self::Connect(_) | Self::Metrics(_) | Self::Watch(_) | Self::Offsets(_) => false,
        }
    }

    /// The topic that it writes or reads.
    pub const fn topic(&self) -> Option<&Template> {
        match self {
            Self::Produce(p) => Some(&p.topic),
            Self::Consume(c) => Some(&c.topic),
            Self::Roundtrip(r) => Some(&r.topic),
            Self::Connect(_) | Self::Metrics(_) | Self::Watch(_) | Self::Offsets(_) => None,
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
            Self::Connect(_) | Self::Metrics(_) | Self::Watch(_) | Self::Offsets(_) => None,
        }
    }

    /// The planned number of messages or round trips, or the limit.
    pub const fn planned(&self) -> Option<u64> {
        match self {
            Self::Produce(p) => p.messages,
            Self::Consume(c) => c.limit,
            Self::Roundtrip(r) => Some(r.iterations),
            Self::Connect(_) | Self::Metrics(_) | Self::Watch(_) | Self::Offsets(_) => None,
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

    /// The messages that it writes.
    pub const fn message(&self) -> Option<&MessagePlan> {
        match self {
            Self::Produce(p) => Some(&p.message),
            Self::Roundtrip(r) => Some(&r.message),
            _ => None,
        }
    }

    /// Which replicas must acknowledge its messages. `None` if it writes none.
    pub fn acks(&self) -> Option<Acks> {
        self.message().map(|message| message.acks)
    }

    /// Whether it writes messages that a broker acks.
    pub fn is_acked(&self) -> bool {
        self.acks().is_some_and(|acks| acks != Acks::None)
    }

    /// Whether it writes messages that are acked and must be read back.
    pub fn is_verified(&self) -> bool {
        self.message().is_some_and(|message| message.verify) && self.is_acked()
    }

    pub(super) fn default_timeout(&self) -> DefaultTimeout<'_> {
        match self {
            Self::Connect(_) => DefaultTimeout::Fixed(defaults::CONNECT_TIMEOUT),
            Self::Metrics(MetricsPlan { every: None, .. }) => {
                DefaultTimeout::Fixed(defaults::METRICS_TIMEOUT)
            }
            Self::Metrics(MetricsPlan { every: Some(_), .. }) | Self::Watch(_) | Self::Offsets(_) => {
                DefaultTimeout::Background
            }
            Self::Produce(p) => DefaultTimeout::Fixed(p.default_timeout()),
            Self::Consume(c) => DefaultTimeout::Reading(c),
            Self::Roundtrip(r) => DefaultTimeout::Fixed(r.default_timeout()),
        }
    }

    /// The topics of a type that requests all topics of the file. They are set when all are known.
    pub(super) const fn topics_of_file(&mut self) -> Option<&mut Vec<Template>> {
        match self {
            Self::Connect(it) => Some(&mut it.topics),
            Self::Watch(it) => Some(&mut it.topics),
            Self::Offsets(it) => Some(&mut it.topics),
            Self::Metrics(_) | Self::Produce(_) | Self::Consume(_) | Self::Roundtrip(_) => None,
        }
    }

    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self, secrets: &Secrets) -> Vec<String> {
        match self {
            Self::Connect(it) => it.lines(),
            Self::Metrics(it) => it.lines(),
            Self::Produce(it) => it.lines(secrets),
            Self::Consume(it) => it.lines(),
            Self::Roundtrip(it) => it.lines(secrets),
            Self::Watch(it) => it.lines(),
            Self::Offsets(it) => it.lines(),
        }
    }
}

impl ScenarioPlan {
    /// Whether it ends with the last other scenario.
    pub fn is_background(&self) -> bool {
        matches!(self.work.default_timeout(), DefaultTimeout::Background)
    }
}

/// What the compilation of scenarios needs from other parts of the file.
pub(super) struct OtherScenarios<'a> {
    pub(super) topics: &'a Topics,
    pub(super) profile: &'a ProfileSettings,
    pub(super) options: &'a LoadOptions<'a>,
}

/// All scenarios by name, in the file's order.
pub(super) fn compile_scenarios(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    beside: &OtherScenarios<'_>,
) -> IndexMap<String, ScenarioEntry> {
    let members = parts.json.pointer("/scenarios").and_then(serde_json::Value::as_object);
    let names: Vec<&String> = members.into_iter().flatten().map(|(name, _)| name).collect();
    if names.is_empty() && members.is_some() {
        cx.at_key(
            "/scenarios",
            "the file has no scenarios",
            Some("add one, for example of type `produce`".to_owned()),
        );
    }
    let mut slots = IndexMap::new();
    let (mut consumers, mut others) = (Vec::new(), Vec::new());
    for name in names {
        let pointer = scenario_pointer(name);
        if !legal_name(name) {
            let hint = Some("use letters, digits, `_` and `-` in the name of a scenario".to_owned());
            cx.at_key(&pointer, format!("invalid scenario name `{name}`"), hint);
        }
        let kind = parts.json.pointer(&below(&pointer, "type")).and_then(|kind| kind.as_str());
        slots.insert(name.clone(), ScenarioEntry::Refused { kind: kind.and_then(ScenarioKind::from_name) });
        match parts.get::<Activity>(&pointer, cx) {
            Some(activity @ Activity::Consume(_)) => consumers.push((name, activity)),
            Some(activity) => others.push((name, activity)),
            None => {}
        }
    }
    for (name, activity) in others {
        if let Some(good) = compile(cx, name, &activity, beside, &Writers::default()) {
            slots.insert(name.clone(), ScenarioEntry::Good(Box::new(good)));
        }
    }
    let writers = writers(&slots);
    for (name, activity) in consumers {
        if let Some(good) = compile(cx, name, &activity, beside, &writers) {
            slots.insert(name.clone(), ScenarioEntry::Good(Box::new(good)));
        }
    }
    slots
}

/// The scenarios of a file that write to topics.
fn writers(slots: &IndexMap<String, ScenarioEntry>) -> Writers {
    let is_known = |slot: &ScenarioEntry| slot.good().is_some() || slot.kind() == Some(ScenarioKind::Consume);
    let mut writers = Writers { all_known: slots.values().all(is_known), ..Writers::default() };
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

fn compile(
    cx: &mut Context<'_>,
    name: &str,
    activity: &Activity,
    beside: &OtherScenarios<'_>,
    writers: &Writers,
) -> Option<Compiled> {
    let pointer = &scenario_pointer(name);
    let OtherScenarios { topics, profile, options } = *beside;
    let common = activity.common();
    let timeout = cx.positive(&below(pointer, "timeout"), common.timeout.as_ref());
    let start = start(cx, pointer, "a scenario", common.after, common.at.as_ref(), common.when.as_deref());
    let own = common.brokers.and_then(|list| client::addresses(cx, &below(pointer, "brokers"), &list));
    let from_command_line = options.embedded || options.brokers.is_some();
    let mut taken = DefaultsRecorder::below(format!("scenarios.{name}"));
    let work = match activity {
        Activity::Connect(_) => Work::Connect(ConnectPlan { topics: Vec::new() }),
        Activity::Metrics(it) => Work::Metrics(metrics::metrics(cx, pointer, it, profile)?),
        Activity::Produce(it) => Work::Produce(produce::produce(cx, pointer, it, topics, &mut taken)?),
        Activity::Consume(it) => {
            Work::Consume(consume::consume(cx, name, it, (topics, writers), &mut taken)?)
        }
        Activity::Roundtrip(it) => {
            Work::Roundtrip(roundtrip::roundtrip(cx, pointer, it, topics, &mut taken)?)
        }
        Activity::Watch(it) => Work::Watch(watch::watch(cx, pointer, it, &mut taken)),
        Activity::Offsets(it) => Work::Offsets(offsets::offsets(cx, pointer, it, &mut taken)),
    };
    let plan = ScenarioPlan {
        name: name.to_owned(),
        start,
        timeout: Duration::ZERO,
        brokers: own.filter(|_| !from_command_line),
        work,
        position: cx.document.position(cx.document.key_place(pointer)),
    };
    Some(Compiled { plan, timeout: timeout.map(units::Duration::std), defaults: taken })
}
