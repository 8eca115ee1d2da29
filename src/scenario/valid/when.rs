//! Starts by count, of scenarios and faults alike.
//!
//! Owns what can be counted.

/// A start by count, such as `write.acked >= 500`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The scenario that counts.
    pub scenario: String,
    /// What is counted.
    pub counter: Counter,
    /// The count to reach.
    pub at_least: u64,
}

/// What a running scenario counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Messages handed to the client.
    Sent,
    /// Messages acknowledged.
    Acked,
    /// Distinct messages of this run read.
    Received,
}
