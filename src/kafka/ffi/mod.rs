//! The only unsafe code of kaf6: thin safe wrappers over rdkafka-sys for what the rdkafka crate does not offer.
//!
//! Ensures the lifetimes: topics and queues keep their client alive, events own their memory, and messages and reports
//! are borrowed.
#![expect(unsafe_code, reason = "librdkafka is C; every other module of kaf6 is safe Rust")]

mod admin;
mod base;
mod config;
mod event;
mod handle;
mod hints;
mod lent;
mod memory;
mod messages;
mod metadata;
mod mock;
mod opaque;

pub(crate) use admin::{NewTopic, TopicAnswer};
pub(crate) use base::describe;
pub(crate) use config::Config;
pub(crate) use handle::{ClientKind, Handle, Serve};
pub(crate) use messages::batch::{BatchBuffer, PlainMessage};
pub(crate) use messages::message::{Headers, LentMessage};
pub(crate) use messages::queue::Queue;
pub(crate) use messages::slab::{Placed, Slab, SlabSlot};
pub(crate) use messages::topic::{OFFSET_BEGINNING, Outgoing, TopicHandle};
pub(crate) use mock::Mock;
pub(crate) use opaque::DeliveryReport;
