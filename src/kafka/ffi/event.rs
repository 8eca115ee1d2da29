//! Events of a queue: the responses to admin requests.

use std::ptr::NonNull;

use rdkafka_sys as sys;

/// An event of a queue. Owns its memory.
pub(crate) struct Event(pub(super) NonNull<sys::rd_kafka_event_t>);

impl Event {
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}
