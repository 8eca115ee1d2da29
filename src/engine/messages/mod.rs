//! The run's messages: rendered, tracked until they are acked, and identified when they are read.

pub(crate) mod booking;
pub(crate) mod end_marker;
pub(crate) mod ended_writes;
pub(crate) mod ends;
pub(crate) mod fatal;
pub(crate) mod keys;
pub(crate) mod message;
pub(crate) mod partitioner;
pub(crate) mod sight;
