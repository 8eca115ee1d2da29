//! Helpers for all calls of librdkafka: strings, bytes, timeouts, and functions whose error codes are plain numbers.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::time::Duration;

use rdkafka_sys as sys;

use crate::kafka::client::code::Code;

// Functions whose error code may come from a broker, declared with a plain number. rdkafka-sys declares a Rust enum,
// for which an unlisted number is undefined behavior. The C type is an enum with the size of `int`.
unsafe extern "C" {
    pub(super) fn rd_kafka_err2name(code: c_int) -> *const c_char;
    pub(super) fn rd_kafka_err2str(code: c_int) -> *const c_char;
    pub(super) fn rd_kafka_last_error() -> c_int;
    pub(super) fn rd_kafka_fatal_error(rk: *mut sys::rd_kafka_t, errstr: *mut c_char, size: usize) -> c_int;
    pub(super) fn rd_kafka_event_error(event: *mut sys::rd_kafka_event_t) -> c_int;
    pub(super) fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> c_int;
    pub(super) fn rd_kafka_topic_result_error(result: *const sys::rd_kafka_topic_result_t) -> c_int;
    pub(super) fn rd_kafka_metadata(
        rk: *mut sys::rd_kafka_t,
        all_topics: c_int,
        only_rkt: *mut sys::rd_kafka_topic_t,
        metadatap: *mut *const sys::rd_kafka_metadata,
        timeout_ms: c_int,
    ) -> c_int;
    pub(super) fn rd_kafka_get_watermark_offsets(
        rk: *mut sys::rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
    ) -> c_int;
    pub(super) fn rd_kafka_query_watermark_offsets(
        rk: *mut sys::rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
        timeout_ms: c_int,
    ) -> c_int;
    pub(super) fn rd_kafka_offsets_for_times(
        rk: *mut sys::rd_kafka_t,
        offsets: *mut sys::rd_kafka_topic_partition_list_t,
        timeout_ms: c_int,
    ) -> c_int;
    pub(super) fn rd_kafka_mock_push_request_errors_array(
        cluster: *mut sys::rd_kafka_mock_cluster_t,
        api: i16,
        count: usize,
        errors: *const c_int,
    );
}

/// Milliseconds for librdkafka: rounded up, so that a short wait does not become 0, and never its "forever" (-1).
pub(super) fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
}

/// The text of a C string; empty for null.
///
/// # Safety
///
/// `text` is null, or a NUL-terminated string that is valid and does not change during the call.
pub(super) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller guarantees a NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A name for librdkafka, truncated at the first NUL byte, as in C.
pub(super) fn c_string(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().take_while(|byte| *byte != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

/// The name and the description of a code.
pub(crate) fn describe(code: Code) -> (String, String) {
    // SAFETY: both take any number and return static or thread-local strings, copied before the next call.
    unsafe { (text(rd_kafka_err2name(code.0)), text(rd_kafka_err2str(code.0))) }
}

/// The bytes of a C pointer and length; `None` for null.
///
/// # Safety
///
/// `pointer` is null, or points to `length` bytes that are valid and do not change during `'a`.
pub(super) unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Option<&'a [u8]> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller guarantees `length` bytes for `'a`; u8 needs no alignment.
    Some(unsafe { std::slice::from_raw_parts(pointer.cast(), length) })
}

/// A buffer for librdkafka's error texts.
pub(super) struct ErrStr([u8; Self::SIZE]);

impl ErrStr {
    pub(super) const SIZE: usize = 512;

    pub(super) fn new() -> Self {
        Self([0; Self::SIZE])
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut c_char {
        self.0.as_mut_ptr().cast()
    }

    pub(super) fn text(&self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::SIZE);
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }
}
