//! What is done to a cluster on purpose, each with its proof, and its healing.
//!
//! Owns which kind is whose; a proof is what Docker or the relay showed, never what was asked of them.

mod command;
mod pause;
mod power;
mod scale;
mod throttle;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::container::{self, Now};
use super::cut::Cut;
use super::daemon::said;
use super::options::Inflicted;
use super::state::{Shared, Unit, Wanted, lock};
use super::{attach, ready};
use crate::plan::{ActionPlan, FaultPlan};

use power::Power;

/// Begins a fault, lets it last, heals it and waits until what it touched is ready again.
pub(super) async fn inflict(shared: &Arc<Shared>, fault: &FaultPlan, cut: &Cut) -> Inflicted {
    match &fault.action {
        ActionPlan::Restart { target, signal, down_for, image } => {
            let power = Power { signal, image: image.as_deref(), lasts: Some(*down_for), restarts: true };
            power::off(shared, fault, shared.of_target(target), power, cut).await
        }
        ActionPlan::Stop { target, signal } => {
            let power = Power { signal, image: None, lasts: fault.length, restarts: false };
            power::off(shared, fault, shared.of_target(target), power, cut).await
        }
        ActionPlan::Start { target } => power::on(shared, fault, shared.of_target(target), cut).await,
        ActionPlan::Pause { target } => pause::pause(shared, fault, shared.of_target(target), cut).await,
        ActionPlan::Throttle { link, latency, jitter, bandwidth } => {
            throttle::throttle(shared, fault, link, (*latency, *jitter, *bandwidth), cut).await
        }
        ActionPlan::Scale { service, to } => scale::scale(shared, fault, service, *to, cut).await,
        ActionPlan::Exec { target, command } => {
            command::run(shared, fault, (shared.of_target(target), command), cut).await
        }
    }
}

/// Heals whatever faults left; gives sentences for what could not be.
pub(super) async fn heal(shared: &Arc<Shared>) -> Vec<String> {
    for relay in lock(&shared.relays).values() {
        relay.set(super::relay::Slow::default());
    }
    let cut = Cut::new();
    let mut problems = Vec::new();
    for service in &shared.plan.services {
        problems.extend(
            scale::bring(shared, service, service.replicas, (Instant::now(), service.ready_timeout), &cut)
                .await
                .failed,
        );
    }
    let ill = shared
        .units
        .values()
        .filter(|unit| matches!(unit.wanted(), Wanted::Paused | Wanted::Stopped | Wanted::Restarting));
    let healed = ill.map(|unit| heal_one(shared, unit));
    problems.extend(futures_util::future::join_all(healed).await.into_iter().flatten());
    // Those of faults that were cut short: they run, and nobody has waited for them.
    let late = shared.units.values().filter(|unit| unit.wanted() == Wanted::Running && unit.state().unready);
    let waits = late.map(|unit| async move {
        let bound = patience(shared, unit);
        let waited = ready::wait(shared, unit, (Instant::now(), bound), &Cut::new()).await;
        waited.err().map(|error| format!("{} after its healing: {}", unit.title(), error.words(unit)))
    });
    problems.extend(futures_util::future::join_all(waits).await.into_iter().flatten());
    problems
}

/// Heals one container; a sentence where it could not be.
async fn heal_one(shared: &Shared, unit: &Unit) -> Option<String> {
    let healed = match unit.wanted() {
        Wanted::Paused => pause::go_on(shared, unit).await,
        _ => power::start(shared, unit, None).await,
    };
    healed.err().map(|reason| format!("{} could not be healed: {reason}", unit.title()))
}

/// How long a container may take to become ready.
fn patience(shared: &Shared, unit: &Unit) -> Duration {
    shared.plan.service(&unit.service).map_or(Duration::from_secs(10), |service| service.ready_timeout)
}

/// Heals what is attached, and nothing else: the rest is about to be removed.
pub(super) async fn heal_attached(shared: &Shared) -> Vec<String> {
    let ill = shared.units.values().filter(|unit| {
        unit.attached && matches!(unit.wanted(), Wanted::Paused | Wanted::Stopped | Wanted::Restarting)
    });
    let healed = ill.map(|unit| heal_one(shared, unit));
    futures_util::future::join_all(healed).await.into_iter().flatten().collect()
}

/// A fault that did nothing, with the reason.
fn nothing(reason: impl Into<String>) -> Inflicted {
    let now = Instant::now();
    Inflicted { began: now, ended: Some(now), effective: false, proof: reason.into() }
}

/// That no container of a target is there.
fn nobody(fault: &FaultPlan) -> Inflicted {
    nothing(format!("no container of {} was there", fault.action.target()))
}

/// What came of a fault with one container: shown to have worked or not, and how.
struct Shown {
    unit: Arc<Unit>,
    effective: bool,
    words: String,
}

/// All of them as one proof; with names where there are several.
fn proof(all: &[Shown]) -> (bool, String) {
    let several = all.len() > 1;
    let words = all.iter().map(|shown| {
        if several { format!("{}: {}", shown.unit.title(), shown.words) } else { shown.words.clone() }
    });
    (!all.is_empty() && all.iter().all(|shown| shown.effective), words.collect::<Vec<_>>().join("; "))
}

/// What is left of a fault's time, from the start of a wait.
fn left(fault: &FaultPlan, began: Instant) -> Duration {
    fault.timeout.saturating_sub(began.elapsed())
}

/// A container that is to be stopped or paused: it runs, and would be there after it.
async fn fit(shared: &Shared, unit: &Unit, heal: &str) -> Result<(String, Now), String> {
    let id = unit.id().ok_or("it has no container")?;
    let now = container::inspect(&shared.daemon, &id).await.map_err(|error| said(&error))?;
    let now = now.ok_or("its container is gone")?;
    if !now.running {
        return Err(format!("it was not running, but had ended with exit code {}", now.exit_code));
    }
    if now.paused {
        return Err("it was paused already".to_owned());
    }
    if unit.attached {
        if now.auto_remove && heal == "start" {
            return Err("it was left alone, since it runs with --rm: Docker would remove it as soon as it ends; start it without --rm".to_owned());
        }
        attach::mark(shared, &id, heal).await.map_err(|error| error.to_string())?;
    }
    Ok((id, now))
}

/// A length of time as a proof says it.
fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
