//! Faults on real containers: kaf6 starts brokers and their store, harms them while the load runs, and judges.
//!
//! Each test looks at Docker before and after: what a run started is gone, whatever became of it.

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
