//! Containers through the Docker Engine: services, attaching, faults, relays, logs and clean-up.
//!
//! Owns all that a run starts there: what it started is removed, what it touched is healed.

mod addresses;
mod attach;
mod clean;
mod cluster;
mod container;
mod context;
mod credentials;
mod cut;
mod daemon;
mod engine;
mod error;
mod faults;
mod images;
mod labels;
mod lock;
mod log_line;
mod logs;
mod names;
mod options;
mod place;
mod platform;
mod ports;
mod ready;
mod refusals;
mod relay;
mod remove;
mod sockets;
mod spec;
mod start;
mod state;
mod visit;

pub use addresses::Addresses;
pub use clean::{CleanOptions, Cleaned, clean, clean_at};
pub use cluster::Cluster;
pub use error::DockerError;
pub use options::{ContainerState, Inflicted, KafkaReady, Progress, Step, UpOptions};
pub use place::is_inside_a_container;
