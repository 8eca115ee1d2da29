//! The lifecycle states of scenarios and faults: waiting, running, ended or skipped.

use std::time::Instant;

use tokio::sync::watch;

/// The lifecycle state of a scenario or fault, for the tasks that wait for it.
#[derive(Debug)]
pub(crate) struct LifecycleWatch(watch::Sender<Lifecycle>);

/// Lifecycle states of a scenario or fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    Waiting,
    Running,
    /// Started, and ended at this instant.
    Ended(Instant),
    /// Will never start.
    Skipped,
}

impl LifecycleWatch {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Lifecycle::Waiting))
    }

    pub(crate) fn start(&self) {
        self.0.send_replace(Lifecycle::Running);
    }

    pub(crate) fn end(&self, skipped: bool) {
        self.0.send_replace(if skipped { Lifecycle::Skipped } else { Lifecycle::Ended(Instant::now()) });
    }

    pub(crate) fn get(&self) -> Lifecycle {
        *self.0.borrow()
    }

    /// Waits until it has started or was skipped.
    pub(crate) async fn begun(&self) {
        let mut stand = self.0.subscribe();
        // If the sender is gone, the state no longer changes.
        let _ = stand.wait_for(|s| *s != Lifecycle::Waiting).await;
    }

    /// Waits until it has ended or was skipped.
    pub(crate) async fn over(&self) -> Lifecycle {
        let mut stand = self.0.subscribe();
        match stand.wait_for(|s| matches!(s, Lifecycle::Ended(_) | Lifecycle::Skipped)).await {
            Ok(stand) => *stand,
            Err(_) => Lifecycle::Skipped,
        }
    }
}
