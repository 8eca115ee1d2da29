//! Passes many messages for one partition to librdkafka in one call, which locks the topic and reads the clock only
//! once.

use std::ffi::c_int;
use std::ptr;

use rdkafka_sys as sys;

use super::slab::Placed;
use super::topic::{TopicHandle, tag_pointer};
use crate::kafka::client::code::Code;

/// librdkafka's code for a full queue. Here also the code of messages that it did not reach.
const QUEUE_FULL: sys::rd_kafka_resp_err_t = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL;

pub(crate) struct PlainMessage<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Placed,
    pub(crate) tag: u64,
}

/// Reusable memory for such calls. Empty between them.
#[derive(Default)]
pub(crate) struct BatchBuffer(Vec<sys::rd_kafka_message_t>);

// SAFETY: it contains no pointers between two calls, and is borrowed during a call.
unsafe impl Send for BatchBuffer {}

impl TopicHandle {
    /// Passes these messages to librdkafka, in this order, all for one partition. `on` receives each result. If the
    /// queue is full for one message, it is also full for all later ones. librdkafka reads the values of accepted
    /// messages until it reports their delivery, so their slabs keep them until then.
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
        // SAFETY: the topic is alive; the array has `count` elements. Keys outlive this call ('a), which copies them.
        // Slabs keep the values until the caller has received the delivery reports. Without a flag, librdkafka neither
        // writes to them nor frees them. Tags are numbers cast to pointers, and librdkafka only returns them.
        unsafe {
            sys::rd_kafka_produce_batch(self.as_ptr(), partition, 0, batch.0.as_mut_ptr(), count);
        }
        for (index, message) in batch.0.iter().enumerate() {
            // SAFETY: alive; the enum's memory is read as a plain number of its size, because librdkafka may have
            // written a number that the enum does not list.
            let code = Code(unsafe { (&raw const message.err).cast::<c_int>().read() });
            on(index, if code.is_none() { Ok(()) } else { Err(code) });
        }
        batch.0.clear();
    }
}
