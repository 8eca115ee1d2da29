//! Compiles `faults`: their targets, and whether each fault can be injected there.
//!
//! Defines the signals, and the messages for faults that kaf6 cannot inject. `references` checks when faults
//! start.

use indexmap::IndexMap;

use super::cluster::{self, Known};
use super::context::Context;
use super::defaults_recorder::DefaultsRecorder;
use super::start::start;
use crate::plan::cluster::{AttachBy, Link};
use crate::plan::compile::scenario_table::{ScenarioEntry, fault_pointer, legal_name};
use crate::plan::compile::section::Parts;
use crate::plan::{ActionPlan, FaultPlan, FaultTarget, Start, defaults};
use crate::scenario::format::fault as raw;
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use crate::units::Duration;

pub(super) type KnownFaults = IndexMap<String, Read>;

/// A fault as far as it is valid. References to it are checked even if the fault itself is invalid.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) start: Start,
    /// Its timeout is set when all scenarios and faults are known.
    pub(super) plan: Option<FaultPlan>,
    pub(super) defaults: DefaultsRecorder,
}

impl Read {
    pub(super) const fn good(&self) -> Option<&FaultPlan> {
        self.plan.as_ref()
    }
}

/// Signals that end a process unless it handles them.
const SIGNALS: [&str; 15] = [
    "SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL",
    "SIGTRAP", "SIGSYS", "SIGPIPE", "SIGUSR1", "SIGUSR2",
];

/// Compiles all faults, in the file's order.
pub(super) fn compile_faults(
    cx: &mut Context<'_>,
    parts: &Parts<'_>,
    known: &Known,
    scenarios: &IndexMap<String, ScenarioEntry>,
) -> KnownFaults {
    let members = parts.json.pointer("/faults").and_then(serde_json::Value::as_object);
    let names: Vec<&String> = members.into_iter().flatten().map(|(name, _)| name).collect();
    if !names.is_empty() && !known.written {
        let hint = Some("add `cluster: {preset: kafscale}`, `services` or `attach`".to_owned());
        cx.at_key("/faults", "faults need a `cluster`, but the file has none", hint);
    }
    let mut faults = KnownFaults::new();
    for name in names {
        let pointer = fault_pointer(name);
        if !legal_name(name) {
            let hint = Some("use letters, digits, `_` and `-` in the name of a fault".to_owned());
            cx.at_key(&pointer, format!("invalid fault name `{name}`"), hint);
        }
        if scenarios.contains_key(name) {
            let hint = Some("`after` could refer to either".to_owned());
            cx.at_key(&pointer, format!("a scenario already has the name `{name}`"), hint);
        }
        let read = parts.get::<raw::Fault>(&pointer, cx).map(|fault| read(cx, known, &pointer, name, &fault));
        faults.insert(name.clone(), read.unwrap_or_default());
    }
    pairs(cx, known, &faults);
    faults
}

fn read(cx: &mut Context<'_>, known: &Known, pointer: &str, name: &str, raw: &raw::Fault) -> Read {
    let common = raw.common();
    let start = start(cx, pointer, "a fault", common.after, common.at.as_ref(), common.when.as_deref());
    let mut taken = DefaultsRecorder::below(format!("faults.{name}"));
    let plan = action(cx, known, pointer, raw, &mut taken).map(|(action, length)| FaultPlan {
        name: name.to_owned(),
        start: start.clone(),
        length: length.map(Duration::std),
        timeout: std::time::Duration::ZERO,
        action,
        position: cx.document.position(cx.document.key_place(pointer)),
    });
    Read { start, plan, defaults: taken }
}

/// Compiles what the fault does, and for how long.
fn action(
    cx: &mut Context<'_>,
    known: &Known,
    pointer: &str,
    raw: &raw::Fault,
    taken: &mut DefaultsRecorder,
) -> Option<(ActionPlan, Option<Duration>)> {
    let at_length = below(pointer, "for");
    Some(match raw {
        raw::Fault::Restart(it) => (restart(cx, known, pointer, it, taken)?, None),
        raw::Fault::Stop(it) => {
            let target = target(cx, known, pointer, &it.target);
            let signal = signal(cx, pointer, it.signal.as_deref(), taken);
            let length = cx.positive(&at_length, it.length.as_ref());
            (ActionPlan::Stop { target: target?, signal }, length)
        }
        raw::Fault::Start(it) => {
            (ActionPlan::Start { target: target(cx, known, pointer, &it.target)? }, None)
        }
        raw::Fault::Pause(it) => {
            let target = target(cx, known, pointer, &it.target);
            let length = cx.positive(&at_length, Some(&it.length));
            (ActionPlan::Pause { target: target? }, length)
        }
        raw::Fault::Throttle(it) => {
            let length = cx.positive(&at_length, Some(&it.length));
            (throttle(cx, known, pointer, it, length)?, length)
        }
        raw::Fault::Scale(it) => {
            let length = cx.positive(&at_length, it.length.as_ref());
            (scale(cx, known, pointer, it)?, length)
        }
        raw::Fault::Exec(it) => {
            let target = target(cx, known, pointer, &it.target);
            let command = cluster::command(cx, &below(pointer, "command"), &it.command);
            (ActionPlan::Exec { target: target?, command }, None)
        }
    })
}

fn restart(
    cx: &mut Context<'_>,
    known: &Known,
    pointer: &str,
    raw: &raw::Restart,
    taken: &mut DefaultsRecorder,
) -> Option<ActionPlan> {
    let target = target(cx, known, pointer, &raw.target);
    let signal = signal(cx, pointer, raw.signal.as_deref(), taken);
    let down_for = cx.quantity(&below(pointer, "down_for"), raw.down_for.as_ref());
    let down_for = taken.or("down_for", down_for, defaults::DOWN_FOR, defaults::DOWN_FOR).std();
    let at_image = below(pointer, "image");
    let image = raw.image.as_ref().and_then(|image| cluster::image(cx, &at_image, image));
    if let Some(target) =
        target.as_ref().filter(|t| image.is_some() && known.attached.contains_key(&t.service))
    {
        let message =
            format!("`{}` is attached, so kaf6 cannot recreate it from another image", target.service);
        let hint = Some("start it with `cluster.services`, or remove `image`".to_owned());
        cx.at_key(&at_image, message, hint);
    }
    Some(ActionPlan::Restart { target: target?, signal, down_for, image })
}

/// Parses `broker` or `broker.1`.
fn target(cx: &mut Context<'_>, known: &Known, fault: &str, text: &str) -> Option<FaultTarget> {
    let pointer = below(fault, "target");
    let text = text.trim();
    if text.contains("->") {
        let hint = Some("only `throttle` works on a link between two services".to_owned());
        cx.about_value(&pointer, &format!("`{text}` is not a service"), hint, "a service");
        return None;
    }
    let (service, replica) = match text.rsplit_once('.') {
        Some((service, number)) => match number.parse::<u32>() {
            Ok(replica) => (service, Some(replica)),
            Err(_) => {
                let hint = Some(format!(
                    "use `{service}.1` for one replica, `{service}` for all of \
                them"
                ));
                cx.about_value(&pointer, &format!("invalid replica number `{number}`"), hint, "a service");
                return None;
            }
        },
        None => (text, None),
    };
    exists(cx, known, &pointer, service)?;
    let most = match known.attached.get(service) {
        Some(Some(attach)) => matches!(attach.by, AttachBy::Container(_)).then_some(1),
        Some(None) => None,
        None => Some(known.most(service)),
    };
    if let (Some(replica), Some(most)) = (replica, most)
        && replica >= most
    {
        let replicas = if most == 1 { "replica" } else { "replicas" };
        let message = format!("unknown replica: `{service}` has at most {most} {replicas}");
        let hint = Some(format!("replicas count from 0, so the last one is `{service}.{}`", most - 1));
        cx.about_value(&pointer, &message, hint, "a service");
    }
    Some(FaultTarget { service: service.to_owned(), replica })
}

/// Checks that a service or attached container with this name exists.
fn exists(cx: &mut Context<'_>, known: &Known, pointer: &str, name: &str) -> Option<()> {
    if known.services.contains_key(name) || known.attached.contains_key(name) {
        return Some(());
    }
    if known.written && !known.incomplete && !cx.is_full() {
        let hint = suggest::hint(name, known.names());
        cx.about_value(pointer, &format!("unknown service `{name}`"), hint, "a service");
    }
    None
}

/// Parses the signal of a fault that stops a service.
fn signal(cx: &mut Context<'_>, fault: &str, text: Option<&str>, taken: &mut DefaultsRecorder) -> String {
    let Some(text) = text else {
        taken.note("signal", defaults::SIGNAL);
        return defaults::SIGNAL.to_owned();
    };
    let upper = text.trim().to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    if !SIGNALS.contains(&name.as_str()) {
        let hint = match name.as_str() {
            "SIGSTOP" | "SIGTSTP" | "SIGCONT" => {
                Some("use a fault of type `pause` to freeze a service".to_owned())
            }
            _ => suggest::hint(&name, SIGNALS),
        };
        let message = format!("`{text}` is not a signal that ends a process");
        cx.about_value(&below(fault, "signal"), &message, hint, "a signal");
    }
    name
}

fn throttle(
    cx: &mut Context<'_>,
    known: &Known,
    fault: &str,
    raw: &raw::Throttle,
    length: Option<Duration>,
) -> Option<ActionPlan> {
    let latency: Option<Duration> = cx.quantity(&below(fault, "latency"), raw.latency.as_ref());
    let jitter: Option<Duration> = cx.quantity(&below(fault, "jitter"), raw.jitter.as_ref());
    let bandwidth = cx.quantity(&below(fault, "bandwidth"), raw.bandwidth.as_ref());
    let wanted = latency.is_some_and(|latency| latency != Duration::ZERO);
    if raw.bandwidth.is_none() && (raw.latency.is_none() || latency == Some(Duration::ZERO)) {
        let hint = Some("add `latency: 200ms`, or `bandwidth: 1MiB/s`".to_owned());
        cx.at_key(fault, "`throttle` requires `latency` or `bandwidth`", hint);
    }
    if jitter.is_some_and(|jitter| jitter > latency.unwrap_or_default()) && (wanted || raw.latency.is_none())
    {
        let hint = Some("`jitter` is added to `latency` or subtracted from it".to_owned());
        cx.at_key(&below(fault, "jitter"), "`jitter` is larger than `latency`", hint);
    }
    if latency.zip(length).is_some_and(|(latency, length)| latency >= length) {
        let hint = Some(
            "increase `for`, because data that is still delayed at the end of the fault is sent at once"
                .to_owned(),
        );
        cx.at_key(&below(fault, "latency"), "`latency` must be shorter than `for`", hint);
    }
    let link = link(cx, known, &below(fault, "target"), &raw.target)?;
    Some(ActionPlan::Throttle {
        link,
        latency: latency.unwrap_or_default().std(),
        jitter: jitter.unwrap_or_default().std(),
        bandwidth: bandwidth.map(crate::units::Bandwidth::get),
    })
}

/// Parses `broker -> store`, and checks that kaf6's relay can be between the two.
fn link(cx: &mut Context<'_>, known: &Known, pointer: &str, text: &str) -> Option<Link> {
    let Some((from, to)) = text.split_once("->").map(|(from, to)| (from.trim(), to.trim())) else {
        let hint = Some("write the link as `broker -> store`: first the client, then the server".to_owned());
        cx.about_value(
            pointer,
            &format!("invalid link `{text}`: expected two services"),
            hint,
            "a link between services",
        );
        return None;
    };
    let found = [from, to].map(|name| exists(cx, known, pointer, name));
    for name in [from, to] {
        if known.attached.contains_key(name) {
            let message =
                format!("`{name}` is attached: kaf6's relay works only between containers that kaf6 started");
            let hint = Some("start them with `cluster.services`".to_owned());
            cx.about_value(pointer, &message, hint, "a link that can be throttled");
            return None;
        }
    }
    if found.contains(&None) {
        return None;
    }
    if from == to {
        cx.about_value(
            pointer,
            "invalid link: expected two different services",
            None,
            "a link between services",
        );
        return None;
    }
    if let Some(Some(service)) = known.services.get(from)
        && !cluster::texts(service).any(|(_, wired)| wired.refers_to(to))
    {
        let port = known.services.get(to).and_then(Option::as_ref).and_then(|to| to.ports.first());
        let port = port.map_or("PORT", |(name, _)| name.as_str());
        let message = format!(
            "`{from}` does not refer to `{to}`, so no traffic would pass through kaf6's \
            relay"
        );
        let hint =
            Some(format!("write its address as `{{{{{to}.{port}}}}}` in `env` or `command` of `{from}`"));
        cx.about_value(pointer, &message, hint, "a link between services");
        return None;
    }
    Some(Link { from: from.to_owned(), to: to.to_owned() })
}

fn scale(cx: &mut Context<'_>, known: &Known, fault: &str, raw: &raw::Scale) -> Option<ActionPlan> {
    let pointer = below(fault, "target");
    let service = raw.target.trim();
    if let Some((front, _)) =
        service.rsplit_once('.').filter(|(front, _)| known.services.contains_key(*front))
    {
        let hint = Some(format!("use `{front}`"));
        cx.about_value(&pointer, "only a whole service can be scaled", hint, "a service");
        return None;
    }
    exists(cx, known, &pointer, service)?;
    if known.attached.contains_key(service) {
        let message = format!("`{service}` is attached: kaf6 cannot start more containers of it");
        let hint = Some("start it with `cluster.services`".to_owned());
        cx.about_value(&pointer, &message, hint, "a service that kaf6 starts");
        return None;
    }
    Some(ActionPlan::Scale { service: service.to_owned(), to: raw.to })
}

/// Checks how `stop` and `start`, and several `scale` faults, fit together.
fn pairs(cx: &mut Context<'_>, known: &Known, faults: &KnownFaults) {
    let covers = |wide: &FaultTarget, narrow: &FaultTarget| {
        wide.service == narrow.service && (wide.replica.is_none() || wide.replica == narrow.replica)
    };
    let all_read = faults.values().all(|read| read.plan.is_some());
    let good = || faults.values().filter_map(Read::good);
    for fault in good() {
        let pointer = fault_pointer(&fault.name);
        match &fault.action {
            ActionPlan::Stop { target, .. } if fault.length.is_none() && all_read => {
                let started = |other: &FaultPlan| matches!(&other.action, ActionPlan::Start { target: it } if covers(it, target));
                if !good().any(started) {
                    let hint =
                        Some(format!("add `for: 10s`, or a fault of type `start` with `target: {target}`"));
                    cx.at_key(&pointer, format!("`{target}` is stopped and never started again"), hint);
                }
            }
            ActionPlan::Start { target } if all_read => {
                let stopped = |other: &FaultPlan| matches!(&other.action, ActionPlan::Stop { target: it, .. } if covers(target, it) || covers(it, target));
                if !good().any(stopped) {
                    let hint = Some(format!("add a fault of type `stop` with `target: {target}`"));
                    cx.at_key(
                        &pointer,
                        format!("no fault stops `{target}`, so there is nothing to start"),
                        hint,
                    );
                }
            }
            ActionPlan::Scale { service, to } if all_read => {
                let scales = |other: &&FaultPlan| matches!(&other.action, ActionPlan::Scale { service: it, .. } if it == service);
                let now = known.services.get(service).and_then(Option::as_ref).map(|it| it.replicas);
                if now == Some(*to) && good().filter(scales).count() == 1 {
                    cx.at_key(
                        &pointer,
                        format!(
                            "no change: `{service}` already has {to} {}",
                            if *to == 1 { "replica" } else { "replicas" }
                        ),
                        None,
                    );
                }
            }
            _ => {}
        }
    }
}
