//! The texts about a fault's effect, and the check whether a container can be faulted.
//!
//! All kinds of faults use them.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::docker::api::container;
use crate::docker::api::container::Now;
use crate::docker::api::daemon::said;
use crate::docker::cancel;
use crate::docker::cluster::attach;
use crate::docker::cluster::options::FaultOutcome;
use crate::docker::cluster::state::{ClusterState, DesiredState, Replica};
use crate::plan::FaultPlan;
use tokio_util::sync::CancellationToken;

/// Time between two checks whether something else undid a fault.
const LOOK: Duration = Duration::from_millis(100);

/// A fault without effect, with the reason.
pub(super) fn nothing(reason: impl Into<String>) -> FaultOutcome {
    over(Instant::now(), (false, reason.into()))
}

/// A fault that is over now.
pub(super) fn over(began: Instant, (effective, proof): (bool, String)) -> FaultOutcome {
    FaultOutcome { began, ended: Some(Instant::now()), effect: None, holds: Vec::new(), effective, proof }
}

/// A fault without effect, because its target has no container.
pub(super) fn no_container(fault: &FaultPlan) -> FaultOutcome {
    nothing(format!("there was no container of {}", fault.action.target()))
}

/// The effect of a fault on one container, with its proof.
pub(super) struct ContainerProof {
    pub unit: Arc<Replica>,
    /// True if the effect is proven.
    pub effective: bool,
    /// The proof, or why there is none.
    pub words: String,
}

/// Combines the proofs of all containers. If there are several, each has the name of its container.
pub(super) fn proof(all: &[ContainerProof]) -> (bool, String) {
    let several = all.len() > 1;
    let words = all.iter().map(|shown| {
        if several { format!("{}: {}", shown.unit.title(), shown.words) } else { shown.words.clone() }
    });
    (!all.is_empty() && all.iter().all(|shown| shown.effective), words.collect::<Vec<_>>().join("; "))
}

/// The proof of a fault with a length: it has no effect if it ended early with the run.
pub(super) fn lasting((effective, words): (bool, String), cut_short: Option<String>) -> (bool, String) {
    match cut_short {
        Some(short) => (false, format!("{words}; {short}")),
        None => (effective, words),
    }
}

/// Waits for the fault's length. Returns a sentence if the run ended first.
pub(super) async fn last(began: Instant, length: Duration, cancel: &CancellationToken) -> Option<String> {
    let whole = cancel::sleep(cancel, length.saturating_sub(began.elapsed())).await;
    (!whole).then(|| cut_short(began, length))
}

/// Waits until the next check whether something else undid the fault. Breaks when its length has passed, or
/// with a sentence if the run ended first.
pub(super) async fn last_until_look(
    began: Instant,
    length: Duration,
    cancel: &CancellationToken,
) -> ControlFlow<Option<String>> {
    let left = length.saturating_sub(began.elapsed());
    if left.is_zero() {
        return ControlFlow::Break(None);
    }
    if cancel::sleep(cancel, left.min(LOOK)).await {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(Some(cut_short(began, length)))
}

fn cut_short(began: Instant, length: Duration) -> String {
    let lasted = began.elapsed().min(length);
    format!("ended early with the run, after {} of {}", time(lasted), time(length))
}

/// The containers whose desired state is still the fault's.
pub(super) fn held<'a>(
    units: impl IntoIterator<Item = &'a Arc<Replica>>,
    made: DesiredState,
) -> Vec<(String, u32)> {
    let held = units.into_iter().filter(|unit| unit.wanted() == made);
    held.map(|unit| (unit.service.clone(), unit.replica)).collect()
}

/// The rest of a fault's timeout.
pub(super) fn left(fault: &FaultPlan, began: Instant) -> Duration {
    fault.timeout.saturating_sub(began.elapsed())
}

/// Checks that a container can be stopped or paused: it runs, and will still exist afterwards.
pub(super) async fn fit(shared: &ClusterState, unit: &Replica, heal: &str) -> Result<(String, Now), String> {
    let id = unit.id().ok_or("it has no container")?;
    let now = container::inspect(&shared.daemon, &id).await.map_err(|error| said(&error))?;
    let now = now.ok_or("its container is gone")?;
    if !now.running {
        return Err(format!("it was not running: it had ended with exit code {}", now.exit_code));
    }
    if now.paused {
        return Err("it was already paused".to_owned());
    }
    if unit.attached {
        if now.auto_remove && heal == "start" {
            return Err("kaf6 did not stop it, because it runs with --rm and Docker would remove it \
            as soon as it ends; start it without --rm"
                .to_owned());
        }
        attach::mark(shared, &id, heal).await.map_err(|error| error.to_string())?;
    }
    Ok((id, now))
}

/// A duration as in proofs.
pub(super) fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
