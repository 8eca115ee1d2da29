//! The cluster of a plan: services in start order, and faults with all defaults.
//!
//! Also derives what depends on both: the number of replicas and where relays are needed.

use std::time::Duration;

use super::{FaultKind, Start};
use crate::scenario::Position;
use crate::scenario::template::service_template::ServiceTemplate;

pub use crate::scenario::format::Pull;

/// The containers of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterPlan {
    /// The preset that the services come from.
    pub preset: Option<String>,
    /// Services to start. Each one comes after the services that it needs.
    pub services: Vec<ServicePlan>,
    /// Running containers to attach to.
    pub attached: Vec<AttachPlan>,
    /// Connections that a fault throttles. kaf6 puts a relay into each of them from the start.
    pub links: Vec<Link>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    pub name: String,
    pub image: String,
    /// When the image is pulled.
    pub pull: Pull,
    /// Overrides the image's entrypoint.
    pub entrypoint: Option<Vec<ServiceTemplate>>,
    /// Overrides the image's command.
    pub command: Option<Vec<ServiceTemplate>>,
    /// Environment variables.
    pub env: Vec<(String, ServiceTemplate)>,
    /// Container ports, by name. Clients connect to the port named `kafka`.
    pub ports: Vec<(String, u16)>,
    /// Volumes with their mount paths, by name. Each replica has its own volumes.
    pub volumes: Vec<(String, String)>,
    /// Services that must be ready before this one starts.
    pub needs: Vec<String>,
    /// Replicas at the start.
    pub replicas: u32,
    /// Maximum number of replicas, including `scale` faults.
    pub most: u32,
    /// How to tell that a replica is ready. `None`: it is running.
    pub ready: Option<Readiness>,
    /// Maximum time for a replica to become ready.
    pub ready_timeout: Duration,
    /// Position in the file.
    pub position: Position,
}

/// How to tell that a replica is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// A GET request returns 200 to 299.
    Http {
        port: String,
        /// The path, with its leading slash.
        path: String,
    },
    /// The port accepts a connection.
    Tcp { port: String },
    /// A command in the container exits with 0.
    Exec(Vec<ServiceTemplate>),
    /// The port answers a Kafka metadata request.
    Kafka { port: String },
}

/// A running container, or several containers with the same labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachPlan {
    /// The name that faults use.
    pub name: String,
    pub by: AttachBy,
    /// Position in the file.
    pub position: Position,
}

/// How to find a container to attach to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachBy {
    /// By name or id.
    Container(String),
    /// By labels, as `key=value`. Each container with all of these labels is a replica. Replicas are ordered
    /// by container name.
    Labels(Vec<String>),
}

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

/// A service, or one of its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultTarget {
    /// The service, or the name of an attached container.
    pub service: String,
    /// One replica. `None` means all of them.
    pub replica: Option<u32>,
}

/// The connection from one service to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The service that connects.
    pub from: String,
    /// The service that it connects to.
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

    /// The containers that the fault applies to. `None` for a link or for a service as a whole.
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

    /// The service that the fault applies to. For a link, the service that connects.
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

    /// The target as written in files.
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
    /// The service with this name.
    pub fn service(&self, name: &str) -> Option<&ServicePlan> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Minimum and maximum number of replicas of a service, including `scale` faults.
    pub fn replicas(&self, name: &str, faults: &[FaultPlan]) -> (u32, u32) {
        let start = self.service(name).map_or(1, |service| service.replicas);
        let scaled = faults.iter().filter_map(|fault| match &fault.action {
            ActionPlan::Scale { service, to } if service == name => Some(*to),
            _ => None,
        });
        scaled.fold((start, start), |(least, most), to| (least.min(to), most.max(to)))
    }

    /// The bootstrap brokers if the file names none: port `kafka` of the first replica of each service.
    pub fn bootstrap(&self) -> impl Iterator<Item = (&ServicePlan, u32)> {
        let with_kafka = self.services.iter().filter(|s| s.ports.iter().any(|(name, _)| name == "kafka"));
        with_kafka.flat_map(|service| (0..service.replicas).map(move |replica| (service, replica)))
    }
}
