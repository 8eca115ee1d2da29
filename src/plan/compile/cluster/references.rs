//! Checks references to services: whether each one is valid where it is used, and which services need each
//! other.
//!
//! Also finds cycles of services that need each other.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::super::context::Context;
use super::super::faults::{KnownFaults, Read};
use super::{Known, service_pointer, texts};
use crate::plan::cluster::Readiness;
use crate::plan::compile::scenario_table::{ScenarioEntry, fault_pointer, scenario_pointer};
use crate::plan::{Target, Work};
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use crate::scenario::template::service_template::{Reference, ServiceTemplate};

/// Checks references in services, adds the needs that follow from them, and finds cycles.
pub(crate) fn services(cx: &mut Context<'_>, known: &mut Known) {
    let mut implied: Vec<(String, String)> = Vec::new();
    for (name, service) in &known.services {
        let Some(service) = service else { continue };
        let pointer = service_pointer(name);
        for (at, wired) in texts(service) {
            check(cx, known, &format!("{pointer}{at}"), wired, Owner::Service(name));
            for reference in wired.references() {
                if let Reference::Service { service: other, .. } = reference
                    && other != name
                    && known.services.contains_key(other)
                {
                    implied.push((name.clone(), other.clone()));
                }
            }
        }
        if let Some(Readiness::Exec(words)) = &service.ready {
            for (index, wired) in words.iter().enumerate() {
                let at = below(&below(&below(&pointer, "ready"), "exec"), index);
                check(cx, known, &at, wired, Owner::Service(name));
            }
        }
        for (index, need) in service.needs.iter().enumerate() {
            if !known.services.contains_key(need) && !known.incomplete && !cx.is_full() {
                let hint = suggest::hint(need, known.services.keys().map(String::as_str));
                let at = below(&below(&pointer, "needs"), index);
                cx.about_value(&at, &format!("unknown service `{need}`"), hint, "a service");
            }
        }
    }
    for (name, other) in implied {
        if let Some(Some(service)) = known.services.get_mut(&name)
            && !service.needs.contains(&other)
        {
            service.needs.push(other);
        }
    }
    circles(cx, known);
}

/// Reports each cycle of needs once.
fn circles(cx: &mut Context<'_>, known: &Known) {
    let mut done: IndexMap<&str, bool> = IndexMap::new();
    for start in known.services.keys() {
        let mut path: Vec<(&str, usize)> = Vec::new();
        if !done.contains_key(start.as_str()) {
            path.push((start, 0));
            done.insert(start, false);
        }
        while let Some((name, next)) = path.last_mut() {
            let name = *name;
            let needs = known.services.get(name).and_then(Option::as_ref).map_or(&[][..], |it| &it.needs);
            let Some(to) = needs.get(*next).map(String::as_str) else {
                done.insert(name, true);
                path.pop();
                continue;
            };
            *next += 1;
            match done.get(to) {
                Some(false) => {
                    let from = path.iter().position(|(on, _)| *on == to).unwrap_or(0);
                    let mut circle: Vec<&str> = path[from..].iter().map(|(name, _)| *name).collect();
                    circle.push(to);
                    let message = format!("these services need each other: {}", circle.join(" -> "));
                    let hint = Some("a reference to a service counts as an entry of `needs`".to_owned());
                    cx.at_key(&below(&service_pointer(name), "needs"), message, hint);
                }
                None if known.services.contains_key(to) => {
                    done.insert(to, false);
                    path.push((to, 0));
                }
                Some(true) | None => {}
            }
        }
    }
}

/// Checks references outside services: in faults, brokers and URLs of `metrics` scenarios.
pub(crate) fn outside(
    cx: &mut Context<'_>,
    known: &Known,
    slots: &IndexMap<String, ScenarioEntry>,
    faults: &KnownFaults,
    file: Option<&Target>,
    profile: Option<&Target>,
) {
    for fault in faults.values().filter_map(Read::good) {
        let service = fault.action.service();
        let started = known.services.contains_key(service);
        let owner = if started { Owner::Service(service) } else { Owner::Attached };
        for (at, wired) in fault.action.texts() {
            check(cx, known, &format!("{}{at}", fault_pointer(&fault.name)), wired, owner);
        }
    }
    // If the profile provides the brokers, problems are reported where the file names the profile.
    for (pointer, target) in [("/brokers", file), ("/profile", profile)] {
        if let Some(Target::Brokers(list)) = target {
            brokers(cx, known, pointer, list);
        }
    }
    for scenario in slots.values().filter_map(ScenarioEntry::good) {
        let pointer = scenario_pointer(&scenario.name);
        brokers(cx, known, &below(&pointer, "brokers"), scenario.brokers.as_deref().unwrap_or_default());
        if let Work::Metrics(metrics) = &scenario.work {
            check(cx, known, &below(&pointer, "url"), &metrics.url, Owner::None);
        }
    }
}

fn brokers(cx: &mut Context<'_>, known: &Known, pointer: &str, list: &[ServiceTemplate]) {
    for (index, wired) in list.iter().enumerate() {
        check(cx, known, &below(pointer, index), wired, Owner::None);
    }
}

/// Where a text with references is used.
#[derive(Clone, Copy)]
enum Owner<'a> {
    Service(&'a str),
    Attached,
    None,
}

/// Checks the references in a text. `owner` is where the text is used.
fn check(cx: &mut Context<'_>, known: &Known, pointer: &str, wired: &ServiceTemplate, owner: Owner<'_>) {
    let mut seen: HashSet<&Reference> = HashSet::new();
    for reference in wired.references().filter(|reference| seen.insert(reference)) {
        if cx.is_full() {
            return;
        }
        if let Err((message, hint)) = means(known, reference, owner) {
            cx.about_value(pointer, &message, hint, "a string with valid references");
        }
    }
}

fn means(known: &Known, reference: &Reference, owner: Owner<'_>) -> Result<(), (String, Option<String>)> {
    let ports = |service: &str| {
        let service = known.services.get(service)?.as_ref()?;
        Some(service.ports.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    };
    let port_of = |service: &str, port: &str| match ports(service) {
        Some(ports) if !ports.contains(&port) => {
            let hint = suggest::hint(port, ports);
            Err((format!("`{reference}`: `{service}` has no port `{port}`"), hint))
        }
        _ => Ok(()),
    };
    match (reference, owner) {
        (Reference::RunId, _)
        | (Reference::Replica, Owner::Service(_) | Owner::Attached)
        | (Reference::SelfHost, Owner::Service(_)) => Ok(()),
        (Reference::SelfPort(port), Owner::Service(owner)) => port_of(owner, port),
        (Reference::SelfHost | Reference::SelfPort(_), Owner::Attached) => {
            let message = format!(
                "`{reference}`: kaf6 does not know how clients reach an attached \
            container"
            );
            Err((message, Some("write the address instead".to_owned())))
        }
        (Reference::Replica | Reference::SelfHost | Reference::SelfPort(_), Owner::None) => {
            let hint = Some("outside of a service, name the service: `{{broker.kafka}}`".to_owned());
            Err((format!("`{reference}` works only within a service"), hint))
        }
        (Reference::Service { service, replica, port }, _) => {
            if !known.services.contains_key(service) {
                if known.incomplete {
                    return Ok(());
                }
                let message = format!("`{reference}`: unknown service `{service}`");
                return Err(if known.attached.contains_key(service) {
                    let message = format!(
                        "`{reference}`: `{service}` is attached, and kaf6 does not know its addresses"
                    );
                    (message, Some("write the address instead".to_owned()))
                } else if known.services.is_empty() {
                    (message, Some("define services under `cluster.services`, or use a `preset`".to_owned()))
                } else {
                    (message, suggest::hint(service, known.services.keys().map(String::as_str)))
                });
            }
            port_of(service, port)?;
            let most = known.most(service);
            match replica {
                Some(replica) if *replica >= most => {
                    let hint = Some("replicas are numbered from 0".to_owned());
                    let replicas = if most == 1 { "replica" } else { "replicas" };
                    Err((format!("`{reference}`: `{service}` has at most {most} {replicas}"), hint))
                }
                _ => Ok(()),
            }
        }
    }
}
