//! kaf6 tests in CI whether a Kafka-compatible broker keeps its promises.
//!
//! A scenario file says what to do and what to check. `scenario` reads the file, and `plan` compiles it into
//! a plan with all defaults. `engine` executes the plan: it sends and reads messages with `kafka`, and it
//! starts containers and injects faults with `docker`. The `ledger` tracks where every message went. The
//! engine returns `observe::Observations`. `checks` evaluates them, `record` stores the verdict, and `report`
//! writes it for people and CI systems. `app` connects these steps for a whole run, and `cli` is the command
//! line.
//!
//! The modules form layers. Each module imports only from layers above it in this list, which
//! `tests/repo/architecture.rs` checks. `docs/architecture.md` describes them in detail.

// 0: basic types
#[macro_use]
mod kind;
pub mod anomaly;
pub mod ids;
pub mod units;
// 1: the scenario file
pub mod scenario;
// 2: the plan, and what a run tracks
pub mod ledger;
pub mod metrics;
pub mod plan;
// 3: Kafka clients, containers, and what a run observed
pub mod docker;
pub mod kafka;
pub mod observe;
// 4: checks
pub mod checks;
// 5: execution, and the record of a run
pub mod engine;
pub mod record;
// 6: reports
pub mod report;
// 7: a whole run, and exit codes
pub mod app;
pub mod exit;
// 8: the command line
pub mod cli;
