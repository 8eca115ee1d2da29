//! Destroys librdkafka clients within a time limit.
//!
//! The thread that destroys them may outlive the caller.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::kafka::ffi::Handle;

/// Destroys clients in a thread, and waits up to `grace` for it. Destroying a client joins its threads, and one of
/// these may be blocked in the system's resolver.
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
