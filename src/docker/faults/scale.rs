//! `scale`: adds or removes replicas of a service.
//!
//! Its proof: which replicas joined and became ready, which left, and how they ended.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::query_parameters::StopContainerOptionsBuilder;
use futures_util::future::join_all;

use super::injection::Injection;
use super::shown::{last_until_look, lasting, left, nothing, over, time};
use crate::docker::api::container;
use crate::docker::api::daemon::said;
use crate::docker::cluster::options::{ClusterStep, FaultOutcome};
use crate::docker::cluster::state::{ClusterState, DesiredState, Replica};
use crate::docker::cluster::{ready, start as starting};
use crate::plan::ServicePlan;
use crate::plan::defaults::PATIENCE;
use tokio_util::sync::CancellationToken;

/// Texts for the proof about each replica that joined or left.
#[derive(Default)]
pub(super) struct Brought {
    pub done: Vec<String>,
    /// Replicas that could not join or leave.
    pub failed: Vec<String>,
}

/// Scales a service to this number of replicas. If the fault has a length, scales it back afterwards.
pub(super) async fn scale(
    Injection { shared, fault, cancel }: Injection<'_>,
    name: &str,
    to: u32,
) -> FaultOutcome {
    let Some(service) = shared.plan.service(name) else {
        return nothing(format!("{name} is not a service that kaf6 started"));
    };
    let earlier = there(shared, name);
    if earlier == to {
        return nothing(format!("it already had {to} replicas"));
    }
    let began = Instant::now();
    let mut brought = bring(shared, service, to, (began, fault.timeout), cancel).await;
    let effective = brought.failed.is_empty() && !brought.done.is_empty();
    let Some(length) = fault.length else {
        return over(began, (effective, words(earlier, to, &brought)));
    };
    let (from, made) = (Instant::now(), there(shared, name));
    let cut_short = loop {
        if brought.done.is_empty() {
            break None;
        }
        if there(shared, name) != made {
            // If another fault has changed it since, keep that state.
            brought.failed.push(format!(
                "did not stay at this scale: another fault changed it to {} replicas after {}",
                there(shared, name),
                time(from.elapsed())
            ));
            return over(began, (false, words(earlier, to, &brought)));
        }
        if let ControlFlow::Break(short) = last_until_look(began, length, cancel).await {
            break short;
        }
    };
    let until = Instant::now();
    let back = bring(shared, service, earlier, (until, left(fault, began)), cancel).await;
    let ended = back.failed.is_empty().then(Instant::now);
    brought.done.extend(back.done);
    brought.failed.extend(back.failed);
    let (effective, proof) = lasting((effective, words(earlier, to, &brought)), cut_short);
    FaultOutcome { began, ended, effect: Some((from, Some(until))), holds: Vec::new(), effective, proof }
}

/// The desired number of replicas of a service.
fn there(shared: &ClusterState, name: &str) -> u32 {
    let there = shared.of_service(name).filter(|unit| unit.wanted() != DesiredState::Away).count();
    u32::try_from(there).unwrap_or(u32::MAX)
}

fn words(from: u32, to: u32, brought: &Brought) -> String {
    let all: Vec<&str> = brought.done.iter().chain(&brought.failed).map(String::as_str).collect();
    format!("{from} -> {to} replicas: {}", all.join("; "))
}

/// Starts or removes replicas until the service has `to` of them.
pub(super) async fn bring(
    shared: &ClusterState,
    service: &ServicePlan,
    to: u32,
    (since, bound): (Instant, Duration),
    cancel: &CancellationToken,
) -> Brought {
    let of_service = || shared.of_service(&service.name);
    let joining = of_service().filter(|unit| unit.replica < to && unit.wanted() == DesiredState::Away);
    let joined = join_all(joining.map(|unit| join(shared, service, unit, (since, bound), cancel))).await;
    let leaving = of_service().rev().filter(|unit| unit.replica >= to && unit.wanted() != DesiredState::Away);
    let mut brought = Brought::default();
    let mut tell = |unit: &Replica, result: Result<String, String>| match result {
        Ok(words) => brought.done.push(format!("{} {words}", unit.title())),
        Err(words) => brought.failed.push(format!("{} {words}", unit.title())),
    };
    for (unit, result) in joined {
        tell(&unit, result);
    }
    for unit in leaving.cloned().collect::<Vec<Arc<Replica>>>() {
        let result = leave(shared, &unit).await;
        tell(&unit, result);
    }
    brought
}

async fn join(
    shared: &ClusterState,
    service: &ServicePlan,
    unit: &Arc<Replica>,
    (since, bound): (Instant, Duration),
    cancel: &CancellationToken,
) -> (Arc<Replica>, Result<String, String>) {
    let work = async {
        let (name, replica) = (service.name.clone(), unit.replica);
        shared.tell(ClusterStep::Starting { service: name.clone(), replica });
        starting::create(shared, service, unit).await.map_err(|error| format!("did not start: {error}"))?;
        starting::run(shared, unit).await.map_err(|error| format!("did not start: {error}"))?;
        let started = Instant::now();
        {
            let next = shared.units.values().filter_map(|unit| unit.state().order).max().map_or(0, |n| n + 1);
            unit.state().order.get_or_insert(next);
        }
        let bound = bound.saturating_sub(since.elapsed());
        let waited = ready::wait(shared, unit, (started, bound), cancel).await;
        let after = waited.map_err(|error| format!("started, but {}", error.words(unit)))?;
        unit.state().ready.get_or_insert(after);
        shared.tell(ClusterStep::Ready { service: name, replica, after });
        Ok(format!("joined, ready after {}", time(after)))
    };
    (Arc::clone(unit), work.await)
}

/// Stops and removes one replica. Keeps its volumes, because it may join again.
async fn leave(shared: &ClusterState, unit: &Replica) -> Result<String, String> {
    let Some(id) = unit.id() else { return Ok("did not exist".to_owned()) };
    unit.want(DesiredState::Away);
    let patience = i32::try_from(PATIENCE.as_secs()).unwrap_or(i32::MAX);
    let options = StopContainerOptionsBuilder::new().t(patience).build();
    let stopped = shared.daemon.docker.stop_container(&id, Some(options)).await;
    let code = container::inspect(&shared.daemon, &id).await.ok().flatten().map(|now| now.exit_code);
    unit.log.settle().await;
    starting::drop_container(shared, unit).await.map_err(|error| format!("could not be removed: {error}"))?;
    for port in starting::host_ports(shared, unit) {
        shared.ports.hold_again(port);
    }
    match (stopped, code) {
        (Err(error), _) if !crate::docker::api::daemon::is_done(&error) => {
            Ok(format!("was removed because it did not stop: {}", said(&error)))
        }
        (_, Some(code)) => Ok(format!("ended with exit code {code} and was removed")),
        (_, None) => Ok("ended and was removed".to_owned()),
    }
}
