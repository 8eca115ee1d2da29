//! Each anomaly of the ledger, committed by something real and found with its exact count; and brokers that
//! commit none, whatever else they do, without a false alarm.
//!
//! A test's name begins with its anomaly. What really happened is counted where it was done: in the relay, in
//! the bucket, or by reading the log with another client.

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
