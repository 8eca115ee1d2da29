//! The stop switch: ends a run early because of a signal, a check with `abort`, the run's timeout or a
//! crashed container.
//!
//! Threads poll a flag between bounded waits; tasks await it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::observe::EarlyEnd;

/// The longest time that a thread waits before it checks the stop flag again.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// Ends a run early. All clones control the same run.
#[derive(Debug, Clone)]
pub struct Stop(Arc<StopState>);

#[derive(Debug)]
struct StopState {
    /// Threads check it in every loop, without a lock.
    stopped: AtomicBool,
    reason: OnceLock<EarlyEnd>,
    all: CancellationToken,
    /// For background scenarios and faults; canceled together with `all`.
    background: CancellationToken,
    parent: Option<Arc<StopState>>,
}

impl Stop {
    pub fn new() -> Self {
        Self::below(CancellationToken::new(), None)
    }

    /// A stop switch for one of several runs. Stopping `self` also stops the child, but not the reverse.
    pub fn child(&self) -> Self {
        Self::below(self.0.all.child_token(), Some(Arc::clone(&self.0)))
    }

    fn below(all: CancellationToken, parent: Option<Arc<StopState>>) -> Self {
        let background = all.child_token();
        let (stopped, reason) = (AtomicBool::new(false), OnceLock::new());
        Self(Arc::new(StopState { stopped, reason, all, background, parent }))
    }

    /// Ends the run. The first reason is kept.
    pub fn stop(&self, reason: EarlyEnd) {
        if self.why().is_none() {
            let _ = self.0.reason.set(reason);
        }
        self.0.stopped.store(true, Ordering::Release);
        self.0.all.cancel();
    }

    /// Ends background scenarios and faults, once the last foreground scenario has ended.
    pub(crate) fn end_background(&self) {
        self.0.background.cancel();
    }

    pub fn is_stopped(&self) -> bool {
        self.states().any(|state| state.stopped.load(Ordering::Acquire))
    }

    /// The reason why the run ends early; `None` if it does not.
    pub fn why(&self) -> Option<EarlyEnd> {
        self.states().find_map(|state| state.reason.get().cloned())
    }

    /// Waits until the run must end.
    pub async fn stopped(&self) {
        self.0.all.cancelled().await;
    }

    /// Waits until background scenarios must end.
    pub(crate) async fn background_ends(&self) {
        self.0.background.cancelled().await;
    }

    fn states(&self) -> impl Iterator<Item = &StopState> {
        std::iter::successors(Some(&*self.0), |state| state.parent.as_deref())
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_of_several_ends_with_all_and_not_all_with_it() {
        let all = Stop::new();
        let (first, second) = (all.child(), all.child());
        first.stop(EarlyEnd::Timeout);
        first.stopped().await;
        first.background_ends().await;
        assert!(first.is_stopped() && !all.is_stopped() && !second.is_stopped());
        all.stop(EarlyEnd::Signal("SIGINT"));
        second.stopped().await;
        assert!(second.is_stopped());
        second.stop(EarlyEnd::Timeout);
        assert_eq!(second.why(), Some(EarlyEnd::Signal("SIGINT")));
        assert_eq!(first.why(), Some(EarlyEnd::Timeout), "the first reason stays");
    }

    #[tokio::test]
    async fn background_scenarios_end_alone() {
        let stop = Stop::new();
        stop.end_background();
        stop.background_ends().await;
        assert!(!stop.is_stopped() && stop.why().is_none());
    }
}
