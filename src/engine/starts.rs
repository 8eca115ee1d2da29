//! When a scenario starts: after another one's end, at a time, by a count; or never.
//!
//! What waits for something that never came is skipped, with the reason.

use std::time::Duration;

use super::shared::{Shared, Stand};
use crate::metrics::{Counters, Metrics};
use crate::plan::{Counter, When};

/// How often a count is looked at while something waits for it.
const TICK: Duration = Duration::from_millis(1);

/// Waits until a scenario may start.
///
/// # Errors
/// Why it never will.
pub(super) async fn wait(shared: &Shared, index: usize) -> Result<(), String> {
    tokio::select! {
        biased;
        () = shared.stop.stopped() => Err("the run ended before it started".to_owned()),
        result = conditions(shared, index) => result,
    }
}

async fn conditions(shared: &Shared, index: usize) -> Result<(), String> {
    let start = &shared.plan.scenarios[index].start;
    let mut from = shared.clock.zero();
    if let Some(after) = &start.after {
        let other = number(shared, after)?;
        match shared.states[other].over().await {
            Stand::Ended(at) => from = at,
            _ => return Err(format!("it waits for `{after}`, which never started")),
        }
    }
    if !start.at.is_zero() {
        tokio::time::sleep_until((from + start.at).into()).await;
    }
    if let Some(when) = &start.when {
        count(shared, when).await?;
    }
    Ok(())
}

async fn count(shared: &Shared, when: &When) -> Result<(), String> {
    let other = number(shared, &when.scenario)?;
    loop {
        let over = matches!(shared.states[other].get(), Stand::Ended(_) | Stand::Skipped);
        if value(shared.live.metrics(other), when.counter) >= when.at_least {
            return Ok(());
        }
        if over {
            return Err(format!("it waits for {} of `{}`, which ended before", when.at_least, when.scenario));
        }
        tokio::time::sleep(TICK).await;
    }
}

fn value(metrics: &Metrics, counter: Counter) -> u64 {
    Counters::get(match counter {
        Counter::Sent => &metrics.counters.sent,
        Counter::Acked => &metrics.counters.acked,
        Counter::Received => &metrics.counters.received,
    })
}

fn number(shared: &Shared, name: &str) -> Result<usize, String> {
    shared
        .plan
        .scenarios
        .iter()
        .position(|s| s.name == *name)
        .ok_or_else(|| format!("it waits for `{name}`, which is not in the file"))
}
