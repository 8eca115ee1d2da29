//! Destroys librdkafka clients in bounded time.
//!
//! Its thread may outlive the caller.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::kafka::ffi::Handle;

/// Destroys clients without blocking: destroying one joins its threads, and a thread may be inside the
/// system's resolver. After `grace`, they are left to end by themselves.
pub(crate) fn release(handles: Vec<Arc<Handle>>, grace: Duration) {
    let (done, ended) = mpsc::channel::<()>();
    let spawned = std::thread::Builder::new().name("kaf6-let-go".into()).spawn(move || {
        drop(handles);
        drop(done);
    });
    if spawned.is_ok() {
        let _ = ended.recv_timeout(grace);
    }
}
