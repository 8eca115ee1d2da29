//! The containers and faults of a plan, made of those of a scenario.
//!
//! Owns the order in which services start, and where relays stand.

use std::collections::BTreeSet;
use std::time::Duration as StdDuration;

use super::cluster::{ActionPlan, ClusterPlan, FaultPlan, Link, Pull, ServicePlan};
use super::taker::Taker;
use super::{DefaultTaken, Start, defaults};
use crate::scenario::valid::cluster::{Action, Cluster, Fault, Service};
use crate::units::Duration;

/// Plans the containers of a run.
pub(super) fn cluster(cluster: &Cluster, faults: &[Fault], taken: &mut Vec<DefaultTaken>) -> ClusterPlan {
    let services = in_order(&cluster.services).into_iter().map(|it| {
        let mut taker = Taker { path: format!("cluster.services.{}", it.name), taken };
        let pull = taker.or("pull", it.pull, Pull::Missing, defaults::PULL);
        let replicas = taker.or("replicas", it.replicas, defaults::REPLICAS, defaults::REPLICAS);
        if it.ready.is_none() {
            taker.note("ready", "it runs");
        }
        let ready_timeout =
            taker.or("ready_timeout", it.ready_timeout, defaults::READY_TIMEOUT, defaults::READY_TIMEOUT);
        ServicePlan {
            name: it.name.clone(),
            image: it.image.clone(),
            pull,
            entrypoint: it.entrypoint.clone(),
            command: it.command.clone(),
            env: it.env.clone(),
            ports: it.ports.clone(),
            volumes: it.volumes.clone(),
            needs: it.needs.clone(),
            replicas,
            most: cluster.replicas(&it.name, faults).1,
            ready: it.ready.clone(),
            ready_timeout: ready_timeout.std(),
            position: it.position.clone(),
        }
    });
    let services = services.collect();
    let mut links: Vec<Link> = Vec::new();
    for fault in faults {
        if let Action::Throttle { link, .. } = &fault.action
            && !links.contains(link)
        {
            links.push(link.clone());
        }
    }
    ClusterPlan { preset: cluster.preset.clone(), services, attached: cluster.attached.clone(), links }
}

/// Each after all that it needs, and otherwise as the file has them. Needs have no circles.
fn in_order(services: &[Service]) -> Vec<&Service> {
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    let mut order: Vec<&Service> = Vec::new();
    let mut open: Vec<&Service> = services.iter().collect();
    while !open.is_empty() {
        let can = |service: &&Service| service.needs.iter().all(|need| placed.contains(need.as_str()));
        // Were there a circle after all, the file's order would stand in.
        let next = open.remove(open.iter().position(can).unwrap_or(0));
        placed.insert(&next.name);
        order.push(next);
    }
    order
}

/// Plans a fault.
pub(super) fn fault(fault: &Fault, timeout: StdDuration, taken: &mut Vec<DefaultTaken>) -> FaultPlan {
    let mut taker = Taker { path: format!("faults.{}", fault.name), taken };
    let signal = |taker: &mut Taker<'_>, written: &Option<String>| match written {
        Some(signal) => signal.clone(),
        None => {
            taker.note("signal", defaults::SIGNAL);
            defaults::SIGNAL.to_owned()
        }
    };
    let action = match &fault.action {
        Action::Restart { target, signal: written, down_for, image } => ActionPlan::Restart {
            target: target.clone(),
            signal: signal(&mut taker, written),
            down_for: taker.or("down_for", *down_for, defaults::DOWN_FOR, defaults::DOWN_FOR).std(),
            image: image.clone(),
        },
        Action::Stop { target, signal: written } => {
            ActionPlan::Stop { target: target.clone(), signal: signal(&mut taker, written) }
        }
        Action::Start { target } => ActionPlan::Start { target: target.clone() },
        Action::Pause { target } => ActionPlan::Pause { target: target.clone() },
        Action::Throttle { link, latency, jitter, bandwidth } => ActionPlan::Throttle {
            link: link.clone(),
            latency: latency.std(),
            jitter: jitter.std(),
            bandwidth: *bandwidth,
        },
        Action::Scale { service, to } => ActionPlan::Scale { service: service.clone(), to: *to },
        Action::Exec { target, command } => {
            ActionPlan::Exec { target: target.clone(), command: command.clone() }
        }
    };
    FaultPlan {
        name: fault.name.clone(),
        start: Start {
            after: fault.after.clone(),
            at: fault.at.unwrap_or_default().std(),
            when: fault.when.clone(),
        },
        length: fault.length.map(Duration::std),
        timeout,
        action,
        position: fault.position.clone(),
    }
}
