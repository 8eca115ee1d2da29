//! All end-to-end tests, with one module per area. They form one binary, so that librdkafka and OpenSSL are linked once.
//! They use the parts of `tests/harness/lab`.

// This links kaf6's replacements of librdkafka functions; see `build.rs`.
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
