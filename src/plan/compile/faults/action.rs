//! What is true of each kind of fault: its plan, its compilation from a file, its timeout, and its line in
//! `kaf6 plan`.
//!
//! A new kind of fault is a variant here. The compiler then finds what is missing, because each `match` names
//! all kinds.

use std::time::Duration;

use super::super::cluster::{command, image as image_name};
use super::fields::FaultFields;
use crate::plan::cluster::{ClusterPlan, FaultTarget, Link};
use crate::plan::render::{self, count, time};
use crate::plan::{FaultKind, Start, defaults};
use crate::scenario::Position;
use crate::scenario::format::fault::{self as raw, CutDirection, CutMode};
use crate::scenario::source::node::below;
use crate::scenario::template::service_template::ServiceTemplate;
use crate::units::{self, Bandwidth};

/// One fault.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultPlan {
    /// Its name in the file.
    pub name: String,
    pub start: Start,
    /// How long it lasts. `None` if it ends as soon as it is applied.
    pub length: Option<Duration>,
    /// Maximum time from its start to its end, including `length` and the time to become ready again. Always
    /// finite.
    pub timeout: Duration,
    pub action: ActionPlan,
    /// Position in the file.
    pub position: Position,
}

/// The kinds of faults.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionPlan {
    /// Stops the target with a signal and starts it again after a while, possibly from another image.
    Restart {
        target: FaultTarget,
        /// Such as `SIGKILL`.
        signal: String,
        /// How long the target stays down.
        down_for: Duration,
        /// The image to start again from.
        image: Option<String>,
    },
    /// Stops the target with a signal. It is started again after [`FaultPlan::length`], or by a `start`
    /// fault.
    Stop {
        target: FaultTarget,
        /// Such as `SIGKILL`.
        signal: String,
    },
    /// Starts the target again.
    Start { target: FaultTarget },
    /// Freezes the target for [`FaultPlan::length`].
    Pause { target: FaultTarget },
    /// Throttles a connection for [`FaultPlan::length`].
    Throttle {
        link: Link,
        /// Latency added in the direction of the link. The reverse direction is not delayed.
        latency: Duration,
        /// Maximum random deviation above or below the latency.
        jitter: Duration,
        /// Maximum bytes per second in each direction. `None` means no limit.
        bandwidth: Option<u64>,
    },
    /// Cuts a connection for [`FaultPlan::length`].
    Cut {
        link: Link,
        mode: CutMode,
        /// The direction of a blackhole.
        direction: CutDirection,
    },
    /// Changes the number of replicas. The previous number is restored after [`FaultPlan::length`], if it is
    /// set.
    Scale {
        service: String,
        /// The new number of replicas.
        to: u32,
    },
    /// Runs a command in a container.
    Exec {
        target: FaultTarget,
        /// The command and its arguments.
        command: Vec<ServiceTemplate>,
    },
}

impl ActionPlan {
    /// Compiles what a fault does, and for how long.
    pub(super) fn compile(
        fields: &mut FaultFields<'_, '_>,
        raw: &raw::Fault,
    ) -> Option<(Self, Option<units::Duration>)> {
        Some(match raw {
            raw::Fault::Restart(it) => (restart(fields, it)?, None),
            raw::Fault::Stop(it) => {
                let target = fields.target(&it.target);
                let signal = fields.signal(it.signal.as_deref());
                let length = fields.length(it.length.as_ref());
                (Self::Stop { target: target?, signal }, length)
            }
            raw::Fault::Start(it) => (Self::Start { target: fields.target(&it.target)? }, None),
            raw::Fault::Pause(it) => {
                let target = fields.target(&it.target);
                let length = fields.length(Some(&it.length));
                (Self::Pause { target: target? }, length)
            }
            raw::Fault::Throttle(it) => {
                let length = fields.length(Some(&it.length));
                (throttle(fields, it, length)?, length)
            }
            raw::Fault::Cut(it) => {
                let length = fields.length(Some(&it.length));
                (cut(fields, it)?, length)
            }
            raw::Fault::Scale(it) => {
                let length = fields.length(it.length.as_ref());
                (scale(fields, it)?, length)
            }
            raw::Fault::Exec(it) => {
                let target = fields.target(&it.target);
                let at_command = fields.at("command");
                let command = command(fields.cx, &at_command, &it.command);
                (Self::Exec { target: target?, command }, None)
            }
        })
    }

    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Restart { .. } => FaultKind::Restart,
            Self::Stop { .. } => FaultKind::Stop,
            Self::Start { .. } => FaultKind::Start,
            Self::Pause { .. } => FaultKind::Pause,
            Self::Throttle { .. } => FaultKind::Throttle,
            Self::Cut { .. } => FaultKind::Cut,
            Self::Scale { .. } => FaultKind::Scale,
            Self::Exec { .. } => FaultKind::Exec,
        }
    }

    /// What the fault applies to.
    const fn place(&self) -> FaultPlace<'_> {
        match self {
            Self::Restart { target, .. }
            | Self::Stop { target, .. }
            | Self::Start { target }
            | Self::Pause { target }
            | Self::Exec { target, .. } => FaultPlace::Containers(target),
            Self::Throttle { link, .. } | Self::Cut { link, .. } => FaultPlace::Link(link),
            Self::Scale { service, .. } => FaultPlace::Service(service.as_str()),
        }
    }

    /// The containers that the fault applies to. `None` for a link or for a service as a whole.
    pub const fn containers(&self) -> Option<&FaultTarget> {
        if let FaultPlace::Containers(target) = self.place() { Some(target) } else { None }
    }

    /// The service that the fault applies to. For a link, the service that connects.
    pub const fn service(&self) -> &str {
        match self.place() {
            FaultPlace::Containers(target) => target.service.as_str(),
            FaultPlace::Link(link) => link.from.as_str(),
            FaultPlace::Service(service) => service,
        }
    }

    /// The target as written in files.
    pub fn target(&self) -> String {
        match self.place() {
            FaultPlace::Containers(target) => target.to_string(),
            FaultPlace::Link(link) => format!("{} -> {}", link.from, link.to),
            FaultPlace::Service(service) => service.to_owned(),
        }
    }

    /// The link that the fault affects. kaf6 puts a relay into it from the start.
    pub const fn link(&self) -> Option<&Link> {
        if let FaultPlace::Link(link) = self.place() { Some(link) } else { None }
    }

    /// The texts that may contain references to services, with their pointers relative to the fault.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (String, &ServiceTemplate)> {
        let words = if let Self::Exec { command, .. } = self { command.as_slice() } else { &[] };
        words.iter().enumerate().map(|(index, word)| (below("/command", index), word))
    }
}

/// What a fault applies to.
enum FaultPlace<'a> {
    Containers(&'a FaultTarget),
    Link(&'a Link),
    /// A service as a whole.
    Service(&'a str),
}

impl FaultPlan {
    /// Maximum time from its start until its targets are ready again.
    pub(crate) fn longest(&self, cluster: Option<&ClusterPlan>, faults: &[Self]) -> Duration {
        let length = self.length;
        // Services that kaf6 starts have a `ready_timeout`.
        let ready = |service: &str| match cluster.and_then(|cluster| cluster.service(service)) {
            Some(service) => service.ready_timeout,
            None => defaults::FAULT_TIMEOUT,
        };
        let timeout = match &self.action {
            ActionPlan::Restart { target, down_for, .. } => {
                let down = defaults::ENDING.saturating_add(*down_for);
                down.saturating_add(ready(&target.service))
            }
            ActionPlan::Start { target } | ActionPlan::Pause { target } => ready(&target.service),
            ActionPlan::Stop { target, .. } if length.is_some() => {
                defaults::ENDING.saturating_add(ready(&target.service))
            }
            ActionPlan::Stop { .. }
            | ActionPlan::Throttle { .. }
            | ActionPlan::Cut { .. }
            | ActionPlan::Exec { .. } => defaults::FAULT_TIMEOUT,
            // Out and back. Replicas that are removed stop one after the other.
            ActionPlan::Scale { service, to } => {
                let back = length.is_some();
                let (least, most) = cluster.map_or((*to, *to), |cluster| replicas(cluster, service, faults));
                let leaving = defaults::ENDING.saturating_mul(most - if back { least } else { *to });
                ready(service).saturating_mul(1 + u32::from(back)).saturating_add(leaving)
            }
        };
        timeout.saturating_add(length.unwrap_or_default())
    }

    /// How long it lasts if nothing fails, if the plan knows it.
    pub(crate) const fn expected(&self) -> Option<Duration> {
        match &self.action {
            ActionPlan::Restart { down_for, .. } => Some(*down_for),
            _ => self.length,
        }
    }

    /// What it does, for `kaf6 plan`.
    pub(crate) fn what(&self) -> String {
        let length = self.length.map(time);
        let for_ = length.as_ref().map_or_else(String::new, |length| format!(" for {length}"));
        match &self.action {
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
                    let jitter =
                        if jitter.is_zero() { String::new() } else { format!(" +- {}", time(*jitter)) };
                    parts.push(format!(
                        "{}{jitter} latency from {} to {}",
                        time(*latency),
                        link.from,
                        link.to
                    ));
                }
                parts.extend(
                    bandwidth.map(|bytes| format!("at most {} in each direction", Bandwidth::new(bytes))),
                );
                parts.extend(length.map(|length| format!("for {length}")));
                parts.join(", ")
            }
            ActionPlan::Cut { link: Link { from, to }, mode, direction } => match (mode, direction) {
                (CutMode::Blackhole, CutDirection::Both) => {
                    format!("bytes vanish in both directions{for_}")
                }
                (CutMode::Blackhole, CutDirection::Out) => format!("bytes from {from} to {to} vanish{for_}"),
                (CutMode::Blackhole, CutDirection::In) => format!("bytes from {to} to {from} vanish{for_}"),
                (CutMode::Reset, _) => format!("connections are reset, and new ones refused{for_}"),
                (CutMode::Refuse, _) => format!("new connections are refused{for_}"),
            },
            ActionPlan::Scale { service, to } => {
                let back = length.map_or_else(String::new, |length| format!(", and back after {length}"));
                format!("{service} scales to {}{back}", count(u64::from(*to), "replica"))
            }
            ActionPlan::Exec { command: words, .. } => format!("runs {}", render::command(words)),
        }
    }
}

fn restart(fields: &mut FaultFields<'_, '_>, raw: &raw::Restart) -> Option<ActionPlan> {
    let target = fields.target(&raw.target);
    let signal = fields.signal(raw.signal.as_deref());
    let down_for = fields.cx.quantity(&fields.at("down_for"), raw.down_for.as_ref());
    let down_for = fields.taken.or("down_for", down_for, defaults::DOWN_FOR, defaults::DOWN_FOR).std();
    let at_image = fields.at("image");
    let image = raw.image.as_ref().and_then(|image| image_name(fields.cx, &at_image, image));
    if let Some(target) =
        target.as_ref().filter(|t| image.is_some() && fields.known.attached.contains_key(&t.service))
    {
        let message =
            format!("`{}` is attached, so kaf6 cannot recreate it from another image", target.service);
        let hint = Some("start it with `cluster.services`, or remove `image`".to_owned());
        fields.cx.at_key(&at_image, message, hint);
    }
    Some(ActionPlan::Restart { target: target?, signal, down_for, image })
}

fn throttle(
    fields: &mut FaultFields<'_, '_>,
    raw: &raw::Throttle,
    length: Option<units::Duration>,
) -> Option<ActionPlan> {
    let latency: Option<units::Duration> = fields.cx.quantity(&fields.at("latency"), raw.latency.as_ref());
    let jitter: Option<units::Duration> = fields.cx.quantity(&fields.at("jitter"), raw.jitter.as_ref());
    let bandwidth = fields.cx.quantity(&fields.at("bandwidth"), raw.bandwidth.as_ref());
    let wanted = latency.is_some_and(|latency| latency != units::Duration::ZERO);
    if raw.bandwidth.is_none() && (raw.latency.is_none() || latency == Some(units::Duration::ZERO)) {
        let hint = Some("add `latency: 200ms`, or `bandwidth: 1MiB/s`".to_owned());
        fields.cx.at_key(fields.pointer, "`throttle` requires `latency` or `bandwidth`", hint);
    }
    if jitter.is_some_and(|jitter| jitter > latency.unwrap_or_default()) && (wanted || raw.latency.is_none())
    {
        let hint = Some("`jitter` is added to `latency` or subtracted from it".to_owned());
        fields.cx.at_key(&fields.at("jitter"), "`jitter` is larger than `latency`", hint);
    }
    if latency.zip(length).is_some_and(|(latency, length)| latency >= length) {
        let hint = Some(
            "increase `for`, because data that is still delayed at the end of the fault is sent at once"
                .to_owned(),
        );
        fields.cx.at_key(&fields.at("latency"), "`latency` must be shorter than `for`", hint);
    }
    let link = fields.link(&raw.target)?;
    Some(ActionPlan::Throttle {
        link,
        latency: latency.unwrap_or_default().std(),
        jitter: jitter.unwrap_or_default().std(),
        bandwidth: bandwidth.map(Bandwidth::get),
    })
}

fn cut(fields: &mut FaultFields<'_, '_>, raw: &raw::Cut) -> Option<ActionPlan> {
    let mode = fields.taken.or("mode", raw.mode, CutMode::Blackhole, "blackhole");
    let direction = match (mode, raw.direction) {
        (CutMode::Blackhole, written) => fields.taken.or("direction", written, CutDirection::Both, "both"),
        (CutMode::Reset | CutMode::Refuse, written) => {
            if written.is_some() {
                let hint = Some("a connection is reset or refused as a whole: remove `direction`".to_owned());
                let message = "`direction` applies only to `mode: blackhole`";
                fields.cx.at_key(&fields.at("direction"), message, hint);
            }
            CutDirection::Both
        }
    };
    Some(ActionPlan::Cut { link: fields.link(&raw.target)?, mode, direction })
}

fn scale(fields: &mut FaultFields<'_, '_>, raw: &raw::Scale) -> Option<ActionPlan> {
    let pointer = fields.at("target");
    let service = raw.target.trim();
    if let Some((front, _)) =
        service.rsplit_once('.').filter(|(front, _)| fields.known.services.contains_key(*front))
    {
        let hint = Some(format!("use `{front}`"));
        fields.cx.about_value(&pointer, "only a whole service can be scaled", hint, "a service");
        return None;
    }
    fields.exists(&pointer, service)?;
    if fields.known.attached.contains_key(service) {
        let message = format!("`{service}` is attached: kaf6 cannot start more containers of it");
        let hint = Some("start it with `cluster.services`".to_owned());
        fields.cx.about_value(&pointer, &message, hint, "a service that kaf6 starts");
        return None;
    }
    Some(ActionPlan::Scale { service: service.to_owned(), to: raw.to })
}

/// Minimum and maximum number of replicas of a service, including `scale` faults.
fn replicas(cluster: &ClusterPlan, name: &str, faults: &[FaultPlan]) -> (u32, u32) {
    let start = cluster.service(name).map_or(1, |service| service.replicas);
    let scaled = faults.iter().filter_map(|fault| match &fault.action {
        ActionPlan::Scale { service, to } if service == name => Some(*to),
        _ => None,
    });
    scaled.fold((start, start), |(least, most), to| (least.min(to), most.max(to)))
}
