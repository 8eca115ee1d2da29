//! Tests multiple files: one run each, one index and one junit.xml for all, and the worst exit code.

use crate::place::{Place, TEN, text};

fn with_three() -> Place {
    let place = Place::new();
    place.write("all/b.yaml", TEN);
    place.write("all/a.yml", &TEN.replace("expected: 10", "expected: 11"));
    place.write(
        "all/c.json",
        r#"{"name": "the third", "brokers": "embedded", "scenarios": {"reach": {"type": "connect"}}}"#,
    );
    place.write("all/profiles.yaml", "profiles: {}\n");
    place
}

#[test]
fn each_is_a_run_of_its_own_under_one_index() {
    let place = with_three();
    let output = place.output(&["run", "all", "--run-id", "x", "-q"]);
    assert_eq!(output.status.code(), Some(1), "the worst counts: {}", text(&output.stderr));
    assert_eq!(place.names("reports"), ["index.json", "junit.xml", "x-a", "x-b", "x-the-third"]);
    let index = place.json("reports/index.json");
    assert_eq!(index["status"], "fail");
    let junit = std::fs::read_to_string(place.path().join("reports/junit.xml")).unwrap();
    assert_eq!(junit.matches("<testsuite ").count(), 3, "{junit}");
    let shown = text(&output.stdout);
    let order: Vec<usize> =
        ["  a\n", "  b\n", "  the third\n"].iter().map(|t| shown.find(t).unwrap()).collect();
    assert!(order.is_sorted(), "{shown}");
}

#[test]
fn json_of_several_is_an_array() {
    let place = with_three();
    let output = place.output(&["run", "all/b.yaml", "all/c.json", "--format", "json"]);
    let all: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = all.iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "the third"]);
}

#[test]
fn one_that_cannot_begin_is_reported_like_the_others() {
    let place = with_three();
    // More partitions than the embedded broker supports. This is known only when it starts.
    place.write("all/a.yml", &TEN.replace("partitions: 1", "partitions: 300"));
    let output = place.output(&["run", "all", "--run-id", "x", "-q"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(place.names("reports"), ["index.json", "junit.xml", "x-a", "x-b", "x-the-third"]);
    assert_eq!(place.names("reports/x-a"), ["junit.xml", "report.html", "summary.json"]);
    let index = place.json("reports/index.json");
    let statuses: Vec<&str> =
        index["runs"].as_array().unwrap().iter().map(|run| run["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["error", "pass", "error"], "the third has no checks");
    let reason = index["runs"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("at most 256 partitions"), "{reason}");
}

#[test]
fn a_file_given_twice_runs_once_and_that_is_said() {
    let place = Place::with_ten();
    let output = place.output(&["run", "ten.yaml", "./ten.yaml", "*.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert_eq!(
        said.matches("warning: listed more than once on the command line; kaf6 uses it once").count(),
        2,
        "{said}"
    );
    assert_eq!(place.names("reports").len(), 1);
}

#[cfg(unix)]
#[test]
fn folders_that_link_to_themselves_are_entered_once() {
    let place = Place::new();
    place.write("lp/ten.yaml", TEN);
    for link in ["lp/self", "lp/again"] {
        std::os::unix::fs::symlink(place.path().join("lp"), place.path().join(link)).unwrap();
    }
    let output = place.output(&["validate", "**/*.yaml"]);
    assert_eq!(
        text(&output.stdout),
        "lp/ten.yaml: valid: 2 scenarios, 1 topic, 7 checks (6 added automatically)\n"
    );
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn nothing_runs_unless_all_files_are_right() {
    let place = with_three();
    place.write("all/d.yaml", "brokers: embedded\n");
    assert_eq!(place.code(&["run", "all/*"]), 2);
    assert!(!place.path().join("reports").exists());
}
