//! State that the threads of one consumer share, and how each thread ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::engine::messages::end_marker::{EndMarkers, MarkedTopic};

/// The reasons why a reading thread ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// It read everything it had to.
    #[default]
    Done,
    /// `idle_timeout` passed without a record.
    Idle,
    Timeout,
}

/// State that the threads of one consumer share.
pub(super) struct Consumer {
    pub(super) context: Arc<RunContext>,
    pub(super) end_markers: EndMarkers,
    pub(super) index: usize,
    pub(super) topology: Arc<Topology>,
    /// The topic's index in the run, and its name.
    pub(super) topic: usize,
    pub(super) name: String,
    /// Number of messages that count toward the limit.
    pub(super) taken: AtomicU64,
    /// Number of compared UUIDs, and how many differed from those sent.
    pub(super) compared: AtomicU64,
    pub(super) wrong: AtomicU64,
    /// Whether the line about an unknown partition was shown.
    pub(super) unknown_told: AtomicBool,
}

impl Consumer {
    /// The topic to which its end markers are written.
    pub(super) fn marked_topic(&self) -> MarkedTopic {
        MarkedTopic { reader: self.index, topology: Arc::clone(&self.topology), topic: self.topic }
    }

    /// Informs the user once that the reader waits for an unknown partition.
    pub(super) fn tell_unknown(&self) {
        if !self.unknown_told.swap(true, Ordering::Relaxed) {
            let reader = &self.context.plan.scenarios[self.index].name;
            self.context.live.say(format!(
                "{reader}: the broker is reachable, but does not know all partitions of `{}`; waiting for them",
                self.name
            ));
        }
    }
}
