//! A message that was read, borrowed from librdkafka during a callback.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use rdkafka_sys as sys;

use crate::kafka::client::code::Code;
use crate::kafka::ffi::base::bytes;

/// A message that was read, or an error instead. Valid while it is borrowed; librdkafka frees it.
pub(crate) struct LentMessage(pub(crate) NonNull<sys::rd_kafka_message_t>);

impl LentMessage {
    fn raw(&self) -> *mut sys::rd_kafka_message_t {
        self.0.as_ptr()
    }

    pub(crate) fn code(&self) -> Code {
        // SAFETY: alive; the enum's memory is read as a plain number of its size.
        Code(unsafe { (&raw const (*self.raw()).err).cast::<c_int>().read() })
    }

    pub(crate) fn offset(&self) -> i64 {
        // SAFETY: alive.
        unsafe { (*self.raw()).offset }
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        // SAFETY: alive and unchanged while `self` is borrowed; pointer and length belong together.
        unsafe { bytes((*self.raw()).key, (*self.raw()).key_len) }
    }

    /// The value, or the text of an error.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        // SAFETY: as in `key`.
        unsafe { bytes((*self.raw()).payload, (*self.raw()).len) }
    }

    /// The timestamp in milliseconds since 1970, and whether it is the time of the producer (CreateTime), not of the
    /// broker (LogAppendTime).
    pub(crate) fn timestamp_ms(&self) -> Option<(i64, bool)> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: alive; librdkafka writes one of its three kinds.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.raw(), &raw mut kind) };
        let created = kind == sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME;
        (time >= 0).then_some((time, created))
    }

    /// The headers in their order. Parsed on the first call.
    pub(crate) fn headers(&self) -> Headers<'_> {
        let mut headers = ptr::null_mut();
        // SAFETY: alive, and a message that was read. librdkafka parses the headers once and keeps them with the
        // message.
        let count = unsafe {
            if kaf6_has_headers(self.raw()) == 0 {
                0
            } else if sys::rd_kafka_message_headers(self.raw(), &raw mut headers) == NO_ERROR {
                sys::rd_kafka_header_cnt(headers)
            } else {
                0
            }
        };
        Headers { headers, next: 0, count, message: PhantomData }
    }
}

const NO_ERROR: sys::rd_kafka_resp_err_t = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;

// Defined in `headers.c`.
unsafe extern "C" {
    fn kaf6_has_headers(message: *const sys::rd_kafka_message_t) -> c_int;
}

/// The headers of a message: names, and values or null.
#[derive(Debug, Clone)]
pub(crate) struct Headers<'a> {
    headers: *mut sys::rd_kafka_headers_t,
    next: usize,
    count: usize,
    message: PhantomData<&'a LentMessage>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return None;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the list, its names and its values are valid as long as the message, which is borrowed. The index is
        // less than the count.
        unsafe {
            let code = sys::rd_kafka_header_get_all(
                self.headers,
                self.next,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            );
            self.next += 1;
            if code != NO_ERROR || name.is_null() {
                return None;
            }
            Some((CStr::from_ptr(name).to_bytes(), bytes(value, size)))
        }
    }
}
