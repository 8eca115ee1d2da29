//! Ending a run before its scenarios end by themselves: a signal, a check with `abort`, the run's time bound, a
//! container that crashed.
//!
//! Threads look at a flag between their bounded waits; tasks wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

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

/// A switch that can be thrown once; clones are the same switch.
#[derive(Debug, Clone)]
pub struct Stop(Arc<StopState>);

#[derive(Debug)]
struct StopState {
    stopped: AtomicBool,
    why: Mutex<Option<StopReason>>,
    /// 0: go on; 1: background scenarios end; 2: all end.
    level: watch::Sender<u8>,
}

impl Stop {
    /// Not thrown.
    pub fn new() -> Self {
        Self(Arc::new(StopState {
            stopped: AtomicBool::new(false),
            why: Mutex::new(None),
            level: watch::Sender::new(0),
        }))
    }

    /// A switch of its own that this one throws too: for one run of several, so that its own end is not theirs.
    pub fn child(&self) -> Self {
        let child = Self::new();
        let (parent, thrown) = (self.clone(), child.clone());
        tokio::spawn(async move {
            parent.stopped().await;
            if let Some(why) = parent.why() {
                thrown.stop(why);
            }
        });
        child
    }

    /// Ends the run; the first reason stays.
    pub fn stop(&self, why: StopReason) {
        self.0.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.0.stopped.store(true, Ordering::Release);
        self.0.level.send_replace(2);
    }

    /// The last foreground scenario has ended.
    pub(crate) fn end_background(&self) {
        self.0.level.send_if_modified(|level| {
            let raise = *level == 0;
            *level = (*level).max(1);
            raise
        });
    }

    /// The run is to end.
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    /// Why, if it is.
    pub fn why(&self) -> Option<StopReason> {
        self.0.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the run is to end.
    pub async fn stopped(&self) {
        self.reaches(2).await;
    }

    /// Waits until background scenarios are to end.
    pub(crate) async fn background_ends(&self) {
        self.reaches(1).await;
    }

    async fn reaches(&self, wanted: u8) {
        let mut level = self.0.level.subscribe();
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = level.wait_for(|level| *level >= wanted).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
