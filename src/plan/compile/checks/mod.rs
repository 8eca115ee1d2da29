//! Compiles `checks`: names, target scenarios, and whether a check applies to them.
//!
//! Defines which kinds of checks apply to which kinds of scenarios.

pub(super) mod implicit;
pub(super) mod settings;

use indexmap::IndexMap;

use super::context::Context;
use super::faults::KnownFaults;
use crate::plan::compile::scenario_table::{ScenarioEntry, scenario_pointer, unknown_scenario};
use crate::plan::compile::section::Parts;
use crate::plan::{
    Acks, AllowedShares, CheckPlan, CheckSettings, ConsumePlan, CountMetric, FaultPart, From, Metric,
    ScenarioKind, ValuePlan, Work, defaults,
};
use crate::scenario::format::expr;
use crate::scenario::format::{self, Written, check as raw};
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use crate::units::Share;

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
        let Some(ask) = ask(cx, &pointer, &raw) else { continue };
        spans(cx, &pointer, &ask, faults);
        asked(cx, &pointer, &ask, raw.scenario(), slots, read_back);
        let position = cx.document.position(cx.document.place(&pointer));
        let scenario = raw.scenario().map(str::to_owned);
        checks.push(CheckPlan { name, ask, scenario, implicit: false, position });
    }
    cx.repeats(names.iter().map(|(pointer, name)| (pointer.clone(), name.as_str())), "checks");
    checks
}

fn ask(cx: &mut Context<'_>, pointer: &str, raw: &format::Check) -> Option<CheckSettings> {
    use raw::Check as Raw;
    Some(match raw {
        Raw::Reachable(_) => CheckSettings::Reachable,
        Raw::Metadata(_) => CheckSettings::Metadata,
        Raw::HttpOk(_) => CheckSettings::HttpOk,
        Raw::NonEmpty(_) => CheckSettings::NonEmpty,
        Raw::SeriesPresent(_) => CheckSettings::SeriesPresent,
        Raw::CountEquals(it) => CheckSettings::CountEquals { expected: it.expected, metric: it.metric },
        Raw::CountAtLeast(it) => CheckSettings::CountAtLeast { expected: it.expected, metric: it.metric },
        Raw::UuidMatch(_) => CheckSettings::UuidMatch,
        Raw::RoundtripOk(_) => CheckSettings::RoundtripOk,
        Raw::AllAcked(it) => {
            let shares = it.allow.as_ref();
            let failed = allowed(cx, pointer, "failed", shares.and_then(|allow| allow.failed.as_ref()));
            let unknown = allowed(cx, pointer, "unknown", shares.and_then(|allow| allow.unknown.as_ref()));
            CheckSettings::AllAcked { allow: AllowedShares { failed: failed?, unknown: unknown? } }
        }
        Raw::NoLoss(_) => CheckSettings::NoLoss,
        Raw::NoDuplicates(it) => CheckSettings::NoDuplicates { strict: it.strict.unwrap_or(false) },
        Raw::NoCorruption(_) => CheckSettings::NoCorruption,
        Raw::InOrder(it) => CheckSettings::InOrder { strict: it.strict.unwrap_or(false) },
        Raw::OffsetsMonotonic(_) => CheckSettings::OffsetsMonotonic,
        Raw::Threshold(it) => threshold(cx, pointer, it)?,
        Raw::ThroughputDrops(it) => {
            let at = below(pointer, "at_least");
            let at_least: Share = cx.quantity(&at, Some(&it.at_least))?;
            if at_least.get() == 0.0 {
                cx.at(&at, format!("invalid share `{at_least}`: expected more than 0%"), None);
            }
            CheckSettings::ThroughputDrops { during: it.during.clone(), at_least: at_least.get() }
        }
        Raw::Recovers(it) => {
            let within = cx.positive(&below(pointer, "within"), Some(&it.within));
            let tolerance = match &it.tolerance {
                Some(written) => cx.quantity(&below(pointer, "tolerance"), Some(written))?,
                None => defaults::TOLERANCE,
            };
            CheckSettings::Recovers {
                after: it.after.clone(),
                within: within?.std(),
                tolerance: tolerance.get(),
            }
        }
        Raw::MetadataStable(it) => {
            let max_silence = match &it.max_silence {
                Some(written) => cx.positive(&below(pointer, "max_silence"), Some(written))?.std(),
                None => defaults::MAX_SILENCE,
            };
            let mut allow = it.allow.clone().unwrap_or_default();
            allow.sort_unstable();
            allow.dedup();
            CheckSettings::MetadataStable { allow, max_silence }
        }
        Raw::Continuity(it) => CheckSettings::Continuity {
            max_gap: cx.positive(&below(pointer, "max_gap"), Some(&it.max_gap))?.std(),
        },
    })
}

/// Parses a share in `allow`. The default is 0.
fn allowed(cx: &mut Context<'_>, pointer: &str, field: &str, raw: Option<&Written<Share>>) -> Option<f64> {
    let Some(written) = raw else { return Some(0.0) };
    let share = cx.quantity(&below(&below(pointer, "allow"), field), Some(written))?;
    Some(share.get())
}

fn threshold(cx: &mut Context<'_>, pointer: &str, raw: &raw::Threshold) -> Option<CheckSettings> {
    let abort = raw.abort.unwrap_or(false);
    let at_delay = below(pointer, "delay");
    let delay = cx.quantity(&at_delay, raw.delay.as_ref());
    if raw.delay.is_some() && !abort {
        let hint = Some("add `abort: true`, or remove `delay`".to_owned());
        cx.at_key(&at_delay, "`delay` requires `abort: true`", hint);
    }
    let (field, span) = match (&raw.during, &raw.after) {
        (Some(_), Some(_)) => {
            let hint = Some("use two checks".to_owned());
            cx.at_key(&below(pointer, "after"), "`during` and `after` cannot be combined", hint);
            return None;
        }
        (Some(fault), None) => ("during", Some(FaultPart::During(fault.clone()))),
        (None, Some(fault)) => ("after", Some(FaultPart::After(fault.clone()))),
        (None, None) => ("", None),
    };
    if span.is_some() && abort {
        let hint = Some("remove one of the two".to_owned());
        let message =
            format!("`abort` evaluates the run so far, but `{field}` limits the check to a part of the run");
        cx.at_key(&below(pointer, "abort"), message, hint);
    }
    let expr = match expr::threshold(&raw.expr) {
        Ok(expr) => expr,
        Err(error) => {
            cx.about_value(&below(pointer, "expr"), &error.message, error.hint, "a threshold");
            return None;
        }
    };
    if span.is_some() && matches!(expr.metric, Metric::Sent | Metric::Anomaly(_)) {
        let hint = Some("use a rate, a latency, errors, `acked` or `received`".to_owned());
        let message = format!(
            "`{}` is counted only for the whole run, so `{field}` cannot select a part of \
            it",
            expr.metric.name()
        );
        cx.at_key(&below(pointer, field), message, hint);
    }
    Some(CheckSettings::Threshold { expr, abort, delay: delay.unwrap_or_default().std(), span })
}

/// Checks that `during` and `after` name a fault.
fn spans(cx: &mut Context<'_>, pointer: &str, ask: &CheckSettings, faults: &KnownFaults) {
    let (field, name) = match ask {
        CheckSettings::ThroughputDrops { during, .. } => ("during", during.as_str()),
        CheckSettings::Recovers { after, .. } => ("after", after.as_str()),
        CheckSettings::Threshold { span: Some(FaultPart::During(fault)), .. } => ("during", fault.as_str()),
        CheckSettings::Threshold { span: Some(FaultPart::After(fault)), .. } => ("after", fault.as_str()),
        _ => return,
    };
    if faults.contains_key(name) {
        return;
    }
    let hint = match suggest::hint(name, faults.keys().map(String::as_str)) {
        Some(hint) => Some(hint),
        None => Some("define faults under `faults` in the file".to_owned()),
    };
    cx.about_value(&below(pointer, field), &format!("unknown fault `{name}`"), hint, "the name of a fault");
}

/// Whether a check applies to a scenario of this kind.
fn fits(ask: &CheckSettings, kind: ScenarioKind) -> bool {
    let (sends, reads) = (kind.writes(), kind.reads());
    match ask {
        CheckSettings::Reachable | CheckSettings::Metadata => kind == ScenarioKind::Connect,
        CheckSettings::HttpOk | CheckSettings::NonEmpty | CheckSettings::SeriesPresent => {
            kind == ScenarioKind::Metrics
        }
        CheckSettings::CountEquals { metric, .. } | CheckSettings::CountAtLeast { metric, .. } => {
            match metric {
                None => sends || reads,
                Some(CountMetric::Sent | CountMetric::Acked) => sends,
                Some(CountMetric::Received | CountMetric::Records) => reads,
            }
        }
        CheckSettings::UuidMatch => reads,
        CheckSettings::RoundtripOk => kind == ScenarioKind::Roundtrip,
        CheckSettings::AllAcked { .. } => sends,
        CheckSettings::NoLoss
        | CheckSettings::NoDuplicates { .. }
        | CheckSettings::NoCorruption
        | CheckSettings::InOrder { .. }
        | CheckSettings::OffsetsMonotonic => kind == ScenarioKind::Consume,
        CheckSettings::ThroughputDrops { .. }
        | CheckSettings::Recovers { .. }
        | CheckSettings::Continuity { .. } => sends || reads,
        CheckSettings::MetadataStable { .. } => kind == ScenarioKind::Watch,
        CheckSettings::Threshold { expr, .. } => match expr.metric {
            Metric::Sent | Metric::Acked => sends,
            Metric::Received => reads,
            Metric::Anomaly(_) => kind == ScenarioKind::Consume,
            _ => sends || reads,
        },
    }
}

/// Whether the scenario's messages are acked, if the check needs that.
fn is_acked(ask: &CheckSettings, slot: &ScenarioEntry) -> bool {
    let acks = slot.good().and_then(|scenario| scenario.work.acks());
    !matches!(ask, CheckSettings::AllAcked { .. }) || acks != Some(Acks::None)
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
            .filter(|slot| slot.kind().is_none_or(|k| fits(ask, k)) && is_acked(ask, slot))
            .collect();
        let added = read_back && ask.needs_ledger() && *ask != CheckSettings::UuidMatch;
        let verified = |slot: &ScenarioEntry| slot.good().is_some_and(|scenario| scenario.work.is_verified());
        if able.is_empty() && !(added && slots.values().any(verified)) {
            let able = ScenarioKind::ALL.iter().filter(|kind| fits(ask, **kind));
            let types: Vec<String> = able.map(|kind| format!("`{kind}`")).collect();
            let but =
                if matches!(ask, CheckSettings::AllAcked { .. }) { " with `acks` 1 or all" } else { "" };
            let hint = Some(format!("use a scenario of type {}{but}", types.join(" or ")));
            let what = match ask {
                CheckSettings::Threshold { expr, .. } => expr.metric.name(),
                _ => kind.name(),
            };
            cx.at(pointer, format!("no scenario in the file supports `{what}`"), hint);
        }
        for slot in able {
            able_to(cx, pointer, ask, slot, slots);
        }
        return;
    };
    match slots.get(name) {
        None => unknown_scenario(cx, &at_scenario, name, slots),
        Some(slot) if slot.kind().is_some_and(|kind| !fits(ask, kind)) => {
            let of = slot.kind().map_or("", ScenarioKind::name);
            let able = slots.iter().find(|(_, slot)| slot.kind().is_some_and(|kind| fits(ask, kind)));
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
    match (&scenario.work, ask) {
        (Work::Metrics(metrics), CheckSettings::SeriesPresent) if metrics.contains.is_empty() => {
            let hint = Some("add `contains: [name_of_a_series]` to it".to_owned());
            cx.at(pointer, format!("`{}` lists no series to look for", scenario.name), hint);
        }
        (Work::Consume(consume), ask) if ask.needs_ledger() => {
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
                "`{name}` reads messages from others, so it does not support \
            `{kind}`"
            );
            cx.at(pointer, message, hint);
        }
        return;
    }
    let producer =
        |name: &String| slots.get(name).and_then(ScenarioEntry::good).map(|scenario| &scenario.work);
    let unconfirmed = consume.producers.iter().all(|name| producer(name).is_none_or(|work| !work.is_acked()));
    if let (CheckSettings::NoLoss, true, Some(producer)) = (ask, unconfirmed, consume.producers.first()) {
        let hint = Some("remove the check; the other checks still apply".to_owned());
        let message = format!(
            "`no_loss` cannot check the messages of `{producer}`, because \
        brokers do not confirm them (`acks: 0`)"
        );
        cx.at(pointer, message, hint);
    }
    if *ask == CheckSettings::UuidMatch {
        let carries = |name: &String| match producer(name) {
            Some(Work::Produce(produce)) => match &produce.value {
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
