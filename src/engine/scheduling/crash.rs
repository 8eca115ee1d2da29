//! Containers that end by themselves: what they were needed for does not come any more, so the run ends soon.
//!
//! Owns how soon; how each ended is told by the containers' module.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::context::run_context::RunContext;
use crate::engine::context::stop::StopReason;
use crate::observe::Note;

const EVERY: Duration = Duration::from_secs(1);
/// For what is under way when a container is found to have ended: acks, reads, and others that fall with it.
const GRACE: Duration = Duration::from_secs(5);

/// Watches until the last scenario has ended; returns at once where the run has no containers. Not to be given up halfway:
/// a container is told once.
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

/// Waits; false where the last scenario ended meanwhile.
async fn goes_on(shared: &RunContext, time: Duration) -> bool {
    tokio::select! {
        biased;
        () = shared.stop.background_ends() => false,
        () = tokio::time::sleep(time) => true,
    }
}

/// After the last scenario: others that ended meanwhile. What crashed is not asked any more, least of all by an audit.
pub(crate) async fn last_look(shared: &RunContext) {
    let Some(cluster) = &shared.cluster else { return };
    tell(shared, cluster.crashed().await);
    if !shared.crashed().is_empty() {
        shared.stop.stop(StopReason::Crash);
    }
    // Those that are attached: perhaps somebody starts them again, and what can be judged is judged.
    tell(shared, cluster.unexpected().await);
}

fn tell(shared: &RunContext, crashed: Vec<String>) {
    for text in crashed {
        shared.live.say(text.clone());
        shared.note(Note::error(text.clone()));
        shared.hand_in_crash(text);
    }
}
