//! Topics that have to exist before a run's zero: created where missing, made anew where asked.
//!
//! Owns the waiting until each partition has a leader, and the words for what went wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Client, Code, Error};

/// A topic wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Partitions to create it with.
    pub partitions: i32,
    /// Copies of each.
    pub replication: i32,
    /// Topic properties by Kafka's names.
    pub config: BTreeMap<String, String>,
    /// Delete it first, and wait until it is gone.
    pub recreate: bool,
}

/// What became of one [`TopicSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicResult {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: TopicOutcome,
}

/// The ways a topic comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicOutcome {
    /// Created, all partitions led.
    Created {
        /// Partitions that it has.
        partitions: i32,
    },
    /// It was there.
    Existed {
        /// Partitions that it has, whatever was wanted.
        partitions: i32,
    },
    /// It cannot be used.
    Error {
        /// Why.
        code: Code,
        /// Why, in a sentence, with what the user can do about it.
        text: String,
    },
}

/// Sees to it that these topics are there and led, within `timeout` over all of them. Results are in the order of `topics`.
///
/// # Errors
/// [`Error::Client`]; [`Error::Request`] where no broker answered at all. What concerns one topic is in its result.
pub fn ensure_topics(
    client: &Client,
    topics: &[TopicSpec],
    timeout: Duration,
) -> Result<Vec<TopicResult>, Error> {
    let _ = (client, topics, timeout);
    unimplemented!()
}
