//! Compiles `checks`: names, target scenarios, and whether a check applies to them.
//!
//! `settings` defines what is true of each kind of check.

pub(super) mod implicit;
pub(super) mod settings;

use indexmap::IndexMap;

use super::context::Context;
use super::faults::KnownFaults;
use crate::plan::compile::scenario_table::{ScenarioEntry, scenario_pointer, unknown_scenario};
use crate::plan::compile::section::Parts;
use crate::plan::{Acks, CheckPlan, CheckSettings, ConsumePlan, From, ScenarioKind, ValuePlan, Work};
use crate::scenario::format;
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use settings::Requirement;

/// Compiles all checks of the file. `read_back`: the plan adds a consumer for messages that no other consumer
/// reads.
pub(super) fn compile_checks(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    slots: &IndexMap<String, ScenarioEntry>,
    faults: &KnownFaults,
    read_back: bool,
) -> Vec<CheckPlan> {
    let count = parts.json.pointer("/checks").and_then(|checks| Some(checks.as_array()?.len())).unwrap_or(0);
    let mut checks = Vec::new();
    let mut names = Vec::new();
    for index in 0..count {
        let pointer = below("/checks", index);
        let Some(raw) = parts.get::<format::Check>(&pointer, cx) else { continue };
        let name = raw.name().unwrap_or(raw.kind().name()).to_owned();
        let at_name = if raw.name().is_some() { below(&pointer, "name") } else { pointer.clone() };
        if name.trim().is_empty() || name.chars().count() > 200 || name.contains(char::is_control) {
            cx.at(&at_name, "a check name must be one line of 1 to 200 characters", None);
        }
        cx.no_secret(&at_name, "a check's name");
        names.push((at_name, name.clone()));
        let Some(ask) = CheckSettings::from_fields(cx, &pointer, &raw) else { continue };
        spans(cx, &pointer, &ask, faults);
        asked(cx, &pointer, &ask, raw.scenario(), slots, read_back);
        let position = cx.document.position(cx.document.place(&pointer));
        let scenario = raw.scenario().map(str::to_owned);
        checks.push(CheckPlan { name, ask, scenario, implicit: false, position });
    }
    cx.repeats(names.iter().map(|(pointer, name)| (pointer.clone(), name.as_str())), "checks");
    checks
}

/// Checks that the fault that a check names exists.
fn spans(cx: &mut Context<'_>, pointer: &str, ask: &CheckSettings, faults: &KnownFaults) {
    let Some((field, name)) = ask.fault() else { return };
    if faults.contains_key(name) {
        return;
    }
    let hint = match suggest::hint(name, faults.keys().map(String::as_str)) {
        Some(hint) => Some(hint),
        None => Some("define faults under `faults` in the file".to_owned()),
    };
    cx.about_value(&below(pointer, field), &format!("unknown fault `{name}`"), hint, "the name of a fault");
}

/// Whether the scenario's messages are acked, if the check needs that.
fn is_acked(ask: &CheckSettings, slot: &ScenarioEntry) -> bool {
    let acks = slot.good().and_then(|scenario| scenario.work.acks());
    !ask.needs(Requirement::Acks) || acks != Some(Acks::None)
}

/// Checks that the check applies to at least one scenario.
fn asked(
    cx: &mut Context<'_>,
    pointer: &str,
    ask: &CheckSettings,
    scenario: Option<&str>,
    slots: &IndexMap<String, ScenarioEntry>,
    read_back: bool,
) {
    let kind = ask.kind();
    let at_scenario = below(pointer, "scenario");
    let Some(name) = scenario else {
        // A scenario of unknown kind might be the intended one.
        let able: Vec<&ScenarioEntry> = slots
            .values()
            .filter(|slot| slot.kind().is_none_or(|k| ask.applies_to(k)) && is_acked(ask, slot))
            .collect();
        let added = read_back && ask.needs(Requirement::Ledger) && !ask.needs(Requirement::Uuids);
        let verified = |slot: &ScenarioEntry| slot.good().is_some_and(|scenario| scenario.work.is_verified());
        if able.is_empty() && !(added && slots.values().any(verified)) {
            let able = ScenarioKind::ALL.iter().filter(|kind| ask.applies_to(**kind));
            let types: Vec<String> = able.map(|kind| format!("`{kind}`")).collect();
            let but = if ask.needs(Requirement::Acks) { " with `acks` 1 or all" } else { "" };
            let hint = Some(format!("use a scenario of type {}{but}", types.join(" or ")));
            let what = ask.subject();
            cx.at(pointer, format!("no scenario in the file supports `{what}`"), hint);
        }
        for slot in able {
            able_to(cx, pointer, ask, slot, slots);
        }
        return;
    };
    match slots.get(name) {
        None => unknown_scenario(cx, &at_scenario, name, slots),
        Some(slot) if slot.kind().is_some_and(|kind| !ask.applies_to(kind)) => {
            let of = slot.kind().map_or("", ScenarioKind::name);
            let able = slots.iter().find(|(_, slot)| slot.kind().is_some_and(|kind| ask.applies_to(kind)));
            let hint = able.map(|(name, _)| format!("use `{name}`"));
            let message = format!("`{name}` does not support `{kind}`: its type is {of}");
            cx.about_value(&at_scenario, &message, hint, "a scenario that supports this");
        }
        Some(slot) if !is_acked(ask, slot) => {
            let hint = Some(format!("set `acks: all` in `{name}`, or remove the check"));
            let message = format!(
                "brokers do not confirm the messages of `{name}` (`acks: 0`), so `{kind}` \
                cannot check them"
            );
            cx.about_value(&at_scenario, &message, hint, "a scenario that supports this");
        }
        Some(slot) => able_to(cx, &at_scenario, ask, slot, slots),
    }
}

/// What a scenario of the right kind must satisfy, so that the check's result means something.
fn able_to(
    cx: &mut Context<'_>,
    pointer: &str,
    ask: &CheckSettings,
    slot: &ScenarioEntry,
    slots: &IndexMap<String, ScenarioEntry>,
) {
    let Some(scenario) = slot.good() else { return };
    match &scenario.work {
        Work::Metrics(metrics) if ask.needs(Requirement::Series) && metrics.contains.is_empty() => {
            let hint = Some("add `contains: [name_of_a_series]` to it".to_owned());
            cx.at(pointer, format!("`{}` lists no series to look for", scenario.name), hint);
        }
        Work::Consume(consume) if ask.needs(Requirement::Ledger) => {
            consumer(cx, pointer, ask, &scenario.name, consume, slots);
        }
        _ => {}
    }
}

fn consumer(
    cx: &mut Context<'_>,
    pointer: &str,
    ask: &CheckSettings,
    name: &str,
    consume: &ConsumePlan,
    slots: &IndexMap<String, ScenarioEntry>,
) {
    let kind = ask.kind();
    if consume.from == From::Any {
        // A producer with errors may be the one that writes the topic.
        let is_written = cx.is_written(&below(&scenario_pointer(name), "from"));
        if is_written || slots.values().all(|slot| slot.good().is_some()) {
            let hint = Some("kaf6 can check individual messages only if the file produces them".to_owned());
            let message = format!(
                "`{name}` reads messages that this file does not produce, so it does \
                not support `{kind}`"
            );
            cx.at(pointer, message, hint);
        }
        return;
    }
    let producer =
        |name: &String| slots.get(name).and_then(ScenarioEntry::good).map(|scenario| &scenario.work);
    let unconfirmed = consume.producers.iter().all(|name| producer(name).is_none_or(|work| !work.is_acked()));
    if let Some(producer) = consume.producers.first()
        && ask.needs(Requirement::AckedMessages)
        && unconfirmed
    {
        let hint = Some("remove the check; the other checks still apply".to_owned());
        let message = format!(
            "`{kind}` cannot check the messages of `{producer}`, because \
        brokers do not confirm them (`acks: 0`)"
        );
        cx.at(pointer, message, hint);
    }
    if ask.needs(Requirement::Uuids) {
        let carries = |name: &String| match producer(name) {
            Some(Work::Produce(produce)) => match &produce.message.value {
                ValuePlan::Text(template) => template.uses_uuid(),
                ValuePlan::Size { .. } => false,
            },
            _ => true,
        };
        let carried = consume.producers.iter().any(carries);
        if !carried {
            let hint = Some("add `{{uuid}}` to the producer's `value`".to_owned());
            cx.at(pointer, format!("no message that `{name}` reads contains a UUID"), hint);
        }
    }
}
