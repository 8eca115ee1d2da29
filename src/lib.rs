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
pub mod ledger;
pub mod metrics;
pub mod plan;
// 3: librdkafka and the wire, containers, and what was seen of it all
pub mod docker;
pub mod kafka;
pub mod observe;
// 4: questions
pub mod checks;
// 5: doing it, and the record of it
pub mod engine;
pub mod record;
// 6: what people and machines read
pub mod report;
// 7: the whole way, and how it ends
pub mod app;
pub mod exit;
// 8: the command line
pub mod cli;
