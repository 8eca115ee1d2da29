//! The first steps of a probe of one broker: resolve, connect, TLS, API versions, metadata.
//!
//! Defines their order, and measures each step.

use std::time::Instant;

use super::connection::{self, Connection};
use super::seen::{Probe, ProbeStage};
use super::{requests, tls};
use crate::kafka::Client;

/// Runs the steps for one broker, and returns the open connection.
pub(super) fn steps(
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
    if client.uses_sasl() {
        return Err("the probe does not support SASL".into());
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
    probe.stages.push(ProbeStage { name, took: start.elapsed(), error: result.as_ref().err().cloned() });
    result
}
