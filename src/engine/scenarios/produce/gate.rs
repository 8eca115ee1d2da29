//! Where the clients of a producer wait for each other before its schedule starts.

use std::sync::{Barrier, OnceLock};

/// Where the clients of a scenario wait for each other: the schedule starts when all stand ready.
pub(super) struct Gate {
    barrier: Barrier,
    started_us: OnceLock<u64>,
}

impl Gate {
    pub(super) fn new(clients: u32) -> Self {
        Self { barrier: Barrier::new(usize::try_from(clients).unwrap_or(1)), started_us: OnceLock::new() }
    }

    /// Waits for the others; the schedule's start, the same for all, in microseconds from the start of the run.
    pub(super) fn pass(&self, now_us: impl FnOnce() -> u64) -> u64 {
        self.barrier.wait();
        *self.started_us.get_or_init(now_us)
    }
}
