//! Tests each anomaly of the ledger with a real cause and its exact count. Also tests that brokers without anomalies cause
//! no false alarm.
//!
//! The name of a test begins with its anomaly. The expected count comes from the place that causes the anomaly: the relay, the
//! bucket, or the log as another client reads it.

mod corrupt;
mod duplicate;
mod foreign;
mod healthy;
mod log;
pub(crate) mod lost;
mod misplaced;
mod nonmonotonic;
mod phantom;
mod reordered;
pub(crate) mod retention;
mod rewritten;
mod run;
mod skipped;
mod soak;
mod stale_end;
mod unaltered;
mod unknown;
mod unread;
mod unreadable;
mod wire;
