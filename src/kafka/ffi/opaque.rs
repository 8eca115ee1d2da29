//! The target of librdkafka's opaque pointer: the receivers of log lines, delivery reports and throttle
//! times.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use rdkafka_sys as sys;

use super::lent::Lent;
use crate::kafka::client::code::Code;

/// Receives each log line: level, facility, text.
pub(crate) type OnLog = Box<dyn Fn(u8, &str, &str) + Send + Sync>;

/// Receives each throttle time of a response. Not all zero times are reported.
pub(crate) type OnThrottle = Box<dyn Fn(Duration) + Send + Sync>;

/// One delivery report of librdkafka.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeliveryReport {
    pub(crate) tag: u64,
    pub(crate) partition: i32,
    pub(crate) code: Code,
    pub(crate) offset: i64,
    /// Whether librdkafka reports that the message is not in the log. This is not sufficient: see `delivery`.
    pub(crate) not_persisted: bool,
    /// The time since the message was passed to librdkafka.
    pub(crate) age: Duration,
}

/// The receiver of delivery reports.
pub(super) type OnReport<'a> = Lent<&'a mut dyn FnMut(DeliveryReport)>;

/// The target of librdkafka's opaque pointer.
pub(super) struct Opaque {
    pub(super) on_log: OnLog,
    pub(super) on_throttle: OnThrottle,
    /// An [`OnReport`] during a call of `Handle::reports`, otherwise null.
    pub(super) on_report: AtomicPtr<c_void>,
}

pub(super) unsafe extern "C" fn log_cb(
    rk: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    if rk.is_null() || facility.is_null() || line.is_null() {
        return;
    }
    // SAFETY: `rk` is a client that is being created, alive or being destroyed. `Handle::new` created it and set its
    // opaque pointer to an `Opaque` that outlives it.
    let opaque = unsafe { sys::rd_kafka_opaque(rk).cast::<Opaque>().as_ref() };
    let Some(opaque) = opaque else { return };
    // SAFETY: librdkafka passes NUL-terminated strings that are valid during this call.
    let (facility, line) = unsafe { (CStr::from_ptr(facility), CStr::from_ptr(line)) };
    (opaque.on_log)(u8::try_from(level).unwrap_or(7), &facility.to_string_lossy(), &line.to_string_lossy());
}

pub(super) unsafe extern "C" fn throttle_cb(
    _rk: *mut sys::rd_kafka_t,
    _broker: *const c_char,
    _id: i32,
    time_ms: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: as in `log_cb`.
    let Some(opaque) = (unsafe { opaque.cast::<Opaque>().as_ref() }) else { return };
    (opaque.on_throttle)(Duration::from_millis(u64::try_from(time_ms).unwrap_or(0)));
}

/// librdkafka frees the message after this call.
pub(super) unsafe extern "C" fn report_cb(
    _rk: *mut sys::rd_kafka_t,
    message: *const sys::rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: as in `log_cb`.
    let Some(opaque) = (unsafe { opaque.cast::<Opaque>().as_ref() }) else { return };
    let on = opaque.on_report.load(Ordering::Relaxed).cast::<OnReport<'_>>();
    // SAFETY: not null only during `Handle::reports`, which owns it and on whose thread this runs. Nothing else uses it
    // at the same time, because a second `reports` finds the place occupied.
    let Some(on) = (unsafe { on.as_mut() }) else { return };
    // SAFETY: the message is valid during this call. The enum's memory is read as a plain number of its size.
    let report = unsafe {
        let code = Code((&raw const (*message).err).cast::<c_int>().read());
        let mut report = DeliveryReport {
            tag: (*message)._private.addr() as u64,
            partition: (*message).partition,
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
    on.call(|on| on(report));
}
