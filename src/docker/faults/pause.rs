//! `pause`: containers frozen for a while.
//!
//! Owns its proof: Docker calls them paused at the beginning and at the end, and their processes got no time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::super::cut::Cut;
use super::super::daemon::{Daemon, said};
use super::super::options::Inflicted;
use super::super::state::{Shared, Unit, Wanted};
use super::super::{attach, container};
use super::power::readiness;
use super::shown::{Shown, fit, held, last, lasting, left, nobody, proof, time};
use crate::plan::FaultPlan;

/// What freezing itself may still count, of processor time.
const FREEZING: Duration = Duration::from_millis(20);

/// Freezes containers for the fault's length.
pub(super) async fn pause(shared: &Shared, fault: &FaultPlan, units: Vec<Arc<Unit>>, cut: &Cut) -> Inflicted {
    if units.is_empty() {
        return nobody(fault);
    }
    let began = Instant::now();
    let frozen = join_all(units.iter().map(|unit| freeze(shared, unit))).await;
    let cut_short = last(began, fault.length.unwrap_or_default(), cut).await;
    let thawed = join_all(units.iter().zip(frozen).map(|(unit, frozen)| thaw(shared, unit, frozen))).await;
    let let_go = Instant::now();
    let holds = held(&units, Wanted::Paused);
    let ended = holds.is_empty().then_some(let_go);
    let bound = left(fault, began);
    let shown = join_all(units.into_iter().zip(thawed).map(|(unit, thawed)| async move {
        match thawed {
            Ok(words) => {
                let ready = readiness(shared, &unit, (let_go, bound), cut).await;
                Shown { unit, effective: true, words: format!("{words}, {ready}") }
            }
            Err(words) => Shown { unit, effective: false, words },
        }
    }))
    .await;
    let (effective, proof) = lasting(proof(&shown), cut_short);
    Inflicted { began, ended, holds, effective, proof }
}

/// What was seen right after freezing.
struct Frozen {
    id: String,
    at: Instant,
    cpu: Option<Duration>,
}

async fn freeze(shared: &Shared, unit: &Unit) -> Result<Frozen, String> {
    let (id, _) = fit(shared, unit, "unpause").await?;
    unit.want(Wanted::Paused);
    let at = Instant::now();
    if let Err(error) = shared.daemon.docker.pause_container(&id).await {
        unit.want(Wanted::Running);
        return Err(format!("it could not be paused: {}", said(&error)));
    }
    let cpu = container::cpu(&shared.daemon, &id).await;
    is_paused(&shared.daemon, &id).await?;
    Ok(Frozen { id, at, cpu })
}

async fn thaw(shared: &Shared, unit: &Unit, frozen: Result<Frozen, String>) -> Result<String, String> {
    let seen = match &frozen {
        Ok(frozen) => still_frozen(shared, frozen).await,
        Err(reason) => Err(reason.clone()),
    };
    if unit.wanted() == Wanted::Paused {
        go_on(shared, unit).await.map_err(|reason| format!("it could not be let go on: {reason}"))?;
    }
    seen
}

async fn still_frozen(shared: &Shared, frozen: &Frozen) -> Result<String, String> {
    is_paused(&shared.daemon, &frozen.id).await?;
    let lasted = time(frozen.at.elapsed());
    let now = container::cpu(&shared.daemon, &frozen.id).await;
    match frozen.cpu.zip(now).map(|(then, now)| now.saturating_sub(then)) {
        Some(used) if used > FREEZING => {
            Err(format!("paused for {lasted}, but its processes used {} of processor time", time(used)))
        }
        Some(_) => Ok(format!("paused for {lasted}, its processes used no processor time")),
        None => Ok(format!("paused for {lasted}, as Docker showed at its beginning and end")),
    }
}

async fn is_paused(daemon: &Daemon, id: &str) -> Result<(), String> {
    match container::inspect(daemon, id).await {
        Ok(Some(now)) if now.paused => Ok(()),
        Ok(Some(_)) => Err("Docker does not call it paused".to_owned()),
        Ok(None) => Err("its container is gone".to_owned()),
        Err(error) => Err(said(&error)),
    }
}

/// Lets one container go on.
pub(super) async fn go_on(shared: &Shared, unit: &Unit) -> Result<(), String> {
    let id = unit.id().ok_or("it has no container")?;
    let paused = container::inspect(&shared.daemon, &id).await.map_err(|error| said(&error))?;
    if paused.is_some_and(|now| now.paused) {
        shared.daemon.docker.unpause_container(&id).await.map_err(|error| said(&error))?;
    }
    {
        let mut state = unit.state();
        state.runs();
    }
    if unit.attached {
        attach::unmark(shared, &id).await;
    }
    Ok(())
}
