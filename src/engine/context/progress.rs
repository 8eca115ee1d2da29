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

/// A snapshot of one scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveScenario {
    pub name: String,
    pub kind: ScenarioKind,
    pub started: bool,
    pub ended: bool,
    /// Messages acked or read, or completed round trips.
    pub done: u64,
    /// Planned number of messages, if the file limits it.
    pub limit: Option<u64>,
    pub elapsed: Duration,
    pub bound: Duration,
    /// Messages per second since the scenario started.
    pub rate_per_s: f64,
    /// 95th percentile of latency so far, in milliseconds.
    pub p95_ms: Option<f64>,
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

    pub fn progress(&self) -> Vec<LiveScenario> {
        self.scenarios.iter().map(One::progress).collect()
    }
}

impl One {
    fn progress(&self) -> LiveScenario {
        let counters = &self.metrics.counters;
        let done = Counters::get(if self.sends { &counters.acked } else { &counters.received });
        let elapsed = match (self.began.get(), self.ended.get()) {
            (Some(began), Some(ended)) => ended.saturating_duration_since(*began),
            (Some(began), None) => began.elapsed(),
            (None, _) => Duration::ZERO,
        };
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        let rate = if elapsed.is_zero() { 0.0 } else { done as f64 / elapsed.as_secs_f64() };
        LiveScenario {
            name: self.name.clone(),
            kind: self.kind,
            started: self.began.get().is_some(),
            ended: self.ended.get().is_some(),
            done,
            limit: self.limit,
            elapsed,
            bound: self.bound,
            rate_per_s: rate,
            p95_ms: self.metrics.quantile_ms(0.95),
            errors: Counters::get(&counters.errors),
        }
    }
}
