//! The live view of a run: its phase, and the state and counts of each scenario.
//!
//! Displays read it from another thread; the engine never waits for them.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::{ClientMetrics, Counters};
use crate::plan::{Plan, ScenarioKind, Work};
use crate::scenario::Secrets;

/// The current phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Cluster,
    /// Connecting to the brokers and creating topics.
    Setup,
    Running,
    /// Re-reading missing messages and computing the verdict.
    Judging,
}

/// The state of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressState {
    /// Not yet started.
    Waiting,
    Running,
    /// Ended, with any result.
    Ended,
}

/// One scenario at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioProgress {
    pub name: String,
    pub kind: ScenarioKind,
    /// Messages acked or read, or iterations.
    pub done: u64,
    /// Number of messages or iterations to do. `None` if only time ends the scenario.
    pub limit: Option<u64>,
    /// Time since its start.
    pub elapsed: Duration,
    /// Latest time of its end.
    pub bound: Duration,
    pub state: ProgressState,
    /// Messages per second since the scenario started.
    pub rate_per_s: f64,
    /// 95th percentile of latency so far, in milliseconds. `None` if nothing was measured.
    pub p95_ms: Option<f64>,
    /// All errors up to now.
    pub errors: u64,
}

#[derive(Debug)]
pub struct RunProgress {
    phase: Mutex<Phase>,
    said: Mutex<Vec<String>>,
    zero: OnceLock<Instant>,
    scenarios: Vec<One>,
    secrets: Secrets,
}

#[derive(Debug)]
struct One {
    name: String,
    kind: ScenarioKind,
    sends: bool,
    limit: Option<u64>,
    bound: Duration,
    metrics: ClientMetrics,
    began: OnceLock<Instant>,
    ended: OnceLock<Instant>,
}

impl RunProgress {
    pub fn new(plan: &Plan) -> Self {
        let scenarios = plan
            .scenarios
            .iter()
            .map(|s| One {
                name: s.name.clone(),
                kind: s.work.kind(),
                sends: matches!(s.work, Work::Produce(_)),
                limit: s.work.planned(),
                bound: s.timeout,
                metrics: ClientMetrics::default(),
                began: OnceLock::new(),
                ended: OnceLock::new(),
            })
            .collect();
        Self {
            phase: Mutex::new(Phase::Setup),
            said: Mutex::default(),
            zero: OnceLock::new(),
            scenarios,
            secrets: plan.secrets.clone(),
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Adds a line for the user who watches the run.
    pub(crate) fn say(&self, mut line: String) {
        self.secrets.hide_from(&mut line);
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Removes and returns the lines that were added since the last call.
    pub fn take_said(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn start(&self, zero: Instant) {
        self.zero.get_or_init(|| zero);
        self.enter(Phase::Running);
    }

    pub(crate) fn begin(&self, index: usize) {
        self.scenarios[index].began.get_or_init(Instant::now);
    }

    pub(crate) fn end(&self, index: usize) {
        self.scenarios[index].ended.get_or_init(Instant::now);
    }

    pub(crate) fn metrics(&self, index: usize) -> &ClientMetrics {
        &self.scenarios[index].metrics
    }

    /// How long a scenario ran; `None` if it never started or has not ended.
    pub(crate) fn length(&self, index: usize) -> Option<Duration> {
        let scenario = &self.scenarios[index];
        Some(scenario.ended.get()?.saturating_duration_since(*scenario.began.get()?))
    }

    pub fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the start of the run; `None` before it.
    pub fn elapsed(&self) -> Option<Duration> {
        self.zero.get().map(Instant::elapsed)
    }

    pub fn progress(&self) -> Vec<ScenarioProgress> {
        self.scenarios.iter().map(One::progress).collect()
    }
}

impl One {
    fn progress(&self) -> ScenarioProgress {
        let counters = &self.metrics.counters;
        let done = Counters::get(if self.sends { &counters.acked } else { &counters.received });
        let (state, elapsed) = match (self.began.get(), self.ended.get()) {
            (Some(began), Some(ended)) => (ProgressState::Ended, ended.saturating_duration_since(*began)),
            (Some(began), None) => (ProgressState::Running, began.elapsed()),
            (None, Some(_)) => (ProgressState::Ended, Duration::ZERO),
            (None, None) => (ProgressState::Waiting, Duration::ZERO),
        };
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        let rate = if elapsed.is_zero() { 0.0 } else { done as f64 / elapsed.as_secs_f64() };
        ScenarioProgress {
            name: self.name.clone(),
            kind: self.kind,
            done,
            limit: self.limit,
            elapsed,
            bound: self.bound,
            state,
            rate_per_s: rate,
            p95_ms: self.metrics.quantile_ms(0.95),
            errors: Counters::get(&counters.errors),
        }
    }
}
