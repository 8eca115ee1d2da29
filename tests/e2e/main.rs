//! All end-to-end tests in one binary: it links librdkafka and OpenSSL once, not once for each area.
//! A module here is an area; what they stand on is `tests/harness/lab`.

// What stands in a place of librdkafka's own comes from there; see `build.rs`.
use kaf6 as _;

mod anomalies;
#[path = "../harness/lab/mod.rs"]
mod lab;

mod embedded;
mod examples;
mod faults;
mod image;
mod lab_itself;
mod reading;
mod runner;
mod runs;
mod runs_broken;
mod runs_forms;
mod runs_gaps;
mod runs_order;
mod settings;
mod timed;
mod verify;
mod verify_later;
mod watch;
mod workflows;
