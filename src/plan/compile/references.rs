//! Checks `after` and `when` between scenarios and faults.
//!
//! Also finds cycles.

use indexmap::IndexMap;

use super::context::Context;
use super::faults::KnownFaults;
use crate::plan::compile::scenario_table::{
    ScenarioEntry, fault_pointer, scenario_pointer, unknown_scenario,
};
use crate::plan::{Counter, ScenarioKind, Start, When, Work};
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use crate::units::thousands;

/// A scenario or fault that may wait for another one.
struct Waiting<'a> {
    pointer: String,
    start: &'a Start,
}

/// Checks `after` and `when` of all scenarios and faults.
pub(super) fn orders(cx: &mut Context<'_>, slots: &IndexMap<String, ScenarioEntry>, faults: &KnownFaults) {
    let scenarios = slots.iter().filter_map(|(name, slot)| {
        Some((name.as_str(), Waiting { pointer: scenario_pointer(name), start: &slot.good()?.start }))
    });
    let faulty = faults
        .iter()
        .map(|(name, read)| (name.as_str(), Waiting { pointer: fault_pointer(name), start: &read.start }));
    // A fault with the name of a scenario is already reported.
    let faulty = faulty.filter(|(name, _)| !slots.contains_key(*name));
    let all: IndexMap<&str, Waiting<'_>> = scenarios.chain(faulty).collect();
    let mut edges: IndexMap<&str, Vec<(&str, &str)>> = IndexMap::new();
    for (name, waiting) in &all {
        let mut waits_for = Vec::new();
        if let Some(after) = waiting.start.after.as_deref() {
            let at = below(&waiting.pointer, "after");
            match slots.get(after) {
                None if faults.contains_key(after) => waits_for.push((after, "after")),
                None if cx.is_full() => {}
                None => {
                    let hint = suggest::hint(after, slots.keys().chain(faults.keys()).map(String::as_str));
                    let what = if faults.is_empty() { "scenario" } else { "scenario or fault" };
                    let message = format!("unknown {what} `{after}`");
                    cx.about_value(&at, &message, hint, "the name of a scenario");
                }
                Some(ScenarioEntry::Good(other)) if other.plan.is_background() => {
                    let message = format!(
                        "`{after}` runs until all other scenarios have ended, so nothing can wait for it"
                    );
                    cx.about_value(&at, &message, None, "a scenario that can be waited for");
                }
                Some(_) => waits_for.push((after, "after")),
            }
        }
        if let Some(when) = &waiting.start.when {
            let at = below(&waiting.pointer, "when");
            match slots.get(&when.scenario) {
                None if faults.contains_key(&when.scenario) => {
                    let hint = Some(format!("to wait for its end, set `after: {}`", when.scenario));
                    let message = format!("`{}` is a fault, which has no counters", when.scenario);
                    cx.about_value(&at, &message, hint, "a start by count");
                }
                None => unknown_scenario(cx, &at, &when.scenario, slots),
                Some(other) => {
                    counter(cx, &at, when, other);
                    waits_for.push((when.scenario.as_str(), "when"));
                }
            }
        }
        edges.insert(name, waits_for);
    }
    circles(cx, &edges, |name| all.get(name).map_or_else(String::new, |it| it.pointer.clone()), faults);
}

/// Whether a scenario has the counter that another one waits for, and can reach the count.
fn counter(cx: &mut Context<'_>, at: &str, when: &When, other: &ScenarioEntry) {
    let name = &when.scenario;
    let (word, fits) = match (when.counter, other.kind()) {
        (_, None) => return,
        (Counter::Sent, Some(kind)) => ("sent", kind.writes()),
        (Counter::Acked, Some(kind)) => ("acked", kind.writes()),
        (Counter::Received, Some(kind)) => ("received", kind.reads()),
    };
    if !fits {
        let message = format!(
            "`{name}` has no counter `{word}`: its type is {}",
            other.kind().map_or("?", ScenarioKind::name)
        );
        return cx.about_value(at, &message, None, "a start by count");
    }
    let total = match other.good().map(|scenario| &scenario.work) {
        Some(Work::Produce(produce)) => produce.total(),
        Some(Work::Consume(consume)) => consume.limit,
        Some(Work::Roundtrip(roundtrip)) => {
            cx.is_written(&below(&scenario_pointer(name), "iterations")).then_some(roundtrip.iterations)
        }
        _ => None,
    };
    if let Some(total) = total.filter(|total| *total < when.at_least) {
        let message = format!(
            "`{name}` never reaches {}: its maximum is {}",
            thousands(when.at_least),
            thousands(total)
        );
        cx.about_value(at, &message, None, "a count that can be reached");
    }
}

/// Reports each cycle once, at its first scenario.
fn circles(
    cx: &mut Context<'_>,
    edges: &IndexMap<&str, Vec<(&str, &str)>>,
    pointer: impl Fn(&str) -> String,
    faults: &KnownFaults,
) {
    // State of each node: 0 new, 1 on the path, 2 done. The path is an explicit stack, because files may have
    // long chains.
    let mut state: IndexMap<&str, u8> = edges.keys().map(|name| (*name, 0)).collect();
    for start in edges.keys() {
        let mut path: Vec<(&str, usize)> = Vec::new();
        if state.get(start) == Some(&0) {
            path.push((start, 0));
            state.insert(start, 1);
        }
        while let Some((name, next)) = path.last_mut() {
            let name = *name;
            let Some((to, field)) = edges.get(name).and_then(|all| all.get(*next)).copied() else {
                state.insert(name, 2);
                path.pop();
                continue;
            };
            *next += 1;
            match state.get(to).copied() {
                Some(0) => {
                    state.insert(to, 1);
                    path.push((to, 0));
                }
                Some(1) => {
                    let from = path.iter().position(|(on, _)| *on == to).unwrap_or(0);
                    let mut circle: Vec<&str> = path[from..].iter().map(|(name, _)| *name).collect();
                    circle.push(to);
                    let message = if circle.len() == 2 {
                        format!("`{to}` waits for itself")
                    } else {
                        let faulty = circle.iter().any(|name| faults.contains_key(*name));
                        let what = if faulty { "these" } else { "these scenarios" };
                        format!("{what} wait for each other: {}", circle.join(" -> "))
                    };
                    cx.at(&below(&pointer(name), field), message, None);
                }
                _ => {}
            }
        }
    }
}
