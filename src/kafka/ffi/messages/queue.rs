//! A librdkafka queue, and the callback that wakes its reader.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use super::message::LentMessage;
use crate::kafka::ffi::base::millis;
use crate::kafka::ffi::event::Event;
use crate::kafka::ffi::handle::Handle;
use crate::kafka::ffi::lent::Lent;
use crate::kafka::wake::Signal;

/// A queue of a client, and the callback that wakes its reader.
pub(crate) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    wakes: Option<NonNull<Wakes>>,
    _handle: Arc<Handle>,
}

/// The target of a queue's callback.
struct Wakes {
    signal: Arc<Signal>,
    index: u32,
}

// SAFETY: rd_kafka_queue_t may be used from any thread; `Wakes` is Send and Sync, and owned.
unsafe impl Send for Queue {}

unsafe extern "C" fn queue_cb(_rk: *mut sys::rd_kafka_t, wakes: *mut c_void) {
    // SAFETY: set together with this callback to a `Wakes` that is freed only after the callback was removed.
    if let Some(wakes) = unsafe { wakes.cast::<Wakes>().as_ref() } {
        wakes.signal.ready(wakes.index);
    }
}

impl Queue {
    /// The client's main queue, which receives the delivery reports of a producer.
    pub(crate) fn main(handle: &Arc<Handle>) -> Self {
        // SAFETY: the client is alive; the returned reference is owned.
        Self::own(unsafe { sys::rd_kafka_queue_get_main(handle.as_ptr()) }, handle)
    }

    /// A new, separate queue.
    pub(crate) fn new(handle: &Arc<Handle>) -> Self {
        // SAFETY: the client is alive.
        Self::own(unsafe { sys::rd_kafka_queue_new(handle.as_ptr()) }, handle)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.queue.as_ptr()
    }

    fn own(queue: *mut sys::rd_kafka_queue_t, handle: &Arc<Handle>) -> Self {
        let queue = NonNull::new(queue).expect("librdkafka aborts without memory");
        Self { queue, wakes: None, _handle: Arc::clone(handle) }
    }

    /// Makes `index` ready at `signal` each time the queue stops being empty. Called once per queue.
    pub(crate) fn wakes(&mut self, signal: &Arc<Signal>, index: u32) {
        if self.wakes.is_some() {
            return;
        }
        let wakes = Box::leak(Box::new(Wakes { signal: Arc::clone(signal), index }));
        let wakes = NonNull::from(wakes);
        self.wakes = Some(wakes);
        // SAFETY: the queue is alive, and `wakes` is alive until `drop` has removed the callback. The callback calls no
        // function of librdkafka, as the documentation requires.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), Some(queue_cb), wakes.as_ptr().cast());
        }
    }

    /// The next event, after a wait of up to `timeout`.
    pub(crate) fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; the event is owned.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), millis(timeout)) }).map(Event)
    }

    /// Passes up to `limit` available messages to `on`, without waiting, and returns their number. If there were fewer,
    /// the queue was empty. Each message is freed right after its call, while it is still in the processor's cache.
    pub(crate) fn serve(&self, limit: usize, on: &mut dyn FnMut(&LentMessage)) -> usize {
        let mut serving = Serving { on: Lent::new(on), got: 0, limit };
        // SAFETY: the queue is alive; the callback runs on this thread and only during this call, and `serving`
        // outlives the call.
        unsafe {
            let serving = (&raw mut serving).cast();
            sys::rd_kafka_consume_callback_queue(self.queue.as_ptr(), 0, Some(consume_cb), serving);
        }
        serving.on.end();
        serving.got
    }
}

/// The target of the callback of `serve`.
struct Serving<'a> {
    on: Lent<&'a mut dyn FnMut(&LentMessage)>,
    got: usize,
    limit: usize,
}

unsafe extern "C" fn consume_cb(message: *mut sys::rd_kafka_message_t, serving: *mut c_void) {
    // SAFETY: the `Serving` of the current call of `serve`, which does not use it during the callback.
    let Some(serving) = (unsafe { serving.cast::<Serving<'_>>().as_mut() }) else { return };
    let Some(message) = NonNull::new(message) else { return };
    serving.got += 1;
    if !serving.on.call(|on| on(&LentMessage(message))) || serving.got >= serving.limit {
        // SAFETY: no preconditions; the argument is not used. Remaining messages return to the front of the queue.
        unsafe { sys::rd_kafka_yield(ptr::null_mut()) };
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: owned and alive. Removing the callback takes the lock under which it is called, so it does not run
        // afterwards.
        unsafe {
            if let Some(wakes) = self.wakes {
                sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
                drop(Box::from_raw(wakes.as_ptr()));
            }
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}
