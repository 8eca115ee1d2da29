//! Tests faults on real containers: kaf6 starts brokers and their store, injects faults during the load, and gives its verdict.
//!
//! Each test inspects Docker before and after: everything that a run started is removed, however it ended.

mod attach;
pub mod cluster;
mod cut;
mod durability;
mod leftovers;
mod place;
mod pulled;
mod refused;
mod scale;
mod stop;
mod throttle;
