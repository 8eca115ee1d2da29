//! Events of a queue, and the delivery reports in them.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka_sys as sys;

use crate::kafka::code::Code;

/// A delivery report as librdkafka gives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) tag: u64,
    pub(crate) code: Code,
    pub(crate) offset: i64,
    /// Whether librdkafka is sure that it is not in the log. Not enough on its own: see `delivery`.
    pub(crate) not_persisted: bool,
    /// Since it was handed over.
    pub(crate) age: Duration,
}

/// An event of a queue.
pub(crate) struct Event(pub(super) NonNull<sys::rd_kafka_event_t>);

impl Event {
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }

    /// Calls `on` for each delivery report in it; none where it is another kind of event.
    pub(crate) fn reports(&mut self, mut on: impl FnMut(Report)) {
        // SAFETY: alive; reports are messages that live with the event. For other kinds the first call returns null.
        unsafe {
            if sys::rd_kafka_event_type(self.0.as_ptr()) != sys::RD_KAFKA_EVENT_DR {
                return;
            }
            while let Some(message) =
                NonNull::new(sys::rd_kafka_event_message_next(self.0.as_ptr()).cast_mut())
            {
                let raw = message.as_ptr();
                let code = Code((&raw const (*raw).err).cast::<c_int>().read());
                let mut report = Report {
                    tag: (*raw)._private.addr() as u64,
                    code,
                    offset: (*raw).offset,
                    not_persisted: false,
                    age: Duration::ZERO,
                };
                if !code.is_none() {
                    report.not_persisted = sys::rd_kafka_message_status(raw)
                        == sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
                    let age = u64::try_from(sys::rd_kafka_message_latency(raw)).unwrap_or(0);
                    report.age = Duration::from_micros(age);
                }
                on(report);
            }
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}
