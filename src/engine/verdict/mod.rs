//! After the last scenario: audits and re-reads, and the class of each message.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod inputs;
pub(crate) mod judge;
pub(crate) mod log_ends;
pub(crate) mod rechecks;
pub(crate) mod removals;
pub(crate) mod retention;
pub(crate) mod rules;
pub(crate) mod same_topic;
pub(crate) mod saved;
pub(crate) mod unjudged;
