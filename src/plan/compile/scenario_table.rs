//! Scenarios by name while their file is judged: good ones, and refused ones that others may still name.
//!
//! Owns what a scenario may be called, and what is said where a name means none.

use std::time::Duration;

use indexmap::IndexMap;

use super::context::Context;
use super::defaults_recorder::DefaultsRecorder;
use crate::plan::{ScenarioKind, ScenarioPlan};
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;

/// A scenario that is good.
#[derive(Debug)]
pub(super) struct Compiled {
    /// Its timeout is set once all scenarios and faults are known.
    pub(super) plan: ScenarioPlan,
    /// The timeout that the file gives it.
    pub(super) timeout: Option<Duration>,
    pub(super) defaults: DefaultsRecorder,
}

/// A scenario by its name. The name and type of one that the schema or `compile` refused still count for references.
#[derive(Debug)]
pub(super) enum ScenarioEntry {
    Good(Box<Compiled>),
    Refused { kind: Option<ScenarioKind> },
}

impl ScenarioEntry {
    pub(super) fn good(&self) -> Option<&ScenarioPlan> {
        match self {
            Self::Good(scenario) => Some(&scenario.plan),
            Self::Refused { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> Option<ScenarioKind> {
        match self {
            Self::Good(scenario) => Some(scenario.plan.work.kind()),
            Self::Refused { kind } => *kind,
        }
    }
}

/// The pointer of a scenario.
pub(super) fn scenario_pointer(name: &str) -> String {
    below("/scenarios", name)
}

/// The pointer of a fault.
pub(super) fn fault_pointer(name: &str) -> String {
    below("/faults", name)
}

/// Names of scenarios stand in `when` before a dot and in summaries as keys.
pub(super) fn legal_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// Says that a name is not that of a scenario.
pub(super) fn unknown_scenario(
    cx: &mut Context<'_>,
    pointer: &str,
    name: &str,
    slots: &IndexMap<String, ScenarioEntry>,
) {
    let hint = suggest::hint(name, slots.keys().map(String::as_str));
    cx.about_value(pointer, &format!("unknown scenario `{name}`"), hint, "the name of a scenario");
}
