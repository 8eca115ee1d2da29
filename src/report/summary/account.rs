//! The message account in a summary: for the run, for each scenario that sends, and for each partition.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ledger::{Account, Accounts, Markers};

/// Where every message went. Absent if no scenario sends messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountsSummary {
    /// True if every planned message is verified, excluded or permitted, and no end marker is lost.
    pub closed: bool,
    /// The sum over all scenarios.
    pub total: AccountSummary,
    /// End markers. kaf6 writes one record after all messages of each partition to mark its end.
    pub markers: Markers,
    /// Each scenario that sends messages, by name.
    pub scenarios: IndexMap<String, ScenarioAccountSummary>,
}

/// The account of one scenario that sends messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioAccountSummary {
    /// All messages of the scenario.
    #[serde(flatten)]
    pub account: AccountSummary,
    /// Each partition that the scenario sent to.
    pub partitions: Vec<PartitionAccountSummary>,
}

/// The account of one scenario's messages to one partition. Fields that are known only for a whole scenario
/// are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartitionAccountSummary {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The scenario's messages to this partition.
    #[serde(flatten)]
    pub account: AccountSummary,
}

/// Defines [`AccountSummary`], with a field for each count of [`Account`].
macro_rules! account_summary {
    ($($(#[$meta:meta])* $class:ident: $count:ty,)*) => {
        /// Messages by class. planned = unsent + sent; sent = acked + failed + unknown; unknown = found + absent +
        /// unchecked; acked = verified + excluded + the classes listed after them.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub struct AccountSummary {
            $($(#[$meta])* pub $class: $count,)*
        }

        impl AccountSummary {
            /// The account of a scenario or of the run.
            pub fn of(account: &Account) -> Self {
                Self { $($class: account.$class.into(),)* }
            }

            /// The account of a partition, without the fields that are known only for a scenario.
            pub fn of_partition(account: &Account) -> Self {
                Self { planned: None, unsent: None, permitted: None, ..Self::of(account) }
            }

            /// Converts to the ledger's type for arithmetic. Values read from a file may be any number, so
            /// sums must not overflow.
            pub fn to_account(&self) -> Account {
                let limited = |count: Option<u64>| count.unwrap_or(0).min(1 << 56);
                Account { $($class: limited(self.$class.into()),)* }
            }
        }
    };
}

account_summary! {
    /// Messages to send if nothing fails. Absent for a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned: Option<u64>,
    /// Never passed to the client. Absent for a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsent: Option<u64>,
    /// Passed to the client.
    sent: u64,
    /// The broker answered without error.
    acked: u64,
    /// Known not to be in the log.
    failed: u64,
    /// Neither acked nor failed.
    unknown: u64,
    /// Unknown, but read back from the log.
    found: u64,
    /// Unknown, and missing from a log that was read to its end.
    absent: u64,
    /// Unknown, and no reader read that far.
    unchecked: u64,
    /// Failed and unknown messages that the file allows. Absent for a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permitted: Option<u64>,
    /// Acked, and read back unmodified at the acked offset.
    verified: u64,
    /// Acked; not read back, because the producer sets `verify: false`.
    excluded: u64,
    /// Acked; missing from the log, also when re-read by a fresh client.
    lost: u64,
    /// Acked; a reachable broker returned no record at their offsets for `run.unreadable_after`.
    unreadable: u64,
    /// Acked; missed by a reader that passed their offsets, but found by a fresh client.
    skipped: u64,
    /// Acked; modified when read.
    corrupt: u64,
    /// Acked at one offset, but read only at other offsets.
    misplaced: u64,
    /// Acked and read, but their offset returned another message at another time.
    rewritten: u64,
    /// Acked; removed by retention before any reader read them.
    expired: u64,
    /// Acked; removed by compaction: the log has a later record with the same key.
    superseded: u64,
    /// Acked; a reader or the audit did not reach them.
    unread: u64,
    /// Acked; no reader is assigned to them.
    unassigned: u64,
    /// How many of the expired messages are missing although it is unknown whether the topic's settings
    /// allowed their removal. Absent if there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    unclear: u64,
    /// How many of the unread messages were acked only by a leader (`acks: 1`) that has changed or may have
    /// changed. Absent if there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    dropped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

impl AccountsSummary {
    /// Summarizes the accounts of a run. `scenario` and `topics` give the names.
    pub fn of(accounts: &Accounts, scenario: impl Fn(usize) -> String, topics: &[String]) -> Self {
        let scenarios = accounts.scenarios.iter().map(|it| {
            let partitions = it.partitions.iter().map(|row| PartitionAccountSummary {
                topic: topics.get(row.topic).cloned().unwrap_or_default(),
                partition: row.partition,
                account: AccountSummary::of_partition(&row.account),
            });
            let account = AccountSummary::of(&it.account);
            (scenario(it.scenario), ScenarioAccountSummary { account, partitions: partitions.collect() })
        });
        Self {
            closed: accounts.closes(),
            total: AccountSummary::of(&accounts.total),
            markers: accounts.markers,
            scenarios: scenarios.collect(),
        }
    }
}
