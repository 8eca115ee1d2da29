//! Prints containers, relays and faults of a plan, for `kaf6 plan`.
//!
//! Texts are printed as the file has them, so they contain no values from the environment.

use std::fmt::Write;
use std::time::Duration as StdDuration;

use crate::plan::Pull;
use crate::plan::cluster::{ActionPlan, AttachBy, ClusterPlan, FaultPlan, Readiness, ServicePlan};
use crate::plan::render::{count, line, section, time};
use crate::scenario::ServiceTemplate;
use crate::units::Bandwidth;

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
        "relays  (between services from the start; slow only during a fault)",
        cluster.links.iter().map(|link| {
            let what = format!("replaces each address of {} that {} gets", link.to, link.from);
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
        rows.push(("", format!("up to {}, by faults", container(service.most - 1))));
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

/// A command as a YAML list in one line.
fn command(words: &[ServiceTemplate]) -> String {
    let quoted = |word: &ServiceTemplate| {
        let text = word.to_string();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+${}".contains(c);
        if !text.is_empty() && text.chars().all(plain) { text } else { format!("{text:?}") }
    };
    format!("[{}]", words.iter().map(quoted).collect::<Vec<_>>().join(", "))
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
        line(out, &format!("    {}", what(fault)));
    }
}

fn what(fault: &FaultPlan) -> String {
    let length = fault.length.map(time);
    let for_ = length.as_ref().map_or_else(String::new, |length| format!(" for {length}"));
    match &fault.action {
        ActionPlan::Restart { signal, down_for, image, .. } => {
            let image = image.as_ref().map_or_else(String::new, |image| format!(" from {image}"));
            format!("ended by {signal}, restarted{image} after {}", time(*down_for))
        }
        ActionPlan::Stop { signal, .. } => match length {
            Some(length) => format!("ended by {signal}, restarted after {length}"),
            None => format!("ended by {signal}"),
        },
        ActionPlan::Start { .. } => "restarted".to_owned(),
        ActionPlan::Pause { .. } => format!("frozen{for_}"),
        ActionPlan::Throttle { link, latency, jitter, bandwidth } => {
            let mut parts = Vec::new();
            if !latency.is_zero() {
                let jitter = if jitter.is_zero() { String::new() } else { format!(" +- {}", time(*jitter)) };
                parts.push(format!("{}{jitter} latency from {} to {}", time(*latency), link.from, link.to));
            }
            parts.extend(
                bandwidth.map(|bytes| format!("at most {} in each direction", Bandwidth::new(bytes))),
            );
            parts.extend(length.map(|length| format!("for {length}")));
            parts.join(", ")
        }
        ActionPlan::Scale { service, to } => {
            let back = length.map_or_else(String::new, |length| format!(", and back after {length}"));
            format!("{service} scales to {}{back}", count(u64::from(*to), "replica"))
        }
        ActionPlan::Exec { command: words, .. } => format!("runs {}", command(words)),
    }
}

/// How long a fault lasts if nothing fails, if the plan knows it.
pub(crate) const fn expected(fault: &FaultPlan) -> Option<StdDuration> {
    match &fault.action {
        ActionPlan::Restart { down_for, .. } => Some(*down_for),
        _ => fault.length,
    }
}
