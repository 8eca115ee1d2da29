//! Compiles `cluster`: services and attached containers, each on its own.
//!
//! Checks names of services, ports and images. `references` checks how services depend on each other.

pub(super) mod references;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::context::Context;
use super::defaults_recorder::DefaultsRecorder;
use crate::plan::cluster::{AttachBy, AttachPlan, Link, Readiness};
use crate::plan::compile::section::Parts;
use crate::plan::{ClusterPlan, DefaultTaken, ServicePlan, defaults};
use crate::scenario::environment::preset;
use crate::scenario::format::written::Plain;
use crate::scenario::format::{FaultKind, cluster as raw};
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use crate::scenario::template::service_template::ServiceTemplate;

/// The containers of a file. An invalid one is `None`, but other parts of the file may still refer to it.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) preset: Option<String>,
    pub(super) services: IndexMap<String, Option<ServicePlan>>,
    pub(super) attached: IndexMap<String, Option<AttachPlan>>,
    /// The defaults of services.
    defaults: IndexMap<String, DefaultsRecorder>,
    /// The file has a `cluster`.
    pub(super) written: bool,
    /// The run starts containers, or would if the file were valid.
    pub(super) starts: bool,
    /// Some of it is invalid, so missing names must not be reported.
    pub(super) incomplete: bool,
    /// Maximum number of replicas of each service, including `scale` faults.
    most: BTreeMap<String, u32>,
}

impl Known {
    /// All names that a fault may use as target.
    pub(super) fn names(&self) -> Vec<&str> {
        self.services.keys().chain(self.attached.keys()).map(String::as_str).collect()
    }

    /// Maximum number of replicas of a service.
    pub(super) fn most(&self, service: &str) -> u32 {
        self.most.get(service).copied().unwrap_or(1)
    }

    /// Whether the run starts a service that clients can connect to.
    pub(super) fn has_kafka(&self) -> bool {
        let kafka = |service: &ServicePlan| service.ports.iter().any(|(name, _)| name == "kafka");
        self.services.values().any(|service| service.as_ref().is_none_or(kafka))
    }

    /// The cluster of a valid file with relays in these links, and its defaults.
    pub(super) fn into_cluster(self, links: Vec<Link>) -> (Option<ClusterPlan>, Vec<DefaultTaken>) {
        if !self.written {
            return (None, Vec::new());
        }
        let Self { preset, services, attached, mut defaults, most, .. } = self;
        let mut services = in_order(services.into_values().flatten().collect());
        let mut taken = Vec::new();
        for service in &mut services {
            service.most = most.get(&service.name).copied().unwrap_or(service.replicas);
            taken.extend(
                defaults.swap_remove(&service.name).map(DefaultsRecorder::into_taken).into_iter().flatten(),
            );
        }
        let attached = attached.into_values().flatten().collect();
        (Some(ClusterPlan { preset, services, attached, links }), taken)
    }
}

/// Sorts services so that each comes after the services that it needs, otherwise in file order. Needs have no
/// cycles.
fn in_order(mut open: Vec<ServicePlan>) -> Vec<ServicePlan> {
    let mut placed: BTreeSet<String> = BTreeSet::new();
    let mut order: Vec<ServicePlan> = Vec::new();
    while !open.is_empty() {
        let can = |service: &ServicePlan| service.needs.iter().all(|need| placed.contains(need));
        // If there were a cycle, the file order would be used.
        let next = open.remove(open.iter().position(can).unwrap_or(0));
        placed.insert(next.name.clone());
        order.push(next);
    }
    order
}

/// JSON pointer to a service.
pub(super) fn service_pointer(name: &str) -> String {
    below("/cluster/services", name)
}

/// The texts of a service that may contain references, with their pointers relative to the service.
pub(super) fn texts(service: &ServicePlan) -> impl Iterator<Item = (String, &ServiceTemplate)> {
    let words = |field: &'static str, words: &'_ Option<Vec<ServiceTemplate>>| {
        let count = words.as_ref().map_or(0, Vec::len);
        (0..count).map(move |index| below(&below("", field), index)).collect::<Vec<_>>()
    };
    let entrypoint =
        words("entrypoint", &service.entrypoint).into_iter().zip(service.entrypoint.iter().flatten());
    let command = words("command", &service.command).into_iter().zip(service.command.iter().flatten());
    let env = service.env.iter().map(|(name, wired)| (below("/env", name), wired));
    entrypoint.chain(command).chain(env)
}

/// Compiles `cluster`. The document already includes the services of a preset.
pub(super) fn read(cx: &mut Context<'_>, parts: &Parts<'_>) -> Known {
    let Some(cluster) = parts.json.pointer("/cluster") else { return Known::default() };
    let members = |key: &str| {
        let members = cluster.get(key).and_then(Json::as_object);
        members.into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<String>>()
    };
    let mut known = Known {
        written: true,
        starts: cluster.get("preset").is_some() || cluster.get("services").is_some(),
        incomplete: parts.shallowly_refused("/cluster"),
        ..Known::default()
    };
    if let Some(name) = cluster.get("preset").and_then(Json::as_str) {
        known.preset = Some(name.to_owned());
        if preset::text(name).is_none() {
            let hint = suggest::hint(name, preset::names());
            known.incomplete = true;
            cx.about_value("/cluster/preset", &format!("unknown preset `{name}`"), hint, "a preset");
        }
    }
    if known.starts && cluster.get("attach").is_some() {
        let hint = Some("remove `attach`, or `preset` and `services`".to_owned());
        let message = "`attach` cannot be combined with `preset` or `services`";
        cx.at_key("/cluster/attach", message, hint);
    }
    let (services, attached) = (members("services"), members("attach"));
    if services.is_empty() && attached.is_empty() && !known.incomplete {
        let hint = Some("add `preset: kafscale`, `services: {...}` or `attach: {...}`".to_owned());
        cx.at_key("/cluster", "`cluster` names no containers", hint);
    }
    for name in services {
        let mut taken = DefaultsRecorder::below(format!("cluster.services.{name}"));
        let service = service(cx, parts, &name, &mut taken);
        known.defaults.insert(name.clone(), taken);
        known.services.insert(name, service);
    }
    for name in attached {
        let attach = attach(cx, parts, &name);
        known.attached.insert(name, attach);
    }
    for (name, service) in &known.services {
        known.most.insert(name.clone(), service.as_ref().map_or(100, |it| it.replicas));
    }
    let faults = parts.json.pointer("/faults").and_then(Json::as_object);
    for fault in faults.into_iter().flatten().map(|(_, fault)| fault) {
        let target = fault.get("target").and_then(Json::as_str).map(str::trim);
        let to = fault.get("to").and_then(Json::as_u64).and_then(|to| u32::try_from(to).ok());
        let kind = fault.get("type").and_then(Json::as_str).and_then(FaultKind::from_name);
        if let (Some(FaultKind::Scale), Some(target), Some(to)) = (kind, target, to)
            && let Some(most) = known.most.get_mut(target)
        {
            *most = (*most).max(to);
        }
    }
    known
}

/// Names of services become host names, which allow only these characters.
fn host_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
}

/// Names of ports and volumes are used in references and in Docker names.
fn plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 40
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn service(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    name: &str,
    taken: &mut DefaultsRecorder,
) -> Option<ServicePlan> {
    let pointer = service_pointer(name);
    if !host_name(name) {
        let hint = Some("use lower-case letters, digits and `-`, as in a host name".to_owned());
        cx.at_key(&pointer, format!("invalid service name `{name}`"), hint);
    } else if matches!(name, "self" | "replica" | "run_id") {
        cx.at_key(&pointer, format!("`{name}` is reserved in references"), None);
    }
    let raw: raw::Service = parts.get(&pointer, cx)?;
    let image = match &raw.image {
        Some(image) => self::image(cx, &below(&pointer, "image"), image),
        None => {
            let hint = Some("add, for example, `image: ghcr.io/kafscale/kafscale-broker:v1.6.0`".to_owned());
            cx.at_key(&pointer, "`image` is missing", hint);
            None
        }
    };
    let ports = ports(cx, &pointer, raw.ports.unwrap_or_default());
    let ready = raw.ready.as_ref().and_then(|ready| self::ready(cx, name, ready, &ports));
    let mut needs = Vec::new();
    for (index, need) in raw.needs.into_iter().flatten().enumerate() {
        if need == name {
            cx.at(
                &below(&below(&pointer, "needs"), index),
                format!("`{name}` lists itself under `needs`"),
                None,
            );
        } else if !needs.contains(&need) {
            needs.push(need);
        }
    }
    let entrypoint = raw.entrypoint.map(|words| command(cx, &below(&pointer, "entrypoint"), &words));
    let words = raw.command.map(|words| command(cx, &below(&pointer, "command"), &words));
    let env = env(cx, &below(&pointer, "env"), raw.env.unwrap_or_default());
    let volumes = volumes(cx, &below(&pointer, "volumes"), raw.volumes.unwrap_or_default());
    let ready_timeout = cx.positive(&below(&pointer, "ready_timeout"), raw.ready_timeout.as_ref());
    let position = cx.document.position(cx.document.key_place(&pointer));
    let pull = taken.or("pull", raw.pull, defaults::PULL, "missing");
    let replicas = taken.or("replicas", raw.replicas, defaults::REPLICAS, defaults::REPLICAS);
    if ready.is_none() {
        taken.note("ready", "it runs");
    }
    let ready_timeout =
        taken.or("ready_timeout", ready_timeout, defaults::READY_TIMEOUT, defaults::READY_TIMEOUT).std();
    Some(ServicePlan {
        name: name.to_owned(),
        image: image?,
        pull,
        entrypoint,
        command: words,
        env,
        ports,
        volumes,
        needs,
        replicas,
        most: replicas,
        ready,
        ready_timeout,
        position,
    })
}

/// Checks an image name. It finds typos but does not enforce all of Docker's rules.
pub(super) fn image(cx: &mut Context<'_>, pointer: &str, text: &str) -> Option<String> {
    let name = text.split_once('@').map_or(text, |(name, _)| name);
    // A tag follows the last colon, unless that colon precedes a registry's port.
    let repository = match name.rsplit_once(':') {
        Some((front, tag)) if !tag.contains('/') => front,
        _ => name,
    };
    let path = match repository.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => repository,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let wrong = if let Some(c) = text.chars().find(|c| !fits(*c)) {
        Some(format!("invalid character {c:?} in an image name"))
    } else if path.split('/').any(|part| !part.starts_with(|c: char| c.is_ascii_alphanumeric())) {
        Some(format!("invalid image name `{text}`"))
    } else if path.contains(|c: char| c.is_ascii_uppercase()) {
        Some(format!("the image name `{text}` has upper-case letters"))
    } else {
        None
    };
    match wrong {
        None => Some(text.to_owned()),
        Some(message) => {
            let hint = Some("use the form `registry/name:tag`".to_owned());
            cx.about_value(pointer, &message, hint, "the name of an image");
            None
        }
    }
}

/// Compiles a command, argument by argument.
pub(super) fn command(cx: &mut Context<'_>, pointer: &str, words: &[Plain]) -> Vec<ServiceTemplate> {
    let mut read = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let at = below(pointer, index);
        let text = cx.document.text_of(&at).unwrap_or(&word.0).to_owned();
        read.extend(cx.wired(&at, &text));
    }
    read
}

fn env(cx: &mut Context<'_>, pointer: &str, raw: IndexMap<String, Plain>) -> Vec<(String, ServiceTemplate)> {
    let mut read = Vec::new();
    for (name, value) in raw {
        let at = below(pointer, &name);
        if name.is_empty() || name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()) {
            cx.at_key(&at, format!("invalid variable name `{name}`"), None);
        }
        let text = cx.document.text_of(&at).unwrap_or(&value.0).to_owned();
        read.extend(cx.wired(&at, &text).map(|wired| (name, wired)));
    }
    read
}

fn ports(cx: &mut Context<'_>, service: &str, raw: IndexMap<String, raw::Port>) -> Vec<(String, u16)> {
    let pointer = below(service, "ports");
    let mut read: Vec<(String, u16)> = Vec::new();
    for (name, raw::Port(port)) in raw {
        let at = below(&pointer, &name);
        if !plain_name(&name) {
            let hint = Some("use letters, digits, `_` and `-`".to_owned());
            cx.at_key(&at, format!("invalid port name `{name}`"), hint);
        }
        if let Some((before, _)) = read.iter().find(|(_, other)| *other == port) {
            let message = format!("port {port} already has the name `{before}`");
            cx.about_value(&at, &message, None, "a unique port");
        }
        read.push((name, port));
    }
    read
}

fn volumes(cx: &mut Context<'_>, pointer: &str, raw: IndexMap<String, String>) -> Vec<(String, String)> {
    let mut read: Vec<(String, String)> = Vec::new();
    for (name, path) in raw {
        let at = below(pointer, &name);
        if !plain_name(&name) {
            let hint = Some(
                "use letters, digits, `_` and `-`; a volume belongs to the run and is not a \
                folder of the host"
                    .to_owned(),
            );
            cx.at_key(&at, format!("invalid volume name `{name}`"), hint);
        }
        if !path.starts_with('/') || path.contains(':') {
            let hint = Some("use an absolute path, for example `data: /data`".to_owned());
            cx.about_value(
                &at,
                &format!("invalid path in a container: `{path}`"),
                hint,
                "a path in a container",
            );
        } else if let Some((before, _)) = read.iter().find(|(_, other)| *other == path) {
            cx.about_value(
                &at,
                &format!("`{before}` is already mounted there"),
                None,
                "a unique \
            path",
            );
        }
        read.push((name, path));
    }
    read
}

fn ready(
    cx: &mut Context<'_>,
    service: &str,
    raw: &raw::Ready,
    ports: &[(String, u16)],
) -> Option<Readiness> {
    let pointer = &below(&service_pointer(service), "ready");
    let written = [raw.http.is_some(), raw.tcp.is_some(), raw.exec.is_some(), raw.kafka.is_some()];
    match written.iter().filter(|written| **written).count() {
        1 => {}
        count => {
            let hint =
                Some("use one of `http: port/path`, `tcp: port`, `exec: [...]` and `kafka: port`".to_owned());
            let message = if count == 0 { "`ready` has no probe" } else { "`ready` has more than one probe" };
            cx.at_key(pointer, message, hint);
            return None;
        }
    }
    let mut port = |field: &str, name: &str| {
        if ports.iter().any(|(known, _)| known == name) {
            return Some(name.to_owned());
        }
        let hint = match suggest::hint(name, ports.iter().map(|(known, _)| known.as_str())) {
            Some(hint) => Some(hint),
            None => Some(format!("add `ports: {{{name}: ...}}` to it")),
        };
        let message = format!("`{service}` has no port `{name}`");
        cx.about_value(&below(pointer, field), &message, hint, "the name of a port");
        None
    };
    if let Some(text) = &raw.http {
        let (name, path) = text.split_once('/').unwrap_or((text, ""));
        return Some(Readiness::Http { port: port("http", name)?, path: format!("/{path}") });
    }
    if let Some(name) = &raw.tcp {
        return Some(Readiness::Tcp { port: port("tcp", name)? });
    }
    if let Some(name) = &raw.kafka {
        return Some(Readiness::Kafka { port: port("kafka", name)? });
    }
    raw.exec.as_ref().map(|words| Readiness::Exec(command(cx, &below(pointer, "exec"), words)))
}

fn attach(cx: &mut Context<'_>, parts: &Parts<'_>, name: &str) -> Option<AttachPlan> {
    let pointer = below("/cluster/attach", name);
    if !plain_name(name) {
        let hint = Some("use letters, digits, `_` and `-`".to_owned());
        cx.at_key(&pointer, format!("invalid container name `{name}`"), hint);
    }
    let position = cx.document.position(cx.document.key_place(&pointer));
    let by = match parts.get::<raw::Attach>(&pointer, cx)? {
        raw::Attach::Container(text) => {
            if text.contains(char::is_whitespace) || text.starts_with('-') {
                let message = format!("invalid container name or id `{text}`");
                cx.about_value(&pointer, &message, None, "a container's name or id");
            }
            AttachBy::Container(text)
        }
        raw::Attach::Labelled(raw) => labels(cx, &pointer, &raw)?,
    };
    Some(AttachPlan { name: name.to_owned(), by, position })
}

fn labels(cx: &mut Context<'_>, pointer: &str, raw: &raw::Labelled) -> Option<AttachBy> {
    if raw.project.is_some() && raw.compose.is_none() {
        cx.at_key(&below(pointer, "project"), "`project` requires `compose`", None);
    }
    match (&raw.compose, &raw.label) {
        (Some(service), None) => {
            let service = format!("com.docker.compose.service={service}");
            let project = raw.project.as_ref().map(|name| format!("com.docker.compose.project={name}"));
            Some(AttachBy::Labels([service].into_iter().chain(project).collect()))
        }
        (None, Some(label)) => {
            if label.split_once('=').is_none_or(|(key, _)| key.trim().is_empty()) {
                let hint = Some("use `key=value`".to_owned());
                cx.about_value(
                    &below(pointer, "label"),
                    &format!("invalid label `{label}`"),
                    hint,
                    "a label",
                );
            }
            Some(AttachBy::Labels(vec![label.clone()]))
        }
        (compose, _) => {
            let hint = Some("use either `compose: service` or `label: key=value`".to_owned());
            let none = compose.is_none();
            let name = pointer.rsplit('/').next().unwrap_or_default();
            let message = if none {
                format!("`{name}` does not name a container")
            } else {
                format!("`{name}` has both `compose` and `label`")
            };
            cx.at_key(pointer, message, hint);
            None
        }
    }
}
