//! Tests of scenario files: parsing, errors, and plans.

mod cluster;
#[path = "../harness/defaults.rs"]
mod defaults;
mod files;
mod reading;
