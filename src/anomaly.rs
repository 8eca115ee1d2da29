//! The kinds of anomalies in a log. Files, summaries, reports and docs use the same names.

use serde::{Deserialize, Serialize};

/// One kind of anomaly. `docs/ledger.md` has the definitions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// Acked, but missing from the log, also when re-read.
    Lost,
    /// Acked, but missed by a reader that passed its offset. A fresh reader found it.
    Skipped,
    /// Acked, but a reachable broker returned no record at its offset.
    Unreadable,
    /// Acked, but the reader did not reach its offset.
    Unread,
    /// One identity at two or more offsets.
    Duplicate,
    /// Two messages of one stream are not in the order in which they were sent.
    Reordered,
    /// Sent after another message's ack, but acked at a lower offset.
    Overtaken,
    /// Key, value, headers, timestamp or batch checksum differ from what was sent.
    Corrupt,
    /// Acked at one offset, but read at another.
    Misplaced,
    /// One offset returned two different messages at different times.
    Rewritten,
    /// Two messages were acked at the same offset.
    Collided,
    /// A record that is older than its topic.
    Resurrected,
    /// Read, although sending it is known to have failed.
    Phantom,
    /// A reader received an offset at or below an earlier one of the same partition and epoch.
    Nonmonotonic,
    /// The broker reports an end of the log at or below an offset that it acked before.
    #[serde(alias = "watermark_lie")]
    StaleEnd,
    /// A record that is not from this run.
    Foreign,
}

impl Anomaly {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 16] = [
        Self::Lost,
        Self::Skipped,
        Self::Unreadable,
        Self::Unread,
        Self::Duplicate,
        Self::Reordered,
        Self::Overtaken,
        Self::Corrupt,
        Self::Misplaced,
        Self::Rewritten,
        Self::Collided,
        Self::Resurrected,
        Self::Phantom,
        Self::Nonmonotonic,
        Self::StaleEnd,
        Self::Foreign,
    ];

    /// The name in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Skipped => "skipped",
            Self::Unreadable => "unreadable",
            Self::Unread => "unread",
            Self::Duplicate => "duplicate",
            Self::Reordered => "reordered",
            Self::Overtaken => "overtaken",
            Self::Corrupt => "corrupt",
            Self::Misplaced => "misplaced",
            Self::Rewritten => "rewritten",
            Self::Collided => "collided",
            Self::Resurrected => "resurrected",
            Self::Phantom => "phantom",
            Self::Nonmonotonic => "nonmonotonic",
            Self::StaleEnd => "stale_end",
            Self::Foreign => "foreign",
        }
    }

    /// The anomaly with this name. `watermark_lie` is the name of a stale end in older versions.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "watermark_lie" { "stale_end" } else { name };
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}
