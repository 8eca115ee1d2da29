//! Everything that speaks Kafka: adapters over librdkafka, and a wire probe of its own.
//!
//! Owns every call into librdkafka; the rest of kaf6 sees the types of this module only.
//!
//! | want | take |
//! | --- | --- |
//! | where to connect, and how | [`Client`]; cheap to clone, shares its [`LogLines`] |
//! | how long to wait, and for what | [`Waits`], which the client carries |
//! | a broker inside this process | [`Embedded`], then [`Client::embedded`] |
//! | topics before the run | [`ensure_topics`] |
//! | what the cluster says of itself | [`client::metadata::fetch`], [`client::metadata::watermarks`] |
//! | write | [`Producer`]: one thread owns it, sends and polls |
//! | read | [`ReaderSet`]: one thread owns it, waits and drains |
//! | read one place again, afresh | [`read_range`] |
//! | each step of a connection, timed; a Fetch's true error code; a topic's settings | [`probe`] |
//!
//! Nothing here is async: the callers own threads, and each wait has a timeout and a [`Waker`].

pub mod client;
mod ffi;
pub mod probe;
pub mod producer;
pub mod reader;
pub mod waits;
pub mod wake;

pub use client::admin::{TopicOutcome, TopicResult, TopicSpec, ensure_topics};
pub use client::cluster::ClusterMetadata;
pub use client::code::Code;
pub use client::embedded::Embedded;
pub use client::error::Error;
pub use client::log::{LogKind, LogLines};
pub use client::remedies::{remedy, with_remedy};
pub use client::settings::{Client, JUDGE};
pub use producer::delivery::{Delivery, DeliveryOutcome};
pub use producer::retries::{ProducerEvent, ProducerEventKind};
pub use producer::{HandedOver, Producer, ProducerOptions, SendError};
pub use reader::fetching::CHECKS_CRCS;
pub use reader::recheck::{Range, RangeEnd, read_range};
pub use reader::{ReadEvent, ReaderOptions, ReaderSet, Record};
pub use waits::Waits;
pub use wake::Waker;
