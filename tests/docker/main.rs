//! Tests of containers on the real Docker Engine: start, faults, restore, removal, and cleanup after SIGKILL.
//!
//! They use the crate's API. `tests/e2e` tests complete runs with scenarios and checks.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

// This links kaf6's replacements of librdkafka functions; see `build.rs`.
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
