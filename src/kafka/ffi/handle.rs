//! A librdkafka client: its creation, its log callback, and its end.
//!
//! Everything that is created from a client keeps it alive.

use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use rdkafka_sys as sys;

use super::base::{ErrStr, millis, rd_kafka_fatal_error};
use super::config::Config;
use super::lent::Lent;
use super::memory;
use super::opaque::{DeliveryReport, OnLog, OnReport, OnThrottle, Opaque, log_cb, report_cb, throttle_cb};
use crate::kafka::client::code::Code;

/// The two kinds of client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientKind {
    Producer,
    Consumer,
}

/// How to wait for delivery reports.
#[derive(Clone, Copy)]
pub(crate) enum Serve {
    /// Return the reports that exist, without waiting.
    Now,
    /// The same, but waiting for the first, up to so long; meanwhile what librdkafka gathers leaves at once.
    Flush(Duration),
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
    pub(crate) fn new(
        config: Config,
        kind: ClientKind,
        on_log: OnLog,
        on_throttle: OnThrottle,
    ) -> Result<Arc<Self>, String> {
        memory::settle();
        if kind == ClientKind::Producer {
            // SAFETY: the configuration is alive; the callback takes the opaque pointer that is set below.
            unsafe { sys::rd_kafka_conf_set_dr_msg_cb(config.as_ptr(), Some(report_cb)) }
        }
        let kind = match kind {
            ClientKind::Producer => sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            ClientKind::Consumer => sys::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let opaque = NonNull::from(Box::leak(Box::new(Opaque {
            on_log,
            on_throttle,
            on_report: AtomicPtr::default(),
        })));
        let mut errstr = ErrStr::new();
        // SAFETY: the configuration is alive; `opaque` stays valid until after rd_kafka_destroy_flags in `drop`.
        let rk = unsafe {
            sys::rd_kafka_conf_set_opaque(config.as_ptr(), opaque.as_ptr().cast());
            sys::rd_kafka_conf_set_log_cb(config.as_ptr(), Some(log_cb));
            sys::rd_kafka_conf_set_throttle_cb(config.as_ptr(), Some(throttle_cb));
            sys::rd_kafka_new(kind, config.as_ptr(), errstr.as_mut_ptr(), ErrStr::SIZE)
        };
        let Some(rk) = NonNull::new(rk) else {
            // SAFETY: no client was made, so nobody else holds the pointer that was leaked above.
            drop(unsafe { Box::from_raw(opaque.as_ptr()) });
            return Err(errstr.text());
        };
        if config.renews_tokens {
            // SAFETY: the client is alive. An error is ours to destroy: there is no mechanism with tokens then, and none to renew.
            unsafe {
                let error = sys::rd_kafka_sasl_background_callbacks_enable(rk.as_ptr());
                if !error.is_null() {
                    sys::rd_kafka_error_destroy(error);
                }
            }
        }
        // rd_kafka_new took the configuration over.
        let _ = ManuallyDrop::new(config);
        Ok(Arc::new(Self { rk, opaque }))
    }

    /// What waits for somebody to poll, beside messages.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> i32 {
        // SAFETY: the client is alive.
        unsafe { sys::rd_kafka_outq_len(self.as_ptr()) }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// Calls `on` for each message that has ended since the last call. It does nothing where another thread is in
    /// here already, or `on` itself calls it.
    pub(crate) fn reports(&self, how: Serve, on: &mut dyn FnMut(DeliveryReport)) {
        // SAFETY: made in `new`, freed in `drop`, and never written to but for the atomic in it.
        let place = unsafe { &self.opaque.as_ref().on_report };
        let mut waits = matches!(how, Serve::Flush(_));
        let mut on = |report| {
            if std::mem::take(&mut waits) {
                // SAFETY: no preconditions; the argument is not used. A flush would go on to the last one: this ends it behind
                // the first, so that each is told when it ends. What is left goes back to the front of the queue.
                unsafe { sys::rd_kafka_yield(ptr::null_mut()) };
            }
            on(report);
        };
        let mut on: OnReport<'_> = Lent::new(&mut on);
        let pointer = (&raw mut on).cast();
        if place.compare_exchange(ptr::null_mut(), pointer, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return;
        }
        // SAFETY: the client is alive. Reports come on this thread within this call, and in no other: nothing else serves a
        // producer's main queue.
        unsafe {
            match how {
                Serve::Now => {}
                // It says whether some are left, which the caller knows by its own count.
                Serve::Flush(timeout) => {
                    let _ = sys::rd_kafka_flush(self.as_ptr(), millis(timeout));
                }
            }
            sys::rd_kafka_poll(self.as_ptr(), 0);
        }
        place.store(ptr::null_mut(), Ordering::Release);
        on.end();
    }

    /// Reports the throttle times of a consumer; [`Handle::reports`] reports those of a producer.
    pub(crate) fn throttle_times(&self) {
        // SAFETY: the client is alive. Nothing else comes to the main queue of a consumer without a group.
        let _ = unsafe { sys::rd_kafka_poll(self.as_ptr(), 0) };
    }

    /// The fatal error of an idempotent producer, and its text.
    pub(crate) fn fatal(&self) -> Option<(Code, String)> {
        let mut errstr = ErrStr::new();
        // SAFETY: the client is alive; the buffer is as long as said, and written only where there is an error.
        let code = Code(unsafe { rd_kafka_fatal_error(self.as_ptr(), errstr.as_mut_ptr(), ErrStr::SIZE) });
        (!code.is_none()).then(|| (code, errstr.text()))
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
