//! All defaults of scenario files, in one place.
//!
//! `docs/scenario-file.md` has the same table. A test compares the two.

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

/// The defaults, as the docs list them: section, field and value. Those of each kind of fault are in
/// `ActionPlan::DEFAULTS`.
pub const TABLE: &[(&str, &str, &str)] = &[
    ("file", "name", "the file name without its extension"),
    (
        "file",
        "brokers",
        "ports named `kafka` of the services in `cluster`, else the profile's; required unless \
        only `metrics` run",
    ),
    ("topic", "partitions", "1"),
    ("topic", "replication_factor", "1"),
    ("topic", "recreate", "false"),
    ("scenario", "after", "none: start immediately"),
    ("scenario", "at", "0s"),
    ("scenario", "brokers", "the file's"),
    ("scenario", "topic", "the only topic declared"),
    ("scenario", "clients", "1"),
    ("connect", "timeout", "60s"),
    ("metrics", "url", "the profile's `metrics_url`"),
    ("metrics", "contains", "no series"),
    ("metrics", "every", "never: one request"),
    ("metrics", "timeout", "10s; with `every`: until the last other scenario ends"),
    ("produce", "rate", "as fast as acks allow"),
    ("produce", "partition", "round_robin"),
    ("produce", "acks", "all"),
    ("produce", "compression", "none"),
    ("produce", "idempotence", "false"),
    ("produce", "max_in_flight", "32MiB"),
    ("produce", "value", "JSON with `{{uuid}}` and `{{now}}`"),
    ("produce", "verify", "true"),
    (
        "produce",
        "timeout",
        "30s after its schedule or `duration`; else 60s plus 1ms per message, at \
        most 24h",
    ),
    ("consume", "from", "`run` if a scenario in the file writes to the topic, else `any`"),
    ("consume", "partition", "all partitions of the topic"),
    ("consume", "offset", "earliest"),
    ("consume", "limit", "to the end of the log"),
    ("consume", "idle_timeout", "15s"),
    (
        "consume",
        "timeout",
        "30s after the timeouts of its producers and of faults that do not wait for it, plus \
        `run.unreadable_after` if it has producers; at least 60s; plus the timeouts of faults \
        that wait for its counts",
    ),
    ("roundtrip", "partition", "0"),
    ("roundtrip", "iterations", "100"),
    ("roundtrip", "warmup", "5"),
    ("roundtrip", "every", "none: the next round trip starts immediately"),
    ("roundtrip", "iteration_timeout", "10s"),
    ("roundtrip", "acks", "all"),
    ("roundtrip", "compression", "none"),
    ("roundtrip", "idempotence", "false"),
    ("roundtrip", "value", "JSON with `{{uuid}}` and `{{now}}`"),
    ("roundtrip", "verify", "true"),
    (
        "roundtrip",
        "timeout",
        "60s plus 200ms per round trip of each client, at most 24h; with `every`: plus `every` for each of them",
    ),
    ("watch", "every", "500ms"),
    ("watch", "timeout", "until the last other scenario ends"),
    ("offsets", "every", "1s"),
    ("offsets", "timeout", "until the last other scenario ends"),
    ("service", "pull", "missing"),
    ("service", "entrypoint", "the image's"),
    ("service", "command", "the image's"),
    ("service", "needs", "the services that it references"),
    ("service", "replicas", "1"),
    ("service", "ready", "it runs"),
    ("service", "ready_timeout", "2m"),
    ("fault", "after", "none: wait for nothing"),
    ("fault", "at", "0s"),
    ("check", "name", "its type"),
    (
        "check",
        "scenario",
        "every scenario that supports the check; counts and latencies: every consumer, else every \
        producer; rates around faults: every producer, else every consumer",
    ),
    ("check", "metric", "received for a consumer or round trip, acked for a producer"),
    ("check", "strict", "false"),
    ("check", "tolerance", "20%"),
    ("check", "allow", "nothing: no metadata changes, no failed or unknown messages"),
    ("check", "max_silence", "10s"),
    ("check", "abort", "false"),
    ("check", "delay", "0s"),
    ("run", "timeout", "10m, or 30s after the last timeout if that is later"),
    ("run", "seed", "0"),
    ("run", "audit", AUDIT),
    ("run", "unreadable_after", "90s"),
];

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
