//! What a runner says of its scenario beside its counts, and how threads and tasks hand their ends on.

use super::stop::{Stop, StopReason};
use crate::observe::{BrokerSeen, ScenarioEnd, ScrapeSeen, TopicSeen, WatchSeen};

/// How something that did not end by itself ended.
pub(crate) fn cut(stop: &Stop) -> ScenarioEnd {
    match stop.why() {
        Some(StopReason::Signal(_)) => ScenarioEnd::Interrupted,
        _ => ScenarioEnd::Aborted,
    }
}

/// What a runner says of its scenario beside its counts.
#[derive(Debug, Default)]
pub(crate) struct ScenarioOutcome {
    pub(crate) ended: Option<ScenarioEnd>,
    pub(crate) message: Option<String>,
    pub(crate) brokers: Vec<BrokerSeen>,
    pub(crate) topics: Vec<TopicSeen>,
    pub(crate) scrape: Option<ScrapeSeen>,
    pub(crate) watch: Option<WatchSeen>,
    pub(crate) uuids: Option<(u64, u64)>,
}

impl ScenarioOutcome {
    pub(crate) fn of(ended: ScenarioEnd) -> Self {
        Self { ended: Some(ended), ..Self::default() }
    }

    pub(crate) fn because(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::of(ScenarioEnd::Failed).because(message)
    }
}

/// A panic of a task is a bug of kaf6 and goes on to `main`, which reports it as such.
pub(crate) fn unwind<T>(joined: Result<T, tokio::task::JoinError>) -> T {
    match joined {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
