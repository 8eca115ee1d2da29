//! Containers through the Docker Engine: services, attaching, faults, relays, logs and clean-up.
//!
//! Owns all that a run starts there: what it started is removed, what it touched is healed.

mod addresses;
mod clean;
mod cluster;
mod error;

pub use addresses::Addresses;
pub use clean::{CleanOptions, Cleaned, clean};
pub use cluster::{Cluster, ContainerState, Inflicted, KafkaReady, Step, UpOptions};
pub use error::DockerError;
