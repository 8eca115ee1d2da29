//! Prints containers, relays and faults of a plan, for `kaf6 plan`.
//!
//! Texts are printed as the file has them, so they contain no values from the environment.

use std::fmt::Write;

use crate::plan::cluster::{AttachBy, ClusterPlan, Readiness, ServicePlan};
use crate::plan::render::{command, line, section, time};
use crate::plan::{FaultPlan, Pull};

/// The containers to start, in order, or to attach to, followed by the relays.
pub(crate) fn cluster(cluster: &ClusterPlan, out: &mut String) {
    if !cluster.services.is_empty() {
        let preset = cluster.preset.as_ref().map_or_else(String::new, |name| format!("; preset {name}"));
        let _ = writeln!(out, "\ncontainers  (in start order{preset})");
    }
    for service in &cluster.services {
        line(out, &format!("  {}  {}", service.name, service.image));
        for (name, text) in rows(service) {
            line(out, &format!("    {name:10} {text}"));
        }
    }
    section(
        out,
        "attached to",
        cluster.attached.iter().map(|attach| {
            let how = match &attach.by {
                AttachBy::Container(name) => format!("container {name}"),
                AttachBy::Labels(labels) => format!("each container labeled {}", labels.join(" and ")),
            };
            (attach.name.clone(), how)
        }),
    );
    section(
        out,
        "relays  (between services from the start; in effect only during a fault)",
        cluster.links.iter().map(|link| {
            let what =
                format!("{} gets the relay's address instead of each address of {}", link.from, link.to);
            (format!("{} -> {}", link.from, link.to), what)
        }),
    );
}

fn rows(service: &ServicePlan) -> Vec<(&'static str, String)> {
    let container = |replica: u32| format!("kaf6-<run-id>-{}-{replica}", service.name);
    let mut rows = Vec::new();
    for replica in 0..service.replicas {
        rows.push((if replica == 0 { "container" } else { "" }, container(replica)));
    }
    if service.most > service.replicas {
        rows.push(("", format!("up to {}, added by faults", container(service.most - 1))));
    }
    let pull = match service.pull {
        Pull::Missing => "if missing",
        Pull::Always => "always",
        Pull::Never => "never",
    };
    rows.push(("pull", pull.to_owned()));
    rows.extend(service.entrypoint.as_ref().map(|words| ("entrypoint", command(words))));
    rows.extend(service.command.as_ref().map(|words| ("command", command(words))));
    for (index, (name, value)) in service.env.iter().enumerate() {
        rows.push((if index == 0 { "env" } else { "" }, format!("{name}={value}")));
    }
    let pairs = |list: Vec<String>| (!list.is_empty()).then(|| list.join(", "));
    let ports = service.ports.iter().map(|(name, port)| format!("{name} {port}")).collect();
    rows.extend(pairs(ports).map(|text| ("ports", text)));
    let volumes = service.volumes.iter().map(|(name, path)| format!("{name} at {path}")).collect();
    rows.extend(pairs(volumes).map(|text| ("volumes", text)));
    rows.extend(pairs(service.needs.clone()).map(|text| ("needs", text)));
    let ready = match &service.ready {
        None => "once it runs".to_owned(),
        Some(Readiness::Http { port, path }) => format!("GET {path} on {port} returns 200 to 299"),
        Some(Readiness::Tcp { port }) => format!("{port} accepts a connection"),
        Some(Readiness::Kafka { port }) => format!("{port} answers Kafka metadata"),
        Some(Readiness::Exec(words)) => format!("{} exits with 0", command(words)),
    };
    rows.push(("ready", format!("{ready}; within {}", time(service.ready_timeout))));
    rows
}

/// What each fault does.
pub(crate) fn faults(faults: &[FaultPlan], out: &mut String) {
    if faults.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nfaults");
    for fault in faults {
        let (kind, target) = (fault.action.kind(), fault.action.target());
        line(out, &format!("  {} ({kind} {target}, at most {})", fault.name, time(fault.timeout)));
        line(out, &format!("    {}", fault.what()));
    }
}
