//! Links to the docs page that explains each finding and what to do about it.
//!
//! Defines the page's address, and which classes of the account have a section there. Every anomaly has one.

use super::summary::{AccountsSummary, CheckOutcome, CheckRow, Summary};
use super::words::{all_of, anomalies_of, is_suspect};
use crate::anomaly::Anomaly;
use crate::ledger::Account;
use crate::plan::CheckKind;
use crate::record::account::{UNACKED, UNJUDGED, count_of};

/// The web address of `docs/findings.md`.
pub const PAGE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/findings.md");

/// The section of an anomaly or a class, by name.
pub fn link(name: &str) -> String {
    format!("{PAGE}#{name}")
}

/// The classes that keep an account open: broken promises, messages for which kaf6 cannot tell, and unacked
/// messages.
pub fn classes() -> impl Iterator<Item = &'static str> {
    Account::BROKEN.iter().map(|(name, _)| *name).chain(UNJUDGED).chain(UNACKED)
}

/// The findings of an account: the classes above that have messages. Permitted messages are not a finding.
pub fn of_account(account: &Account) -> impl Iterator<Item = &'static str> {
    let is_open = |name: &&str| !UNACKED.contains(name) || account.unacked() > 0;
    classes().filter(|name| count_of(account, name) > 0).filter(is_open)
}

/// The findings of a run. A lost or unread end marker counts as a message.
pub fn of_run(accounts: &AccountsSummary) -> Vec<&'static str> {
    let mut total = accounts.total.to_account();
    let markers = accounts.markers;
    total.lost = total.lost.saturating_add(markers.lost);
    total.unread = total.unread.saturating_add(markers.unread);
    of_account(&total).collect()
}

/// The findings that kept a check from passing: anomalies, and for `all_acked` classes of its scenario.
pub fn of_check(run: &Summary, row: &CheckRow) -> Vec<&'static str> {
    if row.result == CheckOutcome::Pass {
        return Vec::new();
    }
    let found = |anomaly: &Anomaly| {
        is_suspect(*anomaly) && run.anomalies.get(anomaly.name()).is_some_and(|found| all_of(found) > 0)
    };
    let anomalies = anomalies_of(row).into_iter().filter(found).map(Anomaly::name);
    anomalies.chain(unacked(run, row)).collect()
}

/// The findings of `all_acked`. Empty for other checks.
pub fn unacked(run: &Summary, row: &CheckRow) -> Vec<&'static str> {
    let scenario = row.scenario.as_ref().filter(|_| row.check_kind() == Some(CheckKind::AllAcked));
    let account = scenario.and_then(|name| run.accounts.as_ref()?.scenarios.get(name));
    let account = account.map(|it| it.account.to_account()).unwrap_or_default();
    of_account(&account).filter(|name| UNACKED.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_permits_is_no_finding() {
        let mut account = Account { planned: 10, failed: 2, permitted: 2, ..Account::default() };
        assert_eq!(of_account(&account).count(), 0);
        account.lost = 1;
        account.failed = 3;
        assert_eq!(of_account(&account).collect::<Vec<_>>(), ["lost", "failed"]);
    }

    #[test]
    fn a_lost_end_marker_is_a_lost_message() {
        let mut accounts = AccountsSummary::default();
        accounts.markers.lost = 1;
        assert_eq!(of_run(&accounts), ["lost"]);
    }
}
