//! The scenario types, one module each.

pub(crate) mod connect;
pub(crate) mod consume;
pub(crate) mod metrics;
pub(crate) mod produce;
pub(crate) mod roundtrip;
pub(crate) mod watch;
