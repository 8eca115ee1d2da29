//! The command line as its users meet it: words, messages, exit codes, what goes where.
//!
//! Each test runs the binary in a folder of its own, against the embedded broker, so that tests can run side by side.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod place;

mod action;
mod clean;
mod docker;
mod files;
mod help;
mod init;
mod metrics;
mod outputs;
mod refused;
mod release;
mod secrets;
mod setup;
mod several;
mod signals;
mod verdicts;
mod warned;
