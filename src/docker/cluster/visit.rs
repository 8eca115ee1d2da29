//! Joins kaf6's own container to the networks of attached containers for the run, so that host names resolve
//! there, and leaves them at its end.

use std::collections::BTreeSet;

use bollard::models::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};

use super::state::ClusterState;
use crate::docker::DockerError;
use crate::docker::api::daemon::{Daemon, refused};
use crate::docker::lock::lock;
use crate::docker::place::OwnPlace;

/// Default networks of every engine: container names are not resolved in them, or the containers share the host's
/// network.
const OF_ALL: [&str; 3] = ["bridge", "host", "none"];

/// Joins all networks of attached containers that kaf6's own container has not joined yet. Does nothing if kaf6 runs on
/// a host.
pub(crate) async fn join(shared: &ClusterState) -> Result<(), DockerError> {
    let OwnPlace::Inside { container } = &shared.place else { return Ok(()) };
    let own = networks(&shared.daemon, container).await?;
    let mut wanted = BTreeSet::new();
    for id in shared.units.values().filter(|unit| unit.attached).filter_map(|unit| unit.id()) {
        wanted.extend(networks(&shared.daemon, &id).await?);
    }
    for network in wanted.into_iter().filter(|name| !own.contains(name) && !OF_ALL.contains(&name.as_str())) {
        let request = NetworkConnectRequest {
            container: container.clone(),
            endpoint_config: Some(EndpointSettings::default()),
        };
        lock(&shared.network).visited.push(network.clone());
        let joined = shared.daemon.docker.connect_network(&network, request).await;
        joined.map_err(refused(format!("join kaf6's own container to the network {network}")))?;
    }
    Ok(())
}

/// Leaves the joined networks. Returns sentences about failures.
pub(crate) async fn leave(shared: &ClusterState) -> Vec<String> {
    let OwnPlace::Inside { container } = &shared.place else { return Vec::new() };
    let visited = std::mem::take(&mut lock(&shared.network).visited);
    let mut problems = Vec::new();
    for network in visited {
        let request = NetworkDisconnectRequest { container: container.clone(), force: Some(true) };
        if let Err(error) = shared.daemon.docker.disconnect_network(&network, request).await {
            problems.push(format!(
                "cannot disconnect kaf6's own container from the network \
            {network}: {error}"
            ));
        }
    }
    problems
}

async fn networks(daemon: &Daemon, container: &str) -> Result<BTreeSet<String>, DockerError> {
    let found = daemon.docker.inspect_container(container, None).await;
    let found = found.map_err(refused(format!("inspect the networks of the container {container}")))?;
    let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    Ok(networks.into_keys().collect())
}
