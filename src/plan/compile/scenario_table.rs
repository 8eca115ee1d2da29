//! The table of scenarios during compilation. It includes invalid ones, because others may refer to them.
//!
//! Defines valid scenario names, and the messages for unknown ones.

use std::time::Duration;

use indexmap::IndexMap;

use super::context::Context;
use super::defaults_recorder::DefaultsRecorder;
use crate::plan::{ScenarioKind, ScenarioPlan};
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;

/// A valid scenario.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Its timeout is set when all scenarios and faults are known.
    pub(crate) plan: ScenarioPlan,
    /// The timeout in the file.
    pub(crate) timeout: Option<Duration>,
    pub(crate) defaults: DefaultsRecorder,
}

/// An entry of the table. Name and type of an invalid scenario are kept for references.
#[derive(Debug)]
pub(crate) enum ScenarioEntry {
    Good(Box<Compiled>),
    Refused { kind: Option<ScenarioKind> },
}

impl ScenarioEntry {
    pub(crate) fn good(&self) -> Option<&ScenarioPlan> {
        match self {
            Self::Good(scenario) => Some(&scenario.plan),
            Self::Refused { .. } => None,
        }
    }

    pub(crate) fn kind(&self) -> Option<ScenarioKind> {
        match self {
            Self::Good(scenario) => Some(scenario.plan.work.kind()),
            Self::Refused { kind } => *kind,
        }
    }
}

/// JSON pointer to a scenario.
pub(crate) fn scenario_pointer(name: &str) -> String {
    below("/scenarios", name)
}

/// JSON pointer to a fault.
pub(crate) fn fault_pointer(name: &str) -> String {
    below("/faults", name)
}

/// Whether a name is valid. Names are used before a dot in `when` and as keys in summaries.
pub(crate) fn legal_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// Reports an unknown scenario.
pub(crate) fn unknown_scenario(
    cx: &mut Context<'_>,
    pointer: &str,
    name: &str,
    slots: &IndexMap<String, ScenarioEntry>,
) {
    let hint = suggest::hint(name, slots.keys().map(String::as_str));
    cx.about_value(pointer, &format!("unknown scenario `{name}`"), hint, "the name of a scenario");
}
