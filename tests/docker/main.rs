//! Containers on the real Docker Engine: started, faulted, healed, removed, and swept after a kill.
//!
//! By the crate's own API; whole runs with scenarios and checks are in `tests/e2e`.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

// What stands in a place of librdkafka's own comes from there; see `build.rs`.
use kaf6 as _;

mod attached;
mod cut;
mod environment;
mod failing;
mod faults;
#[expect(dead_code, unused_imports, reason = "each binary uses its part of the lab")]
#[path = "../harness/lab/mod.rs"]
mod lab;
mod place;
mod plans;
mod swept;
mod throttled;
mod up;
