//! The account: puts each planned message into exactly one class, with sums that must add up.
//!
//! Each class is counted from observations, and no count is a remainder. [`Account::check`] compares the sums.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Partition;

macro_rules! named {
    ($($class:ident),* $(,)?) => { [$((stringify!($class), |account| account.$class)),*] };
}

/// A class: its name, and how to read it from an account.
pub type Named = (&'static str, fn(&Account) -> u64);

/// Defines [`Account`] with a count for each class and for each part of a class.
macro_rules! account {
    (
        classes: { $($(#[$about:meta])* $class:ident,)* }
        parts: { $($(#[$about_part:meta])* $part:ident,)* }
    ) => {
        /// The classes of the messages of a scenario, of one of its partitions, or of the run.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Account {
            $($(#[$about])* pub $class: u64,)*
            $($(#[$about_part])* pub $part: u64,)*
        }

        impl Account {
            /// All classes by name, in the order of the reports.
            pub const CLASSES: [Named; 22] = named![$($class),*];

            pub const fn add(&mut self, other: &Self) {
                $(self.$class += other.$class;)*
                $(self.$part += other.$part;)*
            }
        }
    };
}

account! {
    classes: {
        /// Messages that are passed to the client if nothing fails.
        planned,
        /// Never passed to the client.
        unsent,
        sent,
        acked,
        /// Known not to be in the log.
        failed,
        unknown,
        /// Outcome unknown, and read.
        found,
        /// Outcome unknown, and missing from a log that was read to its end.
        absent,
        /// Outcome unknown, and no reader read that far.
        unchecked,
        /// Failed and unknown messages that the file allows.
        permitted,
        /// Acked and read at the acked offset, unaltered.
        verified,
        /// Acked; their producer has `verify: false`.
        excluded,
        /// Acked; a fresh client read past their offsets and did not find them.
        lost,
        /// Acked; a reachable broker returned no record there for `run.unreadable_after`.
        unreadable,
        /// Acked; a reader passed their offsets without reading them, and a fresh client found them.
        skipped,
        /// Acked; altered when read.
        corrupt,
        /// Acked at one offset and read only at others.
        misplaced,
        /// Acked and read, but their offset had a different record at another time.
        rewritten,
        /// Acked; retention removed them before they were read.
        expired,
        /// Acked; compaction removed them, and a later record has the same key.
        superseded,
        /// Acked; a reader or the audit did not get that far.
        unread,
        /// Acked; no reader had to read them.
        unassigned,
    }
    parts: {
        /// Part of `expired`: it is unknown whether retention or compaction removed them.
        unclear,
        /// Part of `unread`: only their leader acked them, and the partition may have another leader now.
        dropped,
    }
}

impl Account {
    /// The classes in which the broker broke a promise.
    pub const BROKEN: [Named; 6] = named![lost, unreadable, skipped, corrupt, misplaced, rewritten];

    /// Messages for which the broker broke a promise.
    pub fn broken(&self) -> u64 {
        Self::BROKEN.iter().map(|(_, count)| count(self)).sum()
    }

    /// Acked messages without a verdict: expired, superseded, unread and unassigned.
    pub const fn unjudged(&self) -> u64 {
        self.expired + self.superseded + self.unread + self.unassigned
    }

    /// Planned messages that were not acked, beyond what the file allows.
    pub const fn unacked(&self) -> u64 {
        (self.unsent + self.failed + self.unknown).saturating_sub(self.permitted)
    }

    /// Whether each planned message is verified, excluded or permitted.
    pub const fn closes(&self) -> bool {
        self.planned == self.verified + self.excluded + self.permitted
    }

    /// Compares the sums of the parts with the independent counts of the whole.
    ///
    /// # Errors
    ///
    /// The sum that does not add up, which is a bug in kaf6.
    pub fn check(&self) -> Result<(), String> {
        self.check_planned()?;
        self.check_sent()
    }

    /// Like [`Account::check`], for a partition. The planned number is known only per scenario.
    ///
    /// # Errors
    ///
    /// Those of [`Account::check`].
    pub fn check_sent(&self) -> Result<(), String> {
        let acked = self.verified + self.excluded + self.broken() + self.unjudged();
        equal("sent", self.sent, "acked + failed + unknown", self.acked + self.failed + self.unknown)?;
        let looked_for = self.found + self.absent + self.unchecked;
        equal("unknown", self.unknown, "found + absent + unchecked", looked_for)?;
        equal("acked", self.acked, "the sum of its classes", acked)
    }

    fn check_planned(&self) -> Result<(), String> {
        equal("planned", self.planned, "unsent + sent", self.unsent + self.sent)
    }
}

fn equal(name: &str, whole: u64, parts: &str, sum: u64) -> Result<(), String> {
    if whole == sum { Ok(()) } else { Err(format!("{name} is {whole}, {parts} is {sum}")) }
}

/// The accounts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    pub total: Account,
    /// The accounts of all scenarios that send, in the file's order.
    pub scenarios: Vec<ScenarioAccount>,
    /// The end markers that kaf6 wrote.
    pub markers: Markers,
}

/// The account of one scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScenarioAccount {
    /// The scenario's index in the plan.
    pub scenario: usize,
    /// The sum over all of its partitions, and the planned number.
    pub account: Account,
    /// The accounts of all partitions that it sent to.
    pub partitions: Vec<PartitionAccount>,
}

/// The account of one scenario's messages to one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionAccount {
    /// The topic's index in the run.
    pub topic: usize,
    pub partition: Partition,
    /// Without planned, unsent and permitted.
    pub account: Account,
}

/// End markers by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MarkersSummary")]
pub struct Markers {
    /// Acked by a broker.
    pub acked: u64,
    /// Acked, but missing from the log.
    pub lost: u64,
    /// Acked, but missed by a reader and not re-read.
    #[serde(default)]
    pub unread: u64,
}

impl Accounts {
    /// Whether each planned message is verified, excluded or permitted, and no end marker is lost or unread.
    pub const fn closes(&self) -> bool {
        self.total.closes() && self.markers.lost == 0 && self.markers.unread == 0
    }

    /// Messages and end markers for which the broker broke a promise.
    pub fn broken(&self) -> u64 {
        self.total.broken() + self.markers.lost
    }

    /// Compares all sums: of each partition, each scenario and the run.
    ///
    /// # Errors
    ///
    /// The first sum that does not add up, and its place. This is a bug in kaf6.
    pub fn check(&self) -> Result<(), String> {
        let mut total = Account::default();
        for scenario in &self.scenarios {
            let mut sent = Account::default();
            for partition in &scenario.partitions {
                let place = |why| {
                    let PartitionAccount { topic, partition, .. } = partition;
                    format!("scenario {}, topic {topic}, partition {partition}: {why}", scenario.scenario)
                };
                partition.account.check_sent().map_err(place)?;
                sent.add(&partition.account);
            }
            let place = |why| format!("scenario {}: {why}", scenario.scenario);
            scenario.account.check().map_err(place)?;
            for (name, count) in Account::CLASSES {
                if !["planned", "unsent", "permitted"].contains(&name) {
                    equal(name, count(&scenario.account), "the sum of its partitions", count(&sent))
                        .map_err(place)?;
                }
            }
            total.add(&scenario.account);
        }
        let place = |why| format!("the run: {why}");
        for (name, count) in Account::CLASSES {
            equal(name, count(&self.total), "the sum of its scenarios", count(&total)).map_err(place)?;
        }
        self.total.check().map_err(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(acked: u64) -> Account {
        Account { sent: acked, acked, verified: acked, ..Account::default() }
    }

    fn accounts() -> Accounts {
        let partition = PartitionAccount { topic: 0, partition: 1, account: sent(7) };
        let account = Account { planned: 7, ..sent(7) };
        let scenario = ScenarioAccount { scenario: 0, account, partitions: vec![partition] };
        Accounts { total: account, scenarios: vec![scenario], markers: Markers::default() }
    }

    #[test]
    fn an_account_closes_over_verified_excluded_and_permitted_messages_alone() {
        let mut account = Account {
            planned: 10,
            sent: 10,
            acked: 8,
            verified: 6,
            excluded: 2,
            failed: 2,
            permitted: 2,
            ..Account::default()
        };
        assert_eq!(account.check(), Ok(()));
        assert!(account.closes());
        (account.verified, account.unread) = (5, 1);
        assert_eq!(account.check(), Ok(()));
        assert!(!account.closes() && account.unjudged() == 1);
        (account.unread, account.lost) = (0, 1);
        assert!(!account.closes() && account.broken() == 1);
        account.permitted = 1;
        assert_eq!(account.unacked(), 1);
    }

    #[test]
    fn each_sum_that_does_not_add_up_is_found() {
        assert_eq!(accounts().check(), Ok(()));
        let broken: [fn(&mut Accounts); 8] = [
            // Change all levels equally, so that only the sum itself is wrong.
            |a| {
                a.total.planned += 1;
                a.scenarios[0].account.planned += 1;
            },
            |a| a.total.lost += 1,
            |a| a.total.planned += 1,
            |a| a.scenarios[0].account.sent += 1,
            |a| a.scenarios[0].account.permitted += 1,
            |a| a.scenarios[0].partitions[0].account.verified -= 1,
            |a| a.scenarios[0].partitions[0].account.unknown += 1,
            |a| a.scenarios[0].partitions[0].account.absent += 1,
        ];
        for (at, change) in broken.into_iter().enumerate() {
            let mut accounts = accounts();
            change(&mut accounts);
            assert!(accounts.check().is_err(), "change {at}");
        }
    }

    #[test]
    fn a_lost_end_marker_leaves_the_account_open() {
        let mut accounts = accounts();
        assert!(accounts.closes());
        accounts.markers = Markers { acked: 1, lost: 1, unread: 0 };
        assert!(!accounts.closes() && accounts.broken() == 1);
        accounts.markers = Markers { acked: 1, lost: 0, unread: 1 };
        assert!(!accounts.closes() && accounts.broken() == 0);
    }
}
