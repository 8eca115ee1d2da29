//! What a runner says of its scenario beside its counts, and how threads and tasks hand their ends on.

use super::stop::{Stop, Why};
use crate::observe::{BrokerSeen, Ended, ScrapeSeen, TopicSeen, WatchSeen};

/// How something that did not end by itself ended.
pub(crate) fn cut(stop: &Stop) -> Ended {
    match stop.why() {
        Some(Why::Signal(_)) => Ended::Interrupted,
        _ => Ended::Aborted,
    }
}

/// What a runner says of its scenario beside its counts.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ended: Option<Ended>,
    pub(crate) message: Option<String>,
    pub(crate) brokers: Vec<BrokerSeen>,
    pub(crate) topics: Vec<TopicSeen>,
    pub(crate) scrape: Option<ScrapeSeen>,
    pub(crate) watch: Option<WatchSeen>,
    pub(crate) uuids: Option<(u64, u64)>,
}

impl Outcome {
    pub(crate) fn of(ended: Ended) -> Self {
        Self { ended: Some(ended), ..Self::default() }
    }

    pub(crate) fn because(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::of(Ended::Failed).because(message)
    }
}

/// A panic of a task is a bug of kaf6 and goes on to `main`, which reports it as such.
pub(crate) fn unwind<T>(joined: Result<T, tokio::task::JoinError>) -> T {
    match joined {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
