//! Scenarios by name while their file is judged: good ones, and refused ones that others may still name.
//!
//! Owns what a scenario may be called, and what is said where a name means none.

use indexmap::IndexMap;

use super::context::Context;
use crate::scenario::format::ScenarioKind;
use crate::scenario::node::below;
use crate::scenario::suggest;
use crate::scenario::valid::Activity;

/// An activity that the schema or `validate` refused: its name and type still count for references.
#[derive(Debug)]
pub(super) enum Slot {
    Good(Box<Activity>),
    Refused { kind: Option<ScenarioKind> },
}

impl Slot {
    pub(super) fn good(&self) -> Option<&Activity> {
        match self {
            Self::Good(activity) => Some(activity),
            Self::Refused { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> Option<ScenarioKind> {
        match self {
            Self::Good(activity) => Some(activity.work.kind()),
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
    slots: &IndexMap<String, Slot>,
) {
    let hint = suggest::hint(name, slots.keys().map(String::as_str));
    cx.about_value(pointer, &format!("there is no scenario `{name}`"), hint, "the name of a scenario");
}
