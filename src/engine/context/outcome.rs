//! The outcome of a scenario apart from its counts, and how panics of threads and tasks are passed on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::stop::Stop;
use crate::engine::messages::ends::PartitionEnd;
use crate::ids::StreamId;
use crate::ledger::SentLog;
use crate::observe::{EarlyEnd, ScenarioEnd, TypeSeen};

/// The end of a scenario that was stopped early.
pub(crate) fn cut(stop: &Stop) -> ScenarioEnd {
    match stop.why() {
        Some(EarlyEnd::Signal(_)) => ScenarioEnd::Interrupted,
        _ => ScenarioEnd::Aborted,
    }
}

/// Waits until a background scenario sends its next requests. Returns how it ends if it sends no more.
pub(crate) async fn pause_until(stop: &Stop, next: Instant, deadline: Instant) -> Option<ScenarioEnd> {
    if next >= deadline {
        return Some(ScenarioEnd::Timeout);
    }
    tokio::select! {
        () = tokio::time::sleep_until(next.into()) => None,
        () = stop.background_ends() => Some(if stop.is_stopped() { cut(stop) } else { ScenarioEnd::Done }),
    }
}

/// The results of a scenario apart from its counts.
#[derive(Debug, Default)]
pub(crate) struct ScenarioOutcome {
    pub(crate) ended: Option<ScenarioEnd>,
    pub(crate) message: Option<String>,
    pub(crate) of_type: TypeSeen,
    /// What it sent, by stream.
    pub(crate) sent: HashMap<StreamId, SentLog>,
    /// What it read, by partition.
    pub(crate) ends: Vec<PartitionEnd>,
}

impl ScenarioOutcome {
    pub(crate) fn of(ended: ScenarioEnd) -> Self {
        Self { ended: Some(ended), ..Self::default() }
    }

    pub(crate) fn observed(mut self, of_type: TypeSeen) -> Self {
        self.of_type = of_type;
        self
    }

    pub(crate) fn because(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::of(ScenarioEnd::Failed).because(message)
    }
}

/// Passes a panic of a task on to `main`, which reports it as a bug of kaf6.
pub(crate) fn unwind<T>(joined: Result<T, tokio::task::JoinError>) -> T {
    match joined {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Locks a mutex even if it is poisoned: a panic of another thread must not lose its data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
