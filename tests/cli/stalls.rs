//! Tests that a stall of kaf6 itself is not blamed on the broker.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::place::Place;

const FILE: &str = "
brokers: embedded
topics: [{name: t, partitions: 1}, {name: r, partitions: 1}]
scenarios:
  write: {type: produce, topic: t, rate: 50/s, duration: 9s}
  read: {type: consume, topic: t}
  ping: {type: roundtrip, topic: r, iterations: 800, iteration_timeout: 2s}
checks:
  - {type: continuity, max_gap: 2s}
  - {type: roundtrip_ok}
  - {name: late, type: threshold, scenario: write, expr: max < 2s, abort: true}
  - {name: slow, type: threshold, scenario: ping, expr: errors == 0}
";

#[test]
fn a_process_that_was_stopped_does_not_blame_the_broker() {
    let place = Place::new();
    place.write("still.yaml", FILE);
    let mut child = place
        .plain(&["run", "still.yaml", "--run-id", "x"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let flows = |line: String| line.starts_with("write: ") && !line.starts_with("write: 0");
    assert!(lines.by_ref().any(flows), "the load never started");
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    std::thread::sleep(Duration::from_secs(4));
    signal("-CONT");
    // Otherwise a full pipe would block the process.
    lines.for_each(drop);
    let code = child.wait().unwrap().code();
    let summary = place.json("reports/x/summary.json");
    let checks = &summary["checks"];
    assert_eq!(summary["status"], "error", "{checks:#}");
    assert_eq!(code, Some(3));
    let failed = checks.as_object().unwrap().values().filter(|outcome| *outcome == "fail");
    assert_eq!(failed.count(), 0, "{checks:#}");
    // The process may have been stopped between two round trips, so that none was late.
    assert_eq!([&checks["continuity"], &checks["late"]], ["inconclusive"; 2], "{checks:#}");
    let reason = summary["reason"].to_string();
    assert!(reason.contains("kaf6 itself made no progress for "), "{reason}");
    assert_eq!(summary["scenarios"]["write"]["acked"], 450, "no check ended the run: {}", summary["notes"]);
    assert_eq!(summary["anomalies"]["lost"]["count"], 0);
    let notes = summary["notes"].to_string();
    assert!(notes.contains("kaf6 itself made no progress for "), "{notes}");
}
