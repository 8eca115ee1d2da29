//! Ending a run before its scenarios end by themselves: a signal, a check with `abort`, the run's timeout, a
//! container that crashed.
//!
//! Threads look at a flag between their bounded waits; tasks wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why a run ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    Timeout,
    /// A container that ended by itself.
    Crash,
    /// A check with `abort`, by its name.
    Abort(String),
    /// A signal, by its name.
    Signal(&'static str),
}

/// Ends a run early, once; clones end the same run.
#[derive(Debug, Clone)]
pub struct Stop(Arc<StopState>);

#[derive(Debug)]
struct StopState {
    /// For threads, which ask at each turn: no lock.
    stopped: AtomicBool,
    reason: OnceLock<StopReason>,
    all: CancellationToken,
    /// Background scenarios and faults; canceled with `all`.
    background: CancellationToken,
    parent: Option<Arc<StopState>>,
}

impl Stop {
    pub fn new() -> Self {
        Self::below(CancellationToken::new(), None)
    }

    /// For one run of several: this one stops it too, and its own end does not stop the others.
    pub fn child(&self) -> Self {
        Self::below(self.0.all.child_token(), Some(Arc::clone(&self.0)))
    }

    fn below(all: CancellationToken, parent: Option<Arc<StopState>>) -> Self {
        let background = all.child_token();
        let (stopped, reason) = (AtomicBool::new(false), OnceLock::new());
        Self(Arc::new(StopState { stopped, reason, all, background, parent }))
    }

    /// Ends the run; the first reason stays.
    pub fn stop(&self, reason: StopReason) {
        if self.why().is_none() {
            let _ = self.0.reason.set(reason);
        }
        self.0.stopped.store(true, Ordering::Release);
        self.0.all.cancel();
    }

    /// The last foreground scenario has ended.
    pub(crate) fn end_background(&self) {
        self.0.background.cancel();
    }

    pub fn is_stopped(&self) -> bool {
        self.states().any(|state| state.stopped.load(Ordering::Acquire))
    }

    /// Why the run ends early, if it does.
    pub fn why(&self) -> Option<StopReason> {
        self.states().find_map(|state| state.reason.get().cloned())
    }

    /// Waits until the run is to end.
    pub async fn stopped(&self) {
        self.0.all.cancelled().await;
    }

    /// Waits until background scenarios are to end.
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
        first.stop(StopReason::Timeout);
        first.stopped().await;
        first.background_ends().await;
        assert!(first.is_stopped() && !all.is_stopped() && !second.is_stopped());
        all.stop(StopReason::Signal("SIGINT"));
        second.stopped().await;
        assert!(second.is_stopped());
        second.stop(StopReason::Timeout);
        assert_eq!(second.why(), Some(StopReason::Signal("SIGINT")));
        assert_eq!(first.why(), Some(StopReason::Timeout), "the first reason stays");
    }

    #[tokio::test]
    async fn background_scenarios_end_alone() {
        let stop = Stop::new();
        stop.end_background();
        stop.background_ends().await;
        assert!(!stop.is_stopped() && stop.why().is_none());
    }
}
