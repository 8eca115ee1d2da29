//! How many messages of a scenario may stay unacked, according to the `all_acked` checks of the file.

use super::all_acked::allowed;
use crate::checks::targets_of;
use crate::ledger::Account;
use crate::plan::{CheckSettings, Plan};

/// The shares of a scenario's planned messages that may fail and that may stay unknown. If several
/// `all_acked` checks run against it, the largest shares count. Without any, both are 0.
pub fn allowance(plan: &Plan, scenario: usize) -> (f64, f64) {
    let allows = plan.checks.iter().filter_map(|check| match &check.ask {
        CheckSettings::AllAcked { allow } if targets_of(plan, check).contains(&scenario) => Some(*allow),
        _ => None,
    });
    allows.fold((0.0, 0.0), |(failed, unknown), allow| (allow.failed.max(failed), allow.unknown.max(unknown)))
}

/// How many failed and unknown messages of a scenario's account the file permits. With `acks: 0`, no broker
/// acks the messages, so all of them are permitted. Otherwise [`allowance`] gives the limits.
pub fn permitted(plan: &Plan, scenario: usize, account: &Account) -> u64 {
    if !plan.scenarios.get(scenario).is_some_and(|it| it.work.is_acked()) {
        return account.failed + account.unknown;
    }
    let (failed, unknown) = allowance(plan, scenario);
    account.failed.min(allowed(account.planned, failed))
        + account.unknown.min(allowed(account.planned, unknown))
}
