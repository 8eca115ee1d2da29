//! A client of librdkafka: how it is made, what it logs, and how it ends.
//!
//! Owns the rule that everything made of a client keeps it alive.

use std::ffi::{CStr, c_char, c_int};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka_sys as sys;

use super::base::ErrStr;
use super::config::Config;
use super::report::Listener;

/// What is told of each log line: level, facility, text.
pub(crate) type OnLog = Box<dyn Fn(u8, &str, &str) + Send + Sync>;

/// What librdkafka's opaque pointer points to.
pub(super) struct Opaque {
    on_log: OnLog,
    pub(super) listener: Listener,
}

unsafe extern "C" fn log_cb(
    rk: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    if rk.is_null() || facility.is_null() || line.is_null() {
        return;
    }
    // SAFETY: `rk` is a client under construction, alive or being destroyed, made by `Handle::new`, which set its opaque
    // pointer to an `Opaque` that outlives it.
    let opaque = unsafe { sys::rd_kafka_opaque(rk).cast::<Opaque>().as_ref() };
    let Some(opaque) = opaque else { return };
    // SAFETY: librdkafka passes NUL-terminated strings that live during this call.
    let (facility, line) = unsafe { (CStr::from_ptr(facility), CStr::from_ptr(line)) };
    (opaque.on_log)(u8::try_from(level).unwrap_or(7), &facility.to_string_lossy(), &line.to_string_lossy());
}

/// The two kinds of client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Producer,
    Consumer,
}

/// A librdkafka client. Destroyed when the last topic, queue and holder of it is gone; that joins its threads.
pub(crate) struct Handle {
    rk: NonNull<sys::rd_kafka_t>,
    opaque: NonNull<Opaque>,
}

// SAFETY: rd_kafka_t may be used from any thread at once, by librdkafka's documentation; `Opaque` is Send and Sync.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub(crate) fn new(config: Config, kind: Kind, on_log: OnLog) -> Result<Arc<Self>, String> {
        let kind = match kind {
            Kind::Producer => sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            Kind::Consumer => sys::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let opaque = NonNull::from(Box::leak(Box::new(Opaque { on_log, listener: Listener::default() })));
        let mut errstr = ErrStr::new();
        // SAFETY: the configuration is alive; `opaque` stays valid until after rd_kafka_destroy_flags in `drop`.
        let rk = unsafe {
            sys::rd_kafka_conf_set_opaque(config.0.as_ptr(), opaque.as_ptr().cast());
            sys::rd_kafka_conf_set_log_cb(config.0.as_ptr(), Some(log_cb));
            sys::rd_kafka_new(kind, config.0.as_ptr(), errstr.as_mut_ptr(), ErrStr::SIZE)
        };
        let Some(rk) = NonNull::new(rk) else {
            // SAFETY: no client was made, so nobody else holds the pointer that was leaked above.
            drop(unsafe { Box::from_raw(opaque.as_ptr()) });
            return Err(errstr.text());
        };
        // rd_kafka_new took the configuration over.
        let _ = ManuallyDrop::new(config);
        Ok(Arc::new(Self { rk, opaque }))
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    pub(super) fn opaque(&self) -> &Opaque {
        // SAFETY: made in `new`, freed in `drop`, and never written to.
        unsafe { self.opaque.as_ref() }
    }

    /// Gives up on all messages, queued and in flight; their ends come as delivery reports.
    pub(crate) fn purge(&self) {
        let flags =
            sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is alive; the result is one of librdkafka's own codes.
        let _ = unsafe { sys::rd_kafka_purge(self.as_ptr(), flags) };
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: topics, queues, messages and events hold an Arc of this handle or borrow what does, so none is left. The opaque
        // pointer is freed after the destruction, which joins all threads that could log.
        unsafe {
            sys::rd_kafka_destroy_flags(self.as_ptr(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
            drop(Box::from_raw(self.opaque.as_ptr()));
        }
    }
}
