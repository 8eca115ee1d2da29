//! The lab for end-to-end tests: real brokers as processes, an S3 server, and a relay that can misbehave.
//! A test whose part is missing on this machine is skipped, or fails if `KAF6_REQUIRE` lists the part.

mod container;
mod engine;
mod gate;
mod http;
mod kafka;
mod moto;
mod parts;
mod process;
mod registry;
mod relay;
mod tansu;

pub use container::TansuContainer;
pub use engine::Engine;
pub use gate::Gate;
pub use http::HttpServer;
pub use kafka::Kafka;
pub use moto::{Moto, Object};
pub use parts::{KAFKA_IMAGE, Part, S3_IMAGE, chromium, junit_xsd, require};
pub use process::{Process, free_port, wait_for};
pub use registry::{Refusing, Registry, USER};
pub use relay::{Relay, Request, Response, Seen, Verdict};
pub use tansu::{Storage, Tansu};
