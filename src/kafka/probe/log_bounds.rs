//! Where logs start and end: ListOffsets, sent to the leader of each partition on a new connection.
//!
//! librdkafka selects leaders from its cached metadata. Here the metadata is requested with the offsets, so each
//! answer has the topic id and the leader epoch that it belongs to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::answers::ListedOffset;
use super::connection::Connection;
use super::requests::{self, LOG_END, LOG_START};
use super::seen::{Api, LogBounds, PartitionBounds, Probe, ProbedTopic, TopicBounds};
use super::steps::steps;
use crate::ids::{Offset, Partition};
use crate::kafka::Client;
use crate::kafka::client::cluster::Broker;

/// Requests the start and the end of each partition's log. The first broker that answers reports the topics and the
/// leaders. Each broker has this much time. Never panics.
///
/// # Errors
///
/// Why no broker reports the topics, or that the probe does not support SASL.
pub fn log_bounds(client: &Client, topics: &[&str], timeout: Duration) -> Result<Vec<TopicBounds>, String> {
    if client.uses_sasl() {
        return Err("the probe does not support SASL".to_owned());
    }
    let mut last = "no broker is known".to_owned();
    for broker in client.brokers() {
        let mut first = Probe { broker: broker.clone(), ..Probe::default() };
        match steps(&mut first, client, topics, Instant::now() + timeout) {
            Ok(connection) => {
                let metadata = first.metadata.unwrap_or_default();
                let mut leaders =
                    LeaderConnections { client, brokers: metadata.brokers, timeout, open: BTreeMap::new() };
                leaders.reuse(broker, connection, first.apis);
                return Ok(metadata.topics.into_iter().map(|topic| leaders.ask(topic)).collect());
            }
            Err(error) => last = format!("{broker}: {error}"),
        }
    }
    Err(last)
}

/// Connections to the leaders, opened when they are needed.
struct LeaderConnections<'a> {
    client: &'a Client,
    brokers: Vec<Broker>,
    timeout: Duration,
    /// By broker id. The error of a broker that did not answer.
    open: BTreeMap<i32, Result<(Connection, Vec<Api>), String>>,
}

/// The answers for the starts and for the ends of some partitions.
type Answers = (Vec<ListedOffset>, Vec<ListedOffset>);

impl LeaderConnections<'_> {
    /// Keeps the first connection for the broker that it leads to, by the names in the metadata.
    fn reuse(&mut self, address: &str, connection: Connection, apis: Vec<Api>) {
        let only = self.brokers.len() == 1;
        if let Some(broker) = self.brokers.iter().find(|broker| only || broker.address() == address) {
            self.open.insert(broker.id, Ok((connection, apis)));
        }
    }

    fn ask(&mut self, topic: ProbedTopic) -> TopicBounds {
        let mut by_leader: BTreeMap<Option<i32>, Vec<Partition>> = BTreeMap::new();
        for (partition, leader) in &topic.partitions {
            by_leader.entry(*leader).or_default().push(*partition);
        }
        let mut found = Vec::new();
        for (leader, partitions) in by_leader {
            let answers = match leader {
                Some(leader) => self.ask_leader(leader, &topic.name, &partitions),
                None => Err("no leader".to_owned()),
            };
            found.extend(partitions.into_iter().map(|partition| PartitionBounds {
                partition,
                leader_epoch: epoch(&topic, partition),
                bounds: answers.as_ref().map_err(String::clone).and_then(|(starts, ends)| {
                    Ok(LogBounds { start: offset(starts, partition)?, end: offset(ends, partition)? })
                }),
            }));
        }
        found.sort_by_key(|it| it.partition);
        let error = (!topic.code.is_none()).then(|| topic.code.in_words());
        TopicBounds { name: topic.name, id: topic.id, error, partitions: found }
    }

    fn ask_leader(&mut self, leader: i32, topic: &str, partitions: &[Partition]) -> Result<Answers, String> {
        let Self { client, brokers, timeout, open } = self;
        let connected = open.entry(leader).or_insert_with(|| {
            let broker = brokers.iter().find(|broker| broker.id == leader);
            let address = broker.map(Broker::address).ok_or("the leader is not in the cluster")?;
            let mut other = Probe { broker: address.clone(), ..Probe::default() };
            let connection = steps(&mut other, client, &[], Instant::now() + *timeout);
            connection.map(|it| (it, other.apis)).map_err(|error| format!("{address}: {error}"))
        });
        let (connection, apis) = connected.as_mut().map_err(|error| error.clone())?;
        let mut list = |time| requests::list_offsets(connection, apis, topic, partitions, time);
        let answers = list(LOG_START).and_then(|starts| Ok((starts, list(LOG_END)?)));
        if let Err(error) = &answers {
            // The rest of this connection cannot be read.
            open.insert(leader, Err(error.clone()));
        }
        answers
    }
}

/// The leader epoch of a partition. Brokers report -1 if they do not know it.
fn epoch(topic: &ProbedTopic, partition: Partition) -> Option<i32> {
    let (_, epoch) = topic.leader_epochs.iter().find(|(number, _)| *number == partition)?;
    Some(*epoch).filter(|epoch| *epoch >= 0)
}

fn offset(answers: &[ListedOffset], partition: Partition) -> Result<Offset, String> {
    let answer = answers.iter().find(|it| it.partition == partition);
    let answer = answer.ok_or("the partition is missing in the response")?;
    if !answer.code.is_none() {
        return Err(answer.code.in_words());
    }
    if answer.offset < 0 {
        return Err(format!("invalid offset {}", answer.offset));
    }
    Ok(answer.offset)
}
