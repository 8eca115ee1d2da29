//! Faults: injects each kind, proves its effect, and heals it.
//!
//! A proof is what Docker or the relay showed, never what was requested.

mod command;
mod cut;
mod injection;
mod pause;
mod power;
mod scale;
mod shown;
mod throttle;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lock::lock;
use super::relay::Shaping;
use crate::docker::cluster::options::FaultOutcome;
use crate::docker::cluster::ready;
use crate::docker::cluster::state::{ClusterState, DesiredState, Replica};
use crate::plan::{ActionPlan, FaultPlan};
use tokio_util::sync::CancellationToken;

use injection::Injection;
use power::Power;

/// Injects a fault, keeps it for its length, heals it, and waits until its containers are ready again.
pub(super) async fn inject(
    shared: &Arc<ClusterState>,
    fault: &FaultPlan,
    cancel: &CancellationToken,
) -> FaultOutcome {
    if fault.action.containers().is_some_and(|target| shared.of_target(target).is_empty()) {
        return shown::no_container(fault);
    }
    let injection = Injection { shared, fault, cancel };
    match &fault.action {
        ActionPlan::Restart { target, signal, down_for, image } => {
            let power = Power { signal, image: image.as_deref(), lasts: Some(*down_for), restarts: true };
            power::off(injection, shared.of_target(target), power).await
        }
        ActionPlan::Stop { target, signal } => {
            let power = Power { signal, image: None, lasts: fault.length, restarts: false };
            power::off(injection, shared.of_target(target), power).await
        }
        ActionPlan::Start { target } => power::on(injection, shared.of_target(target)).await,
        ActionPlan::Pause { target } => pause::pause(injection, shared.of_target(target)).await,
        ActionPlan::Throttle { link, latency, jitter, bandwidth } => {
            let slow = Shaping { latency: *latency, jitter: *jitter, bandwidth: *bandwidth };
            throttle::throttle(injection, link, slow).await
        }
        ActionPlan::Cut { link, mode, direction } => cut::cut(injection, link, (*mode, *direction)).await,
        ActionPlan::Scale { service, to } => scale::scale(injection, service, *to).await,
        ActionPlan::Exec { target, command } => {
            command::run(injection, shared.of_target(target), command).await
        }
    }
}

/// Heals everything that faults left behind. Returns a sentence for each error.
pub(super) async fn heal(shared: &Arc<ClusterState>, cancel: &CancellationToken) -> Vec<String> {
    for relay in lock(&shared.relays).values() {
        relay.free();
    }
    let mut problems = Vec::new();
    for service in &shared.plan.services {
        problems.extend(
            scale::bring(shared, service, service.replicas, (Instant::now(), service.ready_timeout), cancel)
                .await
                .failed,
        );
    }
    let healed = shared.units.values().filter(is_ill).map(|unit| heal_one(shared, unit));
    problems.extend(futures_util::future::join_all(healed).await.into_iter().flatten());
    // Containers of faults that ended early run, but may not be ready yet.
    let late =
        shared.units.values().filter(|unit| unit.wanted() == DesiredState::Running && unit.state().unready);
    let waits = late.map(|unit| async move {
        let bound = patience(shared, unit);
        let waited = ready::wait(shared, unit, (Instant::now(), bound), cancel).await;
        waited.err().map(|error| format!("{} after it was restored: {}", unit.title(), error.words(unit)))
    });
    problems.extend(futures_util::future::join_all(waits).await.into_iter().flatten());
    problems
}

/// Whether a fault left the container paused or down.
fn is_ill(unit: &&Arc<Replica>) -> bool {
    matches!(unit.wanted(), DesiredState::Paused | DesiredState::Stopped | DesiredState::Restarting)
}

/// Heals one container. Returns a sentence if it fails.
async fn heal_one(shared: &ClusterState, unit: &Replica) -> Option<String> {
    let healed = match unit.wanted() {
        DesiredState::Paused => pause::go_on(shared, unit).await,
        _ => power::start(shared, unit, None).await,
    };
    healed.err().map(|reason| format!("could not restore {}: {reason}", unit.title()))
}

/// Maximum time until a container is ready.
fn patience(shared: &ClusterState, unit: &Replica) -> Duration {
    shared.plan.service(&unit.service).map_or(Duration::from_secs(10), |service| service.ready_timeout)
}

/// Heals only attached containers, because kaf6 removes the others next.
pub(super) async fn heal_attached(shared: &ClusterState) -> Vec<String> {
    let ill = shared.units.values().filter(|unit| unit.attached).filter(is_ill);
    let healed = ill.map(|unit| heal_one(shared, unit));
    futures_util::future::join_all(healed).await.into_iter().flatten().collect()
}
