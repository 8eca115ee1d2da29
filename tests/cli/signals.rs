//! Tests that a signal ends a run, and that the report has everything observed until then.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::{Place, TEN};

/// Runs a minute's load, sends the signal once messages flow, and gives the exit code.
fn stopped_by(place: &Place, signal: &str) -> Option<i32> {
    // More messages than the reader can read in this time.
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
    assert!(lines.by_ref().any(flows), "the load never started");
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    // Otherwise a full pipe would block the process.
    lines.for_each(drop);
    child.wait().unwrap().code()
}

#[test]
fn each_signal_has_a_code_of_its_own() {
    for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        assert_eq!(stopped_by(&place, signal), Some(code), "{signal}");
        assert_eq!(place.names("reports/x-long"), ["junit.xml", "report.html", "summary.json"]);
        assert_eq!(
            place.names("reports"),
            ["index.json", "junit.xml", "x-long"],
            "the next one never started"
        );
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
    assert!(lines.by_ref().any(|line| line.starts_with("write:")), "the load never started");
    Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    lines.for_each(drop);
    child.wait().unwrap();
    let summary = place.json("reports/x/summary.json");
    assert_eq!(summary["scenarios"]["write"]["acked"], 60, "{}", summary["reason"]);
}

/// Producers, a reader, round trips: some two seconds of them.
const BUSY: &str = "
brokers: embedded
topics: [{name: t, partitions: 4}, {name: r, partitions: 1}]
scenarios:
  write: {type: produce, topic: t, rate: 200/s, duration: 1500ms, clients: 2}
  idem: {type: produce, topic: t, messages: 200, rate: 200/s, idempotence: true}
  read: {type: consume, topic: t}
  ping: {type: roundtrip, topic: r, iterations: 50}
";

/// Ends a run at this time after its start, in one of the ways that there are; it has to end soon, with the right code and
/// whole reports, and to leave nothing else.
fn ended_at(ms: u64, way: &[&str]) {
    let place = Place::new();
    place.write("busy.yaml", BUSY);
    std::fs::create_dir(place.path().join("tmp")).unwrap();
    let mut command = place.plain(&["run", "busy.yaml", "--run-id", "x"]);
    command.env("TMPDIR", place.path().join("tmp")).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(ms));
    if way.is_empty() {
        drop(child.stdout.take());
    }
    for signal in way {
        let _ = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).output().unwrap();
        std::thread::sleep(Duration::from_millis(ms % 50));
    }
    let until = Instant::now() + Duration::from_secs(240);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < until, "{ms} {way:?}: it hangs");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(place.names("tmp"), [""; 0], "{ms} {way:?}");
    let Some(code) = status.code() else {
        // It did not handle signals yet, and had created nothing.
        assert_eq!(place.names("."), ["busy.yaml", "tmp"], "{ms} {way:?}: {status}");
        return;
    };
    assert_eq!(place.names("reports/x"), ["junit.xml", "report.html", "summary.json"], "{ms} {way:?}");
    let summary = place.json("reports/x/summary.json");
    let expected = match summary["interrupted"].as_str() {
        None => ("pass", 0),
        Some("SIGHUP") => ("error", 129),
        Some("SIGINT") => ("error", 130),
        Some(_) => ("error", 143),
    };
    assert_eq!((summary["status"].as_str().unwrap(), code), expected, "{ms} {way:?}: {}", summary["reason"]);
}

#[test]
fn at_any_moment_a_run_can_be_ended() {
    const WAYS: [&[&str]; 5] = [&["INT"], &["TERM"], &["HUP"], &["INT", "TERM"], &[]];
    // 20 times during the run, so that each signal arrives early and late.
    let moments =
        (0..20_u64).map(|n| (n * 137 % 20 * 120 + n, WAYS[usize::try_from(n).unwrap() % WAYS.len()]));
    let moments: Vec<_> = moments.collect();
    std::thread::scope(|scope| {
        for some in moments.chunks(7) {
            scope.spawn(|| some.iter().for_each(|(ms, way)| ended_at(*ms, way)));
        }
    });
}
