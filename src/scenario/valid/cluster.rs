//! Services and faults as validated: what kaf6 is to start or touch, and what it does to it on purpose.
//!
//! Owns the types; presets are merged already, and every name in them is known to mean something.

use super::when::When;
use crate::scenario::Position;
use crate::scenario::wiring::Wired;
use crate::units::Duration;

/// `cluster`: services to start, or containers to attach to; never both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The preset that was merged in, by name.
    pub preset: Option<String>,
    /// Services to start, in the order of the file (those of the preset first).
    pub services: Vec<Service>,
    /// Containers that run already, by the name that faults give them.
    pub attached: Vec<Attach>,
}

/// A service: one image, one or more replicas of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: String,
    /// When it is pulled.
    pub pull: Option<Pull>,
    /// In place of the image's own.
    pub entrypoint: Option<Vec<Wired>>,
    /// In place of the image's own.
    pub command: Option<Vec<Wired>>,
    /// Its environment, in the file's order.
    pub env: Vec<(String, Wired)>,
    /// Ports in the container, by name. `kafka` is what clients get.
    pub ports: Vec<(String, u16)>,
    /// Volumes of the run by name, and where each is mounted. Replicas have one each.
    pub volumes: Vec<(String, String)>,
    /// Services that must be ready before it is started.
    pub needs: Vec<String>,
    /// Replicas at the start; none is the default.
    pub replicas: Option<u32>,
    /// How it is known to be ready; none: it runs.
    pub ready: Option<Ready>,
    /// How long it may take to become ready.
    pub ready_timeout: Option<Duration>,
    /// Where it stands; for one of a preset, where the preset is named.
    pub position: Position,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// Where it is absent.
    Missing,
    /// Each time.
    Always,
    /// Never: it has to be there.
    Never,
}

/// How a replica is known to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
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
    Exec(Vec<Wired>),
    /// Metadata is answered.
    Kafka {
        /// The port's name.
        port: String,
    },
}

/// A running container, or several of one compose service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
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

/// Something done to the cluster on purpose.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// The scenario or fault that must have ended.
    pub after: Option<String>,
    /// Offset from the run's zero, or from the end of `after`.
    pub at: Option<Duration>,
    /// A count to wait for.
    pub when: Option<When>,
    /// How long it lasts (`for`): of `stop`, `pause`, `throttle` and `scale`.
    pub length: Option<Duration>,
    /// What is done.
    pub action: Action,
    /// Where its name stands.
    pub position: Position,
}

/// The kinds of fault.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ended by a signal, and started again.
    Restart {
        /// Of what.
        target: Target,
        /// Such as `SIGKILL`; none is the default.
        signal: Option<String>,
        /// How long it stays down.
        down_for: Option<Duration>,
        /// Started again as another version.
        image: Option<String>,
    },
    /// Ended by a signal.
    Stop {
        /// Of what.
        target: Target,
        /// Such as `SIGKILL`; none is the default.
        signal: Option<String>,
    },
    /// Started, after a `stop`.
    Start {
        /// Of what.
        target: Target,
    },
    /// Frozen: its processes get no time.
    Pause {
        /// Of what.
        target: Target,
    },
    /// Slowed down on its way to another service.
    Throttle {
        /// The way.
        link: Link,
        /// Added once to what goes from the first to the second; its answers come back undelayed.
        latency: Duration,
        /// Up to so much more or less, evenly spread.
        jitter: Duration,
        /// Bytes a second in each direction; none is unlimited.
        bandwidth: Option<u64>,
    },
    /// More or fewer replicas.
    Scale {
        /// Of which service.
        service: String,
        /// How many there are to be.
        to: u32,
    },
    /// A command in a container.
    Exec {
        /// Where.
        target: Target,
        /// The command and its arguments.
        command: Vec<Wired>,
    },
}

/// A service, or one replica of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
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

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.replica {
            Some(replica) => write!(f, "{}.{replica}", self.service),
            None => f.write_str(&self.service),
        }
    }
}

impl Cluster {
    /// The service of a name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Replicas that a service has at least and at most, over all that faults do to it.
    pub fn replicas(&self, name: &str, faults: &[Fault]) -> (u32, u32) {
        let start = self.service(name).and_then(|service| service.replicas).unwrap_or(1);
        let scaled = faults.iter().filter_map(|fault| match &fault.action {
            Action::Scale { service, to } if service == name => Some(*to),
            _ => None,
        });
        scaled.fold((start, start), |(least, most), to| (least.min(to), most.max(to)))
    }
}
