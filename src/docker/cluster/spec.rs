//! Converts a planned service to the container that Docker creates.
//!
//! Resolves the references in a service's texts to addresses that this service can reach.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType,
    NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};

use super::names;
use super::state::{ClusterState, Replica};
use crate::docker::Addresses;
use crate::docker::cleanup::labels;
use crate::docker::lock::lock;
use crate::docker::place::OwnPlace;
use crate::plan::ServicePlan;
use crate::scenario::template::service_template::{Reference, ServiceTemplate};

/// Resolves a text of a service for one of its replicas.
pub(crate) fn resolve(
    shared: &ClusterState,
    service: &ServicePlan,
    replica: u32,
    text: &ServiceTemplate,
) -> String {
    let addresses = lock(&shared.addresses);
    text.resolve(|reference| match reference {
        Reference::Replica => replica.to_string(),
        Reference::RunId => shared.options.run_id.clone(),
        Reference::SelfHost => self_host(shared, &service.name, replica),
        Reference::SelfPort(port) => self_port(shared, &addresses, service, replica, port),
        Reference::Service { service: other, replica: which, port } => {
            other_address(shared, &service.name, (other, which.unwrap_or(0), port))
        }
    })
}

/// Resolves a text of a fault for a container that kaf6 did not start.
pub(crate) fn resolve_attached(shared: &ClusterState, replica: u32, text: &ServiceTemplate) -> String {
    text.resolve(|reference| match reference {
        Reference::Replica => replica.to_string(),
        Reference::RunId => shared.options.run_id.clone(),
        // Validation rejects these references for containers that kaf6 did not start.
        Reference::SelfHost | Reference::SelfPort(_) | Reference::Service { .. } => String::new(),
    })
}

/// The host at which clients reach a replica.
fn self_host(shared: &ClusterState, service: &str, replica: u32) -> String {
    match &shared.place {
        OwnPlace::Host => "127.0.0.1".to_owned(),
        OwnPlace::Inside { .. } => names::container(&shared.options.run_id, service, replica),
        OwnPlace::Remote { host } => host.clone(),
    }
}

fn self_port(
    shared: &ClusterState,
    addresses: &Addresses,
    service: &ServicePlan,
    replica: u32,
    port: &str,
) -> String {
    let known = addresses.get(&service.name, replica, port).and_then(|a| a.rsplit_once(':'));
    match (&shared.place, known) {
        (OwnPlace::Host | OwnPlace::Remote { .. }, Some((_, port))) => port.to_owned(),
        _ => container_port(service, port).to_string(),
    }
}

/// `host:port` of another service for connections from a container of `from`.
fn other_address(shared: &ClusterState, from: &str, (to, replica, port): (&str, u32, &str)) -> String {
    let link = (from.to_owned(), to.to_owned());
    if let Some(relayed) = lock(&shared.relays).get(&link).and_then(|relay| relay.address(replica, port)) {
        return relayed;
    }
    match shared.plan.service(to) {
        Some(service) => {
            let alias = names::alias(to, replica, service.most > 1);
            format!("{alias}:{}", container_port(service, port))
        }
        None => "unknown:0".to_owned(),
    }
}

/// A port in the container. Validation has rejected unknown names.
pub(crate) fn container_port(service: &ServicePlan, port: &str) -> u16 {
    service.ports.iter().find(|(name, _)| name == port).map_or(0, |(_, number)| *number)
}

pub(crate) fn container(
    shared: &ClusterState,
    service: &ServicePlan,
    unit: &Replica,
    mounts: Vec<Mount>,
) -> ContainerCreateBody {
    let text = |wired: &ServiceTemplate| resolve(shared, service, unit.replica, wired);
    let texts = |all: &Vec<ServiceTemplate>| all.iter().map(text).collect::<Vec<String>>();
    let mut aliases = vec![format!("{}-{}", service.name, unit.replica)];
    aliases.push(service.name.clone());
    let endpoint = EndpointSettings { aliases: Some(aliases), ..EndpointSettings::default() };
    let relay_host = lock(&shared.network).relay_host.clone();
    let host = HostConfig {
        network_mode: Some(shared.network_name()),
        port_bindings: bindings(shared, service, unit),
        mounts: Some(mounts),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        extra_hosts: relay_host.and_then(|host| host.extra_host).map(|host| vec![host]),
        // This log driver can be read and limits the log size. The Docker Engine's default may not.
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(log_limits()),
        }),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(unit.state().image.clone()),
        entrypoint: service.entrypoint.as_ref().map(texts),
        cmd: service.command.as_ref().map(texts),
        env: Some(service.env.iter().map(|(name, value)| format!("{name}={}", text(value))).collect()),
        exposed_ports: Some(service.ports.iter().map(|(_, port)| tcp(*port)).collect()),
        labels: Some(shared.labels_with(&[(labels::SERVICE, &service.name)])),
        host_config: Some(host),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(shared.network_name(), endpoint)])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// Limits Docker's log file, because a container that logs in a loop would fill the disk. The limit is high, so that
/// rotation is rare: with a rotated file, Docker may return lines twice, or skip them if its reader is late.
fn log_limits() -> HashMap<String, String> {
    let limits = [("max-size", "128m"), ("max-file", "2")];
    limits.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The published ports. Empty if kaf6 is in the network itself.
fn bindings(
    shared: &ClusterState,
    service: &ServicePlan,
    unit: &Replica,
) -> Option<HashMap<String, Option<Vec<PortBinding>>>> {
    let ip = match shared.place {
        OwnPlace::Host => "127.0.0.1",
        // Docker's value for all addresses.
        OwnPlace::Remote { .. } => "",
        OwnPlace::Inside { .. } => return None,
    };
    let addresses = lock(&shared.addresses);
    let bind = |(name, port): &(String, u16)| {
        let (_, host_port) = addresses.get(&service.name, unit.replica, name)?.rsplit_once(':')?;
        let binding = PortBinding { host_ip: Some(ip.to_owned()), host_port: Some(host_port.to_owned()) };
        Some((tcp(*port), Some(vec![binding])))
    };
    Some(service.ports.iter().filter_map(bind).collect())
}

fn tcp(port: u16) -> String {
    format!("{port}/tcp")
}

/// Mounts a volume of the run.
pub(crate) fn mount(volume: &str, target: &str) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.to_owned()),
        target: Some(target.to_owned()),
        ..Mount::default()
    }
}
