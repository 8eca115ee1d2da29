//! The embedded broker: librdkafka's mock cluster, real sockets and protocol inside this process.
//!
//! Owns its bounds (it keeps about 5 MiB a partition) and the faults that tests inject.

use std::time::Duration;

use super::{Code, Error};

/// Most partitions over all topics; at about 5 MiB each they take 1.3 GiB when full.
pub const MAX_PARTITIONS: i32 = 256;

/// A running mock cluster; it ends when this is dropped.
pub struct Embedded {}

impl Embedded {
    /// Starts so many brokers on free ports of the loopback interface, with these topics
    /// (name, partitions, replication factor). It has no CreateTopics: topics not named here appear with 4
    /// partitions when they are first asked for.
    ///
    /// # Errors
    /// [`Error::Embedded`] where it would not fit in memory, where the replication factor is over the number of brokers, or
    /// where librdkafka makes none.
    pub fn start(brokers: i32, topics: &[(String, i32, i32)]) -> Result<Self, Error> {
        let _ = (brokers, topics);
        unimplemented!()
    }

    /// `host:port` of each broker.
    pub fn bootstrap(&self) -> Vec<String> {
        unimplemented!()
    }

    /// One more topic.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub fn create_topic(&self, name: &str, partitions: i32, replication: i32) -> Result<(), Error> {
        let _ = (name, partitions, replication);
        unimplemented!()
    }

    /// The next requests of this API key fail with these codes, one a request. `_TRANSPORT` (-195) cuts the connection.
    pub fn push_errors(&self, api: i16, codes: &[Code]) {
        let _ = (api, codes);
        unimplemented!()
    }

    /// Each answer of this broker (numbered from 1; -1 is all) takes this long.
    pub fn set_rtt(&self, broker: i32, rtt: Duration) {
        let _ = (broker, rtt);
        unimplemented!()
    }

    /// Cuts this broker's (-1: all brokers') connections and takes no new ones.
    pub fn set_down(&self, broker: i32) {
        let _ = broker;
        unimplemented!()
    }

    /// Takes connections again.
    pub fn set_up(&self, broker: i32) {
        let _ = broker;
        unimplemented!()
    }
}
