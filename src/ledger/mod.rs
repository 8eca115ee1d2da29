//! The ledger: what happened to each message, from identities, delivery states and what readers found.
//!
//! Pure: it uses no broker. Each client owns its part without locks. At the end, `judge` combines the parts, and
//! `account` contains the class of each message.

mod account;
mod evidence;
mod judge;
mod read;
mod sent;
#[cfg(test)]
mod tests;

pub use account::{Account, Accounts, Markers, Named, PartitionAccount, ScenarioAccount};
pub use evidence::{Counts, EVIDENCE, Evidence, FoundAs, Judgement, MessageSpan, Observer, Spot};
pub use judge::case::{EarlierRun, PartitionCase, ReaderVerdict};
pub use judge::removals::{Kept, RemovalReason, Removals};
pub use judge::suspects::Suspects;
pub use judge::{Judged, judge};
pub use read::contents::{Behind, Contents};
pub use read::pass::Pass;
pub use read::reads::PartitionReads;
pub use read::sighting::{Altered, Head, Seen, Sighting};
pub use sent::envelope::{self, CheckedUuid};
pub use sent::marker::Marker;
pub use sent::marks::Between;
pub use sent::runs::{Bits, Run, RunLog};
pub use sent::saved::{
    Saved, SavedError, SavedKey, SavedLook, SavedPartition, SavedProducer, SavedStream, SavedTopic,
    VERSION as SAVED_VERSION,
};
pub use sent::streams::{StreamInfo, Streams};
pub use sent::{Bound, Overtaken, Resent, Retry, SentLog, WentBack};
