//! The addresses at which kaf6 reaches the ports of services.
//!
//! Fixed before the first container is created, including replicas that a fault adds later.

use std::collections::BTreeMap;

use crate::scenario::template::service_template::{Reference, ServiceTemplate};

/// `host:port` of each port of each replica, as kaf6 and its clients reach it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(BTreeMap<(String, u32, String), String>);

impl Addresses {
    /// Says where a port is reached.
    pub fn insert(&mut self, service: &str, replica: u32, port: &str, address: String) {
        self.0.insert((service.to_owned(), replica, port.to_owned()), address);
    }

    /// Where a port is reached.
    pub fn get(&self, service: &str, replica: u32, port: &str) -> Option<&str> {
        self.0.get(&(service.to_owned(), replica, port.to_owned())).map(String::as_str)
    }

    /// A text with its references replaced; the validation lets none through that the cluster does not have.
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
