//! kaf6 decides, in CI, whether a Kafka-compatible broker keeps its promises.
//!
//! The modules stand in layers, each importing only from those above it in this list; `tests/architecture.rs`
//! holds it. See `docs/architecture.md`.

// 0: words
pub mod anomaly;
pub mod ids;
pub mod units;
// 1: the scenario file
pub mod scenario;
// 2: what to do, and what to count
pub mod plan;
// 6: what people and machines read
pub mod report;
// 8: the command line
pub mod cli;
