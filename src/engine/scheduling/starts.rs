//! When a scenario or a fault starts: after another one's end, at a time, by a count; or never.
//!
//! What waits for something that never came is skipped, with the reason. Scenarios and faults have numbers in one
//! row: scenarios first, in the plan's order.

use std::time::Duration;

use crate::engine::context::run_context::{Lifecycle, RunContext};
use crate::metrics::{ClientMetrics, Counters};
use crate::plan::{Counter, Plan, Start, When};

/// How often a count is looked at while something waits for it.
const TICK: Duration = Duration::from_millis(1);

/// Waits until something may start.
///
/// # Errors
/// Why it never will.
pub(crate) async fn wait(shared: &RunContext, start: &Start) -> Result<(), String> {
    tokio::select! {
        biased;
        () = shared.stop.stopped() => Err("the run ended before it started".to_owned()),
        result = conditions(shared, start) => result,
    }
}

async fn conditions(shared: &RunContext, start: &Start) -> Result<(), String> {
    let mut from = shared.clock.zero();
    if let Some(after) = &start.after {
        let other = number(&shared.plan, after)
            .ok_or_else(|| format!("it waits for `{after}`, which is not in the file"))?;
        match shared.states[other].over().await {
            Lifecycle::Ended(at) => from = at,
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

async fn count(shared: &RunContext, when: &When) -> Result<(), String> {
    let scenarios = &shared.plan.scenarios;
    let other = scenarios
        .iter()
        .position(|s| s.name == when.scenario)
        .ok_or_else(|| format!("it waits for `{}`, which is not in the file", when.scenario))?;
    loop {
        let over = matches!(shared.states[other].get(), Lifecycle::Ended(_) | Lifecycle::Skipped);
        if value(shared.live.metrics(other), when.counter) >= when.at_least {
            return Ok(());
        }
        if over {
            return Err(format!(
                "it waits for {} of `{}`, which ended with fewer",
                when.at_least, when.scenario
            ));
        }
        tokio::time::sleep(TICK).await;
    }
}

fn value(metrics: &ClientMetrics, counter: Counter) -> u64 {
    Counters::get(match counter {
        Counter::Sent => &metrics.counters.sent,
        Counter::Acked => &metrics.counters.acked,
        Counter::Received => &metrics.counters.received,
    })
}

/// The number of a scenario or fault.
pub(crate) fn number(plan: &Plan, name: &str) -> Option<usize> {
    let scenario = plan.scenarios.iter().position(|s| s.name == name);
    scenario.or_else(|| Some(plan.scenarios.len() + plan.faults.iter().position(|f| f.name == name)?))
}
