//! `roundtrip`: writes one message, reads it back, and repeats, with one producer and one reader per client.
//!
//! They work as in other scenarios: each message is booked, and each record is added to the ledger. The latency of a
//! round trip is the time from sending until the message is both acked and read.

mod trips;

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::context::outcome::{ScenarioOutcome, cut, unwind};
use trips::RoundtripTask;

use crate::engine::context::run_context::RunContext;
use crate::engine::messages::fatal::given_up;
use crate::engine::scheduling::setup::Setup;
use crate::observe::{ScenarioEnd, TypeSeen};
use crate::plan::Work;

pub(crate) async fn run(context: &Arc<RunContext>, setup: &Setup, index: usize) -> ScenarioOutcome {
    let Work::Roundtrip(plan) = &context.plan.scenarios[index].work else {
        return ScenarioOutcome::failed("not a round trip");
    };
    let (topology, topic) = match setup.topic(&plan.topic).await {
        Ok(found) => found,
        Err(why) => return ScenarioOutcome::failed(why),
    };
    let state = &topology.topics[topic];
    if plan.partition >= state.partitions {
        return ScenarioOutcome::failed(format!(
            "topic `{}` has {} partitions, but no partition {}",
            state.name, state.partitions, plan.partition
        ));
    }
    let deadline = context.deadline(index);
    // The wait for the first message starts when its clients connect.
    context.live.metrics(index).waits(context.clock.now_us());
    let tasks: Vec<_> = (0..plan.clients)
        .map(|client| {
            let task = RoundtripTask {
                context: Arc::clone(context),
                index,
                client,
                topology: Arc::clone(&topology),
                topic,
                name: state.name.clone(),
                deadline,
            };
            tokio::task::spawn_blocking(move || task.run())
        })
        .collect();
    let (mut compared, mut wrong, mut in_time) = (0, 0, true);
    let (mut failed, mut fatal) = (None, None);
    let (mut sent, mut ends) = (HashMap::new(), Vec::new());
    for task in tasks {
        match unwind(task.await) {
            Ok(done) => {
                compared += done.compared;
                wrong += done.wrong;
                in_time &= done.in_time;
                fatal = fatal.or(done.fatal);
                sent.extend(done.sent);
                ends.extend(done.read);
            }
            Err(error) => failed = Some(error.to_string()),
        }
    }
    let outcome = match (failed, fatal) {
        (Some(error), _) => ScenarioOutcome::failed(error),
        (None, Some(fatal)) => given_up(context, index, &fatal),
        _ if context.stop.is_stopped() => ScenarioOutcome::of(cut(&context.stop)),
        _ if !in_time => ScenarioOutcome::of(ScenarioEnd::Timeout).because(format!(
            "not all round trips finished within {}",
            crate::units::Duration::from(context.plan.scenarios[index].timeout)
        )),
        _ => ScenarioOutcome::of(ScenarioEnd::Done),
    };
    let of_type = TypeSeen { uuids: Some((compared, wrong)), ..TypeSeen::default() };
    ScenarioOutcome { of_type, sent, ends, ..outcome }
}
