//! Why a scenario observed less than expected: a broker broke a promise, or the scenario had too little
//! time.

use super::answer::{Answer, UnknownBecause};
use super::case::CheckedScenario;
use crate::ledger::Account;

impl CheckedScenario<'_> {
    /// Number of messages that this scenario sent or had to read, for which a broker broke a promise.
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

    /// Less than expected was observed. The answer fails, unless time was missing and no promise was
    /// broken.
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

    /// Why the scenario did not observe everything: it ended early, or did not read everything.
    pub(super) fn unseen(&self) -> Option<UnknownBecause> {
        self.ended_early().or_else(|| self.readings().missing(self))
    }

    /// Why more could have followed: something was not observed, one of its producers ended early, or kaf6 itself
    /// made no progress.
    fn want_of_time(&self) -> Option<UnknownBecause> {
        let of_producers = || {
            self.producers()
                .find_map(|(index, scenario)| CheckedScenario { index, scenario, ..*self }.ended_early())
        };
        self.unseen().or_else(of_producers).or_else(|| self.missing_by_stalls())
    }
}
