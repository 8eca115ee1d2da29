//! When each scenario and fault can be running. This follows from starts and timeouts.

use std::time::Duration;

use indexmap::IndexMap;

use super::{Plan, Start};

/// When a scenario or fault can be running, from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// It does not start earlier.
    pub earliest: Duration,
    /// It starts by then, if it starts at all.
    pub latest: Duration,
    /// It has ended by then.
    pub end: Duration,
}

/// The windows of a plan's scenarios, in order, followed by those of its faults.
pub fn of_plan(plan: &Plan) -> Vec<Window> {
    let scenarios = plan.scenarios.iter().map(|it| (it.name.as_str(), &it.start, it.timeout));
    let faults = plan.faults.iter().map(|it| (it.name.as_str(), &it.start, it.timeout));
    let all: Vec<_> = scenarios.chain(faults).collect();
    let known = settle(&all);
    all.iter().map(|(name, _, _)| known.get(name).copied().unwrap_or_default()).collect()
}

/// Earliest and latest start, from the windows of the items that it waits for. `None` if one of these is
/// still unknown.
pub(super) fn start_of(
    start: &Start,
    of: &mut dyn FnMut(&str) -> Option<Window>,
) -> Option<(Duration, Duration)> {
    let (mut earliest, mut latest) = (Duration::ZERO, Duration::ZERO);
    for before in start.waits_for() {
        let window = of(before)?;
        earliest = earliest.max(window.earliest);
        latest = latest.max(window.end);
    }
    Some((earliest.saturating_add(start.at), latest.saturating_add(start.at)))
}

/// The windows of all items whose timeouts are known.
pub(super) fn settle<'a>(all: &[(&'a str, &Start, Duration)]) -> IndexMap<&'a str, Window> {
    let mut known: IndexMap<&str, Window> = IndexMap::new();
    // There are no cycles, so each pass settles at least one more item.
    for _ in 0..all.len() {
        for (name, start, timeout) in all {
            if known.contains_key(name) {
                continue;
            }
            if let Some((earliest, latest)) = start_of(start, &mut |before| known.get(before).copied()) {
                known.insert(name, Window { earliest, latest, end: latest.saturating_add(*timeout) });
            }
        }
        if known.len() == all.len() {
            break;
        }
    }
    known
}
