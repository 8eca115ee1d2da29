//! All defaults of scenario files, in one place.
//!
//! `docs/scenario-file.md` lists them, and so does `tests/harness/defaults.rs`. A test compares the two.

use std::time::Duration;

use super::{Acks, Compression, Partitioning, Pull, StartOffset, ValuePlan};
use crate::scenario::Template;
use crate::units::Share;

/// `clients` of any scenario.
pub const CLIENTS: u32 = 1;
/// `partitions` of a topic.
pub const PARTITIONS: i32 = 1;
/// `replication_factor` of a topic.
pub const REPLICATION_FACTOR: i32 = 1;
/// `partition` of a producer.
pub const PARTITIONING: Partitioning = Partitioning::RoundRobin;
/// `acks` of producers and round trips.
pub const ACKS: Acks = Acks::All;
/// `compression` of producers and round trips.
pub const COMPRESSION: Compression = Compression::None;
/// `max_in_flight` of a producer.
pub const MAX_IN_FLIGHT: u64 = 32 << 20;
/// `offset` of a consumer.
pub const OFFSET: StartOffset = StartOffset::Earliest;
/// `idle_timeout` of a consumer.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// `iterations` of a round trip.
pub const ITERATIONS: u64 = 100;
/// `warmup` of a round trip.
pub const WARMUP: u64 = 5;
/// `partition` of a round trip.
pub const ROUNDTRIP_PARTITION: i32 = 0;
/// `iteration_timeout` of a round trip.
pub const ITERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// `every` of an `offsets`.
pub const OFFSETS_EVERY: crate::units::Duration = crate::units::Duration::from_secs(1);
/// `every` of a `watch`.
pub const WATCH_EVERY: crate::units::Duration = crate::units::Duration::from_millis(500);
/// `pull` of a service.
pub const PULL: Pull = Pull::Missing;
/// `replicas` of a service.
pub const REPLICAS: u32 = 1;
/// `ready_timeout` of a service.
pub const READY_TIMEOUT: crate::units::Duration = crate::units::Duration::from_secs(120);
/// `signal` of a fault that stops a service. SIGKILL simulates a crash.
pub const SIGNAL: &str = "SIGKILL";
/// `down_for` of a restart.
pub const DOWN_FOR: crate::units::Duration = crate::units::Duration::from_secs(1);
/// How long a container may take to stop after a signal, before it gets SIGKILL.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to stop a container: the signal, then SIGKILL if needed, and the rest of its log.
pub const ENDING: Duration = Duration::from_secs(2 * PATIENCE.as_secs() + 5);
/// Time allowed for a fault beyond its length, if no service defines `ready_timeout`.
pub const FAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// `tolerance` of `recovers`.
pub const TOLERANCE: Share = Share::new(0.2);
/// `max_silence` of `metadata_stable`.
pub const MAX_SILENCE: Duration = Duration::from_secs(10);
/// `run.seed`.
pub const SEED: u64 = 0;
/// `run.audit`, as text. A fault or a truncated log can remove messages that a live reader already saw.
pub const AUDIT: &str = "auto: if a fault ran, a broker went away or a log was truncated";

/// `run.unreadable_after`. A broker that recovers its log after a crash takes less time than that.
pub const UNREADABLE_AFTER: Duration = Duration::from_secs(90);

/// `timeout` of `connect`.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// `timeout` of `metrics` without `every`.
pub const METRICS_TIMEOUT: Duration = Duration::from_secs(10);
/// Extra time for a producer with a schedule, and for a consumer after its producers have ended.
pub const GRACE: Duration = Duration::from_secs(30);
/// Minimum `timeout` of a scenario without a schedule.
pub const LEAST_TIMEOUT: Duration = Duration::from_secs(60);
/// Time added for each message without a schedule.
pub const PER_MESSAGE: Duration = Duration::from_millis(1);
/// Time added for each round trip.
pub const PER_ROUNDTRIP: Duration = Duration::from_millis(200);
/// Maximum `timeout` computed from a number of messages.
pub const MOST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Maximum of all default timeouts. Timeouts of readers double along a chain of readers and producers.
pub const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Minimum of the default `run.timeout`.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(600);

/// `value` of a message: JSON with its UUID and send time.
pub fn value() -> ValuePlan {
    let document = serde_json::json!({"uuid": "{{uuid}}", "ts": "{{now}}"});
    // All functions are known, so parsing succeeds; a test checks that.
    ValuePlan::Text(Template::parse_json(&document).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_value_has_a_uuid() {
        let ValuePlan::Text(template) = value() else { unreachable!("it is a text") };
        assert_eq!(template.to_string(), r#"{"uuid":"{{uuid}}","ts":"{{now}}"}"#);
        assert!(template.uses_uuid());
    }
}
