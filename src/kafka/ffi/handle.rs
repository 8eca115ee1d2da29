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
    /// Send batches immediately, and wait up to this time for the first report.
    Flush(Duration),
}

/// A librdkafka client. It is destroyed when the last `Arc` is dropped, including those of its topics and queues. This
/// joins its threads.
pub(crate) struct Handle {
    rk: NonNull<sys::rd_kafka_t>,
    opaque: NonNull<Opaque>,
}

// SAFETY: rd_kafka_t may be used by several threads at once, according to librdkafka's documentation; `Opaque` is Send
// and Sync.
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
            // SAFETY: no client was created, so nothing else uses the pointer that was leaked above.
            drop(unsafe { Box::from_raw(opaque.as_ptr()) });
            return Err(errstr.text());
        };
        if config.renews_tokens {
            // SAFETY: the client is alive. If there is an error, it is destroyed here. The SASL mechanism then uses no
            // tokens.
            unsafe {
                let error = sys::rd_kafka_sasl_background_callbacks_enable(rk.as_ptr());
                if !error.is_null() {
                    sys::rd_kafka_error_destroy(error);
                }
            }
        }
        // rd_kafka_new has taken ownership of the configuration.
        let _ = ManuallyDrop::new(config);
        Ok(Arc::new(Self { rk, opaque }))
    }

    /// The number of messages and operations that wait for a poll.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> i32 {
        // SAFETY: the client is alive.
        unsafe { sys::rd_kafka_outq_len(self.as_ptr()) }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// Calls `on` for each delivery report since the last call. Does nothing if another thread is in this function, or
    /// if `on` calls it.
    pub(crate) fn reports(&self, how: Serve, on: &mut dyn FnMut(DeliveryReport)) {
        // SAFETY: created in `new`, freed in `drop`, and never written to except for the atomic in it.
        let place = unsafe { &self.opaque.as_ref().on_report };
        let mut waits = matches!(how, Serve::Flush(_));
        let mut on = |report| {
            if std::mem::take(&mut waits) {
                // SAFETY: no preconditions; the argument is not used. A flush would continue until the last report.
                // This ends it after the first one, so that each report is passed on immediately. The others return to
                // the front of the queue.
                unsafe { sys::rd_kafka_yield(ptr::null_mut()) };
            }
            on(report);
        };
        let mut on: OnReport<'_> = Lent::new(&mut on);
        let pointer = (&raw mut on).cast();
        if place.compare_exchange(ptr::null_mut(), pointer, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return;
        }
        // SAFETY: the client is alive. Reports arrive on this thread and only during this call, because nothing else
        // serves a producer's main queue.
        unsafe {
            match how {
                Serve::Now => {}
                // The result says whether messages are left, which the caller counts itself.
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
        // SAFETY: the client is alive. The main queue of a consumer without a group receives nothing else.
        let _ = unsafe { sys::rd_kafka_poll(self.as_ptr(), 0) };
    }

    /// The fatal error of an idempotent producer, with its text.
    pub(crate) fn fatal(&self) -> Option<(Code, String)> {
        let mut errstr = ErrStr::new();
        // SAFETY: the client is alive; the buffer has the given length, and is written only if there is an error.
        let code = Code(unsafe { rd_kafka_fatal_error(self.as_ptr(), errstr.as_mut_ptr(), ErrStr::SIZE) });
        (!code.is_none()).then(|| (code, errstr.text()))
    }

    /// Purges all messages, queued and in flight. Their delivery reports follow.
    pub(crate) fn purge(&self) {
        let flags =
            sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is alive; the result is one of librdkafka's own codes.
        let _ = unsafe { sys::rd_kafka_purge(self.as_ptr(), flags) };
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: topics, queues, messages and events have an Arc of this handle or borrow something that has one, so
        // all of them were dropped. The opaque pointer is freed after the destruction, which joins all threads that can
        // log.
        unsafe {
            sys::rd_kafka_destroy_flags(self.as_ptr(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
            drop(Box::from_raw(self.opaque.as_ptr()));
        }
    }
}
