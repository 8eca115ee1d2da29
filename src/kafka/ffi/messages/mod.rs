//! Messages from and to librdkafka: topics, queues, batches, and the memory of values.

pub(crate) mod batch;
pub(crate) mod message;
pub(crate) mod queue;
pub(crate) mod slab;
pub(crate) mod topic;
