//! All Kafka clients: adapters over librdkafka, and kaf6's wire probe.
//!
//! Contains every call of librdkafka. The rest of kaf6 uses only the types of this module.
//!
//! | task | item |
//! | --- | --- |
//! | brokers and connection settings | [`Client`]; cheap to clone, shares its [`LogLines`] |
//! | timeouts and intervals | [`Waits`], part of the client |
//! | a broker inside this process | [`Embedded`], then [`Client::embedded`] |
//! | topics before the run | [`ensure_topics`] |
//! | cluster metadata and offsets | [`client::metadata::fetch`], [`client::metadata::watermarks`] |
//! | produce | [`Producer`]: one thread owns it, sends and polls |
//! | consume | [`ReaderSet`]: one thread owns it, waits and drains |
//! | re-read a range with a fresh client | [`read_range`] |
//! | each step of a connection with its time; a Fetch's actual error code; a topic's settings | [`probe`] |
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
pub use client::names::code_words;
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
