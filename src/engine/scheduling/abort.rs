//! Checks with `abort`: evaluated each second on the observations so far. The first one that fails ends the
//! run.

use std::sync::Arc;
use std::time::Duration;

use crate::checks;
use crate::engine::context::lifecycle::Lifecycle;
use crate::engine::context::run_context::RunContext;
use crate::observe::{EarlyEnd, Note};
use crate::plan::CheckSettings;

/// Runs until the end of the run; returns immediately if no check has `abort`.
pub(crate) async fn watch(context: Arc<RunContext>) {
    if !context.plan.checks.iter().any(|c| matches!(c.ask, CheckSettings::Threshold { abort: true, .. })) {
        return;
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.tick().await;
    while !context.stop.is_stopped() {
        tick.tick().await;
        let live = |index: usize| {
            (context.states[index].get() != Lifecycle::Waiting)
                .then(|| context.live.metrics(index).snapshot())
        };
        let own = || {
            let elapsed = context.clock.elapsed();
            (elapsed, context.own_stalls.until(elapsed))
        };
        if let Some(check) = checks::to_abort(&context.plan, live, own) {
            context.notes.add(Note::warning(format!(
                "check `{}` failed and aborted the run (abort: true)",
                check.name
            )));
            context.stop.stop(EarlyEnd::Abort(check.name.clone()));
        }
    }
}
