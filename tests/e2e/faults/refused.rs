//! Clusters that do not come up: exit 3, with a sentence that says what to do, and nothing left.

use super::cluster::{of_run, on_memory, run, start};
use crate::lab::Engine;
use crate::runs::Ran;

/// A run of these services, with one scenario that would use them.
fn of(services: &str) -> String {
    format!(
        "topics: [{{name: t}}]
scenarios: {{write: {{type: produce, messages: 10}}}}
checks: [{{type: count_equals, expected: 10}}]
{services}"
    )
}

fn told(ran: &Ran, parts: &[&str]) {
    let reason = ran.summary["reason"].as_str().expect("it is a text");
    for part in parts {
        assert!(reason.contains(part), "`{part}` in: {reason}");
    }
    assert_eq!(ran.ended("write"), "skipped");
}

#[test]
fn no_docker() {
    let Some(cluster) = on_memory() else { return };
    let (kaf6, _) = start(&of(&cluster));
    let ran = kaf6.env("DOCKER_HOST", "unix:///nowhere/docker.sock").run().expect("error");
    told(&ran, &["Docker", "/nowhere/docker.sock"]);
}

#[test]
fn no_addresses_for_a_network() {
    let Some(cluster) = on_memory() else { return };
    let words = "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network";
    let answer = ("POST /networks/create", 404, format!(r#"{{"message": "{words}"}}"#));
    let Some(engine) = Engine::with(vec![answer]) else { return };
    let (kaf6, id) = start(&of(&cluster));
    let ran = kaf6.env("DOCKER_HOST", &engine.host()).run().expect("error");
    told(&ran, &["Docker has no addresses left for the run's network", words, "docker network prune"]);
    assert_eq!(of_run(&id), Vec::<String>::new());
}

#[test]
fn an_image_that_is_not_there() {
    let Some(cluster) = on_memory() else { return };
    let ran = run(&of(&cluster.replace("image: kaf6-lab/tansu:dev", "image: kaf6-lab/nothing:like-it")))
        .expect("error");
    told(&ran, &["kaf6-lab/nothing:like-it", "pull"]);
}

#[test]
fn a_container_that_ends_at_once() {
    let Some(cluster) = on_memory() else { return };
    let ran = run(&of(&cluster.replace("memory://tansu/", "nonsense://x/"))).expect("error");
    told(&ran, &["broker", "exit"]);
}

#[test]
fn readiness_that_never_comes() {
    let Some(cluster) = on_memory() else { return };
    let ran = run(&of(&cluster
        .replace("ready: {kafka: kafka}", "ready: {tcp: other}\n      ready_timeout: 3s")
        .replace("ports: {kafka: 9092}", "ports: {kafka: 9092, other: 7777}")))
    .expect("error");
    told(&ran, &["broker", "ready", "3"]);
}
