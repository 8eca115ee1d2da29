//! Why a scenario saw less than it was to see: the broker broke a promise, or time was missing.

use super::answer::{Answer, UnknownBecause};
use super::case::CheckedScenario;
use crate::ledger::Account;

impl CheckedScenario<'_> {
    /// Messages that this scenario sent or was to read, for which the broker broke its promise.
    pub(super) fn broken(&self) -> u64 {
        let own = |account: &Account| account.broken();
        let accounts = self.seen.accounts.iter().flat_map(|accounts| &accounts.scenarios);
        if self.sends() {
            return accounts.filter(|row| row.scenario == self.index).map(|row| own(&row.account)).sum();
        }
        let readings = self.readings();
        let rows = accounts.flat_map(|row| &row.partitions);
        let in_log: u64 =
            rows.filter(|row| readings.has(row.topic, row.partition)).map(|row| own(&row.account)).sum();
        in_log.max(readings.broken())
    }

    /// Less than expected was seen. That fails, except where time was missing and no promise was broken.
    pub(super) fn too_little(
        &self,
        expected: impl Into<String>,
        actual: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Answer {
        if self.broken() == 0
            && let Some(unknown) = self.want_of_time()
        {
            return Answer::inconclusive(expected, actual, &unknown).because(evidence);
        }
        Answer::fail(expected, actual, evidence)
    }

    /// Why not all was seen that this scenario was to see: it ended early, or read not all.
    pub(super) fn unseen(&self) -> Option<UnknownBecause> {
        self.ended_early().or_else(|| self.readings().missing(self))
    }

    /// Why more could have come: not all was seen, or a producer that it reads from ended early.
    fn want_of_time(&self) -> Option<UnknownBecause> {
        let of_producers = || {
            self.producers()
                .find_map(|(index, scenario)| CheckedScenario { index, scenario, ..*self }.ended_early())
        };
        self.unseen().or_else(of_producers)
    }
}
