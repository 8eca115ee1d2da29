//! The containers of the tests' scenario files, and what Docker has of a run.

use std::process::Command;

use serde_json::Value;

use crate::lab::{KAFKA_IMAGE, Part, S3_IMAGE, TansuContainer, require};
use crate::runs::{Kaf6, Ran};

/// Tansu over an S3 server: a stateless broker, whose data outlive it.
pub fn over_s3() -> Option<String> {
    let image = TansuContainer::image()?;
    require(Part::Images)?;
    Some(format!(
        r#"
cluster:
  services:
    store:
      image: {S3_IMAGE}
      pull: never
      command: [tansu]
      ports: {{api: 9000}}
      ready: {{exec: [cat, /tmp/ready]}}
    broker:
      image: {image}
      pull: never
      ports: {{kafka: 9092}}
      env:
        LISTENER_URL: tcp://0.0.0.0:9092
        ADVERTISED_LISTENER_URL: "tcp://{{{{self.host}}}}:{{{{self.port.kafka}}}}"
        STORAGE_ENGINE: s3://tansu/
        AWS_ENDPOINT: "http://{{{{store.api}}}}"
        AWS_ALLOW_HTTP: "true"
        AWS_DEFAULT_REGION: us-east-1
        AWS_ACCESS_KEY_ID: lab
        AWS_SECRET_ACCESS_KEY: lab
        RUST_LOG: warn
      ready: {{kafka: kafka}}
"#
    ))
}

/// Tansu on memory: a broker that forgets all when it is restarted.
pub fn on_memory() -> Option<String> {
    let image = TansuContainer::image()?;
    Some(format!(
        r#"
cluster:
  services:
    broker:
      image: {image}
      pull: never
      ports: {{kafka: 9092}}
      env:
        LISTENER_URL: tcp://0.0.0.0:9092
        ADVERTISED_LISTENER_URL: "tcp://{{{{self.host}}}}:{{{{self.port.kafka}}}}"
        STORAGE_ENGINE: memory://tansu/
        RUST_LOG: warn
      ready: {{kafka: kafka}}
"#
    ))
}

/// One Apache Kafka node with its data in a volume.
pub fn kafka() -> Option<String> {
    require(Part::Images)?;
    Some(format!(
        r#"
cluster:
  services:
    broker:
      image: {KAFKA_IMAGE}
      pull: never
      ports: {{kafka: 9092}}
      volumes: {{data: /data}}
      env: {{KAFKA_ADVERTISED: "{{{{self.host}}}}:{{{{self.port.kafka}}}}"}}
      ready: {{kafka: kafka}}
"#
    ))
}

/// An example with these containers in place of its own, so that what people copy is what is tested.
pub fn example(name: &str, cluster: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let text = std::fs::read_to_string(path).expect("the example is there");
    let (mut kept, mut inside) = (String::new(), false);
    for line in text.lines() {
        if !line.starts_with([' ', '#']) && !line.is_empty() {
            inside = line.starts_with("cluster:");
        }
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    assert!(kept.len() < text.len(), "{name} has a cluster");
    // The lab's store is a Python process that handles only tens of requests per second on a busy machine. The effect of a
    // fault shows only if the store can handle the load. Most times are shorter than in the examples.
    let slower = [
        // At the end of a Tansu log, a reader skips records if several clients write to it.
        ("clients: 3", "clients: 1"),
        ("CLIENTS:-3", "CLIENTS:-1"),
        ("rate: 300/s", "rate: 4/s"),
        ("rate: 200/s", "rate: 4/s"),
        ("MESSAGES:-3000", "MESSAGES:-60"),
        ("write.acked >= 1000", "write.acked >= 20"),
        ("write.acked >= 2000", "write.acked >= 20"),
        ("max_in_flight: 64KiB", "max_in_flight: 2KiB\n    rate: 4/s"),
        ("tolerance: 30%", "tolerance: 60%"),
        ("tolerance: 20%", "tolerance: 60%"),
        ("duration: 60s", "duration: 40s"),
        ("duration: 30s", "duration: 24s"),
        ("at: 15s", "at: 5s"),
        ("at: 20s", "at: 7s"),
        ("for: 20s", "for: 7s"),
        // If a store takes half a second for a request, 200 ms more do not halve the rate.
        ("latency: 200ms", "latency: 1s"),
        ("max_gap: 5s", "max_gap: 3m"),
        ("within: 15s", "within: 60s"),
        ("within: 30s", "within: 60s"),
    ];
    let kept = slower.iter().fold(kept, |text, (from, to)| text.replace(from, to));
    format!("{kept}{cluster}")
}

/// Starts a run of this text under an id of its own, so that what Docker has of it can be told.
pub fn start(text: &str) -> (Kaf6, String) {
    let id = format!("t{}", uuid::Uuid::new_v4().simple());
    (with_docker(Kaf6::file(text)).arg("--run-id").arg(&id), id)
}

/// Runs this text to its end; nothing of it is left in Docker.
pub fn run(text: &str) -> Ran {
    let (kaf6, id) = start(text);
    let ran = kaf6.run();
    assert_eq!(of_run(&id), Vec::<String>::new(), "nothing is left: {ran}");
    ran
}

/// The harness clears the environment, and Docker's address may stand in it.
pub fn with_docker(kaf6: Kaf6) -> Kaf6 {
    match std::env::var("DOCKER_HOST") {
        Ok(host) => kaf6.env("DOCKER_HOST", &host),
        Err(_) => kaf6,
    }
}

/// What Docker has that names this run: containers, networks and volumes.
pub fn of_run(id: &str) -> Vec<String> {
    let label = format!("label=io.kaf6.run={id}");
    let lists: [&[&str]; 3] = [
        &["ps", "--all", "--format", "container {{.Names}}"],
        &["network", "ls", "--format", "network {{.Name}}"],
        &["volume", "ls", "--format", "volume {{.Name}}"],
    ];
    let listed = lists.into_iter().flat_map(|list| {
        let text = docker(&[list, &["--filter", &label]].concat());
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    listed.collect()
}

/// Runs the docker command.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("docker starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {}: {said}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One fault of a summary.
pub fn fault<'a>(ran: &'a Ran, name: &str) -> &'a Value {
    let faults = ran.summary["faults"].as_array().expect("it is a list");
    faults
        .iter()
        .find(|fault| fault["name"] == name)
        .unwrap_or_else(|| panic!("there is a fault {name}: {ran}"))
}

/// A number of a fault.
pub fn of_fault(ran: &Ran, name: &str, field: &str) -> u64 {
    let value = &fault(ran, name)[field];
    value.as_u64().unwrap_or_else(|| panic!("fault {name} has a number {field}, not {value}: {ran}"))
}
