//! The cluster of a plan: services in the order of their start, and faults with every default taken.
//!
//! Owns what follows from services and faults together: how many replicas there can be, and where relays stand.

use std::time::Duration;

use super::{FaultKind, Start};
use crate::scenario::Position;
use crate::scenario::template::service_template::ServiceTemplate;

pub use crate::scenario::format::Pull;

/// The containers of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterPlan {
    /// The preset that services come from.
    pub preset: Option<String>,
    /// Services to start, each after all that it needs.
    pub services: Vec<ServicePlan>,
    /// Containers that run already.
    pub attached: Vec<AttachPlan>,
    /// Ways that some fault slows down: there kaf6's relay stands between, from the start on.
    pub links: Vec<Link>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: String,
    /// When it is pulled.
    pub pull: Pull,
    /// In place of the image's own.
    pub entrypoint: Option<Vec<ServiceTemplate>>,
    /// In place of the image's own.
    pub command: Option<Vec<ServiceTemplate>>,
    /// Its environment.
    pub env: Vec<(String, ServiceTemplate)>,
    /// Ports in the container, by name; `kafka` is what clients get.
    pub ports: Vec<(String, u16)>,
    /// Volumes by name, and where each is mounted; each replica has its own.
    pub volumes: Vec<(String, String)>,
    /// Services that must be ready before it is started.
    pub needs: Vec<String>,
    /// Replicas at the start.
    pub replicas: u32,
    /// Replicas at most, over all that faults do to it.
    pub most: u32,
    /// How a replica is known to be ready; none: it runs.
    pub ready: Option<Readiness>,
    /// How long a replica may take to become ready.
    pub ready_timeout: Duration,
    /// Where it stands in the file.
    pub position: Position,
}

/// How a replica is known to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// A GET is answered with 200 to 299.
    Http {
        /// The port's name.
        port: String,
        /// The path, with its leading slash.
        path: String,
    },
    /// A connection is accepted.
    Tcp {
        /// The port's name.
        port: String,
    },
    /// A command in the container ends with 0.
    Exec(Vec<ServiceTemplate>),
    /// Metadata is answered.
    Kafka {
        /// The port's name.
        port: String,
    },
}

/// A running container, or several of one compose service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachPlan {
    /// The name that faults give it.
    pub name: String,
    /// How it is found.
    pub by: AttachBy,
    /// Where it stands.
    pub position: Position,
}

/// How a container to attach to is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachBy {
    /// By name or id.
    Container(String),
    /// By labels, `key=value` each: each container that carries all of them is a replica, in the order of names.
    Labels(Vec<String>),
}

/// One fault.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultPlan {
    /// Its name in the file.
    pub name: String,
    /// When it begins.
    pub start: Start,
    /// How long it lasts; none where it is over once done.
    pub length: Option<Duration>,
    /// Longest time from its start to its end, `length` and the healing's readiness in it; always finite.
    pub timeout: Duration,
    /// What is done.
    pub action: ActionPlan,
    /// Where it stands in the file.
    pub position: Position,
}

/// The kinds of fault.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionPlan {
    /// Ended by a signal, and started again after a while, perhaps from another image.
    Restart {
        /// Of what.
        target: FaultTarget,
        /// Such as `SIGKILL`.
        signal: String,
        /// How long it stays down.
        down_for: Duration,
        /// The image that it is started from again.
        image: Option<String>,
    },
    /// Ended by a signal; started again after [`FaultPlan::length`], or by a `start`.
    Stop {
        /// Of what.
        target: FaultTarget,
        /// Such as `SIGKILL`.
        signal: String,
    },
    /// Started again.
    Start {
        /// Of what.
        target: FaultTarget,
    },
    /// Frozen for [`FaultPlan::length`].
    Pause {
        /// Of what.
        target: FaultTarget,
    },
    /// Slowed down for [`FaultPlan::length`].
    Throttle {
        /// The way.
        link: Link,
        /// Added once to what goes from the first to the second; its answers come back undelayed.
        latency: Duration,
        /// Up to so much more or less.
        jitter: Duration,
        /// Bytes a second in each direction; none is unlimited.
        bandwidth: Option<u64>,
    },
    /// More or fewer replicas; back to what there was after [`FaultPlan::length`], where given.
    Scale {
        /// Of which service.
        service: String,
        /// How many there are to be.
        to: u32,
    },
    /// A command in a container.
    Exec {
        /// Where.
        target: FaultTarget,
        /// The command and its arguments.
        command: Vec<ServiceTemplate>,
    },
}

/// A service, or one replica of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultTarget {
    /// The service, or the name of what is attached.
    pub service: String,
    /// Only this replica; none: all of them.
    pub replica: Option<u32>,
}

/// The way from one service to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Who connects.
    pub from: String,
    /// To whom.
    pub to: String,
}

impl std::fmt::Display for FaultTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.replica {
            Some(replica) => write!(f, "{}.{replica}", self.service),
            None => f.write_str(&self.service),
        }
    }
}

impl ActionPlan {
    /// Its kind.
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Restart { .. } => FaultKind::Restart,
            Self::Stop { .. } => FaultKind::Stop,
            Self::Start { .. } => FaultKind::Start,
            Self::Pause { .. } => FaultKind::Pause,
            Self::Throttle { .. } => FaultKind::Throttle,
            Self::Scale { .. } => FaultKind::Scale,
            Self::Exec { .. } => FaultKind::Exec,
        }
    }

    /// The containers that it acts on; none where it acts on a link or on a service as a whole.
    pub const fn containers(&self) -> Option<&FaultTarget> {
        match self {
            Self::Restart { target, .. }
            | Self::Stop { target, .. }
            | Self::Start { target }
            | Self::Pause { target }
            | Self::Exec { target, .. } => Some(target),
            Self::Throttle { .. } | Self::Scale { .. } => None,
        }
    }

    /// The service that it is done to: of a link, the one that connects.
    pub fn service(&self) -> &str {
        match self {
            Self::Throttle { link, .. } => &link.from,
            Self::Scale { service, .. } => service,
            Self::Restart { target, .. }
            | Self::Stop { target, .. }
            | Self::Start { target }
            | Self::Pause { target }
            | Self::Exec { target, .. } => &target.service,
        }
    }

    /// What it is done to, as files write it.
    pub fn target(&self) -> String {
        match self {
            Self::Restart { target, .. }
            | Self::Stop { target, .. }
            | Self::Start { target }
            | Self::Pause { target }
            | Self::Exec { target, .. } => target.to_string(),
            Self::Throttle { link, .. } => format!("{} -> {}", link.from, link.to),
            Self::Scale { service, .. } => service.clone(),
        }
    }
}

impl ClusterPlan {
    /// The service of a name.
    pub fn service(&self, name: &str) -> Option<&ServicePlan> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Replicas that a service has at least and at most, over all that faults do to it.
    pub fn replicas(&self, name: &str, faults: &[FaultPlan]) -> (u32, u32) {
        let start = self.service(name).map_or(1, |service| service.replicas);
        let scaled = faults.iter().filter_map(|fault| match &fault.action {
            ActionPlan::Scale { service, to } if service == name => Some(*to),
            _ => None,
        });
        scaled.fold((start, start), |(least, most), to| (least.min(to), most.max(to)))
    }

    /// The addresses that clients get where the file names no brokers: each first replica's port `kafka`.
    pub fn bootstrap(&self) -> impl Iterator<Item = (&ServicePlan, u32)> {
        let with_kafka = self.services.iter().filter(|s| s.ports.iter().any(|(name, _)| name == "kafka"));
        with_kafka.flat_map(|service| (0..service.replicas).map(move |replica| (service, replica)))
    }
}
