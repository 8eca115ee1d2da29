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
    pub markers: MarkersSummary,
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

/// End markers by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MarkersSummary {
    /// Acked by a broker.
    pub acked: u64,
    /// Acked, but missing from the log.
    pub lost: u64,
    /// Acked, but missed by a reader and not re-read.
    #[serde(default)]
    pub unread: u64,
}

/// Messages by class. planned = unsent + sent; sent = acked + failed + unknown; unknown = found + absent +
/// unchecked; acked = verified + excluded + the classes listed after them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountSummary {
    /// Messages to send if nothing fails. Absent for a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<u64>,
    /// Never passed to the client. Absent for a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsent: Option<u64>,
    /// Passed to the client.
    pub sent: u64,
    /// The broker answered without error.
    pub acked: u64,
    /// Known not to be in the log.
    pub failed: u64,
    /// Neither acked nor failed.
    pub unknown: u64,
    /// Unknown, but read back from the log.
    pub found: u64,
    /// Unknown, and missing from a log that was read to its end.
    pub absent: u64,
    /// Unknown, and no reader read that far.
    pub unchecked: u64,
    /// Failed and unknown messages that the file allows. Absent for a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted: Option<u64>,
    /// Acked, and read back unmodified at the acked offset.
    pub verified: u64,
    /// Acked; not read back, because the producer sets `verify: false`.
    pub excluded: u64,
    /// Acked; missing from the log, also when re-read by a fresh client.
    pub lost: u64,
    /// Acked; a reachable broker returned no record at their offsets for `run.unreadable_after`.
    pub unreadable: u64,
    /// Acked; missed by a reader that passed their offsets, but found by a fresh client.
    pub skipped: u64,
    /// Acked; modified when read.
    pub corrupt: u64,
    /// Acked at one offset, but read only at other offsets.
    pub misplaced: u64,
    /// Acked and read, but their offset returned another message at another time.
    pub rewritten: u64,
    /// Acked; removed by retention before any reader read them.
    pub expired: u64,
    /// Acked; removed by compaction: the log has a later record with the same key.
    pub superseded: u64,
    /// Acked; a reader or the audit did not reach them.
    pub unread: u64,
    /// Acked; no reader is assigned to them.
    pub unassigned: u64,
    /// How many of the expired messages may have been removed by compaction instead of retention. Absent if
    /// there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unclear: u64,
    /// How many of the unread messages were acked only by a leader (`acks: 1`) that has changed or may have
    /// changed. Absent if there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub dropped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

impl AccountSummary {
    /// The account of a scenario or of the run.
    pub fn of(account: &Account) -> Self {
        Self {
            planned: Some(account.planned),
            unsent: Some(account.unsent),
            permitted: Some(account.permitted),
            ..Self::of_partition(account)
        }
    }

    /// The account of a partition, without the fields that are known only for a scenario.
    pub fn of_partition(account: &Account) -> Self {
        Self {
            planned: None,
            unsent: None,
            sent: account.sent,
            acked: account.acked,
            failed: account.failed,
            unknown: account.unknown,
            found: account.found,
            absent: account.absent,
            unchecked: account.unchecked,
            permitted: None,
            verified: account.verified,
            excluded: account.excluded,
            lost: account.lost,
            unreadable: account.unreadable,
            skipped: account.skipped,
            corrupt: account.corrupt,
            misplaced: account.misplaced,
            rewritten: account.rewritten,
            expired: account.expired,
            superseded: account.superseded,
            unread: account.unread,
            unassigned: account.unassigned,
            unclear: account.unclear,
            dropped: account.dropped,
        }
    }

    /// Converts to the ledger's type for arithmetic. Values read from a file may be any number, so sums must
    /// not overflow.
    pub fn to_account(&self) -> Account {
        const MOST: u64 = 1 << 56;
        let of = |count: u64| count.min(MOST);
        let maybe = |count: Option<u64>| of(count.unwrap_or(0));
        Account {
            planned: maybe(self.planned),
            unsent: maybe(self.unsent),
            sent: of(self.sent),
            acked: of(self.acked),
            failed: of(self.failed),
            unknown: of(self.unknown),
            found: of(self.found),
            absent: of(self.absent),
            unchecked: of(self.unchecked),
            permitted: maybe(self.permitted),
            verified: of(self.verified),
            excluded: of(self.excluded),
            lost: of(self.lost),
            unreadable: of(self.unreadable),
            skipped: of(self.skipped),
            corrupt: of(self.corrupt),
            misplaced: of(self.misplaced),
            rewritten: of(self.rewritten),
            expired: of(self.expired),
            superseded: of(self.superseded),
            unread: of(self.unread),
            unassigned: of(self.unassigned),
            unclear: of(self.unclear),
            dropped: of(self.dropped),
        }
    }
}

impl MarkersSummary {
    /// Converts to the ledger's type.
    pub const fn to_markers(self) -> Markers {
        Markers { acked: self.acked, lost: self.lost, unread: self.unread }
    }
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
            markers: MarkersSummary {
                acked: accounts.markers.acked,
                lost: accounts.markers.lost,
                unread: accounts.markers.unread,
            },
            scenarios: scenarios.collect(),
        }
    }
}
