//! Waking a thread that waits in a producer or a reader, from librdkafka's threads and from kaf6's own.
//!
//! Owns the one lock between them; it is taken once a wake-up, never once a message.

use std::sync::Arc;
use std::time::Duration;

/// Wakes whoever waits in [`Producer::poll`](super::Producer::poll) or [`ReaderSet::wait`](super::ReaderSet::wait).
#[derive(Clone)]
pub struct Waker(pub(super) Arc<Signal>);

impl Waker {
    /// Ends the current wait, or the next one if nobody waits now.
    pub fn wake(&self) {
        unimplemented!()
    }
}

/// Places that are ready, and whether somebody asked for attention.
pub(super) struct Signal {}

impl Signal {
    pub(super) fn _wait(&self, _timeout: Duration) {}
}
