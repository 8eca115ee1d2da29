//! The wire probe: kaf6 speaks a few Kafka requests itself, to time each step and to see what librdkafka hides.
//!
//! Owns its sockets and its decoding; nothing that a peer sends makes it panic, and each step ends by the deadline.

mod answers;
mod connection;
mod notes;
mod requests;
mod tls;
mod wire;

use std::time::{Duration, Instant};

use super::{Client, Code};
use crate::ids::{Offset, Partition};
use connection::Connection;

pub use notes::api_notes;

/// What a probe of one broker saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probe {
    /// The address probed, as given.
    pub broker: String,
    /// The steps taken, in order; the first with an error is the last.
    pub stages: Vec<Stage>,
    /// The broker's API versions; empty where that step was not reached.
    pub apis: Vec<Api>,
    /// The broker's view of the cluster; none where that step was not reached.
    pub metadata: Option<ProbedMetadata>,
}

/// One step of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// `resolve`, `tcp`, `tls`, `api_versions` or `metadata`.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What went wrong; none where it worked.
    pub error: Option<String>,
}

/// One request type that a broker knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Kafka's number for it.
    pub key: i16,
    /// Kafka's name for it; `Unknown` for one that kaf6 does not know.
    pub name: &'static str,
    /// Oldest version.
    pub min: i16,
    /// Newest version.
    pub max: i16,
}

/// Metadata as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbedMetadata {
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// The controller's broker id; none where there is none.
    pub controller: Option<i32>,
    /// id and `host:port` of each broker.
    pub brokers: Vec<(i32, String)>,
    /// The topics asked for.
    pub topics: Vec<ProbedTopic>,
}

/// One topic of [`ProbedMetadata`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbedTopic {
    /// Its name.
    pub name: String,
    /// Its id as a UUID's text; none where the broker gives none (Metadata below version 10).
    pub id: Option<String>,
    /// What is wrong with it.
    pub code: Code,
    /// number and leader (none where it has none) of each partition.
    pub partitions: Vec<(Partition, Option<i32>)>,
}

/// What one Fetch answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchProbe {
    /// The answer's code: the partition's, or the whole answer's.
    pub code: Code,
    /// Whether the records were null, where Kafka sends empty ones.
    pub null_records: bool,
    /// Bytes of records in the answer.
    pub record_bytes: usize,
    /// The end of the log, as the answer tells; none where it tells none.
    pub high_watermark: Option<Offset>,
    /// The log's first offset, likewise.
    pub log_start: Option<Offset>,
    /// The Fetch version that was spoken.
    pub version: i16,
}

/// Connects to one broker (`host:port`) and asks it for its API versions and for these topics. Where SASL is configured the
/// steps end with `api_versions`. Never panics, and ends by `deadline` (resolving a name is left to the system, in a thread
/// that is abandoned then).
pub fn probe(client: &Client, broker: &str, topics: &[&str], deadline: Instant) -> Probe {
    let mut probe = Probe { broker: broker.into(), ..Probe::default() };
    // What fails is in the stages.
    let _ = steps(&mut probe, client, topics, deadline);
    probe
}

fn steps(
    probe: &mut Probe,
    client: &Client,
    topics: &[&str],
    deadline: Instant,
) -> Result<Connection, String> {
    let broker = probe.broker.clone();
    let addresses = staged(probe, "resolve", || connection::resolve(&broker, deadline))?;
    let stream = staged(probe, "tcp", || connection::connect(&addresses, deadline))?;
    let mut connection = if tls::wanted(client) {
        staged(probe, "tls", || tls::handshake(client, &broker, stream, deadline))?
    } else {
        Connection::plain(stream, deadline)
    };
    probe.apis = staged(probe, "api_versions", || requests::api_versions(&mut connection))?;
    if tls::sasl(client) {
        return Err("the probe does no SASL".into());
    }
    let apis = probe.apis.clone();
    let metadata = staged(probe, "metadata", || requests::metadata(&mut connection, &apis, topics))?;
    probe.metadata = Some(metadata);
    Ok(connection)
}

fn staged<T>(
    probe: &mut Probe,
    name: &'static str,
    step: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    let start = Instant::now();
    let result = step();
    probe.stages.push(Stage { name, took: start.elapsed(), error: result.as_ref().err().cloned() });
    result
}

/// One Fetch at `offset`, sent to the partition's leader, without waiting for more.
///
/// # Errors
/// A sentence: which step failed, and how; with SASL, that the probe does none.
pub fn probe_fetch(
    client: &Client,
    topic: &str,
    partition: Partition,
    offset: Offset,
    deadline: Instant,
) -> Result<FetchProbe, String> {
    if tls::sasl(client) {
        return Err("the probe does no SASL".into());
    }
    let mut last = "there is no broker to ask".to_owned();
    for broker in client.brokers() {
        let mut asked = Probe { broker: broker.clone(), ..Probe::default() };
        let connection = match steps(&mut asked, client, &[topic], deadline) {
            Ok(connection) => connection,
            Err(error) => {
                last = format!("{broker}: {error}");
                continue;
            }
        };
        let metadata = asked.metadata.clone().unwrap_or_default();
        let found = metadata
            .topics
            .iter()
            .find(|found| found.name == topic)
            .ok_or_else(|| format!("{broker} says nothing of topic {topic}"))?;
        if !found.code.is_none() {
            return Err(format!("{broker} says of topic {topic}: {}", found.code.text()));
        }
        let (_, leader) = *found
            .partitions
            .iter()
            .find(|(number, _)| *number == partition)
            .ok_or_else(|| format!("{broker} knows no partition {partition} of topic {topic}"))?;
        let leader = leader.ok_or_else(|| format!("{topic}/{partition} has no leader"))?;
        let address = metadata
            .brokers
            .iter()
            .find(|(id, _)| *id == leader)
            .map(|(_, address)| address.clone())
            .ok_or_else(|| {
                format!("{topic}/{partition} is led by broker {leader}, which is not in the cluster")
            })?;
        let id = found.id.clone();
        // The connection that is open, where it leads to the leader under the name that the cluster gives it.
        let (mut connection, apis) = if address == *broker || metadata.brokers.len() == 1 {
            (connection, asked.apis)
        } else {
            let mut other = Probe { broker: address.clone(), ..Probe::default() };
            let connection =
                steps(&mut other, client, &[], deadline).map_err(|error| format!("{address}: {error}"))?;
            (connection, other.apis)
        };
        let place = requests::Place { topic, id: id.as_deref(), partition, offset };
        return requests::fetch(&mut connection, &apis, &place)
            .map_err(|error| format!("{address}: {error}"));
    }
    Err(last)
}
