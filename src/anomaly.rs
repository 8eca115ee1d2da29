//! The kinds of anomalies in a log. Files, summaries, reports and docs use the same names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

kinds! {
    /// One kind of anomaly. `docs/ledger.md` has the definitions.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Anomaly {
        /// Acked, but missing from the log, also when re-read.
        Lost = "lost",
        /// Acked, but missed by a reader that passed its offset. A fresh reader found it.
        Skipped = "skipped",
        /// Acked, but a reachable broker returned no record at its offset.
        Unreadable = "unreadable",
        /// Acked, but the reader did not reach its offset.
        Unread = "unread",
        /// One identity at two or more offsets.
        Duplicate = "duplicate",
        /// Two messages of one stream are not in the order in which they were sent.
        Reordered = "reordered",
        /// Sent after another message's ack, but acked at a lower offset.
        Overtaken = "overtaken",
        /// Key, value, headers, timestamp or batch checksum differ from what was sent.
        Corrupt = "corrupt",
        /// Acked at one offset, but read at another.
        Misplaced = "misplaced",
        /// One offset returned two different messages at different times.
        Rewritten = "rewritten",
        /// Two messages were acked at the same offset.
        Collided = "collided",
        /// A record that is older than its topic.
        Resurrected = "resurrected",
        /// Read, although sending it is known to have failed.
        Phantom = "phantom",
        /// A reader received an offset at or below an earlier one of the same partition and epoch.
        Nonmonotonic = "nonmonotonic",
        /// The broker reports an end of the log at or below an offset that it acked before.
        #[serde(alias = "watermark_lie")]
        StaleEnd = "stale_end" | "watermark_lie",
        /// A record that is not from this run.
        Foreign = "foreign",
    }
}
