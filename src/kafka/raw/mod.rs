//! The only unsafe code of kaf6: thin safe wrappers over rdkafka-sys for what the rdkafka crate does not offer.
//!
//! Owns the lifetimes: topics and queues hold their client, events own their memory, messages and reports are lent.
#![expect(unsafe_code, reason = "librdkafka is C; every other module of kaf6 is safe Rust")]

mod admin;
mod base;
mod batch;
mod config;
mod event;
mod handle;
mod hints;
mod lent;
mod memory;
mod message;
mod metadata;
mod mock;
mod opaque;
mod queue;
mod slab;
mod topic;

pub(crate) use admin::{NewTopic, TopicAnswer};
pub(crate) use base::describe;
pub(crate) use batch::{Batch, Plain};
pub(crate) use config::Config;
pub(crate) use handle::{Handle, Kind, Serve};
pub(crate) use message::{Headers, Message};
pub(crate) use mock::Mock;
pub(crate) use opaque::Report;
pub(crate) use queue::Queue;
pub(crate) use slab::{Placed, Slab, Slot};
pub(crate) use topic::{OFFSET_BEGINNING, Outgoing, Topic};
