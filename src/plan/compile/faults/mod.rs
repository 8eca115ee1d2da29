//! Compiles `faults`: their names, their starts, and whether several faults can be combined.
//!
//! `action` has everything about each kind of fault. `references` checks when faults start.

mod action;
mod fields;

use indexmap::IndexMap;

use super::cluster::Known;
use super::context::Context;
use super::defaults_recorder::DefaultsRecorder;
use super::start::start;
use crate::plan::cluster::Link;
use crate::plan::compile::scenario_table::{ScenarioEntry, fault_pointer, legal_name};
use crate::plan::compile::section::Parts;
use crate::plan::{FaultTarget, Start};
use crate::scenario::format::fault as raw;
use crate::units::Duration;
use fields::FaultFields;

pub use action::{ActionPlan, FaultPlan};

pub(super) type KnownFaults = IndexMap<String, Read>;

/// A fault as far as it is valid. References to it are checked even if the fault itself is invalid.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) start: Start,
    /// Its timeout is set when all scenarios and faults are known.
    pub(super) plan: Option<FaultPlan>,
    pub(super) defaults: DefaultsRecorder,
}

impl Read {
    pub(super) const fn good(&self) -> Option<&FaultPlan> {
        self.plan.as_ref()
    }
}

/// Compiles all faults, in the file's order.
pub(super) fn compile_faults(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    known: &Known,
    scenarios: &IndexMap<String, ScenarioEntry>,
) -> KnownFaults {
    let members = parts.json.pointer("/faults").and_then(serde_json::Value::as_object);
    let names: Vec<&String> = members.into_iter().flatten().map(|(name, _)| name).collect();
    if !names.is_empty() && !known.written {
        let hint = Some("add `cluster: {preset: kafscale}`, `services` or `attach`".to_owned());
        cx.at_key("/faults", "faults need a `cluster`, but the file has none", hint);
    }
    let mut faults = KnownFaults::new();
    for name in names {
        let pointer = fault_pointer(name);
        if !legal_name(name) {
            let hint = Some("use letters, digits, `_` and `-` in the name of a fault".to_owned());
            cx.at_key(&pointer, format!("invalid fault name `{name}`"), hint);
        }
        if scenarios.contains_key(name) {
            let hint = Some("`after` could refer to either".to_owned());
            cx.at_key(&pointer, format!("a scenario already has the name `{name}`"), hint);
        }
        let read = parts.get::<raw::Fault>(&pointer, cx).map(|fault| read(cx, known, &pointer, name, &fault));
        faults.insert(name.clone(), read.unwrap_or_default());
    }
    pairs(cx, known, &faults);
    faults
}

fn read(cx: &mut Context<'_>, known: &Known, pointer: &str, name: &str, raw: &raw::Fault) -> Read {
    let common = raw.common();
    let start = start(cx, pointer, "a fault", common.after, common.at.as_ref(), common.when.as_deref());
    let mut taken = DefaultsRecorder::below(format!("faults.{name}"));
    let mut fields = FaultFields { cx, known, pointer, taken: &mut taken };
    let plan = ActionPlan::compile(&mut fields, raw).map(|(action, length)| FaultPlan {
        name: name.to_owned(),
        start: start.clone(),
        length: length.map(Duration::std),
        timeout: std::time::Duration::ZERO,
        action,
        position: cx.document.position(cx.document.key_place(pointer)),
    });
    Read { start, plan, defaults: taken }
}

/// The links that faults affect.
pub(super) fn links(faults: &[FaultPlan]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for link in faults.iter().filter_map(|fault| fault.action.link()) {
        if !links.contains(link) {
            links.push(link.clone());
        }
    }
    links
}

/// Checks how `stop` and `start`, and several `scale` faults, fit together.
fn pairs(cx: &mut Context<'_>, known: &Known, faults: &KnownFaults) {
    let covers = |wide: &FaultTarget, narrow: &FaultTarget| {
        wide.service == narrow.service && (wide.replica.is_none() || wide.replica == narrow.replica)
    };
    let all_read = faults.values().all(|read| read.plan.is_some());
    let good = || faults.values().filter_map(Read::good);
    for fault in good() {
        let pointer = fault_pointer(&fault.name);
        match &fault.action {
            ActionPlan::Stop { target, .. } if fault.length.is_none() && all_read => {
                let started = |other: &FaultPlan| matches!(&other.action, ActionPlan::Start { target: it } if covers(it, target));
                if !good().any(started) {
                    let hint =
                        Some(format!("add `for: 10s`, or a fault of type `start` with `target: {target}`"));
                    cx.at_key(&pointer, format!("`{target}` is stopped and never started again"), hint);
                }
            }
            ActionPlan::Start { target } if all_read => {
                let stopped = |other: &FaultPlan| matches!(&other.action, ActionPlan::Stop { target: it, .. } if covers(target, it) || covers(it, target));
                if !good().any(stopped) {
                    let hint = Some(format!("add a fault of type `stop` with `target: {target}`"));
                    cx.at_key(
                        &pointer,
                        format!("no fault stops `{target}`, so there is nothing to start"),
                        hint,
                    );
                }
            }
            ActionPlan::Scale { service, to } if all_read => {
                let scales = |other: &&FaultPlan| matches!(&other.action, ActionPlan::Scale { service: it, .. } if it == service);
                let now = known.services.get(service).and_then(Option::as_ref).map(|it| it.replicas);
                if now == Some(*to) && good().filter(scales).count() == 1 {
                    cx.at_key(
                        &pointer,
                        format!(
                            "no change: `{service}` already has {to} {}",
                            if *to == 1 { "replica" } else { "replicas" }
                        ),
                        None,
                    );
                }
            }
            _ => {}
        }
    }
}
