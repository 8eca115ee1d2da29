//! Faults: each begins when its time has come, lasts, and is healed; what it did is written down with its proof.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::outcome::unwind;
use super::shared::Shared;
use super::starts;
use crate::observe::{FaultSeen, Note};

/// The faults of a run, on their way.
pub(super) struct Faults(JoinSet<(usize, FaultSeen)>);

/// Sets all faults to wait for their time.
pub(super) fn start(shared: &Arc<Shared>) -> Faults {
    let mut tasks = JoinSet::new();
    for number in 0..shared.plan.faults.len() {
        tasks.spawn(one(Arc::clone(shared), number));
    }
    Faults(tasks)
}

impl Faults {
    /// Waits until all are over, and says what each did, in the plan's order.
    pub(super) async fn over(mut self) -> Vec<FaultSeen> {
        let mut seen = Vec::new();
        while let Some(joined) = self.0.join_next().await {
            seen.push(unwind(joined));
        }
        seen.sort_by_key(|(number, _)| *number);
        seen.into_iter().map(|(_, fault)| fault).collect()
    }
}

/// What was lost with containers that had no volumes: a broker that keeps its data there has lost them by the fault, and not
/// by itself.
pub(super) fn note_dropped(shared: &Shared, who: &str, dropped: &[String]) {
    if dropped.is_empty() {
        return;
    }
    shared.note(Note::hint(format!(
        "{who} removed the container of {}, which has no volume: what it had written into itself is gone; a service that keeps its data there needs `volumes`",
        dropped.join(" and of ")
    )));
}

/// One fault, from waiting to its end. The end of the last scenario ends it early.
async fn one(shared: Arc<Shared>, number: usize) -> (usize, FaultSeen) {
    let fault = &shared.plan.faults[number];
    let state = &shared.states[shared.plan.scenarios.len() + number];
    let mut seen = FaultSeen {
        name: fault.name.clone(),
        kind: fault.action.kind(),
        target: fault.action.target(),
        ..FaultSeen::default()
    };
    let may_begin = tokio::select! {
        biased;
        may_begin = starts::wait(&shared, &fault.start) => may_begin,
        () = shared.stop.background_ends() => Err("all scenarios had ended before it was to begin".to_owned()),
    };
    let cluster = match (may_begin, &shared.cluster) {
        (Ok(()), Some(cluster)) => cluster,
        (Ok(()), None) => {
            state.end(true);
            seen.proof = "it never began: there is no cluster".to_owned();
            return (number, seen);
        }
        (Err(why), _) => {
            state.end(true);
            seen.proof = format!("it never began: {why}");
            return (number, seen);
        }
    };
    state.start();
    shared.live.say(format!("fault `{}` begins: {} {}", seen.name, seen.kind, seen.target));
    let done = cluster.inflict(fault, shared.stop.background_ends()).await;
    let ended = done.ended.unwrap_or_else(Instant::now);
    seen.span = Some((shared.clock.at(done.began), shared.clock.at(ended)));
    seen.effective = done.effective;
    seen.proof = done.proof;
    let service = fault.action.service();
    note_dropped(&shared, &format!("fault `{}`", seen.name), &cluster.dropped(Some(service)));
    let how = if seen.effective { "" } else { ", without effect" };
    shared.live.say(format!("fault `{}` is over{how}: {}", seen.name, seen.proof));
    state.end(false);
    (number, seen)
}
