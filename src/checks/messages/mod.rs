//! Checks of messages: loss, duplicates, order, corruption and counts.

pub(crate) mod all_acked;
pub(crate) mod count_at_least;
pub(crate) mod count_equals;
pub(crate) mod in_order;
pub(crate) mod no_corruption;
pub(crate) mod no_duplicates;
pub(crate) mod no_loss;
pub(crate) mod offsets_monotonic;
pub(crate) mod permitted;
pub(crate) mod readings;
pub(crate) mod roundtrip_ok;
pub(crate) mod uuid_match;
