//! Start conditions of scenarios and faults: after the end of another one, at a time, or at a count.
//!
//! If the condition is never met, the scenario is skipped, with the reason. Scenarios and faults share one
//! numbering: scenarios first, in the order of the plan.

use std::time::Duration;

use crate::engine::context::lifecycle::Lifecycle;
use crate::engine::context::run_context::RunContext;
use crate::metrics::{ClientMetrics, Counters};
use crate::plan::{Counter, Plan, Start, When};
use crate::units::thousands;

/// How often a count is checked while something waits for it.
const TICK: Duration = Duration::from_millis(1);

/// Waits until a start condition is met.
///
/// # Errors
///
/// The reason why it will never be met.
pub(crate) async fn wait(context: &RunContext, start: &Start) -> Result<(), String> {
    tokio::select! {
        biased;
        () = context.stop.stopped() => Err("the run ended before it started".to_owned()),
        result = conditions(context, start) => result,
    }
}

async fn conditions(context: &RunContext, start: &Start) -> Result<(), String> {
    let mut from = context.clock.zero();
    if let Some(after) = &start.after {
        let other = number(&context.plan, after)
            .ok_or_else(|| format!("it waits for `{after}`, which is not in the file"))?;
        match context.states[other].over().await {
            Lifecycle::Ended(at) => from = at,
            _ => return Err(format!("it waits for `{after}`, which never started")),
        }
    }
    if !start.at.is_zero() {
        tokio::time::sleep_until((from + start.at).into()).await;
    }
    if let Some(when) = &start.when {
        count(context, when).await?;
    }
    Ok(())
}

async fn count(context: &RunContext, when: &When) -> Result<(), String> {
    let scenarios = &context.plan.scenarios;
    let other = scenarios
        .iter()
        .position(|s| s.name == when.scenario)
        .ok_or_else(|| format!("it waits for `{}`, which is not in the file", when.scenario))?;
    loop {
        let over = matches!(context.states[other].get(), Lifecycle::Ended(_) | Lifecycle::Skipped);
        if value(context.live.metrics(other), when.counter) >= when.at_least {
            return Ok(());
        }
        if over {
            return Err(format!(
                "it waits for {} messages of `{}`, which ended with fewer",
                thousands(when.at_least),
                when.scenario
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
