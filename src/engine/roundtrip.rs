//! `roundtrip`: write one message, read it back, next; one producer and one reader, kept open for all of them.
//!
//! A producer and a reader like all others: each message is booked, each record goes into the ledger. A round trip's latency runs
//! from the send until it is acked and read.

mod trips;

use std::sync::Arc;

use super::outcome::{Outcome, cut, unwind};
use trips::Task;

use super::fatal::given_up;
use super::setup;
use super::shared::Shared;
use crate::observe::Ended;
use crate::plan::Work;

/// Runs one `roundtrip` scenario.
pub(super) async fn run(shared: &Arc<Shared>, index: usize) -> Outcome {
    let Work::Roundtrip(plan) = &shared.plan.scenarios[index].work else {
        return Outcome::failed("not a round trip");
    };
    let (topic, state) = match setup::topic(shared, &plan.topic).await {
        Ok(found) => found,
        Err(why) => return Outcome::failed(why),
    };
    if plan.partition >= state.partitions {
        return Outcome::failed(format!(
            "topic `{}` has {} partitions, but no partition {}",
            state.name, state.partitions, plan.partition
        ));
    }
    let deadline = shared.deadline(index);
    // Until its clients are connected, it waits for its first message.
    shared.live.metrics(index).waits(shared.clock.now_us());
    let tasks: Vec<_> = (0..plan.clients)
        .map(|client| {
            let task =
                Task { shared: Arc::clone(shared), index, client, topic, name: state.name.clone(), deadline };
            tokio::task::spawn_blocking(move || task.run())
        })
        .collect();
    let (mut compared, mut wrong, mut in_time) = (0, 0, true);
    let (mut failed, mut fatal) = (None, None);
    for task in tasks {
        match unwind(task.await) {
            Ok(done) => {
                compared += done.compared;
                wrong += done.wrong;
                in_time &= done.in_time;
                fatal = fatal.or(done.fatal);
            }
            Err(error) => failed = Some(error.to_string()),
        }
    }
    let outcome = match (failed, fatal) {
        (Some(error), _) => Outcome::failed(error),
        (None, Some(fatal)) => given_up(shared, index, &fatal),
        _ if shared.stop.is_stopped() => Outcome::of(cut(&shared.stop)),
        _ if !in_time => Outcome::of(Ended::Timeout).because(format!(
            "not all round trips finished within {}",
            crate::units::Duration::from(shared.plan.scenarios[index].timeout)
        )),
        _ => Outcome::of(Ended::Done),
    };
    Outcome { uuids: Some((compared, wrong)), ..outcome }
}
