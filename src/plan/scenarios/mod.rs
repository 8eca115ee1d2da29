//! Compiles scenarios: the fields of each type.
//!
//! Also compiles the fields that all types share. Consumers come last, because they depend on the producers
//! of their topics.

mod consume;
mod message;
mod metrics;
mod produce;
mod roundtrip;

use std::time::Duration;

use indexmap::IndexMap;

use crate::plan::compile::client::{self, ProfileSettings};
use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::compile::scenario_table::{Compiled, ScenarioEntry, legal_name, scenario_pointer};
use crate::plan::compile::section::Parts;
use crate::plan::compile::start::start;
use crate::plan::compile::topics::Topics;
use crate::plan::{ConnectPlan, ScenarioKind, ScenarioPlan, WatchPlan, Work, defaults};
use crate::scenario::environment::options::LoadOptions;
use crate::scenario::format::Activity;
use crate::scenario::source::node::below;
use crate::units;
use consume::Writers;

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
    let writers = Writers::of(&slots);
    for (name, activity) in consumers {
        if let Some(good) = compile(cx, name, &activity, beside, &writers) {
            slots.insert(name.clone(), ScenarioEntry::Good(Box::new(good)));
        }
    }
    slots
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
        // The topics are set when all are known.
        Activity::Connect(_) => Work::Connect(ConnectPlan { topics: Vec::new() }),
        Activity::Metrics(it) => Work::Metrics(metrics::metrics(cx, pointer, it, profile)?),
        Activity::Produce(it) => Work::Produce(produce::produce(cx, pointer, it, topics, &mut taken)?),
        Activity::Consume(it) => {
            Work::Consume(consume::consume(cx, name, it, (topics, writers), &mut taken)?)
        }
        Activity::Roundtrip(it) => {
            Work::Roundtrip(roundtrip::roundtrip(cx, pointer, it, topics, &mut taken)?)
        }
        Activity::Watch(it) => {
            let every = cx.positive(&below(pointer, "every"), it.every.as_ref());
            let every = taken.or("every", every, defaults::WATCH_EVERY, defaults::WATCH_EVERY).std();
            Work::Watch(WatchPlan { every, topics: Vec::new() })
        }
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
