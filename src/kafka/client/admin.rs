//! Topics that must exist before the start of the run: created if missing, recreated if requested.
//!
//! Also waits until each partition has a leader, and explains errors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::metadata::{self, TopicMetadata, UNKNOWN_TOPIC};
use super::release::release;
use super::remedies;
use crate::kafka::ffi::{Handle, NewTopic, Queue, TopicAnswer};
use crate::kafka::{Client, Code, Error};

/// Pause between two checks of a topic that is not ready yet.
const PAUSE: Duration = Duration::from_millis(50);

/// Maximum time until the leaders of a new topic accept requests.
const SETTLE: Duration = Duration::from_secs(5);

const LEADER_NOT_AVAILABLE: Code = Code(5);
const ALREADY_EXISTS: Code = Code(36);
const TIMED_OUT: Code = Code(-185);
const INVALID_ARG: Code = Code(-186);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: i32,
    pub replication: i32,
    /// Topic properties by Kafka's names.
    pub config: BTreeMap<String, String>,
    /// Delete the topic first, and wait until it no longer exists.
    pub recreate: bool,
}

/// The result of one [`TopicSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicResult {
    pub name: String,
    pub outcome: TopicOutcome,
}

/// The results of creating or checking a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicOutcome {
    /// The topic was created, and all partitions have leaders.
    Created { partitions: i32 },
    Existed {
        /// The existing number of partitions, which may differ from the requested one.
        partitions: i32,
    },
    Error {
        code: Code,
        /// The reason, with advice for the user.
        text: String,
    },
}

/// Makes sure that these topics exist and have leaders, within `timeout` for all of them. Results are in the
/// order of `topics`.
///
/// # Errors
///
/// [`Error::Client`]; [`Error::Request`] if no broker answered at all. Errors of one topic are in its result.
pub fn ensure_topics(
    client: &Client,
    topics: &[TopicSpec],
    timeout: Duration,
) -> Result<Vec<TopicResult>, Error> {
    let deadline = Instant::now() + timeout;
    let handle = metadata::asking_client(client)?;
    let admin = Admin { queue: Queue::new(&handle), handle, deadline };
    let result = topics
        .iter()
        .map(|spec| Ok(TopicResult { name: spec.name.clone(), outcome: admin.ensure(spec)? }))
        .collect();
    let Admin { handle, queue, .. } = admin;
    drop(queue);
    release(vec![handle], Duration::from_secs(1));
    result
}

struct Admin {
    queue: Queue,
    handle: Arc<Handle>,
    deadline: Instant,
}

impl Admin {
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn ensure(&self, spec: &TopicSpec) -> Result<TopicOutcome, Error> {
        let mut found = self.look(&spec.name)?;
        if spec.recreate && found.is_some() {
            self.handle.delete_topic(&spec.name, self.left(), &self.queue);
            let answer = self.answer();
            if !answer.code.is_none() && answer.code != UNKNOWN_TOPIC {
                return Ok(error(answer.code, &format!("it could not be deleted: {}", answer.text)));
            }
            found = self.until(&spec.name, Option::is_none)?;
            if found.is_some() {
                return Ok(error(TIMED_OUT, "it was deleted, but still exists"));
            }
        }
        match found {
            Some(topic) if topic.is_ready() => {
                return Ok(TopicOutcome::Existed { partitions: count(&topic) });
            }
            Some(_) => return self.led(&spec.name, false),
            None => {}
        }
        let new = NewTopic {
            name: &spec.name,
            partitions: spec.partitions,
            replication: spec.replication,
            config: &spec.config,
        };
        if let Err(reason) = self.handle.create_topic(&new, self.left(), &self.queue) {
            return Ok(error(INVALID_ARG, &reason));
        }
        let answer = self.answer();
        match answer.code {
            Code::NONE => self.led(&spec.name, true),
            // Another client created the topic first, or this user may not see it.
            ALREADY_EXISTS => self.led(&spec.name, false),
            code => Ok(error(code, &answer.text)),
        }
    }

    /// The topic as it is now. Requests all topics and selects this one, because some brokers (KafScale) create a topic
    /// with one partition if a client requests it by name.
    fn look(&self, name: &str) -> Result<Option<TopicMetadata>, Error> {
        let metadata = metadata::ask(&self.handle, None, self.deadline)?;
        Ok(metadata.topics.into_iter().find(|topic| topic.name == name && topic.code != UNKNOWN_TOPIC))
    }

    /// Polls until the condition is met or the deadline passes.
    fn until(
        &self,
        name: &str,
        wanted: impl Fn(&Option<TopicMetadata>) -> bool,
    ) -> Result<Option<TopicMetadata>, Error> {
        loop {
            let found = self.look(name)?;
            if wanted(&found) || self.left() < PAUSE {
                return Ok(found);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn led(&self, name: &str, created: bool) -> Result<TopicOutcome, Error> {
        let found = self.until(name, |found| found.as_ref().is_some_and(TopicMetadata::is_ready))?;
        if let Some(topic) = found.as_ref().filter(|topic| created && topic.is_ready()) {
            self.settle(topic);
        }
        Ok(match found {
            Some(topic) if topic.is_ready() && created => TopicOutcome::Created { partitions: count(&topic) },
            Some(topic) if topic.is_ready() => TopicOutcome::Existed { partitions: count(&topic) },
            Some(topic) if topic.code.is_none() => {
                error(LEADER_NOT_AVAILABLE, "it exists, but not all of its partitions have a leader")
            }
            Some(topic) => error(topic.code, ""),
            None => error(UNKNOWN_TOPIC, "the broker confirmed its creation, but it does not exist"),
        })
    }

    /// Waits until each leader accepts requests for its partition. Kafka lists a leader in its metadata a few tenths of
    /// a second before the leader accepts requests. Messages sent in between are rejected and retried out of order, and
    /// readers back off.
    fn settle(&self, topic: &TopicMetadata) {
        let until = self.deadline.min(Instant::now() + SETTLE);
        let left = || until.saturating_duration_since(Instant::now());
        for partition in &topic.partitions {
            while !left().is_zero() && self.handle.watermarks(&topic.name, partition.id, left()).is_err() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn answer(&self) -> TopicAnswer {
        loop {
            let left = self.left();
            match self.queue.poll(left) {
                Some(mut event) => {
                    if let Some(answer) = event.topic_answer() {
                        return answer;
                    }
                }
                None if left.is_zero() => {
                    return TopicAnswer { code: TIMED_OUT, text: "no response in time".into() };
                }
                None => {}
            }
        }
    }
}

fn count(topic: &TopicMetadata) -> i32 {
    i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)
}

/// The outcome for an error code, with advice if kaf6 has some.
fn error(code: Code, detail: &str) -> TopicOutcome {
    let detail = if detail.is_empty() { code.meaning() } else { detail.trim_end_matches('.').to_owned() };
    let what_to_do = match code.0 {
        35 | -165 => Some(
            "this broker does not support CreateTopics: create the topic beforehand, or let the \
            broker create it on the first write",
        ),
        17 => Some(
            "topic names consist of letters, digits, '.', '_' and '-', at most 249 \
        characters",
        ),
        _ => remedies::what_to_do(code),
    };
    let what_to_do = what_to_do.map(|text| format!("; {text}")).unwrap_or_default();
    TopicOutcome::Error { code, text: format!("{detail} {}{what_to_do}", code.aside()) }
}
