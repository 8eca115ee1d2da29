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
fn each_signal_has_a_code_of_its_own() {
    for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
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

#[cfg(target_os = "linux")]
#[test]
fn what_was_started_with_hangups_ignored_outlives_its_terminal() {
    let place = Place::new();
    place.write("long.yaml", &TEN.replace("messages: 10", "rate: 50/s, messages: 60"));
    let kaf6 = place.plain(&[]).get_program().to_owned();
    let mut child = Command::new("nohup")
        .arg(kaf6)
        .args(["run", "long.yaml", "--run-id", "x"])
        .current_dir(place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.starts_with("write:")), "the load never began");
    Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    lines.for_each(drop);
    child.wait().unwrap();
    let summary = place.json("reports/x/summary.json");
    assert_eq!(summary["scenarios"]["write"]["acked"], 60, "{}", summary["reason"]);
}
