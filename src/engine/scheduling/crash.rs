//! Containers that exit unexpectedly: the run can no longer work, so it ends soon.
//!
//! Determines how soon. The `docker` module explains why each container exited.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::context::run_context::RunContext;
use crate::observe::{EarlyEnd, Note};

const EVERY: Duration = Duration::from_secs(1);
/// Time for pending acks, reads and further crashes after a container has exited.
const GRACE: Duration = Duration::from_secs(5);

/// Watches until the last scenario has ended; returns immediately if the run has no containers. Must not be
/// canceled halfway, because each container is reported only once.
///
/// Returns a sentence for each container that has exited.
pub(crate) async fn watch(context: Arc<RunContext>) -> Vec<String> {
    let Some(cluster) = &context.cluster else { return Vec::new() };
    while goes_on(&context, EVERY).await {
        let crashed = cluster.crashed().await;
        if !crashed.is_empty() {
            tell(&context, &crashed);
            if goes_on(&context, GRACE).await {
                context.stop.stop(EarlyEnd::Crash);
            }
            return crashed;
        }
    }
    Vec::new()
}

/// Waits. Returns false if the last scenario ended in the meantime.
async fn goes_on(context: &RunContext, time: Duration) -> bool {
    tokio::select! {
        biased;
        () = context.stop.background_ends() => false,
        () = tokio::time::sleep(time) => true,
    }
}

/// After the last scenario: reports further containers that have exited. Crashed brokers are no
/// longer used, not even by an audit. Returns all that have exited, including those that [`watch`] found.
pub(crate) async fn last_look(context: &RunContext, mut crashed: Vec<String>) -> Vec<String> {
    let Some(cluster) = &context.cluster else { return crashed };
    let more = cluster.crashed().await;
    tell(context, &more);
    crashed.extend(more);
    if !crashed.is_empty() {
        context.stop.stop(EarlyEnd::Crash);
    }
    // Attached containers may be restarted by their owner, so the run continues with its verdict.
    let more = cluster.unexpected().await;
    tell(context, &more);
    crashed.extend(more);
    crashed
}

fn tell(context: &RunContext, crashed: &[String]) {
    for text in crashed {
        context.live.say(text.clone());
        context.notes.add(Note::error(text.clone()));
    }
}
