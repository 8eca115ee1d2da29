//! What became of each message: identities, delivery states, what readers found, and what is wrong with it.
//!
//! Pure: knows no broker. Clients own their part of it without locks; `judge` puts the parts together at the end.

mod account;
pub mod envelope;
mod evidence;
mod judge;
mod marks;
mod missing;
#[cfg(test)]
mod model;
mod reads;
mod runs;
mod saved;
mod sent;
mod streams;
#[cfg(test)]
mod tests;

pub use account::{Account, Accounts, Markers, Named, PartitionAccount, ScenarioAccount};
pub use evidence::{Counts, EVIDENCE, Evidence, Judgement, Observer};
pub use judge::judge;
pub use marks::Between;
pub use missing::{Missing, ReaderEnd, Scope, missing, wanted};
pub use reads::{Checked, Head, PartitionReads, Seen, Sighting};
pub use runs::{Bits, Run, RunLog};
pub use saved::{Saved, SavedError, SavedStream, VERSION as SAVED_VERSION};
pub use sent::{Bound, Resent, Retry, SentLog, WentBack};
pub use streams::{StreamInfo, Streams};
