//! Tests of the command line: messages, exit codes, stdout and stderr.
//!
//! Each test runs the binary in its own folder with the embedded broker, so that tests can run at the same time.
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
mod stalls;
mod verdicts;
mod warned;
