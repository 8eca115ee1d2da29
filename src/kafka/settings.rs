//! How clients connect: brokers, security and properties, turned into librdkafka's configuration.
//!
//! Owns what kaf6 sets itself and what it refuses to have set; librdkafka judges the rest.

use std::fmt;

use super::{Embedded, Error, LogLines};
use crate::plan::ClientSettings;

/// Where to connect and how; the seed of producers, readers and requests. Clones share their log lines.
#[derive(Clone)]
pub struct Client {
    brokers: Vec<String>,
    properties: Vec<(String, String)>,
    embedded: bool,
    logs: LogLines,
}

impl Client {
    /// Settings for these brokers (`host:port` each).
    ///
    /// # Errors
    /// [`Error::Property`] for the first property that librdkafka does not know or takes no such value for, and for
    /// those that kaf6 has to keep for itself (`group.id`, `bootstrap.servers` and the like); [`Error::Client`] where
    /// they do not go together (such as a CA file that cannot be read).
    pub fn new(brokers: &[String], settings: &ClientSettings) -> Result<Self, Error> {
        let _ = (brokers, settings);
        unimplemented!()
    }

    /// Settings for the embedded broker: no security, and the waits that it needs shorter.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn embedded(embedded: &Embedded, settings: &ClientSettings) -> Result<Self, Error> {
        let _ = (embedded, settings);
        unimplemented!()
    }

    /// The same settings for other brokers (a scenario's own `brokers`); log lines go to the same place.
    #[must_use]
    pub fn with_brokers(&self, brokers: &[String]) -> Self {
        Self { brokers: brokers.to_vec(), ..self.clone() }
    }

    /// `host:port` of each broker, as given.
    pub fn brokers(&self) -> &[String] {
        &self.brokers
    }

    /// Whether this leads to the embedded broker.
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }

    /// What librdkafka said, over all clients made from this one and its clones.
    pub fn logs(&self) -> &LogLines {
        &self.logs
    }

    /// The value of a property where the user gave it.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.properties.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Client")
            .field("brokers", &self.brokers)
            .field("properties", &names)
            .finish_non_exhaustive()
    }
}
