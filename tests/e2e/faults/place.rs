//! Tests kaf6 in a container with the Docker socket, with the same three scenarios.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::cluster::{docker, example, of_run, over_s3};
use crate::lab::{Part, TansuContainer, require};
use crate::runs::unique;

/// Runs this text by kaf6 in a container; gives its exit code, what it said, and the summary.
fn inside(text: &str) -> (Option<i32>, String, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("scenario.yaml"), text).expect("the scenario file is written");
    let id = format!("t{}", uuid::Uuid::new_v4().simple());
    let binary = Path::new(env!("CARGO_BIN_EXE_kaf6"));
    let output = Command::new("docker")
        .args(["run", "--rm", "--name", &format!("kaf6-test-{id}")])
        .args(["--volume", "/var/run/docker.sock:/var/run/docker.sock"])
        .arg(format!("--volume={}:/kaf6:ro", binary.display()))
        .arg(format!("--volume={}:/work", folder.path().display()))
        .args(["--workdir", "/work", "kaf6-lab/base:bookworm"])
        .args(["/kaf6", "run", "scenario.yaml", "--run-id", &id])
        .output()
        .expect("docker starts");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(of_run(&id), Vec::<String>::new(), "nothing is left: {said}");
    let summary = std::fs::read(folder.path().join("reports").join(&id).join("summary.json"));
    let summary = summary.unwrap_or_else(|error| panic!("there is a summary ({error}): {said}"));
    // The root user of the container owns the files.
    docker(&[
        "run",
        "--rm",
        &format!("--volume={}:/work", folder.path().display()),
        "kaf6-lab/base:bookworm",
        "rm",
        "-rf",
        "/work/reports",
    ]);
    (output.status.code(), said, serde_json::from_slice(&summary).expect("summary.json is JSON"))
}

fn passes(name: &str) {
    let Some(cluster) = over_s3() else { return };
    let (code, said, summary) = inside(&example(name, &cluster));
    assert_eq!(code, Some(0), "{said}");
    let faults = summary["faults"].as_array().expect("it is a list");
    assert!(!faults.is_empty() && faults.iter().all(|fault| fault["effective"] == true), "{faults:?}");
    let broker = summary["brokers"][0].as_str().expect("it is a text");
    assert!(broker.starts_with("kaf6-"), "clients use the container's name: {broker}");
}

#[test]
fn s4_from_a_container() {
    passes("durability.yaml");
}

#[test]
fn s5_from_a_container() {
    passes("slow-storage.yaml");
}

#[test]
fn s6_from_a_container() {
    passes("scale-out.yaml");
}

/// A network and a broker in it that kaf6 has not started; both are removed when this is dropped.
struct Elsewhere(String);

impl Elsewhere {
    fn start(image: &str) -> Self {
        let name = unique("kaf6-test-elsewhere");
        docker(&["network", "create", &name]);
        let elsewhere = Self(name);
        let name = &elsewhere.0;
        let advertised = format!("ADVERTISED_LISTENER_URL=tcp://{name}:9092");
        docker(&[
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            name,
            "--env",
            "LISTENER_URL=tcp://0.0.0.0:9092",
            "--env",
            &advertised,
            "--env",
            "STORAGE_ENGINE=memory://tansu/",
            image,
        ]);
        elsewhere
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        for words in [["rm", "--force", &self.0], ["network", "rm", &self.0]] {
            Command::new("docker").args(words).output().ok();
        }
    }
}

/// Its name means something only in its network: kaf6's own container joins that, and leaves it again.
#[test]
fn what_is_attached_is_reached_by_its_name() {
    let Some(image) = TansuContainer::image() else { return };
    let Some(()) = require(Part::Images) else { return };
    let elsewhere = Elsewhere::start(image);
    let name = &elsewhere.0;
    let text = format!(
        "brokers: [\"{name}:9092\"]
topics: [{{name: \"t-{{{{run_id}}}}\"}}]
scenarios:
  write: {{type: produce, messages: 300, rate: 100/s, value: {{size: 50B}}}}
  read: {{type: consume}}
cluster: {{attach: {{broker: {name}}}}}
faults:
  hold: {{type: pause, target: broker, when: \"write.acked >= 50\", for: 1s}}
"
    );
    let (code, said, summary) = inside(&text);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(summary["faults"][0]["effective"], true, "{said}");
    let members = docker(&["network", "inspect", "--format", "{{range .Containers}}{{.Name}} {{end}}", name]);
    assert_eq!(members.trim(), name, "kaf6 has left it");
}
