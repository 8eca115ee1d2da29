//! Containers that exit unexpectedly: the run can no longer work, so it ends soon.
//!
//! Determines how soon. The `docker` module explains why each container exited.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::context::run_context::RunContext;
use crate::engine::context::stop::StopReason;
use crate::observe::Note;

const EVERY: Duration = Duration::from_secs(1);
/// Time for pending acks, reads and further crashes after a container has exited.
const GRACE: Duration = Duration::from_secs(5);

/// Watches until the last scenario has ended. Returns immediately if the run has no containers. Must not be canceled,
/// because each container is reported only once.
pub(crate) async fn watch(shared: Arc<RunContext>) {
    let Some(cluster) = shared.cluster.clone() else { return };
    while goes_on(&shared, EVERY).await {
        let crashed = cluster.crashed().await;
        if !crashed.is_empty() {
            tell(&shared, crashed);
            if goes_on(&shared, GRACE).await {
                shared.stop.stop(StopReason::Crash);
            }
            return;
        }
    }
}

/// Waits. Returns false if the last scenario ended in the meantime.
async fn goes_on(shared: &RunContext, time: Duration) -> bool {
    tokio::select! {
        biased;
        () = shared.stop.background_ends() => false,
        () = tokio::time::sleep(time) => true,
    }
}

/// After the last scenario: reports further containers that have exited. Crashed brokers are no longer used, not even
/// by an audit.
pub(crate) async fn last_look(shared: &RunContext) {
    let Some(cluster) = &shared.cluster else { return };
    tell(shared, cluster.crashed().await);
    if !shared.crashed().is_empty() {
        shared.stop.stop(StopReason::Crash);
    }
    // Attached containers may be restarted by their owner, so the run continues with its verdict.
    tell(shared, cluster.unexpected().await);
}

fn tell(shared: &RunContext, crashed: Vec<String>) {
    for text in crashed {
        shared.live.say(text.clone());
        shared.note(Note::error(text.clone()));
        shared.hand_in_crash(text);
    }
}
