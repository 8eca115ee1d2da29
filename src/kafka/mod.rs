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
//! | what the cluster says of itself | [`metadata::fetch`], [`metadata::watermarks`] |
//! | write | [`Producer`]: one thread owns it, sends and polls |
//! | read | [`ReaderSet`]: one thread owns it, waits and drains |
//! | read one place again, afresh | [`read_range`] |
//! | each step of a connection, timed; a Fetch's true error code; a topic's settings | [`probe`] |
//!
//! Nothing here is async: the callers own threads, and each wait has a time bound and a [`Waker`].

pub mod admin;
mod bad_batch;
mod brake;
mod cluster;
pub mod code;
pub mod delivery;
pub mod embedded;
mod error;
mod fetch_log;
mod fetching;
pub mod log;
pub mod metadata;
mod names;
mod partition;
pub mod probe;
pub mod producer;
mod properties;
mod raw;
mod read_event;
pub mod reader;
pub mod recheck;
mod release;
mod remedies;
mod retries;
pub mod settings;
mod staged;
pub mod waits;
pub mod wake;

pub use admin::{TopicOutcome, TopicResult, TopicSpec, ensure_topics};
pub use cluster::Metadata;
pub use code::Code;
pub use delivery::{Delivery, Outcome};
pub use embedded::Embedded;
pub use error::Error;
pub use fetching::CHECKS_CRCS;
pub use log::{LogKind, LogLines};
pub use producer::{HandedOver, Producer, ProducerOptions, SendError};
pub use reader::{ReadEvent, ReaderOptions, ReaderSet, Record};
pub use recheck::{Range, RangeEnd, read_range};
pub use remedies::{remedy, with_remedy};
pub use retries::{ProducerEvent, ProducerEventKind};
pub use settings::{Client, JUDGE};
pub use waits::Waits;
pub use wake::Waker;
