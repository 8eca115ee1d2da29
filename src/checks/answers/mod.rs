//! Checks of the answers of brokers and metrics endpoints.

pub(crate) mod http_ok;
pub(crate) mod metadata;
pub(crate) mod metadata_stable;
pub(crate) mod non_empty;
pub(crate) mod reachable;
pub(crate) mod series_present;
