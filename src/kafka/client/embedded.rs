//! The embedded broker: librdkafka's mock cluster, with real sockets and the real protocol in this process.
//!
//! Contains its limits (it keeps about 5 MiB per partition) and the errors that tests inject.

use std::time::Duration;

use crate::kafka::ffi::{ClientKind, Config, Handle, Mock};
use crate::kafka::{Code, Error};

/// Maximum number of bytes per partition. Beyond this, the oldest batches are dropped.
pub const KEPT_BYTES: u64 = 5 << 20;
/// Maximum number of batches per partition; see [`KEPT_BYTES`].
pub const KEPT_BATCHES: u64 = 100_000;

/// Maximum number of partitions of all topics. At about 5 MiB each, they use 1.3 GiB.
pub const MAX_PARTITIONS: i32 = 256;

/// A running mock cluster. It stops when this is dropped.
pub struct Embedded {
    mock: Mock,
    brokers: i32,
}

impl Embedded {
    /// Starts this number of brokers on free ports of the loopback interface, with these topics (name, partitions,
    /// replication factor). The mock cluster does not support CreateTopics: it creates other topics with 4 partitions
    /// on their first request. It keeps about the newest 5 MiB of each partition.
    ///
    /// # Errors
    ///
    /// [`Error::Embedded`] if the topics do not fit into memory, if the replication factor exceeds the number of
    /// brokers, or if librdkafka cannot create the cluster.
    pub fn start(brokers: i32, topics: &[(String, i32, i32)]) -> Result<Self, Error> {
        let refuse = |reason: String| Err(Error::Embedded { reason });
        if !(1..=16).contains(&brokers) {
            return refuse(format!("supports 1 to 16 brokers, not {brokers}"));
        }
        let partitions: i64 = topics.iter().map(|(_, partitions, _)| i64::from(*partitions)).sum();
        if partitions > i64::from(MAX_PARTITIONS) {
            return refuse(format!(
                "keeps about 5 MiB per partition, so it supports at most {MAX_PARTITIONS} \
                partitions, but this run has {partitions}"
            ));
        }
        let handle = Handle::new(Config::new(), ClientKind::Producer, Box::new(|_, _, _| {}), Box::new(drop))
            .map_err(|reason| Error::Embedded { reason: format!("did not start: {reason}") })?;
        let Some(mock) = Mock::start(&handle, brokers) else { return refuse("did not start".into()) };
        let embedded = Self { mock, brokers };
        for (name, partitions, replication) in topics {
            embedded.create_topic(name, *partitions, *replication)?;
        }
        Ok(embedded)
    }

    /// `host:port` of each broker.
    pub fn bootstrap(&self) -> Vec<String> {
        self.mock.bootstrap().split(',').map(str::to_owned).collect()
    }

    /// Adds a topic.
    ///
    /// # Errors
    ///
    /// Those of [`Embedded::start`].
    pub fn create_topic(&self, name: &str, partitions: i32, replication: i32) -> Result<(), Error> {
        let reason = if replication < 1 || replication > self.brokers {
            format!("has {} broker(s), too few for {replication} replicas of topic {name}", self.brokers)
        } else if !(1..=MAX_PARTITIONS).contains(&partitions) {
            format!(
                "supports topics with 1 to {MAX_PARTITIONS} partitions, but {name} has \
            {partitions}"
            )
        } else if self.mock.create_topic(name, partitions, replication) {
            return Ok(());
        } else {
            format!("did not create topic {name}: it exists already, or its name is invalid")
        };
        Err(Error::Embedded { reason })
    }

    /// Makes the next requests with this API key fail with these codes, one code per request. `_TRANSPORT` (-195)
    /// closes the connection.
    pub fn push_errors(&self, api: i16, codes: &[Code]) {
        self.mock.push_errors(api, codes);
    }

    /// Records all requests from now on; see [`Embedded::tracked`].
    pub fn track(&self) {
        self.mock.track();
    }

    /// The API keys of all requests since [`Embedded::track`], in order, over all connections.
    pub fn tracked(&self) -> Vec<i16> {
        self.mock.tracked()
    }

    /// Delays each response of this broker (numbered from 1; -1 for all).
    pub fn set_rtt(&self, broker: i32, rtt: Duration) {
        self.mock.set_rtt(broker, rtt);
    }

    /// Closes the connections of this broker (-1: of all brokers), and rejects new ones.
    pub fn set_down(&self, broker: i32) {
        self.mock.set_down(broker, true);
    }

    pub fn set_up(&self, broker: i32) {
        self.mock.set_down(broker, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let topic = |partitions, replication| vec![("t".to_owned(), partitions, replication)];
        for (brokers, topics, part) in [
            (0, vec![], "1 to 16"),
            (1, topic(300, 1), "5 MiB"),
            (1, topic(1, 2), "too few"),
            (1, topic(0, 1), "but t has 0"),
        ] {
            let error = Embedded::start(brokers, &topics).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(part), "{error}");
        }
    }
}
