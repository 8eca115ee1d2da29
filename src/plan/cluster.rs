//! The cluster of a plan: services in start order, attached containers, and where relays are needed.
//!
//! Also defines what faults apply to: services, replicas and links.

use std::time::Duration;

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
    /// Connections that a fault affects. kaf6 puts a relay into each of them from the start.
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

impl ClusterPlan {
    /// The service with this name.
    pub fn service(&self, name: &str) -> Option<&ServicePlan> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The bootstrap brokers if the file names none: port `kafka` of the first replica of each service.
    pub fn bootstrap(&self) -> impl Iterator<Item = (&ServicePlan, u32)> {
        let with_kafka = self.services.iter().filter(|s| s.ports.iter().any(|(name, _)| name == "kafka"));
        with_kafka.flat_map(|service| (0..service.replicas).map(move |replica| (service, replica)))
    }
}
