//! Attach: finds running containers by name, id or label.
//!
//! Also creates markers. If a run is killed, `clean` uses them to heal containers that it had stopped or paused.

use std::collections::HashMap;

use bollard::models::{ContainerSummary, VolumeCreateRequest};
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveVolumeOptionsBuilder};

use super::names;
use super::options::UpOptions;
use super::state::{ClusterState, Replica};
use crate::docker::DockerError;
use crate::docker::api::daemon::{Daemon, is_gone, refused, said};
use crate::docker::cleanup::labels;
use crate::plan::cluster::{AttachBy, AttachPlan};

/// Finds the containers of one entry of the file.
pub(crate) async fn find(
    daemon: &Daemon,
    attach: &AttachPlan,
    options: &UpOptions,
) -> Result<Vec<Replica>, DockerError> {
    let found = match &attach.by {
        AttachBy::Container(name) => by_name(daemon, attach, name).await?,
        AttachBy::Labels(labels) => by_labels(daemon, attach, labels).await?,
    };
    let several = found.len() > 1;
    Ok((0..)
        .zip(found)
        .map(|(replica, found)| Replica::attached((&attach.name, replica, several), found, options))
        .collect())
}

async fn by_name(
    daemon: &Daemon,
    attach: &AttachPlan,
    wanted: &str,
) -> Result<Vec<(String, String, String)>, DockerError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let none = || none(daemon, attach, format!("`{wanted}`"));
    if wanted.is_empty() || !wanted.chars().all(good) {
        return Err(none().await);
    }
    let found = match daemon.docker.inspect_container(wanted, None).await {
        Ok(found) => found,
        Err(error) if is_gone(&error) => return Err(none().await),
        Err(error) => return Err(refused(format!("find the container {wanted}"))(error)),
    };
    let running = found.state.and_then(|state| state.running).unwrap_or(false);
    let (Some(id), true) = (found.id, running) else { return Err(none().await) };
    let name = found.name.unwrap_or_default().trim_start_matches('/').to_owned();
    let image = found.config.and_then(|config| config.image).unwrap_or_default();
    Ok(vec![(name, id, image)])
}

async fn by_labels(
    daemon: &Daemon,
    attach: &AttachPlan,
    labels: &[String],
) -> Result<Vec<(String, String, String)>, DockerError> {
    let label = labels.join(" and ");
    let filters = HashMap::from([("label", labels.iter().map(String::as_str).collect::<Vec<_>>())]);
    let options = ListContainersOptionsBuilder::new().filters(&filters).build();
    let listed = daemon.docker.list_containers(Some(options)).await;
    let listed = listed.map_err(refused(format!("list the containers with the label {label}")))?;
    let mut found: Vec<_> = listed
        .into_iter()
        .filter_map(|summary| {
            let name = name_of(&summary);
            Some((name, summary.id?, summary.image.unwrap_or_default()))
        })
        .collect();
    found.sort();
    if found.is_empty() {
        Err(none(daemon, attach, format!("with the label `{label}`")).await)
    } else {
        Ok(found)
    }
}

/// The error for no matching container, with a list of the existing ones.
async fn none(daemon: &Daemon, attach: &AttachPlan, wanted: String) -> DockerError {
    let options = ListContainersOptionsBuilder::new().build();
    let mut running: Vec<String> = match daemon.docker.list_containers(Some(options)).await {
        Ok(listed) => listed.iter().map(name_of).collect(),
        Err(error) => vec![format!("unknown ({})", said(&error))],
    };
    running.sort();
    let running = if running.is_empty() { "none".to_owned() } else { running.join(", ") };
    DockerError::NoContainer { name: attach.name.clone(), wanted, running }
}

/// The name of a listed container, without Docker's leading slash.
pub(crate) fn name_of(summary: &ContainerSummary) -> String {
    let name = summary.names.as_ref().and_then(|names| names.first());
    name.or(summary.id.as_ref()).map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default()
}

/// Creates a marker: if kaf6 is killed, `clean` uses it to heal the container.
pub(crate) async fn mark(shared: &ClusterState, id: &str, heal: &str) -> Result<(), DockerError> {
    let marker = VolumeCreateRequest {
        name: Some(names::marker(&shared.options.run_id, id)),
        labels: Some(shared.labels_with(&[(labels::HEAL, heal), (labels::CONTAINER, id)])),
        ..VolumeCreateRequest::default()
    };
    let made = shared.daemon.docker.create_volume(marker).await;
    made.map(|_| ())
        .map_err(refused("create the marker that `kaf6 clean` needs to restore an attached container"))
}

pub(crate) async fn unmark(shared: &ClusterState, id: &str) {
    let name = names::marker(&shared.options.run_id, id);
    let options = RemoveVolumeOptionsBuilder::new().force(true).build();
    // If this fails, the marker is removed with the run.
    let _ = shared.daemon.docker.remove_volume(&name, Some(options)).await;
}
