//! Starts a cluster: images, network, addresses, relays, and services in the order of their dependencies.
//!
//! Also creates and starts each replica.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bollard::models::{
    EndpointSettings, Mount, NetworkConnectRequest, NetworkCreateRequest, VolumeCreateRequest,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use futures_util::future::join_all;
use tokio::sync::watch;

use super::options::ClusterStep;
use super::state::{ClusterState, RelayHost, Replica};
use super::{names, ready, spec, visit};
use crate::docker::DockerError;
use crate::docker::api::daemon::{is_done, is_gone, refused, said};
use crate::docker::api::{images, platform};
use crate::docker::lock::lock;
use crate::docker::place::OwnPlace;
use crate::docker::relay::{Relay, RelayTarget};
use crate::plan::ServicePlan;
use crate::plan::cluster::{Link, Pull};
use tokio_util::sync::CancellationToken;

/// Maximum number of attempts with other ports if the chosen ones are in use.
const PORT_TRIES: u32 = 5;

/// The error texts of Docker (old and new) and Podman if all addresses for networks are in use.
const NO_ADDRESSES: [&str; 3] =
    ["IPv4 address pool", "address pools have been fully subnetted", "free subnet"];

/// Starts everything. Stops early when `cancel` is canceled, and cancels it when something fails.
pub(crate) async fn start_services(
    shared: &Arc<ClusterState>,
    cancel: &CancellationToken,
) -> Result<(), DockerError> {
    pull_images(shared, cancel).await?;
    if cancel.is_cancelled() {
        return Err(DockerError::Interrupted);
    }
    if shared.plan.services.is_empty() {
        visit::join(shared).await?;
        return follow_attached(shared);
    }
    network(shared).await?;
    addresses(shared)?;
    for link in &shared.plan.links {
        relay(shared, link).await?;
    }
    services(shared, cancel).await
}

async fn pull_images(shared: &ClusterState, cancel: &CancellationToken) -> Result<(), DockerError> {
    let mut wanted: BTreeMap<&str, (&str, Pull)> = BTreeMap::new();
    for service in &shared.plan.services {
        wanted.entry(&service.image).or_insert((&service.name, service.pull));
    }
    for (service, image) in &shared.options.later_images {
        let pull = shared.plan.service(service).map_or(Pull::Missing, |service| service.pull);
        wanted.entry(image).or_insert((service, pull));
    }
    let pulls = wanted.into_iter().map(|(image, (service, pull))| {
        images::ensure(&shared.daemon, (service, image, pull), &shared.options.progress, cancel)
    });
    futures_util::future::try_join_all(pulls).await.map(|_| ())
}

fn follow_attached(shared: &ClusterState) -> Result<(), DockerError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let since = i32::try_from(now.as_secs()).unwrap_or(0);
    for unit in shared.units.values().filter(|unit| unit.attached) {
        if let Some(id) = unit.id() {
            unit.log.follow(&shared.daemon, &id, Some(since)).map_err(cannot_log(unit))?;
        }
    }
    Ok(())
}

fn cannot_log(unit: &Replica) -> impl FnOnce(std::io::Error) -> DockerError {
    let doing = format!("cannot keep the log of {}", unit.title());
    move |error| DockerError::Io { doing, error }
}

async fn network(shared: &ClusterState) -> Result<(), DockerError> {
    let (docker, name) = (&shared.daemon.docker, shared.network_name());
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: Some("bridge".to_owned()),
        labels: Some(shared.labels.clone()),
        ..NetworkCreateRequest::default()
    };
    docker.create_network(request).await.map_err(|error| {
        let reason = said(&error);
        match NO_ADDRESSES.iter().any(|words| reason.contains(words)) {
            true => DockerError::NoAddresses { network: name.clone(), reason },
            false => DockerError::Refused { doing: format!("create the network {name}"), reason },
        }
    })?;
    lock(&shared.network).created = true;
    let gateway = docker.inspect_network(&name, None).await.map_err(refused("inspect the network"))?;
    let gateway = gateway.ipam.and_then(|ipam| ipam.config).into_iter().flatten();
    let gateway =
        gateway.filter_map(|config| config.gateway).find(|ip| ip.parse::<std::net::Ipv4Addr>().is_ok());
    let host = match &shared.place {
        OwnPlace::Inside { container } => Some(join(shared, &name, container).await?),
        OwnPlace::Host if shared.daemon.engine.podman.is_some() => Some(RelayHost {
            // Podman creates the gateway with the network's first container, and adds this name for the host to all
            // containers.
            name: "host.containers.internal".to_owned(),
            listen: "0.0.0.0".to_owned(),
            extra_host: None,
        }),
        OwnPlace::Host => Some(host_relays(gateway).await),
        OwnPlace::Remote { .. } => None,
    };
    lock(&shared.network).relay_host = host;
    Ok(())
}

/// Joins kaf6's own container to the network, and returns its address there.
async fn join(shared: &ClusterState, network: &str, container: &str) -> Result<RelayHost, DockerError> {
    let docker = &shared.daemon.docker;
    let request = NetworkConnectRequest {
        container: container.to_owned(),
        endpoint_config: Some(EndpointSettings::default()),
    };
    lock(&shared.network).joined = Some(container.to_owned());
    docker
        .connect_network(network, request)
        .await
        .map_err(refused("join kaf6's own container to the network"))?;
    let own = docker.inspect_container(container, None).await.map_err(refused(
        "inspect kaf6's own \
        container",
    ))?;
    let endpoints = own.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let ip = endpoints.get(network).and_then(|endpoint| endpoint.ip_address.clone()).unwrap_or_default();
    Ok(RelayHost { name: ip.clone(), listen: ip, extra_host: None })
}

/// Where relays listen on the Docker host: on the network's gateway if this is an address of the host. If Docker runs
/// in a virtual machine, it is not, and containers use a name for the host.
async fn host_relays(gateway: Option<String>) -> RelayHost {
    if let Some(gateway) = gateway
        && tokio::net::TcpListener::bind((gateway.as_str(), 0)).await.is_ok()
    {
        return RelayHost { name: gateway.clone(), listen: gateway, extra_host: None };
    }
    let name = "host.docker.internal";
    RelayHost {
        name: name.to_owned(),
        listen: "0.0.0.0".to_owned(),
        extra_host: Some(format!("{name}:host-gateway")),
    }
}

/// Determines the address of each port of all possible replicas.
fn addresses(shared: &ClusterState) -> Result<(), DockerError> {
    for service in &shared.plan.services {
        for replica in 0..service.most {
            place_ports(shared, service, replica).map_err(|error| DockerError::Port {
                service: service.name.clone(),
                reason: error.to_string(),
            })?;
        }
    }
    Ok(())
}

fn place_ports(shared: &ClusterState, service: &ServicePlan, replica: u32) -> std::io::Result<()> {
    for (name, container_port) in &service.ports {
        let address = match &shared.place {
            OwnPlace::Host => format!("127.0.0.1:{}", shared.ports.choose(true)?),
            OwnPlace::Remote { host } if host.contains(':') => {
                format!("[{host}]:{}", shared.ports.choose(false)?)
            }
            OwnPlace::Remote { host } => format!("{host}:{}", shared.ports.choose(false)?),
            OwnPlace::Inside { .. } => {
                let container = names::container(&shared.options.run_id, &service.name, replica);
                format!("{container}:{container_port}")
            }
        };
        lock(&shared.addresses).insert(&service.name, replica, name, address);
    }
    Ok(())
}

/// The published ports of a replica on this machine.
pub(crate) fn host_ports(shared: &ClusterState, unit: &Replica) -> Vec<u16> {
    let (OwnPlace::Host, Some(service)) = (&shared.place, shared.plan.service(&unit.service)) else {
        return Vec::new();
    };
    let addresses = lock(&shared.addresses);
    let port = |name: &str| {
        addresses.get(&service.name, unit.replica, name)?.rsplit_once(':')?.1.parse::<u16>().ok()
    };
    service.ports.iter().filter_map(|(name, _)| port(name)).collect()
}

/// Starts a relay for a link.
async fn relay(shared: &Arc<ClusterState>, link: &Link) -> Result<(), DockerError> {
    let refuse =
        |reason: String| DockerError::NoRelay { link: format!("{} -> {}", link.from, link.to), reason };
    let host = lock(&shared.network).relay_host.clone();
    let (Some(host), Some(to)) = (host, shared.plan.service(&link.to)) else {
        return Err(refuse("kaf6's relay cannot run there".to_owned()));
    };
    let mut targets: Vec<((u32, String), RelayTarget)> = Vec::new();
    for replica in 0..to.most {
        for (port, _) in &to.ports {
            let (weak, name, key) = (Arc::downgrade(shared), to.name.clone(), port.clone());
            let target: RelayTarget = Arc::new(move || {
                lock(&weak.upgrade()?.addresses).get(&name, replica, &key).map(str::to_owned)
            });
            targets.push(((replica, port.clone()), target));
        }
    }
    let relay = Relay::start((&host.listen, &host.name), targets)
        .await
        .map_err(|error| refuse(format!("kaf6's relay cannot listen at {}: {error}", host.listen)))?;
    lock(&shared.relays).insert((link.from.clone(), link.to.clone()), relay);
    Ok(())
}

async fn services(shared: &Arc<ClusterState>, cancel: &CancellationToken) -> Result<(), DockerError> {
    let up: HashMap<&str, watch::Sender<bool>> = shared
        .plan
        .services
        .iter()
        .map(|service| (service.name.as_str(), watch::Sender::new(false)))
        .collect();
    let order = AtomicUsize::new(0);
    let starts = shared.plan.services.iter().map(|service| {
        let (up, order) = (&up, &order);
        async move {
            for need in &service.needs {
                if let Some(need) = up.get(need.as_str()) {
                    let mut need = need.subscribe();
                    let waited = cancel.run_until_cancelled(need.wait_for(|up| *up)).await;
                    waited.ok_or(DockerError::Interrupted)?.map_err(|_| DockerError::Interrupted)?;
                }
            }
            let units: Vec<_> =
                shared.of_service(&service.name).filter(|unit| unit.replica < service.replicas).collect();
            let started = join_all(units.iter().map(|unit| async move {
                unit.state().order.get_or_insert_with(|| order.fetch_add(1, Ordering::Relaxed));
                let done = up_one(shared, service, unit, cancel).await;
                if done.is_err() {
                    // The other starts are canceled. Their current requests are completed, and the results are removed.
                    cancel.cancel();
                }
                done
            }));
            all_or_first(started.await)?;
            if let Some(up) = up.get(service.name.as_str()) {
                up.send_replace(true);
            }
            Ok(())
        }
    });
    all_or_first(join_all(starts).await)
}

/// The first error that is not a cancellation caused by another error.
fn all_or_first(results: Vec<Result<(), DockerError>>) -> Result<(), DockerError> {
    let mut interrupted = Ok(());
    for result in results {
        match result {
            Ok(()) => {}
            Err(DockerError::Interrupted) => interrupted = Err(DockerError::Interrupted),
            Err(other) => return Err(other),
        }
    }
    interrupted
}

async fn up_one(
    shared: &ClusterState,
    service: &ServicePlan,
    unit: &Replica,
    cancel: &CancellationToken,
) -> Result<(), DockerError> {
    if cancel.is_cancelled() {
        return Err(DockerError::Interrupted);
    }
    let (name, replica) = (service.name.clone(), unit.replica);
    shared.tell(ClusterStep::Starting { service: name.clone(), replica });
    if let Err(error) = first_start(shared, service, unit).await {
        return Err(platform::explain(shared, unit, error).await);
    }
    let started = Instant::now();
    shared.tell(ClusterStep::Waiting { service: name.clone(), replica });
    let waited = ready::wait(shared, unit, (started, service.ready_timeout), cancel).await;
    let after = match waited {
        Ok(after) => after,
        Err(error) => {
            return Err(platform::explain(shared, unit, error.error(unit, service.ready_timeout)).await);
        }
    };
    unit.state().ready = Some(after);
    shared.tell(ClusterStep::Ready { service: name, replica, after });
    Ok(())
}

/// Starts a replica for the first time. Retries with other ports if the chosen ones are in use.
async fn first_start(
    shared: &ClusterState,
    service: &ServicePlan,
    unit: &Replica,
) -> Result<(), DockerError> {
    for attempt in 1.. {
        create(shared, service, unit).await?;
        match run(shared, unit).await {
            Err(DockerError::Refused { reason, .. }) if is_port_taken(&reason) => {
                if attempt == PORT_TRIES || matches!(shared.place, OwnPlace::Inside { .. }) {
                    return Err(DockerError::Port { service: service.name.clone(), reason });
                }
                discard(shared, unit).await?;
                place_ports(shared, service, unit.replica).map_err(|error| DockerError::Port {
                    service: service.name.clone(),
                    reason: error.to_string(),
                })?;
            }
            done => return done,
        }
    }
    Ok(())
}

/// Whether this is one of Docker's error texts for a port that is in use.
fn is_port_taken(reason: &str) -> bool {
    ["port is already allocated", "address already in use", "ports are not available"]
        .iter()
        .any(|words| reason.contains(words))
}

/// Creates the container of a replica and its volumes. Existing volumes are kept.
pub(crate) async fn create(
    shared: &ClusterState,
    service: &ServicePlan,
    unit: &Replica,
) -> Result<(), DockerError> {
    let mut mounts: Vec<Mount> = Vec::new();
    for (name, target) in &service.volumes {
        mounts.push(volume(shared, unit, name, target).await?);
    }
    let image = unit.state().image.clone();
    // Volumes that the image declares get a name, so that they are kept if another image is used.
    for target in image_volumes(shared, &image).await {
        if !service
            .volumes
            .iter()
            .any(|(_, taken)| taken.trim_end_matches('/') == target.trim_end_matches('/'))
        {
            let name = format!("image-{:08x}", crc_fast::crc32_iscsi(target.as_bytes()));
            mounts.push(volume(shared, unit, &name, &target).await?);
        }
    }
    let has_volumes = !mounts.is_empty();
    let body = spec::container(shared, service, unit, mounts);
    let options = CreateContainerOptionsBuilder::new().name(&unit.container).build();
    let made = shared.daemon.docker.create_container(Some(options), body).await;
    let made = made.map_err(|error| match is_gone(&error) {
        true => DockerError::ImageAbsent { service: service.name.clone(), image: image.clone() },
        false => refused(format!("create the container of {}", unit.title()))(error),
    })?;
    let mut state = unit.state();
    state.id = Some(made.id);
    state.has_volumes = has_volumes;
    Ok(())
}

async fn volume(
    shared: &ClusterState,
    unit: &Replica,
    name: &str,
    target: &str,
) -> Result<Mount, DockerError> {
    let name = names::volume(&shared.options.run_id, &unit.service, unit.replica, name);
    let request = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(shared.labels.clone()),
        ..VolumeCreateRequest::default()
    };
    let made = shared.daemon.docker.create_volume(request).await;
    made.map_err(refused(format!("create a volume of {}", unit.title())))?;
    Ok(spec::mount(&name, target))
}

async fn image_volumes(shared: &ClusterState, image: &str) -> Vec<String> {
    // If this fails, creating the container fails too, with the reason.
    let inspected = shared.daemon.docker.inspect_image(image).await.ok();
    let mut volumes = inspected.and_then(|image| image.config?.volumes).unwrap_or_default();
    volumes.sort();
    volumes
}

/// Starts an existing container, and follows its log.
pub(crate) async fn run(shared: &ClusterState, unit: &Replica) -> Result<(), DockerError> {
    let id = unit.id().unwrap_or_else(|| unit.container.clone());
    for port in host_ports(shared, unit) {
        shared.ports.release(port);
    }
    match shared.daemon.docker.start_container(&id, None).await {
        // The container is already running.
        Err(error) if is_done(&error) => {}
        started => started.map_err(refused(format!("start {}", unit.title())))?,
    }
    {
        let mut state = unit.state();
        state.runs();
        state.told = false;
    }
    unit.log.follow(&shared.daemon, &id, None).map_err(cannot_log(unit))
}

/// Removes the container of a replica for a fault. Volumes are kept.
pub(crate) async fn drop_container(shared: &ClusterState, unit: &Replica) -> Result<(), DockerError> {
    discard(shared, unit).await?;
    let mut state = unit.state();
    state.dropped |= !state.has_volumes;
    Ok(())
}

/// Removes the container of a replica. Volumes are kept.
async fn discard(shared: &ClusterState, unit: &Replica) -> Result<(), DockerError> {
    let Some(id) = unit.id() else { return Ok(()) };
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    match shared.daemon.docker.remove_container(&id, Some(options)).await {
        Err(error) if !is_gone(&error) => return Err(refused(format!("remove {}", unit.title()))(error)),
        _ => {}
    }
    unit.state().id = None;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn relays_listen_at_the_gateway_or_where_the_host_has_a_name() {
        let here = host_relays(Some("127.0.0.1".to_owned())).await;
        assert_eq!(
            (here.name.as_str(), here.listen.as_str(), here.extra_host),
            ("127.0.0.1", "127.0.0.1", None)
        );
        // An address reserved for documentation, which no machine has.
        for gateway in [None, Some("192.0.2.1".to_owned())] {
            let away = host_relays(gateway).await;
            assert_eq!((away.name.as_str(), away.listen.as_str()), ("host.docker.internal", "0.0.0.0"));
            assert_eq!(away.extra_host.as_deref(), Some("host.docker.internal:host-gateway"));
        }
    }

    #[test]
    fn the_error_that_tells_most_is_told() {
        let bad = || Err(DockerError::ImageAbsent { service: "a".into(), image: "b".into() });
        let interrupted = || Err(DockerError::Interrupted);
        assert!(matches!(
            all_or_first(vec![Ok(()), interrupted(), bad()]),
            Err(DockerError::ImageAbsent { .. })
        ));
        assert!(matches!(all_or_first(vec![interrupted(), Ok(())]), Err(DockerError::Interrupted)));
        assert!(all_or_first(vec![Ok(()), Ok(())]).is_ok());
    }
}
