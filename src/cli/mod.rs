//! The command line: thin.
//!
//! Owns what the user types and what the terminal shows while a run goes on.

pub mod progress;
