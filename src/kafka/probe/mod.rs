//! The wire probe: kaf6 sends a few Kafka requests itself, to time each step and to see what librdkafka
//! hides.
//!
//! It has its own sockets and decoding. Nothing that a peer sends makes it panic, and each step ends by the
//! deadline.

mod answers;
mod batch;
mod connection;
mod log_bounds;
mod notes;
mod requests;
mod seen;
mod settings;
mod steps;
mod tls;
mod wire;

use std::time::Instant;

use super::Client;
use crate::ids::{Offset, Partition};
use crate::kafka::client::cluster::Broker;
use steps::steps;

pub use log_bounds::log_bounds;
pub use notes::api_notes;
pub use seen::{
    Api, BatchHeader, FetchProbe, LogBounds, NoFetch, PartitionBounds, Probe, ProbeStage, ProbedMetadata,
    ProbedTopic, TopicBounds,
};
pub use settings::{NoSettings, TopicSettings, topic_settings};

/// Connects to one broker (`host:port`), and requests its API versions and these topics. With SASL, the steps
/// end after `api_versions`. Never panics, and ends by `deadline` (the system resolves names, in a thread
/// that is abandoned at the deadline).
pub fn probe(client: &Client, broker: &str, topics: &[&str], deadline: Instant) -> Probe {
    let mut probe = Probe { broker: broker.into(), ..Probe::default() };
    // The stages contain the errors.
    let _ = steps(&mut probe, client, topics, deadline);
    probe
}

/// Connects to a broker at the address it advertises, by `deadline`.
///
/// # Errors
///
/// The reason why it cannot connect.
pub fn reach(broker: &Broker, deadline: Instant) -> Result<(), String> {
    let addresses = connection::resolve(&broker.address(), deadline)?;
    connection::connect(&addresses, deadline).map(drop)
}

/// Sends one Fetch at `offset` to the partition's leader, without waiting for more records.
///
/// # Errors
///
/// The failed step and the reason, or that the probe does not support SASL.
pub fn probe_fetch(
    client: &Client,
    topic: &str,
    partition: Partition,
    offset: Offset,
    deadline: Instant,
) -> Result<FetchProbe, NoFetch> {
    if client.uses_sasl() {
        return Err(NoFetch::Sasl);
    }
    let mut last = "no broker is known".to_owned();
    for broker in client.brokers() {
        let mut first = Probe { broker: broker.clone(), ..Probe::default() };
        let connection = match steps(&mut first, client, &[topic], deadline) {
            Ok(connection) => connection,
            Err(error) => {
                last = format!("{broker}: {error}");
                continue;
            }
        };
        let metadata = first.metadata.clone().unwrap_or_default();
        let found = metadata
            .topics
            .iter()
            .find(|found| found.name == topic)
            .ok_or_else(|| NoFetch::Unknown(format!("{broker} does not report topic {topic}")))?;
        if !found.code.is_none() {
            let text = format!("{broker} reports for topic {topic}: {}", found.code.in_words());
            return Err(if found.code.means_gone() {
                NoFetch::Unknown(text)
            } else {
                NoFetch::NoLeader(text)
            });
        }
        let (_, leader) =
            *found.partitions.iter().find(|(number, _)| *number == partition).ok_or_else(|| {
                NoFetch::Unknown(format!(
                    "{broker} does not know partition {partition} of topic \
                {topic}"
                ))
            })?;
        let leader = leader.ok_or_else(|| NoFetch::NoLeader(format!("{topic}/{partition} has no leader")))?;
        let address =
            metadata.brokers.iter().find(|broker| broker.id == leader).map(Broker::address).ok_or_else(
                || {
                    NoFetch::NoLeader(format!(
                        "the leader of {topic}/{partition} is broker {leader}, which is not in the \
                        cluster"
                    ))
                },
            )?;
        let id = found.id.clone();
        // Reuse the open connection if it leads to the leader, under the name in the metadata.
        let (mut connection, apis) = if address == *broker || metadata.brokers.len() == 1 {
            (connection, first.apis)
        } else {
            let mut other = Probe { broker: address.clone(), ..Probe::default() };
            let connection = steps(&mut other, client, &[], deadline)
                .map_err(|error| NoFetch::Unanswered(format!("{address}: {error}")))?;
            (connection, other.apis)
        };
        let committed = client.reads_committed();
        let mut at = offset;
        loop {
            let place = requests::FetchPlace { topic, id: id.as_deref(), partition, offset: at, committed };
            let found = requests::fetch(&mut connection, &apis, &place)
                .map_err(|error| NoFetch::Unanswered(format!("{address}: {error}")))?;
            // An answer is small, and other control records may follow.
            match found.behind_control.filter(|behind| found.record_bytes == 0 && *behind > at) {
                Some(behind) if Instant::now() < deadline => at = behind,
                _ => {
                    let behind_control = found.behind_control.or((at > offset).then_some(at));
                    return Ok(FetchProbe { behind_control, ..found });
                }
            }
        }
    }
    Err(NoFetch::Unanswered(last))
}
