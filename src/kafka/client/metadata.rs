//! Requests for cluster metadata: brokers, topics, leaders, and the start and end of logs.
//!
//! Each request uses its own client and has a timeout.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::release::release;
use crate::ids::{Offset, Partition};
use crate::kafka::ffi::{ClientKind, Handle, TopicHandle};
use crate::kafka::{Client, Code, Error};

pub use super::cluster::{Broker, ClusterMetadata, PartitionInfo, TopicMetadata};

/// Pauses between retries of a request. They start short, while a connection is being opened.
const RETRY: Duration = Duration::from_millis(2);
const RETRY_MOST: Duration = Duration::from_millis(50);

pub(crate) const UNKNOWN_TOPIC: Code = Code(3);

/// Temporary error codes of a topic or partition: LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE.
pub(crate) const PASSING: [Code; 2] = [Code(5), Code(9)];

/// Requests the brokers and these topics. A topic that does not exist has code UNKNOWN_TOPIC_OR_PART. Requests all
/// topics and selects these, because some brokers (KafScale) create a topic if a client requests it by name.
///
/// # Errors
///
/// [`Error::Client`], and [`Error::Request`] if no broker answered in time.
pub fn fetch(client: &Client, topics: &[&str], timeout: Duration) -> Result<ClusterMetadata, Error> {
    let handle = asking_client(client)?;
    let result = ask(&handle, None, Instant::now() + timeout);
    release(vec![handle], Duration::from_secs(1));
    Ok(select_topics(result?, topics))
}

/// Requests one broker's view of the cluster, with its controller, and of these topics.
///
/// # Errors
///
/// librdkafka's error text if it did not answer in time.
pub fn fetch_from(
    client: &Client,
    broker: &str,
    topics: &[&str],
    timeout: Duration,
) -> Result<ClusterMetadata, String> {
    let client = client.with_brokers(&[broker.to_owned()]);
    let deadline = Instant::now() + timeout;
    let metadata = retry_until_answered_by(broker, deadline, || request_alone(&client, deadline))?;
    Ok(select_topics(metadata, topics))
}

/// Retries until the requested broker itself answers. librdkafka learns about the other brokers when it is connected,
/// and may send them the request.
fn retry_until_answered_by(
    broker: &str,
    deadline: Instant,
    mut ask: impl FnMut() -> Result<ClusterMetadata, String>,
) -> Result<ClusterMetadata, String> {
    loop {
        let metadata = ask()?;
        if metadata.is_from(broker) {
            return Ok(metadata);
        }
        if deadline <= Instant::now() + RETRY_MOST {
            return Err(format!("{} answered instead", metadata.answered_by));
        }
        std::thread::sleep(RETRY_MOST);
    }
}

/// Sends the request with a new client, which knows only the brokers of `client`.
fn request_alone(client: &Client, deadline: Instant) -> Result<ClusterMetadata, String> {
    let last = Arc::new(Mutex::new(None));
    let said = Arc::clone(&last);
    let handle = client
        .handle(ClientKind::Consumer, &asking_properties(), move |_, facility, text| {
            if facility == "FAIL" {
                *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
            }
        })
        .map_err(|error| error.to_string())?;
    let result = ask(&handle, None, deadline)
        .map(|metadata| ClusterMetadata { controller: handle.controller(), ..metadata });
    release(vec![handle], Duration::from_secs(1));
    let why = || last.lock().unwrap_or_else(PoisonError::into_inner).take();
    result.map_err(|error| why().unwrap_or_else(|| error.to_string()))
}

/// Selects these topics. A topic that does not exist has code UNKNOWN_TOPIC_OR_PART.
fn select_topics(mut metadata: ClusterMetadata, topics: &[&str]) -> ClusterMetadata {
    let mut all = std::mem::take(&mut metadata.topics);
    metadata.topics = topics
        .iter()
        .map(|name| match all.iter().position(|topic| topic.name == *name) {
            Some(index) => all.swap_remove(index),
            None => TopicMetadata { name: (*name).into(), code: UNKNOWN_TOPIC, partitions: Vec::new() },
        })
        .collect();
    metadata
}

/// The topic's partitions, according to a broker that answers: empty if the broker does not know the topic, and `None`
/// if no broker answered.
pub fn known(client: &Client, topic: &str, timeout: Duration) -> Option<Vec<Partition>> {
    let metadata = fetch(client, &[topic], timeout).ok()?;
    let found = metadata.topic(topic).filter(|topic| !topic.code.means_gone());
    Some(found.map(|topic| topic.partitions.iter().map(|info| info.id).collect()).unwrap_or_default())
}

/// The start and the end of a partition's log, requested with ListOffsets.
///
/// # Errors
///
/// [`Error::Client`], and [`Error::Request`] if the leader did not answer in time or returned an error.
pub fn watermarks(
    client: &Client,
    topic: &str,
    partition: Partition,
    timeout: Duration,
) -> Result<(Offset, Offset), Error> {
    let handle = asking_client(client)?;
    let what = || format!("list the offsets of {topic}/{partition}");
    let result =
        handle.watermarks(topic, partition, timeout).map_err(|code| Error::Request { what: what(), code });
    release(vec![handle], Duration::from_secs(1));
    result
}

/// The start and the end of each partition's log, requested with ListOffsets by one client. `None` for a partition
/// without an answer. Partitions that were not requested in time are omitted.
///
/// # Errors
///
/// [`Error::Client`] if no client can be created.
pub fn logs(
    client: &Client,
    topic: &str,
    partitions: &[Partition],
    timeout: Duration,
) -> Result<HashMap<Partition, Option<(Offset, Offset)>>, Error> {
    let deadline = Instant::now() + timeout;
    // The actual end of the log. Under `read_committed`, the answer would be the last stable offset.
    let handle = asking_client(&client.reading_uncommitted())?;
    let mut out = HashMap::new();
    let mut failed = false;
    for partition in partitions {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // A request for an unknown partition takes all of the time. The other partitions may not exist either.
            if failed {
                out.insert(*partition, None);
            }
            continue;
        }
        let log = handle.watermarks(topic, *partition, left).ok();
        failed |= log.is_none();
        out.insert(*partition, log);
    }
    release(vec![handle], Duration::from_secs(1));
    Ok(out)
}

/// A client for single requests. It is a consumer, because metadata requests of a producer create topics.
pub(crate) fn asking_client(client: &Client) -> Result<Arc<Handle>, Error> {
    client.handle(ClientKind::Consumer, &asking_properties(), |_, _, _| {})
}

fn asking_properties() -> [(&'static str, String); 1] {
    [("allow.auto.create.topics", "false".to_owned())]
}

/// Requests the metadata of one topic (`None`: of all topics), and retries until `deadline` if no broker answers.
pub(crate) fn ask(
    handle: &Handle,
    only: Option<&TopicHandle>,
    deadline: Instant,
) -> Result<ClusterMetadata, Error> {
    let mut pause = RETRY;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match handle.metadata(only, left.max(Duration::from_millis(1))) {
            Ok(metadata) => return Ok(metadata),
            Err(code) if deadline <= Instant::now() + pause => {
                return Err(Error::Request { what: "ask for metadata".into(), code });
            }
            Err(_) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(RETRY_MOST);
            }
        }
    }
}

/// Requests the metadata of this topic until all partitions have leaders.
pub(crate) fn of_topic(topic: &TopicHandle, deadline: Instant) -> Result<TopicMetadata, Error> {
    let mut pause = RETRY;
    loop {
        let metadata = ask(topic.handle(), Some(topic), deadline)?;
        let Some(found) = metadata.topics.into_iter().next() else {
            return Err(Error::Request { what: "ask for a topic".into(), code: UNKNOWN_TOPIC });
        };
        let passing = PASSING.contains(&found.code) || (found.code.is_none() && !found.is_ready());
        if !passing || deadline <= Instant::now() + pause {
            let code = found.code;
            let what = || format!("find topic {}", found.name);
            return if code.is_none() { Ok(found) } else { Err(Error::Request { what: what(), code }) };
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(RETRY_MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(by: &str) -> ClusterMetadata {
        ClusterMetadata { answered_by: by.into(), ..ClusterMetadata::default() }
    }

    #[test]
    fn an_answer_says_whose_it_is() {
        for by in ["a:9092/1", "a:9092/bootstrap", "sasl_plaintext://a:9092/1", "ssl://a:9092/bootstrap"] {
            assert!(answer(by).is_from("a:9092"), "{by}");
        }
        assert!(answer("[::1]:9092/1").is_from("[::1]:9092"));
        for by in ["a:9093/1", "b:9092/1", "aa:9092/1", "a:9092", ""] {
            assert!(!answer(by).is_from("a:9092"), "{by}");
        }
    }

    #[test]
    fn what_another_broker_answers_is_asked_for_again_and_never_taken() {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut by = ["b:1/2", "b:1/2", "a:1/1"].into_iter();
        let found = retry_until_answered_by("a:1", deadline, || Ok(answer(by.next().unwrap())));
        assert_eq!(found, Ok(answer("a:1/1")));
        let late = retry_until_answered_by("a:1", Instant::now(), || Ok(answer("b:1/2")));
        assert_eq!(late, Err("b:1/2 answered instead".to_owned()));
        let mut requests = 0;
        let away = retry_until_answered_by("a:1", deadline, || {
            requests += 1;
            Err("refused".to_owned())
        });
        assert_eq!((away, requests), (Err("refused".to_owned()), 1));
    }
}
