//! The names of all that can be wrong with a log, one name everywhere: file, summary, report and docs.

use serde::{Deserialize, Serialize};

/// One kind of anomaly; see `docs/ledger.md` for the definitions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// Acked, a reader passed its place, and a re-read did not find it either.
    Lost,
    /// Acked, a reader passed its place without it, a fresh reader found it there.
    Skipped,
    /// Acked, and a reachable broker gave no record there.
    Unreadable,
    /// Acked, and the reader never came that far.
    Unread,
    /// One identity at two or more offsets.
    Duplicate,
    /// Two messages of one stream lie in the other order than sent.
    Reordered,
    /// Handed over after another message's ack, and acked at a lower offset.
    Overtaken,
    /// Key, value, headers, timestamp or a batch's checksum are not what was sent.
    Corrupt,
    /// Acked at one offset, read at another.
    Misplaced,
    /// One offset held two different messages at two times.
    Rewritten,
    /// One offset was acked to two messages.
    Collided,
    /// A record that is older than its topic.
    Resurrected,
    /// Read, though its sending is known to have failed.
    Phantom,
    /// An offset handed out at or below an earlier one of the same reader, partition and epoch.
    Nonmonotonic,
    /// The broker reports an end of the log at or below an offset that it acked before.
    #[serde(alias = "watermark_lie")]
    StaleEnd,
    /// Not of this run.
    Foreign,
}

impl Anomaly {
    /// All of them, in the order in which people read them.
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

    /// The name as files and reports write it.
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

    /// The anomaly of this name; `watermark_lie` is what older versions called a stale end.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "watermark_lie" { "stale_end" } else { name };
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}
