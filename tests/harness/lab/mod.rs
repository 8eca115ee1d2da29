//! What the end-to-end tests stand on: real brokers as processes, an S3 server, a relay that can misbehave.
//! A part that this machine lacks skips the test that asks for it, or fails it where `KAF6_REQUIRE` lists it.

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
