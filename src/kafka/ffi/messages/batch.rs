//! Many messages for one partition in one call: one lock of the topic and one look at the clock for all of them.

use std::ffi::c_int;
use std::ptr;

use rdkafka_sys as sys;

use super::slab::Placed;
use super::topic::{TopicHandle, tag_pointer};
use crate::kafka::client::code::Code;

/// What librdkafka says where its queue is full; and here of what it did not come to.
const QUEUE_FULL: sys::rd_kafka_resp_err_t = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL;

pub(crate) struct PlainMessage<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Placed,
    pub(crate) tag: u64,
}

/// Memory for such calls, used again. Empty between them.
#[derive(Default)]
pub(crate) struct BatchBuffer(Vec<sys::rd_kafka_message_t>);

// SAFETY: it holds no pointer between two calls, and during one it is borrowed by it.
unsafe impl Send for BatchBuffer {}

impl TopicHandle {
    /// Hands these messages to librdkafka, in this order, all for one partition; `on` learns what became of each. From the first
    /// that finds the queue full on, all do. Of those that it took, it reads the values until it reports their end: so long
    /// their slabs hold them.
    pub(crate) fn produce_all<'a>(
        &self,
        partition: i32,
        messages: impl Iterator<Item = PlainMessage<'a>>,
        batch: &mut BatchBuffer,
        mut on: impl FnMut(usize, Result<(), Code>),
    ) {
        batch.0.extend(messages.map(|message| {
            let (key, key_len) = message.key.map_or((ptr::null(), 0), |key| (key.as_ptr(), key.len()));
            sys::rd_kafka_message_t {
                err: QUEUE_FULL,
                rkt: ptr::null_mut(),
                partition,
                payload: message.value.as_ptr().cast(),
                len: message.value.len(),
                key: key.cast_mut().cast(),
                key_len,
                offset: 0,
                _private: tag_pointer(message.tag),
            }
        }));
        let count = c_int::try_from(batch.0.len()).unwrap_or(c_int::MAX);
        // SAFETY: the topic is alive; `count` elements are there. Keys outlive this call ('a), which copies them. Values are
        // held by their slabs until the caller has the report of their end; without a flag librdkafka neither writes to them nor
        // frees them. Tags are numbers in the shape of pointers; librdkafka only hands them back.
        unsafe {
            sys::rd_kafka_produce_batch(self.as_ptr(), partition, 0, batch.0.as_mut_ptr(), count);
        }
        for (index, message) in batch.0.iter().enumerate() {
            // SAFETY: alive; the enum's memory is read as a plain number of its size, since librdkafka may have written one that
            // the enum does not list.
            let code = Code(unsafe { (&raw const message.err).cast::<c_int>().read() });
            on(index, if code.is_none() { Ok(()) } else { Err(code) });
        }
        batch.0.clear();
    }
}
