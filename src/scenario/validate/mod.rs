//! From the raw model to the validated scenario: what fields mean together, with a place for each problem.
//!
//! Owns the order of the steps; a part that the schema refused is left out, and what rests on it is not judged.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::conform::Findings;
use super::diagnostics::Diagnostic;
use super::model;
use super::node::{Document, below};
use super::profile::Profile;
use super::valid::{Activity, Check, Scenario, Target, Topic, Work};
use super::{LoadOptions, suggest};

mod activity;
mod checks;
pub(super) mod client;
pub(super) mod context;
mod references;
mod topics;

use context::Context;

/// An activity that the schema or this module refused: its name and type still count for references.
#[derive(Debug)]
pub(super) enum Slot {
    Good(Box<Activity>),
    Refused { kind: Option<String> },
}

impl Slot {
    fn good(&self) -> Option<&Activity> {
        match self {
            Self::Good(activity) => Some(activity),
            Self::Refused { .. } => None,
        }
    }

    fn kind(&self) -> Option<&str> {
        match self {
            Self::Good(activity) => Some(activity.work.kind()),
            Self::Refused { kind } => kind.as_deref(),
        }
    }
}

/// Reads parts of a document that the schema accepted.
pub(super) struct Parts<'a> {
    json: &'a Json,
    findings: &'a Findings,
}

impl<'a> Parts<'a> {
    pub(super) fn new(json: &'a Json, findings: &'a Findings) -> Self {
        Self { json, findings }
    }

    /// The part at a pointer; none where it is absent or refused.
    pub(super) fn get<T: DeserializeOwned>(&self, pointer: &str, cx: &mut Context<'_>) -> Option<T> {
        let value = self.json.pointer(pointer)?;
        if self.findings.touch(pointer) {
            return None;
        }
        // Accepted by the schema made from the same types, so this reads; should it not, that must not pass.
        let part = T::deserialize(value).or_else(|_| T::deserialize(&whole_numbers(value))).ok();
        if part.is_none() {
            cx.at(pointer, "this cannot be read", None);
        }
        part
    }

    pub(super) fn refused(&self, pointer: &str) -> bool {
        self.findings.touch(pointer)
    }
}

/// JSON Schema takes `10.0` and `1e3` for whole numbers, and so do people; serde does not. What a producer sends as
/// JSON stays as it is written.
fn whole_numbers(value: &Json) -> Json {
    match value {
        Json::Array(items) => items.iter().map(whole_numbers).collect(),
        Json::Object(members) => {
            let change =
                |key: &str, value: &Json| if key == "json" { value.clone() } else { whole_numbers(value) };
            Json::Object(members.iter().map(|(key, value)| (key.clone(), change(key, value))).collect())
        }
        Json::Number(number) if number.is_f64() => {
            // Printed without its fraction, a whole number below 2^63 reads back as itself.
            let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e18);
            whole
                .and_then(|float| format!("{float:.0}").parse::<i64>().ok())
                .map_or_else(|| value.clone(), Json::from)
        }
        _ => value.clone(),
    }
}

/// Validates a document that went through the schema.
pub(super) fn run(
    document: &Document,
    findings: &Findings,
    profile: Profile,
    options: &LoadOptions<'_>,
) -> Result<Scenario, Vec<Diagnostic>> {
    let json = document.root.to_json();
    let parts = Parts::new(&json, findings);
    let mut cx = Context::new(document);

    let topics = topics::declared(&mut cx, &parts);
    let mut slots = activity::all(&mut cx, &parts, &topics, &profile, options);
    references::orders(&mut cx, &slots);
    references::readers(&mut cx, &mut slots);
    let checks = checks::all(&mut cx, &parts, &slots);
    let run: model::Run = parts.get("/run", &mut cx).unwrap_or_default();
    let timeout = cx.positive("/run/timeout", run.timeout.as_ref());

    let file_brokers: Option<model::Brokers> = parts.get("/brokers", &mut cx);
    let file_target = file_brokers.and_then(|brokers| client::target(&mut cx, "/brokers", &brokers));
    let target = target(&mut cx, &parts, &slots, file_target, &profile, options);
    let file_client: model::Client = parts.get("/client", &mut cx).unwrap_or_default();
    let file_client = client::settings(&mut cx, "/client", &file_client);
    let client = client::merge(profile.client, file_client);
    let text_at = |pointer: &str| json.pointer(pointer).and_then(Json::as_str).map(str::to_owned);

    let Context { problems, .. } = cx;
    let activities: Vec<Activity> = slots
        .into_values()
        .filter_map(|slot| match slot {
            Slot::Good(activity) => Some(*activity),
            Slot::Refused { .. } => None,
        })
        .collect();
    if !problems.is_empty() || !findings.broken.is_empty() || findings.cut {
        return Err(problems);
    }
    Ok(Scenario {
        path: document.path.clone(),
        text: document.text.clone(),
        name: text_at("/name").filter(|name| !name.trim().is_empty()),
        description: text_at("/description"),
        profile: profile.name,
        client: if target == Target::Embedded { client::for_embedded(client) } else { client },
        target,
        topics: topics.list,
        activities,
        checks,
        timeout,
        seed: run.seed,
        audit: match run.audit {
            Some(model::Audit::Fixed(audit)) => Some(audit),
            Some(model::Audit::Word(model::Auto::Auto)) | None => None,
        },
    })
}

/// Where the load goes: the command line before the file before its profile.
fn target(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    slots: &indexmap::IndexMap<String, Slot>,
    file: Option<Target>,
    profile: &Profile,
    options: &LoadOptions<'_>,
) -> Target {
    if options.embedded {
        return Target::Embedded;
    }
    if let Some(brokers) = &options.brokers {
        return client::addresses_of_option(cx, brokers);
    }
    let chosen = if options.profile.is_some() {
        profile.target.clone().or(file)
    } else {
        file.or_else(|| profile.target.clone())
    };
    if let Some(target) = chosen {
        return target;
    }
    let needed = slots.values().any(|slot| match slot {
        Slot::Good(activity) => !matches!(activity.work, Work::Metrics(_)) && activity.brokers.is_none(),
        Slot::Refused { .. } => false,
    });
    if needed && parts.json.pointer("/brokers").is_none() && !parts.refused("/profile") && !profile.failed {
        cx.at_key(
            "",
            "no brokers are given",
            Some("write `brokers: [localhost:9092]` or `brokers: embedded`, or pass --brokers".to_owned()),
        );
    }
    Target::Brokers(Vec::new())
}

/// Names of scenarios stand in `when` before a dot and in summaries as keys.
fn legal_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// Says that a name is not that of a scenario.
fn unknown_scenario(
    cx: &mut Context<'_>,
    pointer: &str,
    name: &str,
    slots: &indexmap::IndexMap<String, Slot>,
) {
    let hint = suggest::hint(name, slots.keys().map(String::as_str));
    cx.about_value(pointer, &format!("there is no scenario `{name}`"), hint, "the name of a scenario");
}

/// Finds repeats; the answer is the first place of each name.
fn repeats<'n>(
    cx: &mut Context<'_>,
    names: impl Iterator<Item = (String, &'n str)>,
    what: &str,
) -> HashMap<&'n str, usize> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (pointer, name) in names {
        let line = cx.document.place(&pointer).line;
        if let Some(before) = first.get(name) {
            let hint = Some(format!("the first one is in line {before}"));
            cx.about_value(&pointer, &format!("there are two {what} `{name}`"), hint, "a name of its own");
        } else {
            first.insert(name, line);
        }
    }
    first
}

/// The pointer of a scenario.
fn scenario_pointer(name: &str) -> String {
    below("/scenarios", name)
}

/// The checks of a file, as `run` collects them.
type Checks = Vec<Check>;

/// The topics declared, and whether that is all of them.
#[derive(Debug, Default)]
pub(super) struct Topics {
    list: Vec<Topic>,
    /// Some could not be read, so nothing can be said of what is missing.
    incomplete: bool,
}
