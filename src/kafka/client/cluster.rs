//! Cluster metadata: brokers, topics, partitions and their leaders.
//!
//! Types only; `metadata` requests them.

use super::code::Code;
use crate::ids::Partition;

/// A cluster as one broker sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterMetadata {
    pub brokers: Vec<Broker>,
    pub topics: Vec<TopicMetadata>,
    /// The broker that answered, as librdkafka names it: `host:port/id`, with the protocol in front unless it is
    /// plaintext.
    pub answered_by: String,
    /// The controller's broker id; `None` if there is none or it was not requested.
    pub controller: Option<i32>,
}

impl ClusterMetadata {
    /// Whether the answer came from this address (`host:port`). An answer from another broker says nothing about this
    /// one.
    pub fn is_from(&self, broker: &str) -> bool {
        let name = self.answered_by.split_once("://").map_or(self.answered_by.as_str(), |(_, name)| name);
        name.rsplit_once('/').is_some_and(|(address, _)| address == broker)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    pub host: String,
    pub port: i32,
}

impl Broker {
    /// `host:port`, with an IPv6 address in brackets.
    pub fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    pub name: String,
    /// The topic's error; [`Code::NONE`] if there is none.
    pub code: Code,
    pub partitions: Vec<PartitionInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    pub id: Partition,
    /// The leader's id; `None` if there is no leader.
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub isrs: Vec<i32>,
    /// The partition's error.
    pub code: Code,
}

impl ClusterMetadata {
    pub fn topic(&self, name: &str) -> Option<&TopicMetadata> {
        self.topics.iter().find(|topic| topic.name == name)
    }
}

impl TopicMetadata {
    /// Whether the topic exists and each partition has a leader.
    pub fn is_ready(&self) -> bool {
        self.code.is_none()
            && !self.partitions.is_empty()
            && self.partitions.iter().all(|p| p.leader.is_some())
    }
}
