//! Tests exit codes of failed and inconclusive runs, and `--fail-on`.

use crate::place::{Place, TEN};

#[test]
fn fail_on_changes_the_code_and_never_the_status() {
    let place = Place::new();
    place.write("fails.yaml", &TEN.replace("expected: 10", "expected: 11"));
    let long =
        TEN.replace("messages: 10", "rate: 10/s, duration: 60s").replace("expected: 10", "expected: 600");
    let cut = long + "run: {timeout: 500ms}\n";
    place.write("cut.yaml", &cut);
    for (name, status, codes) in [
        ("fails", "fail", [("check", 1), ("inconclusive", 1), ("never", 0)]),
        ("cut", "error", [("check", 0), ("inconclusive", 3), ("never", 0)]),
    ] {
        for (fail_on, code) in codes {
            let id = format!("{name}-{fail_on}");
            let file = format!("{name}.yaml");
            let got = place.code(&["run", &file, "-q", "--fail-on", fail_on, "--run-id", &id]);
            assert_eq!(got, code, "{id}");
            assert_eq!(place.json(&format!("reports/{id}/summary.json"))["status"], status, "{id}");
        }
    }
    assert_eq!(place.code(&["run", "fails.yaml", "-q"]), 1);
    assert_eq!(place.code(&["run", "cut.yaml", "-q"]), 3);
}

#[test]
fn a_broker_out_of_reach_is_an_answer_to_whether_it_can_be_reached() {
    let place = Place::new();
    // This port was bound and released, so nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = "scenarios: {reach: {type: connect, timeout: 1s}}\nchecks: [{type: reachable}]\n";
    place.write("reach.yaml", &format!("brokers: [\"127.0.0.1:{port}\"]\n{text}"));
    assert_eq!(place.code(&["run", "reach.yaml", "-q"]), 1);
}

#[test]
fn the_rate_of_a_run_of_some_milliseconds_is_not_measured() {
    let place = Place::new();
    let checks = TEN.replace(
        "- {name: all_there,",
        "- {type: threshold, scenario: write, expr: \"rate > 20000/s\"}\n  - {name: all_there,",
    );
    // The first ack is the last one, however busy the machine is.
    let checks = checks.replace("messages: 10", "messages: 1").replace("expected: 10", "expected: 1");
    place.write("short.yaml", &checks);
    assert_eq!(place.code(&["run", "short.yaml", "-q", "--run-id", "one"]), 3);
    let summary = place.json("reports/one/summary.json");
    assert!(summary["scenarios"]["write"]["rate_per_s"].is_null(), "{}", summary["scenarios"]["write"]);
    let reason = summary["reason"].as_str().unwrap();
    assert!(reason.contains("a rate needs at least 200 ms") && reason.contains("`write`"), "{reason}");
}
