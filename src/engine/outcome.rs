//! What a runner says of its scenario beside its counts, and how threads and tasks hand their ends on.

use super::stop::{Stop, Why};
use crate::observe::{BrokerSeen, Ended, ScrapeSeen, TopicSeen, WatchSeen};

/// How something that did not end by itself ended.
pub(super) fn cut(stop: &Stop) -> Ended {
    match stop.why() {
        Some(Why::Signal(_)) => Ended::Interrupted,
        _ => Ended::Aborted,
    }
}

/// What a runner says of its scenario beside its counts.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) ended: Option<Ended>,
    pub(super) message: Option<String>,
    pub(super) brokers: Vec<BrokerSeen>,
    pub(super) topics: Vec<TopicSeen>,
    pub(super) scrape: Option<ScrapeSeen>,
    pub(super) watch: Option<WatchSeen>,
    pub(super) uuids: Option<(u64, u64)>,
}

impl Outcome {
    pub(super) fn of(ended: Ended) -> Self {
        Self { ended: Some(ended), ..Self::default() }
    }

    pub(super) fn because(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::of(Ended::Failed).because(message)
    }
}

/// A panic of a task is a bug of kaf6 and goes on to `main`, which reports it as such.
pub(super) fn unwind<T>(joined: Result<T, tokio::task::JoinError>) -> T {
    match joined {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
