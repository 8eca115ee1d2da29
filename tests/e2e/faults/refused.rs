//! Tests clusters that do not start: exit code 3, an error with a hint, and nothing left.

use super::cluster::{docker, of_run, on_memory, run, start};
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
fn docker_is_asked_where_the_docker_command_asks_it() {
    let Some(cluster) = on_memory() else { return };
    let engines = ["first", "second", "third"].map(|who| {
        Engine::with(vec![("POST /networks/create", 500, format!(r#"{{"message": "the {who} one"}}"#))])
    });
    let [Some(first), Some(second), Some(third)] = engines else { return };
    let config = tempfile::tempdir().expect("a folder");
    let at = config.path().display().to_string();
    for (name, engine) in [("mine", &first), ("other", &second)] {
        let endpoint = format!("host={}", engine.host());
        docker(&["--config", &at, "context", "create", name, "--docker", &endpoint]);
    }
    docker(&["--config", &at, "context", "use", "mine"]);
    let (third, none) = (third.host(), "");
    for (context, host, who) in [
        (none, none, "the first one"),
        ("other", none, "the second one"),
        ("other", third.as_str(), "the third one"),
        (none, third.as_str(), "the third one"),
        // DOCKER_HOST takes precedence, even over a context that does not exist.
        ("gone", third.as_str(), "the third one"),
    ] {
        let variables = [("DOCKER_CONFIG", at.as_str()), ("DOCKER_CONTEXT", context), ("DOCKER_HOST", host)];
        let asked =
            std::process::Command::new("docker").args(["network", "create", "x"]).envs(variables).output();
        let said = String::from_utf8_lossy(&asked.expect("docker starts").stderr).into_owned();
        assert!(said.contains(who), "{context} {host}: {said}");
        let (kaf6, _) = start(&of(&cluster));
        let ran = variables.into_iter().fold(kaf6, |kaf6, (name, value)| kaf6.env(name, value));
        told(&ran.run().expect("error"), &["Docker could not create the network", who]);
    }
    for (context, parts) in [
        ("gone", ["Docker's current context `gone` does not exist; choose another one", "set DOCKER_HOST"]),
        (
            "far",
            [
                "Docker's current context `far` is ssh://me@far, but kaf6 connects to Docker only over",
                "set DOCKER_HOST",
            ],
        ),
        (
            "dead",
            ["/nowhere/docker.sock does not exist", "; Docker's current context `dead` sets this address"],
        ),
    ] {
        for (name, host) in [("far", "ssh://me@far"), ("dead", "unix:///nowhere/docker.sock")] {
            if name == context {
                let endpoint = format!("host={host}");
                docker(&["--config", &at, "context", "create", name, "--docker", &endpoint]);
            }
        }
        let (kaf6, _) = start(&of(&cluster));
        let kaf6 = kaf6.env("DOCKER_CONFIG", &at).env("DOCKER_CONTEXT", context).env("DOCKER_HOST", "");
        told(&kaf6.run().expect("error"), &parts);
    }
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
