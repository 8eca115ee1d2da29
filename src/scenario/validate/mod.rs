//! From the raw model to the validated scenario: what fields mean together, with a place for each problem.
//!
//! Owns the order of the steps; a part that the schema refused is left out, and what rests on it is not judged.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::conform::Findings;
use super::diagnostics::Diagnostic;
use super::model;
use super::node::Document;
use super::options::LoadOptions;
use super::valid::{Activity, Profile, Scenario, Target, Work};

mod activity;
mod checks;
pub(super) mod client;
pub(super) mod context;
mod parts;
mod references;
mod slot;
mod topics;

use context::Context;
use parts::Parts;
use slot::Slot;

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
        cluster: None,
        faults: Vec::new(),
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
    slots: &IndexMap<String, Slot>,
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
