//! The account of a run: what each scenario planned, and the class of each message in each partition.

use std::collections::BTreeMap;

use crate::checks;
use crate::engine::context::run_context::RunContext;
use crate::ids::Partition;
use crate::ledger::{Account, Accounts, Judged, Markers, PartitionAccount, ScenarioAccount};
use crate::metrics::Counters;
use crate::observe::Note;
use crate::plan::{ProducePlan, Work};
use crate::units::thousands;

/// Adds the accounts of all partitions; `None` if nothing in the file sends.
pub(crate) fn accounts(
    context: &RunContext,
    judged: &BTreeMap<(usize, Partition), Judged>,
    markers: u64,
) -> Option<Accounts> {
    let mut out = Accounts::default();
    for (scenario, plan) in context.plan.scenarios.iter().enumerate() {
        if !matches!(plan.work, Work::Produce(_) | Work::Roundtrip(_)) {
            continue;
        }
        let mut account = Account::default();
        let mut partitions = Vec::new();
        for ((topic, partition), judged) in judged {
            let Some(own) = judged.accounts.get(&scenario).filter(|own| own.sent > 0) else { continue };
            account.add(own);
            partitions.push(PartitionAccount { topic: *topic, partition: *partition, account: *own });
        }
        // The clients count this when they send, independently of the ledger. For round trips, this excludes warm-ups.
        let handed_over = match &plan.work {
            Work::Roundtrip(_) => account.sent,
            _ => Counters::get(&context.live.metrics(scenario).counters.sent),
        };
        account.planned = planned(context, scenario, handed_over);
        account.unsent = account.planned.saturating_sub(handed_over);
        account.permitted = match context.saved {
            // The run that sent them has judged whether they may fail.
            Some(_) => account.failed + account.unknown,
            None => checks::permitted(&context.plan, scenario, &account),
        };
        out.total.add(&account);
        out.scenarios.push(ScenarioAccount { scenario, account, partitions });
    }
    if out.scenarios.is_empty() {
        return None;
    }
    let lost = judged.values().map(|judged| judged.lost_markers).sum();
    let unread = judged.values().map(|judged| judged.unread_markers).sum();
    out.markers = Markers { acked: markers, lost, unread };
    Some(out)
}

/// The number of messages that are passed to the client if nothing fails.
fn planned(context: &RunContext, scenario: usize, handed_over: u64) -> u64 {
    match &context.plan.scenarios[scenario].work {
        // For a saved ledger, only what the earlier run sent is judged.
        _ if context.saved.is_some() => handed_over,
        Work::Produce(plan) => planned_total(plan).unwrap_or(handed_over).max(handed_over),
        Work::Roundtrip(plan) => plan.warmup + plan.iterations,
        _ => 0,
    }
}

/// The number of messages that a producer's file makes due; `None` if it depends on the broker's speed.
fn planned_total(plan: &ProducePlan) -> Option<u64> {
    match (&plan.schedule, plan.duration) {
        (None, None) => plan.messages,
        (None, Some(_)) => None,
        (Some(schedule), duration) => {
            let most = match (schedule.total(), plan.messages) {
                (Some(a), Some(b)) => a.min(b),
                (a, b) => a.or(b)?,
            };
            let Some(duration) = duration else { return Some(most) };
            // Search for the first message that is due too late.
            let (mut low, mut high) = (0, most);
            while low < high {
                let middle = low + (high - low) / 2;
                if schedule.due(middle).is_some_and(|due| due < duration) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            Some(low)
        }
    }
}

/// Notes for each scenario with `acks: 0` how many of its messages were found.
pub(crate) fn note_unconfirmed(context: &RunContext, accounts: Option<&Accounts>) {
    for of in accounts.into_iter().flat_map(|accounts| &accounts.scenarios) {
        let scenario = &context.plan.scenarios[of.scenario];
        let Account { sent, failed, found, absent, unchecked, .. } = of.account;
        if scenario.work.is_acked() || sent == 0 {
            continue;
        }
        let rest = [(absent, "not found"), (unchecked, "not checked"), (failed, "failed in the client")];
        let rest: String = rest
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!(", {} {what}", thousands(*count)))
            .collect();
        context.notes.add(Note::hint(format!(
            "`{}`: brokers do not confirm messages with `acks: 0`; of {} sent, {} were found{rest}",
            scenario.name,
            thousands(sent),
            thousands(found)
        )));
    }
}
