//! Clients of librdkafka: settings, topics, metadata, error codes and log lines.

pub mod admin;
pub(crate) mod cluster;
pub mod code;
pub mod embedded;
pub(crate) mod error;
pub mod log;
pub mod metadata;
pub(crate) mod names;
pub(crate) mod properties;
pub(crate) mod release;
pub(crate) mod remedies;
pub mod settings;
