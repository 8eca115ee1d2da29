//! A message that was read, lent by librdkafka for the time of a callback.

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};

use rdkafka_sys as sys;

use super::base::bytes;
use crate::kafka::code::Code;

/// A message that was read, or an error in its place. Alive as long as it is lent; librdkafka frees it.
pub(crate) struct Message(pub(super) NonNull<sys::rd_kafka_message_t>);

impl Message {
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

    /// The value, or for an error its text.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        // SAFETY: as `key`.
        unsafe { bytes((*self.raw()).payload, (*self.raw()).len) }
    }

    pub(crate) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: alive; librdkafka writes one of its three kinds.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.raw(), &raw mut kind) };
        (time >= 0).then_some(time)
    }

    /// The last header of this name; null values count as empty.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = ptr::null_mut();
        // SAFETY: alive. librdkafka parses the headers once and keeps them with the message; names and values live as long.
        unsafe {
            let code = sys::rd_kafka_message_headers(self.raw(), &raw mut headers);
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || headers.is_null() {
                return None;
            }
            let mut found = None;
            for index in 0..sys::rd_kafka_header_cnt(headers) {
                let (mut key, mut value, mut size) = (ptr::null(), ptr::null(), 0);
                let code =
                    sys::rd_kafka_header_get_all(headers, index, &raw mut key, &raw mut value, &raw mut size);
                if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                    && !key.is_null()
                    && CStr::from_ptr(key).to_bytes() == name.as_bytes()
                {
                    found = Some(bytes(value, size).unwrap_or(&[]));
                }
            }
            found
        }
    }
}
