//! The faults, containers and metadata changes of a summary, with the effect of each fault on clients.

use std::time::Duration;

use indexmap::IndexMap;

use super::anomalies;
use crate::checks;
use crate::observe::{ContainerSeen, FaultSeen, Observations, ScenarioSeen};
use crate::plan::Plan;
use crate::report::format::whole_ms as ms;
use crate::report::summary::{
    ContainerSummary, FaultSummary, FileSummary, MetadataChangeSummary, WatchSummary, WatchedBrokerSummary,
};

/// The faults, ordered by start. Faults that never started are last.
pub(super) fn faults(plan: &Plan, seen: &Observations) -> Vec<FaultSummary> {
    let lost = anomalies::lost(seen);
    let effective = seen.faults.iter().filter(|fault| fault.effective).count();
    let mut all: Vec<FaultSummary> = seen
        .faults
        .iter()
        .map(|fault| FaultSummary {
            lost: lost.filter(|_| fault.effective && effective == 1),
            ..of(plan, seen, fault)
        })
        .collect();
    // Faults of the plan that never started.
    for fault in &plan.faults {
        if !all.iter().any(|known| known.name == fault.name) {
            all.push(FaultSummary {
                name: fault.name.clone(),
                kind: fault.action.kind().to_string(),
                target: fault.action.target(),
                proof: "it never started".to_owned(),
                ..FaultSummary::default()
            });
        }
    }
    all.sort_by_key(|fault| fault.started_ms.unwrap_or(u64::MAX));
    all
}

fn of(plan: &Plan, seen: &Observations, fault: &FaultSeen) -> FaultSummary {
    let summary = FaultSummary {
        name: fault.name.clone(),
        kind: fault.kind.to_string(),
        target: fault.target.clone(),
        effective: fault.effective,
        proof: fault.proof.clone(),
        ..FaultSummary::default()
    };
    let Some((start, end)) = fault.span else { return summary };
    let sends = |s: &ScenarioSeen| s.kind.writes();
    let reads = |s: &ScenarioSeen| s.kind.reads();
    let first = |of: &dyn Fn(&ScenarioSeen) -> bool| {
        let scenarios = seen.scenarios.iter().filter(|s| of(s));
        let first = scenarios.filter_map(|s| s.counts.gaps.first_after(end)).min();
        first.map(|at| ms(at.saturating_sub(end)))
    };
    let gaps =
        seen.scenarios.iter().enumerate().filter(|(_, s)| sends(s) || reads(s)).filter_map(|(at, s)| {
            let tail = checks::stall_at_end(plan, seen, at);
            // A fault of zero length must still be able to overlap a gap.
            let end = end.max(start + Duration::from_micros(1));
            s.counts.gaps.longest_within(start, end, tail)
        });
    FaultSummary {
        started_ms: Some(ms(start)),
        ended_ms: Some(ms(end)),
        first_ack_ms: first(&sends),
        first_read_ms: first(&reads),
        longest_gap_ms: gaps.map(|(from, to)| to - from).max().map(ms),
        ..summary
    }
}

/// The containers. Their last lines are included only if something went wrong.
pub(super) fn containers(seen: &Observations, with_lines: bool) -> Vec<ContainerSummary> {
    let of = |container: &ContainerSeen| ContainerSummary {
        service: container.service.clone(),
        replica: container.replica,
        image: container.image.clone(),
        container: container.container.clone(),
        ready_ms: container.ready.map(ms),
        log: container.log.clone(),
        last_lines: if with_lines { container.last_lines.clone() } else { Vec::new() },
    };
    seen.containers.iter().map(of).collect()
}

/// The log files of the containers, once each.
pub(super) fn logs(seen: &Observations) -> Vec<FileSummary> {
    let mut files: Vec<FileSummary> = Vec::new();
    for container in &seen.containers {
        let Some(path) = &container.log else { continue };
        if files.iter().all(|file| file.path != *path) {
            let about = format!("log of `{}`, replica {}", container.service, container.replica);
            files.push(FileSummary { path: path.clone(), about });
        }
    }
    files
}

/// Metadata changes, over all `watch` scenarios.
pub(super) fn changes(seen: &Observations) -> Vec<MetadataChangeSummary> {
    let watches = seen.scenarios.iter().filter_map(|s| Some((s, s.of_type.watch.as_ref()?)));
    let mut all: Vec<MetadataChangeSummary> = watches
        .flat_map(|(scenario, watch)| {
            watch.changes.iter().map(|change| MetadataChangeSummary {
                at_ms: ms(change.at),
                scenario: scenario.name.clone(),
                broker: change.broker.clone(),
                aspect: change.aspect.name().to_owned(),
                topic: change.topic.clone(),
                partition: change.partition,
                before: change.before.clone(),
                after: change.after.clone(),
            })
        })
        .collect();
    all.sort_by_key(|change| change.at_ms);
    all
}

/// The brokers that each `watch` scenario queried.
pub(super) fn watch(seen: &Observations) -> IndexMap<String, WatchSummary> {
    let watches = seen.scenarios.iter().filter_map(|s| Some((s, s.of_type.watch.as_ref()?)));
    watches
        .map(|(scenario, watch)| {
            let brokers = watch.brokers.iter().map(|broker| WatchedBrokerSummary {
                broker: broker.broker.clone(),
                asked: broker.asked,
                answered: broker.answered,
                first_ms: broker.first.map(ms),
                last_ms: broker.last.map(ms),
                error: broker.last_error.clone(),
            });
            let summary = WatchSummary { brokers: brokers.collect(), more_changes: watch.more_changes };
            (scenario.name.clone(), summary)
        })
        .collect()
}
