//! Tests of scenario files: parsing, errors, and plans.

mod cluster;
mod files;
mod reading;
