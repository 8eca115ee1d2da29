//! Decides which brokers a run uses: from the command line, the file, its services, or its profile.

use indexmap::IndexMap;

use super::client::{self, ProfileSettings};
use super::cluster::Known;
use super::context::Context;
use crate::plan::Target;
use crate::plan::compile::scenario_table::ScenarioEntry;
use crate::plan::compile::section::Parts;
use crate::scenario::ServiceTemplate;
use crate::scenario::environment::options::LoadOptions;
use crate::scenario::source::diagnostics::Diagnostic;

/// The brokers of the run. The order of precedence is the command line, the file, the services that it
/// starts, and its profile, which other files may share.
pub(super) fn target(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    slots: &IndexMap<String, ScenarioEntry>,
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
                "the broker that is built into kaf6 is not a container, so faults in its `cluster` would not \
                affect it",
            );
        }
        return Target::Embedded;
    }
    if let Some(brokers) = &options.brokers {
        if known.starts && !options.connect_only {
            elsewhere(
                cx,
                "--brokers",
                "the file starts its own brokers in `cluster`, so faults would affect other \
                brokers than the load",
            );
        }
        return client::addresses_of_option(cx, brokers);
    }
    let cluster = (known.starts && known.has_kafka()).then_some(Target::Cluster);
    let chosen = if options.profile.is_some() {
        if cluster.is_some()
            && matches!(&profile.target, Some(Target::Brokers(list)) if !list.iter().any(ServiceTemplate::has_service))
        {
            elsewhere(
                cx,
                "--profile",
                "the file starts its own brokers in `cluster`, but the profile names other ones",
            );
        }
        profile.target.clone().or(file).or(cluster)
    } else {
        file.or(cluster).or_else(|| profile.target.clone())
    };
    if let Some(target) = chosen {
        if target == Target::Embedded && known.written {
            let hint = Some("remove `brokers`, or `cluster`".to_owned());
            let message = "the broker that is built into kaf6 is not a container, so faults in `cluster` would \
            not affect it";
            cx.at("/brokers", message, hint);
        }
        return target;
    }
    let needed = slots.values().any(|slot| match slot {
        ScenarioEntry::Good(scenario) => {
            scenario.plan.work.kind().needs_kafka() && scenario.plan.brokers.is_none()
        }
        ScenarioEntry::Refused { .. } => false,
    });
    if !needed || parts.json.pointer("/brokers").is_some() || parts.refused("/profile") || profile.failed {
        return Target::Brokers(Vec::new());
    }
    if !known.attached.is_empty() {
        let hint = Some("add `brokers: [localhost:9092]`".to_owned());
        cx.at_key(
            "/cluster/attach",
            "`attach` requires `brokers`: kaf6 does not know how clients reach attached containers",
            hint,
        );
    } else if known.starts {
        if !known.incomplete {
            let hint = Some("name a port of the broker's service `kafka`, or set `brokers`".to_owned());
            cx.at_key("/cluster", "no service has a port named `kafka`, so clients have no address", hint);
        }
    } else {
        cx.at_key(
            "",
            "no brokers specified",
            Some("set `brokers: [localhost:9092]` or `brokers: embedded`, or pass --brokers".to_owned()),
        );
    }
    Target::Brokers(Vec::new())
}

/// Warns that an option selects brokers other than the file's containers.
fn elsewhere(cx: &mut Context<'_>, option: &str, why: &str) {
    let hint = Some(format!("remove {option}, or `cluster` and `faults` of the file"));
    cx.problems.push(Diagnostic::of_file(
        &cx.document.path,
        format!("cannot use {option} with this file: {why}"),
        hint,
    ));
}
