//! The addresses at which kaf6 reaches the ports of services.
//!
//! Fixed before the first container is created, including replicas that a fault adds later.

use std::collections::BTreeMap;

use crate::scenario::template::service_template::{Reference, ServiceTemplate};

/// `host:port` of each port of each replica, for connections from kaf6 and its clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(BTreeMap<(String, u32, String), String>);

impl Addresses {
    pub fn insert(&mut self, service: &str, replica: u32, port: &str, address: String) {
        self.0.insert((service.to_owned(), replica, port.to_owned()), address);
    }

    pub fn get(&self, service: &str, replica: u32, port: &str) -> Option<&str> {
        self.0.get(&(service.to_owned(), replica, port.to_owned())).map(String::as_str)
    }

    /// Replaces the references in a text. Validation has rejected unknown references.
    pub fn resolve(&self, text: &ServiceTemplate, run_id: &str) -> String {
        text.resolve(|reference| match reference {
            Reference::Service { service, replica, port } => {
                self.get(service, replica.unwrap_or(0), port).unwrap_or("unknown:0").to_owned()
            }
            Reference::RunId => run_id.to_owned(),
            Reference::Replica | Reference::SelfHost | Reference::SelfPort(_) => String::new(),
        })
    }
}
