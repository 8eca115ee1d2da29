//! Where the load goes, of all that may say so: the command line, the file, what it starts, and its profile.

use indexmap::IndexMap;

use super::client::{self, ProfileSettings};
use super::cluster::Known;
use super::context::Context;
use super::parts::Parts;
use super::slot::Slot;
use crate::plan::Target;
use crate::scenario::Wired;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::options::LoadOptions;

/// Where the load goes: the command line before the file, that before what the file starts, and that before its
/// profile, which may serve other files.
pub(super) fn target(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    slots: &IndexMap<String, Slot>,
    known: &Known,
    file: Option<Target>,
    profile: &ProfileSettings,
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
        Slot::Good(scenario) => scenario.plan.work.kind().needs_kafka() && scenario.plan.brokers.is_none(),
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
