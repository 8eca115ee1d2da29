//! The fields of a fault that name what it applies to: a service, a replica, a link, a signal.
//!
//! Reports targets to which kaf6 cannot apply a fault.

use super::super::cluster::{self, Known};
use super::super::context::Context;
use super::super::defaults_recorder::DefaultsRecorder;
use crate::plan::cluster::{AttachBy, FaultTarget, Link};
use crate::plan::defaults;
use crate::scenario::format::Written;
use crate::scenario::source::node::below;
use crate::scenario::source::suggest;
use crate::units::Duration;

/// Signals that end a process unless it handles them.
const SIGNALS: [&str; 15] = [
    "SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL",
    "SIGTRAP", "SIGSYS", "SIGPIPE", "SIGUSR1", "SIGUSR2",
];

/// The fields of one fault during compilation.
pub(super) struct FaultFields<'c, 'a> {
    pub(super) cx: &'c mut Context<'a>,
    pub(super) known: &'c Known,
    /// JSON pointer to the fault.
    pub(super) pointer: &'c str,
    pub(super) taken: &'c mut DefaultsRecorder,
}

impl FaultFields<'_, '_> {
    /// JSON pointer to a field.
    pub(super) fn at(&self, field: &str) -> String {
        below(self.pointer, field)
    }

    /// How long the fault lasts.
    pub(super) fn length(&mut self, written: Option<&Written<Duration>>) -> Option<Duration> {
        self.cx.positive(&self.at("for"), written)
    }

    /// Parses `broker` or `broker.1`.
    pub(super) fn target(&mut self, text: &str) -> Option<FaultTarget> {
        let pointer = self.at("target");
        let text = text.trim();
        if let Some((from, _)) = text.split_once("->") {
            let hint = Some(format!("this type of fault applies to a service, such as `{}`", from.trim()));
            self.cx.about_value(&pointer, &format!("`{text}` is not a service"), hint, "a service");
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
                    self.cx.about_value(
                        &pointer,
                        &format!("invalid replica number `{number}`"),
                        hint,
                        "a service",
                    );
                    return None;
                }
            },
            None => (text, None),
        };
        self.exists(&pointer, service)?;
        let most = match self.known.attached.get(service) {
            Some(Some(attach)) => matches!(attach.by, AttachBy::Container(_)).then_some(1),
            Some(None) => None,
            None => Some(self.known.most(service)),
        };
        if let (Some(replica), Some(most)) = (replica, most)
            && replica >= most
        {
            let replicas = if most == 1 { "replica" } else { "replicas" };
            let message = format!("unknown replica: `{service}` has at most {most} {replicas}");
            let hint =
                Some(format!("replicas are numbered from 0, so the last one is `{service}.{}`", most - 1));
            self.cx.about_value(&pointer, &message, hint, "a service");
        }
        Some(FaultTarget { service: service.to_owned(), replica })
    }

    /// Checks that a service or attached container with this name exists.
    pub(super) fn exists(&mut self, pointer: &str, name: &str) -> Option<()> {
        if self.known.services.contains_key(name) || self.known.attached.contains_key(name) {
            return Some(());
        }
        if self.known.written && !self.known.incomplete && !self.cx.is_full() {
            let hint = suggest::hint(name, self.known.names());
            self.cx.about_value(pointer, &format!("unknown service `{name}`"), hint, "a service");
        }
        None
    }

    /// Parses the signal of a fault that stops a service.
    pub(super) fn signal(&mut self, text: Option<&str>) -> String {
        let Some(text) = text else {
            self.taken.note("signal", defaults::SIGNAL);
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
            self.cx.about_value(&self.at("signal"), &message, hint, "a signal");
        }
        name
    }

    /// Parses `broker -> store`, and checks that kaf6's relay can be between the two.
    pub(super) fn link(&mut self, text: &str) -> Option<Link> {
        let pointer = self.at("target");
        let Some((from, to)) = text.split_once("->").map(|(from, to)| (from.trim(), to.trim())) else {
            let hint =
                Some("write the link as `broker -> store`: first the client, then the server".to_owned());
            self.cx.about_value(
                &pointer,
                &format!("invalid link `{text}`: expected two services"),
                hint,
                "a link between services",
            );
            return None;
        };
        let found = [from, to].map(|name| self.exists(&pointer, name));
        for name in [from, to] {
            if self.known.attached.contains_key(name) {
                let message = format!(
                    "`{name}` is attached: kaf6's relay works only between containers that kaf6 started"
                );
                let hint = Some("start them with `cluster.services`".to_owned());
                self.cx.about_value(&pointer, &message, hint, "a link between services that kaf6 starts");
                return None;
            }
        }
        if found.contains(&None) {
            return None;
        }
        if from == to {
            self.cx.about_value(
                &pointer,
                "invalid link: expected two different services",
                None,
                "a link between services",
            );
            return None;
        }
        if let Some(Some(service)) = self.known.services.get(from)
            && !cluster::texts(service).any(|(_, wired)| wired.refers_to(to))
        {
            let port = self.known.services.get(to).and_then(Option::as_ref).and_then(|to| to.ports.first());
            let port = port.map_or("PORT", |(name, _)| name.as_str());
            let message = format!(
                "`{from}` does not refer to `{to}`, so no traffic would pass through kaf6's \
            relay"
            );
            let hint =
                Some(format!("write its address as `{{{{{to}.{port}}}}}` in `env` or `command` of `{from}`"));
            self.cx.about_value(&pointer, &message, hint, "a link between services");
            return None;
        }
        Some(Link { from: from.to_owned(), to: to.to_owned() })
    }
}
