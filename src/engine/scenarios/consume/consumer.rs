//! What the threads of one consumer share, and how each of them ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::engine::context::run_context::RunContext;
use crate::engine::messages::end_marker::EndMarkers;

/// How a reading thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// It read all that it was to read.
    Done,
    /// Nothing came for too long.
    Idle,
    Timeout,
}

/// What the threads of one consumer share.
pub(super) struct Consumer {
    pub(super) shared: Arc<RunContext>,
    pub(super) end_markers: EndMarkers,
    pub(super) index: usize,
    pub(super) topic: usize,
    pub(super) name: String,
    /// Messages taken under a limit.
    pub(super) taken: AtomicU64,
    /// UUIDs compared, and those that were another than sent.
    pub(super) compared: AtomicU64,
    pub(super) wrong: AtomicU64,
    /// It was said that the broker does not know a partition.
    pub(super) unknown_told: AtomicBool,
}

impl Consumer {
    /// Tells people who watch what its reader waits for, once.
    pub(super) fn tell_unknown(&self) {
        if !self.unknown_told.swap(true, Ordering::Relaxed) {
            let reader = &self.shared.plan.scenarios[self.index].name;
            self.shared.live.say(format!(
                "{reader}: the broker can be reached and does not know all partitions of `{}`; waiting for them",
                self.name
            ));
        }
    }
}
