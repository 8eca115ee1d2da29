//! Removes everything with a run's label, in the order that Docker requires.
//!
//! Used at the end of a run, as the last resort and by `clean`. It searches by label, so it also finds results of
//! requests whose answers were lost.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerSummary, Network, NetworkDisconnectRequest, Volume};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
};

use super::labels;
use crate::docker::api::container;
use crate::docker::api::container::Now;
use crate::docker::api::daemon::{Daemon, is_done, is_gone, said};
use crate::docker::cluster::attach::name_of;

/// Maximum number of attempts to remove something that Docker still uses, such as a network with a container that is
/// being removed.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// Everything with a label of kaf6.
#[derive(Debug, Default)]
pub(crate) struct LabelledThings {
    /// Containers, running or not.
    pub containers: Vec<ContainerSummary>,
    pub networks: Vec<Network>,
    /// Volumes, including markers.
    pub volumes: Vec<Volume>,
}

/// What was removed and what could not be removed, one sentence each.
#[derive(Debug, Default)]
pub(crate) struct RemovalReport {
    /// What was removed or healed.
    pub done: Vec<String>,
    pub failed: Vec<String>,
}

/// Everything with the label of a run, or of any run.
pub(crate) async fn list(daemon: &Daemon, run_id: Option<&str>) -> Result<LabelledThings, Error> {
    let label = run_id.map_or_else(|| labels::RUN.to_owned(), |run_id| format!("{}={run_id}", labels::RUN));
    let filters = HashMap::from([("label", vec![label])]);
    let containers = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let networks = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let volumes = ListVolumesOptionsBuilder::new().filters(&filters).build();
    Ok(LabelledThings {
        containers: daemon.docker.list_containers(Some(containers)).await?,
        networks: daemon.docker.list_networks(Some(networks)).await?,
        volumes: daemon.docker.list_volumes(Some(volumes)).await?.volumes.unwrap_or_default(),
    })
}

impl LabelledThings {
    /// Keeps only the objects of one owner; `None`: only those without an owner.
    fn of(mut self, owner: Option<&str>) -> Self {
        let is = |found: &HashMap<String, String>| found.get(labels::OWNER).map(String::as_str) == owner;
        self.containers.retain(|container| container.labels.as_ref().map_or(owner.is_none(), is));
        self.networks.retain(|network| network.labels.as_ref().map_or(owner.is_none(), is));
        self.volumes.retain(|volume| is(&volume.labels));
        self
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty() && self.volumes.is_empty()
    }
}

/// Removes what one owner has under a run's id: heals the containers of its markers, then removes containers, networks
/// and volumes. Does not touch objects of another kaf6 process with the same id.
pub(crate) async fn run(daemon: &Daemon, (run_id, owner): (&str, Option<&str>)) -> RemovalReport {
    let mut removed = RemovalReport::default();
    // The second pass removes what was being created during the first.
    for _ in 0..2 {
        let labelled = match list(daemon, Some(run_id)).await {
            Ok(labelled) => labelled.of(owner),
            Err(error) => {
                removed.failed.push(format!("cannot list the leftovers of run {run_id}: {}", said(&error)));
                return removed;
            }
        };
        if labelled.is_empty() {
            break;
        }
        remove_all(daemon, &labelled, &mut removed).await;
        if !removed.failed.is_empty() {
            break;
        }
    }
    removed
}

async fn remove_all(daemon: &Daemon, labelled: &LabelledThings, removed: &mut RemovalReport) {
    for volume in &labelled.volumes {
        if let Some((id, heal)) = marked(volume) {
            removed
                .tell(format!("container {} restored ({heal})", short(id)), healed(daemon, id, heal).await);
        }
    }
    let containers = labelled.containers.iter().map(|container| async move {
        let id = container.id.clone().unwrap_or_default();
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        (container, again(|| daemon.docker.remove_container(&id, Some(options.clone()))).await)
    });
    for (container, done) in futures_util::future::join_all(containers).await {
        removed.tell(format!("container {}", name_of(container)), done);
    }
    for network in &labelled.networks {
        let id = network.id.clone().or_else(|| network.name.clone()).unwrap_or_default();
        leave(daemon, &id).await;
        let done = again(|| daemon.docker.remove_network(&id)).await;
        removed.tell(format!("network {}", network.name.clone().unwrap_or_default()), done);
    }
    for volume in &labelled.volumes {
        let options = RemoveVolumeOptionsBuilder::new().force(true).build();
        let done = again(|| daemon.docker.remove_volume(&volume.name, Some(options.clone()))).await;
        removed.tell(format!("volume {}", volume.name), done);
    }
}

/// The id of a marker's container, and the action that heals it.
pub(crate) fn marked(volume: &Volume) -> Option<(&str, &str)> {
    let heal = volume.labels.get(labels::HEAL)?;
    Some((volume.labels.get(labels::CONTAINER)?, heal))
}

/// Undoes the effect of a fault on a container. Does nothing if the container is unaffected or removed.
async fn healed(daemon: &Daemon, id: &str, heal: &str) -> Result<(), Error> {
    let Some(now) = container::inspect(daemon, id).await? else { return Ok(()) };
    match (heal, now) {
        ("unpause", Now { paused: true, .. }) => daemon.docker.unpause_container(id).await,
        ("start", Now { running: false, .. }) => daemon.docker.start_container(id, None).await,
        _ => Ok(()),
    }
}

/// Disconnects all remaining containers from a network, in particular kaf6's own container.
async fn leave(daemon: &Daemon, network: &str) {
    let Ok(inspected) = daemon.docker.inspect_network(network, None).await else { return };
    for container in inspected.containers.unwrap_or_default().into_keys() {
        let request = NetworkDisconnectRequest { container, force: Some(true) };
        // If it fails, removing the network reports it.
        let _ = daemon.docker.disconnect_network(network, request).await;
    }
}

/// Retries until the work succeeds or its object no longer exists.
async fn again<F: Future<Output = Result<(), Error>>>(work: impl Fn() -> F) -> Result<(), Error> {
    let mut done = work().await;
    for _ in 1..TRIES {
        match &done {
            Ok(()) => return Ok(()),
            Err(error) if is_gone(error) || is_done(error) => return Ok(()),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        done = work().await;
    }
    match done {
        Err(error) if is_gone(&error) || is_done(&error) => Ok(()),
        other => other,
    }
}

impl RemovalReport {
    fn tell(&mut self, what: String, done: Result<(), Error>) {
        match done {
            Ok(()) => self.done.push(what),
            Err(error) => self.failed.push(format!("{what}: {}", said(&error))),
        }
    }
}

/// A shortened id for messages.
pub(crate) fn short(id: &str) -> String {
    id.chars().take(12).collect()
}
