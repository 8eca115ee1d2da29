//! Containers through the Docker Engine: services, attaching, faults, relays, logs and cleanup.
//!
//! Everything that a run started is removed, and everything that it touched is healed.

mod api;
mod cancel;
mod cleanup;
mod cluster;
mod faults;
mod lock;
mod logs;
mod place;
mod relay;

pub use api::error::DockerError;
pub use cleanup::clean::{CleanOptions, Cleaned, clean, clean_at};
pub use cluster::Cluster;
pub use cluster::addresses::Addresses;
pub use cluster::options::{ClusterStep, ContainerState, FaultOutcome, KafkaReady, StepListener, UpOptions};
pub use place::is_inside_a_container;
