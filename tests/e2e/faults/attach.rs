//! Containers that kaf6 did not start: harmed and healed by name, and left as they were.

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
    running.wait_for("fault `hit` begins");
    crate::lab::wait_for("it is stopped", std::time::Duration::from_secs(120), || {
        state(&container) == "exited"
    });
    running.signal("INT");
    running.interrupted(130);
    assert_eq!(state(&container), "running");
    assert_ne!(docker(&["inspect", "--format", "{{.State.StartedAt}}", container.name()]), started);
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
