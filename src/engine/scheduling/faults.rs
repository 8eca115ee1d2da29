//! Faults: injects each one when its start condition is met, ends it after its duration, and records its effect with
//! the proof.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::starts;
use crate::engine::context::outcome::unwind;
use crate::engine::context::run_context::RunContext;
use crate::observe::{FaultSeen, Note};

/// The faults of a run, in progress.
pub(crate) struct RunningFaults(JoinSet<(usize, Begun)>);

/// The ended faults of a run. Some may still keep containers down.
pub(crate) struct FaultsDone(Vec<Begun>);

/// A fault that has ended, or never started.
struct Begun {
    seen: FaultSeen,
    /// When it took effect, and the containers that it keeps down.
    holds: Option<(Instant, Vec<(String, u32)>)>,
}

/// Starts a task for each fault, which waits for its start condition.
pub(crate) fn start(context: &Arc<RunContext>) -> RunningFaults {
    let mut tasks = JoinSet::new();
    for number in 0..context.plan.faults.len() {
        tasks.spawn(run_fault(Arc::clone(context), number));
    }
    RunningFaults(tasks)
}

impl RunningFaults {
    /// Waits until all have ended. Returns them in the order of the plan.
    pub(crate) async fn done(mut self) -> FaultsDone {
        let mut all = Vec::new();
        while let Some(joined) = self.0.join_next().await {
            all.push(unwind(joined));
        }
        all.sort_by_key(|(number, _)| *number);
        FaultsDone(all.into_iter().map(|(_, begun)| begun).collect())
    }
}

impl FaultsDone {
    /// Returns the effect of each fault, after everything is healed. Faults that did not heal themselves lasted to the
    /// end of the run.
    pub(crate) fn over(self, context: &RunContext, run_end: Duration) -> Vec<FaultSeen> {
        let over = |Begun { mut seen, holds }: Begun| {
            if let (Some((since, held)), Some((began, _)), Some(cluster)) =
                (holds, seen.span, &context.cluster)
            {
                let let_run = cluster.let_run(&held, since);
                let end = let_run.map_or(run_end, |at| context.clock.at(at).min(run_end));
                seen.span = Some((began, end.max(began)));
                seen.effect = seen.effect.map(|(from, _)| (from, end.max(from)));
                for how in cluster.came_back(&held, since) {
                    seen.effective = false;
                    seen.proof = format!("{}; {how}", seen.proof);
                }
            }
            // The readiness of a container that was left down is not awaited after it runs again.
            let end = seen.span.map(|(_, end)| end);
            seen.settled = end.map(|end| seen.settled.map_or(end, |settled| settled.max(end)));
            seen
        };
        self.0.into_iter().map(over).collect()
    }
}

/// Notes data that was lost with containers that had no volumes: a broker that stores its data there lost it
/// because of the fault.
pub(crate) fn note_dropped(context: &RunContext, who: &str, dropped: &[String]) {
    if dropped.is_empty() {
        return;
    }
    context.notes.add(Note::hint(format!(
        "{who} removed the container of {}, which has no volume, so the data in it is gone; set \
        `volumes` for a service that keeps data",
        dropped.join(" and of ")
    )));
}

/// Runs one fault, including the wait for its start condition. The end of the last scenario ends it early.
async fn run_fault(context: Arc<RunContext>, number: usize) -> (usize, Begun) {
    let fault = &context.plan.faults[number];
    let state = &context.states[context.plan.scenarios.len() + number];
    let mut seen = FaultSeen::of(fault);
    let may_begin = tokio::select! {
        biased;
        may_begin = starts::wait(&context, &fault.start) => may_begin,
        () = context.stop.background_ends() => Err("all scenarios ended before its start".to_owned()),
    };
    let cluster = match (may_begin, &context.cluster) {
        (Ok(()), Some(cluster)) => cluster,
        (Ok(()), None) => {
            state.end(true);
            seen.proof = "it never started: there is no cluster".to_owned();
            return (number, Begun { seen, holds: None });
        }
        (Err(why), _) => {
            state.end(true);
            seen.proof = format!("it never started: {why}");
            return (number, Begun { seen, holds: None });
        }
    };
    state.start();
    context.live.say(format!("fault `{}` started: {} {}", seen.name, seen.kind, seen.target));
    let done = cluster.inject(fault, context.stop.background_ends()).await;
    let settled = context.clock.elapsed();
    let ended = done.ended.map_or(settled, |ended| context.clock.at(ended));
    seen.span = Some((context.clock.at(done.began), ended));
    let effect = |(from, until): (Instant, Option<Instant>)| {
        (context.clock.at(from), until.map_or(ended, |until| context.clock.at(until)))
    };
    seen.effect = done.effect.map(effect);
    seen.settled = Some(settled.max(ended));
    seen.effective = done.effective;
    seen.proof = done.proof;
    let service = fault.action.service();
    note_dropped(&context, &format!("fault `{}`", seen.name), &cluster.dropped(Some(service)));
    let holds = (done.ended.is_none() && !done.holds.is_empty()).then_some((done.began, done.holds));
    let how = match (seen.effective, &holds) {
        (true, Some(_)) => "is active",
        (true, None) => "is over",
        (false, Some(_)) => "is active, without proven effect",
        (false, None) => "is over, without proven effect",
    };
    context.live.say(format!("fault `{}` {how}: {}", seen.name, seen.proof));
    state.end(false);
    (number, Begun { seen, holds })
}
