//! A topic of a client: sends messages and fetches partitions.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka_sys as sys;

use super::queue::Queue;
use crate::kafka::client::code::Code;
use crate::kafka::ffi::base::{c_string, rd_kafka_error_code, rd_kafka_last_error};
use crate::kafka::ffi::handle::Handle;

/// librdkafka's special offsets. All offsets of records are greater than this.
pub(crate) const OFFSET_BEGINNING: i64 = -2;

pub(crate) struct TopicHandle {
    rkt: NonNull<sys::rd_kafka_topic_t>,
    handle: Arc<Handle>,
}

// SAFETY: rd_kafka_topic_t may be used from any thread, like its client.
unsafe impl Send for TopicHandle {}

pub(crate) struct Outgoing<'a> {
    pub(crate) partition: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: &'a [u8],
    pub(crate) headers: &'a [(&'a str, &'a [u8])],
    pub(crate) tag: u64,
}

impl TopicHandle {
    pub(crate) fn open(handle: &Arc<Handle>, name: &str) -> Result<Self, Code> {
        let name = c_string(name);
        // SAFETY: the client is alive, the name is NUL-terminated; no separate topic configuration.
        let rkt = unsafe { sys::rd_kafka_topic_new(handle.as_ptr(), name.as_ptr(), ptr::null_mut()) };
        match NonNull::new(rkt) {
            Some(rkt) => Ok(Self { rkt, handle: Arc::clone(handle) }),
            // SAFETY: no preconditions.
            None => Err(Code(unsafe { rd_kafka_last_error() })),
        }
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::rd_kafka_topic_t {
        self.rkt.as_ptr()
    }

    /// Passes a copy of the message to librdkafka.
    pub(crate) fn produce(&self, message: &Outgoing<'_>) -> Result<(), Code> {
        if !message.headers.is_empty() {
            return self.produce_with_headers(message);
        }
        let (key, key_len) = message.key.map_or((ptr::null(), 0), |key| (key.as_ptr(), key.len()));
        // SAFETY: the topic is alive; key and value are readable for their lengths during the call, which copies them
        // (F_COPY) and does not write to them. The tag is a number cast to a pointer, and librdkafka only returns it.
        let result = unsafe {
            sys::rd_kafka_produce(
                self.rkt.as_ptr(),
                message.partition,
                sys::RD_KAFKA_MSG_F_COPY,
                message.value.as_ptr().cast_mut().cast(),
                message.value.len(),
                key.cast(),
                key_len,
                tag_pointer(message.tag),
            )
        };
        // SAFETY: no preconditions; it reads this thread's last error.
        if result == 0 { Ok(()) } else { Err(Code(unsafe { rd_kafka_last_error() })) }
    }

    fn produce_with_headers(&self, message: &Outgoing<'_>) -> Result<(), Code> {
        use sys::rd_kafka_vtype_t as V;
        use sys::rd_kafka_vu_s__bindgen_ty_1 as Value;

        // SAFETY: names and values are readable for the given lengths and are copied.
        let headers = unsafe {
            let headers = sys::rd_kafka_headers_new(message.headers.len());
            for (name, value) in message.headers {
                let (name_len, value_len) = (name.len().cast_signed(), value.len().cast_signed());
                sys::rd_kafka_header_add(
                    headers,
                    name.as_ptr().cast(),
                    name_len,
                    value.as_ptr().cast(),
                    value_len,
                );
            }
            headers
        };
        let mem = |bytes: &[u8]| Value {
            mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
                ptr: bytes.as_ptr().cast_mut().cast(),
                size: bytes.len(),
            },
        };
        let unit = |vtype, u| sys::rd_kafka_vu_t { vtype, u };
        let arguments = [
            unit(V::RD_KAFKA_VTYPE_RKT, Value { rkt: self.rkt.as_ptr() }),
            unit(V::RD_KAFKA_VTYPE_PARTITION, Value { i32_: message.partition }),
            unit(V::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: sys::RD_KAFKA_MSG_F_COPY }),
            unit(V::RD_KAFKA_VTYPE_VALUE, mem(message.value)),
            unit(V::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: tag_pointer(message.tag) }),
            unit(V::RD_KAFKA_VTYPE_HEADERS, Value { headers }),
            // The last argument is passed only if there is a key, because a null key is passed by omitting it.
            unit(V::RD_KAFKA_VTYPE_KEY, mem(message.key.unwrap_or(&[]))),
        ];
        let count = if message.key.is_some() { arguments.len() } else { arguments.len() - 1 };
        // SAFETY: the first `count` arguments are initialized with the member that their type requires, and what they
        // point to is valid during the call. librdkafka owns the headers on success. On failure, they are destroyed
        // here.
        unsafe {
            let error = sys::rd_kafka_produceva(self.handle.as_ptr(), arguments.as_ptr(), count);
            if error.is_null() {
                return Ok(());
            }
            let code = rd_kafka_error_code(error);
            sys::rd_kafka_error_destroy(error);
            sys::rd_kafka_headers_destroy(headers);
            Err(Code(code))
        }
    }

    /// Starts to fetch this partition at `offset`. Records and errors arrive in `queue`.
    pub(crate) fn start(&self, partition: i32, offset: i64, queue: &Queue) -> Result<(), Code> {
        // SAFETY: topic and queue are alive and belong to the same client.
        let result = unsafe {
            sys::rd_kafka_consume_start_queue(self.rkt.as_ptr(), partition, offset, queue.as_ptr())
        };
        // SAFETY: no preconditions.
        if result == 0 { Ok(()) } else { Err(Code(unsafe { rd_kafka_last_error() })) }
    }

    pub(crate) fn stop(&self, partition: i32) {
        // SAFETY: the topic is alive. The call fails only if nothing was started.
        let _ = unsafe { sys::rd_kafka_consume_stop(self.rkt.as_ptr(), partition) };
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: owned, and its client is alive: `handle` is dropped after this.
        unsafe { sys::rd_kafka_topic_destroy(self.rkt.as_ptr()) }
    }
}

pub(crate) fn tag_pointer(tag: u64) -> *mut c_void {
    const { assert!(size_of::<usize>() == size_of::<u64>(), "kaf6 needs a 64-bit platform") }
    ptr::without_provenance_mut(tag as usize)
}
