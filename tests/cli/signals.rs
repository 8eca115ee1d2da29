//! Signals end a run, and what was observed until then is reported.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::place::{Place, TEN};

/// Runs a minute's load, sends the signal once messages flow, and gives the exit code.
fn stopped_by(place: &Place, signal: &str) -> Option<i32> {
    // More than its reader gets in that time.
    let long =
        TEN.replace("messages: 10", "rate: 50/s, duration: 60s").replace("expected: 10", "expected: 3000");
    place.write("long.yaml", &long);
    place.write("next.yaml", TEN);
    let mut child = place
        .plain(&["run", "long.yaml", "next.yaml", "--run-id", "x"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let flows = |line: String| line.starts_with("write: ") && !line.starts_with("write: 0");
    assert!(lines.by_ref().any(flows), "the load never began");
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    // Else a full pipe would hold it up.
    lines.for_each(drop);
    child.wait().unwrap().code()
}

#[test]
fn sigint_and_sigterm_have_codes_of_their_own() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        assert_eq!(stopped_by(&place, signal), Some(code), "{signal}");
        assert_eq!(place.names("reports/x-long"), ["junit.xml", "report.html", "summary.json"]);
        assert_eq!(place.names("reports"), ["index.json", "junit.xml", "x-long"], "the next one never began");
        let summary = place.json("reports/x-long/summary.json");
        assert_eq!(summary["status"], "error");
        assert_eq!(summary["anomalies"]["lost"]["count"], 0, "what was read is judged");
        let sent = summary["scenarios"]["write"]["acked"].as_u64().unwrap();
        assert!((1..3000).contains(&sent), "{sent}");
    }
}
