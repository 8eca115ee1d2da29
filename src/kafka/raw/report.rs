//! Delivery reports: librdkafka calls back for each message that has ended, and frees it right after.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use rdkafka_sys as sys;

use super::handle::{Handle, Opaque};
use crate::kafka::code::Code;

/// The end of one message's sending, as librdkafka tells it.
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

/// Where reports go: set for the time of one [`Handle::reports`], null else. It points to a `&mut dyn FnMut(Report)`.
#[derive(Default)]
pub(super) struct Listener(AtomicPtr<c_void>);

impl Handle {
    /// Calls `on` for each message that has ended since the last call, without waiting. Where another thread is in here already,
    /// or `on` itself calls it, it does nothing. `on` must not panic: that ends the process.
    pub(crate) fn reports(&self, mut on: &mut dyn FnMut(Report)) {
        let listener = &self.opaque().listener.0;
        let pointer = (&raw mut on).cast::<c_void>();
        if listener.compare_exchange(ptr::null_mut(), pointer, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return;
        }
        // SAFETY: the client is alive. Callbacks for reports come on this thread within this call, and in no other call: nothing
        // else serves a producer's main queue.
        unsafe { sys::rd_kafka_poll(self.as_ptr(), 0) };
        listener.store(ptr::null_mut(), Ordering::Release);
    }
}

pub(super) unsafe extern "C" fn report_cb(
    _rk: *mut sys::rd_kafka_t,
    message: *const sys::rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: the opaque pointer is that of a client made by `Handle::new` (see `log_cb`).
    let Some(opaque) = (unsafe { opaque.cast::<Opaque>().as_ref() }) else { return };
    let on = opaque.listener.0.load(Ordering::Relaxed).cast::<&mut dyn FnMut(Report)>();
    // SAFETY: not null only within `reports`, on whose thread this runs and whose `on` it points to; nobody else uses that one
    // meanwhile, since a second `reports` finds the listener taken.
    let Some(on) = (unsafe { on.as_mut() }) else { return };
    // SAFETY: the message lives during this call. The enum's memory is read as a plain number of its size.
    let report = unsafe {
        let code = Code((&raw const (*message).err).cast::<c_int>().read());
        let mut report = Report {
            tag: (*message)._private.addr() as u64,
            code,
            offset: (*message).offset,
            not_persisted: false,
            age: Duration::ZERO,
        };
        if !code.is_none() {
            report.not_persisted = sys::rd_kafka_message_status(message)
                == sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
            let age = u64::try_from(sys::rd_kafka_message_latency(message)).unwrap_or(0);
            report.age = Duration::from_micros(age);
        }
        report
    };
    on(report);
}
