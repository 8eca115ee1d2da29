//! Tests of verdicts: kaf6 runs against a broker that misbehaves on request.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

// What stands in a place of librdkafka's own comes from there; see `build.rs`.
use kaf6 as _;

mod acks;
mod causes;
mod ends;
mod generate;
mod kept;
mod pair;
mod random;
mod rows;
mod rules;
mod unaltered;
mod verify;
