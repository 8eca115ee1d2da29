//! Tests of the reports, from summaries as real runs would write them.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod faulted;
mod fixtures;
mod github;
mod junit;
mod odd;
mod page;
mod parts;
mod ranges;
mod schema;
mod text;
mod write;
