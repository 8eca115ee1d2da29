//! Checks of rates and times, for the whole run and around faults.

pub(crate) mod continuity;
pub(crate) mod rate;
pub(crate) mod recovers;
pub(crate) mod threshold;
pub(crate) mod throughput_drops;
pub(crate) mod work;
