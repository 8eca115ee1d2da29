//! What became of each message: identities, delivery states, what readers found, and what is wrong with it.
//!
//! Pure: knows no broker. Clients own their part of it without locks; `judge` puts the parts together at the end, and
//! `account` says in which class each message ended.

mod account;
mod acks;
mod altered;
mod case;
mod class;
mod collisions;
mod contents;
pub mod envelope;
mod evidence;
mod fold;
mod held;
mod judge;
mod last_looks;
mod marker;
mod marks;
mod pass;
mod ranges;
mod reads;
mod records;
mod removals;
mod repeats;
mod rewrites;
mod runs;
mod saved;
mod sent;
mod sighting;
mod spots;
mod streams;
mod suspects;
#[cfg(test)]
mod tests;
mod view;

pub use account::{Account, Accounts, Markers, Named, PartitionAccount, ScenarioAccount};
pub use case::{Case, EarlierRun, ReaderVerdict};
pub use contents::{Behind, Contents};
pub use envelope::Checked;
pub use evidence::{Counts, EVIDENCE, Evidence, Found, Judgement, Observer, Span, Spot};
pub use judge::{Judged, judge};
pub use marker::Marker;
pub use marks::Between;
pub use pass::Pass;
pub use reads::PartitionReads;
pub use removals::{Kept, Removals, Removed};
pub use runs::{Bits, Run, RunLog};
pub use saved::{
    Saved, SavedError, SavedKey, SavedLook, SavedPartition, SavedProducer, SavedStream, SavedTopic,
    VERSION as SAVED_VERSION,
};
pub use sent::{Bound, Overtaken, Resent, Retry, SentLog, WentBack};
pub use sighting::{Altered, Head, Seen, Sighting};
pub use streams::{StreamInfo, Streams};
pub use suspects::Suspects;
