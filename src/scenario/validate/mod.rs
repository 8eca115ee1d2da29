//! From the file as written to the validated scenario: what fields mean together, with a place for each problem.
//!
//! Owns the order of the steps; a part that the schema refused is left out, and what rests on it is not judged.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::conform::Findings;
use super::diagnostics::Diagnostic;
use super::format;
use super::node::Document;
use super::options::LoadOptions;
use super::secrets::Secrets;
use super::valid::{Activity, Profile, Scenario, Target, Work};
use super::wiring::Wired;

mod activity;
mod checks;
pub(super) mod client;
mod cluster;
pub(super) mod context;
mod faults;
mod parts;
mod references;
mod slot;
mod topics;
mod wires;

use cluster::Known;
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

    cx.no_secret("/name", "the run's name");
    cx.no_secret("/profile", "a profile's name");
    let mut known = cluster::read(&mut cx, &parts);
    wires::services(&mut cx, &mut known);
    let topics = topics::declared(&mut cx, &parts);
    let mut slots = activity::all(&mut cx, &parts, &topics, &profile, options);
    let faults = faults::all(&mut cx, &parts, &known, &slots);
    references::orders(&mut cx, &slots, &faults);
    references::readers(&mut cx, &mut slots);
    let run: format::Run = parts.get("/run", &mut cx).unwrap_or_default();
    let audit = match run.audit {
        Some(format::Audit::Fixed(audit)) => Some(audit),
        Some(format::Audit::Word(format::Auto::Auto)) | None => None,
    };
    let checks = checks::all(&mut cx, &parts, &slots, &faults, audit != Some(false));
    let timeout = cx.positive("/run/timeout", run.timeout.as_ref());
    let unreadable_after = cx.positive("/run/unreadable_after", run.unreadable_after.as_ref());

    let file_brokers: Option<format::Brokers> = parts.get("/brokers", &mut cx);
    let file_target = file_brokers.and_then(|brokers| client::target(&mut cx, "/brokers", &brokers));
    let written = file_target.clone();
    let target = target(&mut cx, &parts, &slots, &known, file_target, &profile, options);
    // A profile's brokers matter only where they are taken.
    let taken =
        profile.target.as_ref().filter(|theirs| **theirs == target && written.as_ref() != Some(*theirs));
    wires::outside(&mut cx, &known, &slots, &faults, written.as_ref(), taken);
    let file_client: format::Client = parts.get("/client", &mut cx).unwrap_or_default();
    let before = cx.problems.len();
    let file_client = client::settings(&mut cx, "/client", &file_client, options);
    let client = client::merge(profile.client, file_client);
    if cx.problems.len() == before && !profile.failed && target != Target::Embedded {
        client::together(&mut cx, &client, options);
    }
    let text_at = |pointer: &str| json.pointer(pointer).and_then(Json::as_str).map(str::to_owned);

    let timeout_at = cx.document.place("/run/timeout");
    let Context { problems, warnings, .. } = cx;
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
        cluster: known.into_cluster(),
        faults: faults.into_values().filter_map(|read| read.good).collect(),
        checks,
        timeout,
        timeout_at,
        seed: run.seed,
        audit,
        unreadable_after,
        secrets: Secrets::default(),
        warnings,
    })
}

/// Where the load goes: the command line before the file, that before what the file starts, and that before its
/// profile, which may serve other files.
fn target(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    slots: &IndexMap<String, Slot>,
    known: &Known,
    file: Option<Target>,
    profile: &Profile,
    options: &LoadOptions<'_>,
) -> Target {
    if options.embedded {
        if known.written {
            elsewhere(
                cx,
                "--embedded",
                "the broker inside kaf6 is no container, so its `cluster` would be touched for nothing",
            );
        }
        return Target::Embedded;
    }
    if let Some(brokers) = &options.brokers {
        if known.starts && !options.connect_only {
            elsewhere(
                cx,
                "--brokers",
                "the file starts its own brokers in `cluster`, and faults would hit other ones than the load",
            );
        }
        return client::addresses_of_option(cx, brokers);
    }
    let cluster = (known.starts && known.has_kafka()).then_some(Target::Cluster);
    let chosen = if options.profile.is_some() {
        if cluster.is_some()
            && matches!(&profile.target, Some(Target::Brokers(list)) if !list.iter().any(Wired::has_service))
        {
            elsewhere(
                cx,
                "--profile",
                "the file starts its own brokers in `cluster`, and the profile names other ones",
            );
        }
        profile.target.clone().or(file).or(cluster)
    } else {
        file.or(cluster).or_else(|| profile.target.clone())
    };
    if let Some(target) = chosen {
        if target == Target::Embedded && known.written {
            let hint = Some("leave out `brokers`, or `cluster`".to_owned());
            let message = "the broker inside kaf6 is no container, so `cluster` would be touched for nothing";
            cx.at("/brokers", message, hint);
        }
        return target;
    }
    let needed = slots.values().any(|slot| match slot {
        Slot::Good(activity) => !matches!(activity.work, Work::Metrics(_)) && activity.brokers.is_none(),
        Slot::Refused { .. } => false,
    });
    if !needed || parts.json.pointer("/brokers").is_some() || parts.refused("/profile") || profile.failed {
        return Target::Brokers(Vec::new());
    }
    if !known.attached.is_empty() {
        let hint = Some("add `brokers: [localhost:9092]`".to_owned());
        cx.at_key("/cluster/attach", "it says which containers, and not how clients reach the brokers", hint);
    } else if known.starts {
        if !known.incomplete {
            let hint = Some("name a port of the broker's service `kafka`, or write `brokers`".to_owned());
            cx.at_key("/cluster", "no service has a port named `kafka`, so clients have nowhere to go", hint);
        }
    } else {
        cx.at_key(
            "",
            "no brokers are given",
            Some("write `brokers: [localhost:9092]` or `brokers: embedded`, or pass --brokers".to_owned()),
        );
    }
    Target::Brokers(Vec::new())
}

/// Says that an option sends the load elsewhere than the file's containers.
fn elsewhere(cx: &mut Context<'_>, option: &str, why: &str) {
    let hint = Some(format!("leave out {option}, or `cluster` and `faults` of the file"));
    cx.problems.push(Diagnostic::of_file(
        &cx.document.path,
        format!("{option} cannot be used with it: {why}"),
        hint,
    ));
}
