//! Tests faults on containers that kaf6 did not start: each container is restored.

use super::cluster::{docker, fault, start};
use crate::lab::TansuContainer;

fn text(container: &TansuContainer, fault: &str) -> String {
    format!(
        "brokers: [\"{}\"]
topics: [{{name: \"t-{{{{run_id}}}}\"}}]
scenarios:
  write: {{type: produce, messages: 600, rate: 100/s, value: {{size: 50B}}}}
  read: {{type: consume}}
cluster: {{attach: {{broker: {}}}}}
faults:
  hit: {{target: broker, when: \"write.acked >= 100\", {fault}}}
",
        container.address(),
        container.name()
    )
}

#[test]
fn a_paused_container_is_let_go_again() {
    let Some(container) = TansuContainer::start() else { return };
    let (kaf6, _) = start(&text(&container, "type: pause, for: 2s"));
    let ran = kaf6.run().expect("pass");
    let hit = fault(&ran, "hit");
    assert_eq!(hit["effective"], true, "{ran}");
    assert!(hit["longest_gap_ms"].as_u64() >= Some(1_900), "{ran}");
    assert_eq!(state(&container), "running");
}

#[test]
fn a_stopped_container_is_started_again_also_after_a_signal() {
    let Some(container) = TansuContainer::start() else { return };
    let started = docker(&["inspect", "--format", "{{.State.StartedAt}}", container.name()]);
    let (kaf6, _) = start(&text(&container, "type: stop, for: 3m"));
    let running = kaf6.start();
    running.wait_for("fault `hit` started");
    crate::lab::wait_for("it is stopped", std::time::Duration::from_secs(120), || {
        state(&container) == "exited"
    });
    running.signal("INT");
    running.interrupted(130);
    assert_eq!(state(&container), "running");
    assert_ne!(docker(&["inspect", "--format", "{{.State.StartedAt}}", container.name()]), started);
}

#[test]
fn a_restart_policy_that_fights_the_fault_and_a_log_that_cannot_be_read_are_told() {
    // Docker restarts the container after any signal except its own stop signal.
    let options = ["--restart", "always", "--stop-signal", "SIGUSR1", "--log-driver", "none", "--init"];
    let Some(container) = TansuContainer::start_with(&options) else { return };
    let text = format!(
        "brokers: [\"{}\"]
scenarios:
  first: {{type: connect}}
  later: {{type: connect, after: hit, timeout: 60s}}
cluster: {{attach: {{broker: {name}}}}}
faults: {{hit: {{type: stop, target: broker, signal: SIGTERM, after: first, for: 3s}}}}
checks: [{{type: reachable, scenario: later}}]
",
        container.address(),
        name = container.name()
    );
    let (kaf6, id) = start(&text);
    let ran = kaf6.run().expect("error");
    let hit = fault(&ran, "hit");
    assert_eq!(hit["effective"], false, "{ran}");
    let reason = ran.summary["reason"].as_str().expect("it is a text");
    assert!(reason.contains("fault `hit` has no proof that it took effect"), "{reason}");
    let proof = hit["proof"].as_str().expect("it is a text");
    let off = format!(
        "(its restart policy is always; to turn it off, run docker update --restart no {})",
        container.name()
    );
    assert!(proof.contains("did not stay down") && proof.contains(&off), "{proof}");

    let note =
        "cannot read the log of broker, so reports contain none of its lines: its log driver is none (";
    let notes = ran.summary["notes"].to_string();
    assert!(notes.contains(note), "{notes}");
    let line = "[kaf6: cannot read this log: its log driver is none (";
    let last = &ran.summary["containers"][0]["last_lines"][0];
    assert!(last.as_str().is_some_and(|last| last.starts_with(line)), "{ran}");
    for said in [&ran.stdout, &ran.html] {
        assert!(said.contains(line), "{said}");
    }
    assert_eq!(state(&container), "running");
    assert_eq!(super::cluster::of_run(&id), Vec::<String>::new());
}

#[test]
fn a_container_that_is_not_there_is_told() {
    let Some(container) = TansuContainer::start() else { return };
    let text = text(&container, "type: pause, for: 1s").replace(container.name(), "no-such-container");
    let (kaf6, _) = start(&text);
    let ran = kaf6.run().expect("error");
    let reason = ran.summary["reason"].as_str().expect("it is a text");
    assert!(reason.contains("no-such-container"), "{reason}");
}

fn state(container: &TansuContainer) -> String {
    docker(&["inspect", "--format", "{{.State.Status}}", container.name()]).trim().to_owned()
}
