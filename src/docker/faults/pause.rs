//! `pause`: freezes containers for some time.
//!
//! Its proof: Docker reported them as paused the whole time, and their processes used no CPU time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::injection::Injection;
use super::power::readiness;
use super::shown::{ContainerProof, fit, held, last_until_look, lasting, left, proof, time};
use crate::docker::api::container;
use crate::docker::api::daemon::{Daemon, said};
use crate::docker::cluster::attach;
use crate::docker::cluster::options::FaultOutcome;
use crate::docker::cluster::state::{ClusterState, DesiredState, Replica};

/// CPU time that freezing itself may use.
const FREEZING: Duration = Duration::from_millis(20);

/// Freezes containers for the fault's length.
pub(super) async fn pause(
    Injection { shared, fault, cancel }: Injection<'_>,
    units: Vec<Arc<Replica>>,
) -> FaultOutcome {
    let began = Instant::now();
    let mut all = join_all(units.iter().map(|unit| freeze(shared, unit))).await;
    let from = all.iter().filter_map(|it| Some(it.frozen.as_ref().ok()?.at)).max().unwrap_or(began);
    let cut_short = loop {
        join_all(all.iter_mut().map(|it| look(shared, it))).await;
        if all.iter().all(|it| it.frozen.is_err()) {
            break None;
        }
        if let ControlFlow::Break(short) =
            last_until_look(from, fault.length.unwrap_or_default(), cancel).await
        {
            break short;
        }
    };
    let until = Instant::now();
    let thawed = join_all(all.iter().map(|it| thaw(shared, it))).await;
    let let_go = Instant::now();
    let holds = held(all.iter().filter(|it| it.is_ours()).map(|it| it.unit), DesiredState::Paused);
    let ended = holds.is_empty().then_some(let_go);
    let bound = left(fault, began);
    drop(all);
    let shown = join_all(units.into_iter().zip(thawed).map(|(unit, thawed)| async move {
        match thawed {
            Ok(words) => {
                let ready = readiness(shared, &unit, (let_go, bound), cancel).await;
                ContainerProof { unit, effective: true, words: format!("{words}, {ready}") }
            }
            Err(words) => ContainerProof { unit, effective: false, words },
        }
    }))
    .await;
    let (effective, proof) = lasting(proof(&shown), cut_short);
    FaultOutcome { began, ended, effect: Some((from, Some(until))), holds, effective, proof }
}

/// A container that this fault pauses.
struct Pausing<'a> {
    unit: &'a Arc<Replica>,
    /// The number of this fault's change of its desired state.
    turn: Option<u64>,
    /// Its state after freezing, or why it is not paused.
    frozen: Result<Frozen, String>,
}

impl Pausing<'_> {
    /// Whether no other fault changed its desired state since.
    fn is_ours(&self) -> bool {
        self.turn == Some(self.unit.state().turns)
    }
}

/// What was seen right after freezing.
struct Frozen {
    id: String,
    at: Instant,
    cpu: Option<Duration>,
}

async fn freeze<'a>(shared: &ClusterState, unit: &'a Arc<Replica>) -> Pausing<'a> {
    let id = match fit(shared, unit, "unpause").await {
        Ok((id, _)) => id,
        Err(reason) => return Pausing { unit, turn: None, frozen: Err(reason) },
    };
    let turn = Some(unit.want(DesiredState::Paused));
    if let Err(error) = shared.daemon.docker.pause_container(&id).await {
        unit.want(DesiredState::Running);
        return Pausing { unit, turn, frozen: Err(format!("could not pause it: {}", said(&error))) };
    }
    let at = Instant::now();
    let cpu = container::cpu(&shared.daemon, &id).await;
    let frozen = is_paused(&shared.daemon, &id).await.map(|()| Frozen { id, at, cpu });
    Pausing { unit, turn, frozen }
}

/// Checks whether it is still frozen. If Docker does not answer, kaf6 checks again later.
async fn look(shared: &ClusterState, it: &mut Pausing<'_>) {
    let Ok(frozen) = &it.frozen else { return };
    let how = if it.is_ours() {
        match container::inspect(&shared.daemon, &frozen.id).await {
            Ok(Some(now)) if !now.paused => "something other than kaf6 resumed it",
            Ok(None) => "its container was removed",
            _ => return,
        }
    } else {
        "another fault changed it"
    };
    it.frozen = Err(format!("did not stay paused: {how} after {}", time(frozen.at.elapsed())));
}

async fn thaw(shared: &ClusterState, it: &Pausing<'_>) -> Result<String, String> {
    let seen = match &it.frozen {
        Ok(frozen) => still_frozen(shared, frozen).await,
        Err(reason) => Err(reason.clone()),
    };
    if it.is_ours() && it.unit.wanted() == DesiredState::Paused {
        go_on(shared, it.unit).await.map_err(|reason| format!("could not resume it: {reason}"))?;
    }
    seen
}

async fn still_frozen(shared: &ClusterState, frozen: &Frozen) -> Result<String, String> {
    is_paused(&shared.daemon, &frozen.id).await?;
    let lasted = time(frozen.at.elapsed());
    let now = container::cpu(&shared.daemon, &frozen.id).await;
    match frozen.cpu.zip(now).map(|(then, now)| now.saturating_sub(then)) {
        Some(used) if used > FREEZING => {
            Err(format!("paused for {lasted}, but its processes used {} of CPU time", time(used)))
        }
        Some(_) => Ok(format!("paused for {lasted}, its processes used no CPU time")),
        None => Ok(format!("paused for {lasted}, as Docker reported several times per second")),
    }
}

async fn is_paused(daemon: &Daemon, id: &str) -> Result<(), String> {
    match container::inspect(daemon, id).await {
        Ok(Some(now)) if now.paused => Ok(()),
        Ok(Some(_)) => Err("Docker does not report it as paused".to_owned()),
        Ok(None) => Err("its container is gone".to_owned()),
        Err(error) => Err(said(&error)),
    }
}

/// Resumes one container.
pub(super) async fn go_on(shared: &ClusterState, unit: &Replica) -> Result<(), String> {
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
