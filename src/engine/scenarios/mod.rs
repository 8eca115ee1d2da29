//! The scenario types, one module each, and the call that runs a scenario.

pub(crate) mod connect;
pub(crate) mod consume;
pub(crate) mod metrics;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod roundtrip;
pub(crate) mod watch;

use std::sync::Arc;

use crate::engine::context::outcome::ScenarioOutcome;
use crate::engine::context::run_context::RunContext;
use crate::engine::messages::end_marker::EndMarkers;
use crate::engine::scheduling::setup::Setup;
use crate::plan::Work;

/// Runs the scenario with this index.
pub(crate) async fn run(
    context: &Arc<RunContext>,
    setup: &Setup,
    index: usize,
    end_markers: &EndMarkers,
) -> ScenarioOutcome {
    match &context.plan.scenarios[index].work {
        Work::Connect(work) => connect::run(context, setup, index, work).await,
        Work::Metrics(work) => metrics::run(context, index, work).await,
        Work::Produce(_) => produce::run(context, setup, index).await,
        Work::Consume(work) => consume::run(context, setup, index, work, end_markers).await,
        Work::Roundtrip(_) => roundtrip::run(context, setup, index).await,
        Work::Watch(work) => watch::run(context, index, work).await,
        Work::Offsets(work) => offsets::run(context, index, work).await,
    }
}
