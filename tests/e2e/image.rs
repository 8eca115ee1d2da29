//! Tests the image: `docker run` with a user's folder, as any user, and as the GitHub runner starts it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::lab::{Part, TansuContainer, require, wait_for};

/// The image, built by the project's own Dockerfile; none where Docker or the base images are missing.
pub fn image() -> Option<String> {
    require(Part::Docker)?;
    require(Part::Images)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/test-image");
    let output = Command::new(script).output().expect("it starts");
    assert!(output.status.success(), "the image is built: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("a name").trim().to_owned())
}

fn docker(words: &[&str]) -> Output {
    Command::new("docker").args(words).output().expect("docker starts")
}

/// What `docker` prints, where it ends with 0.
fn printed(words: &[&str]) -> String {
    let output = docker(words);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "docker {}:\n{said}\n{told}", words.join(" "));
    said.into_owned()
}

#[test]
#[ignore = "builds the image, which takes minutes"]
fn it_runs_without_anything_else() {
    let Some(image) = image() else { return };
    let version = format!("kaf6 {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed(&["run", "--rm", &image, "--version"]).trim(), version);
    let smoke = printed(&["run", "--rm", &image, "run", "--embedded", "examples/smoke.yaml"]);
    assert!(smoke.contains("PASSED"), "{smoke}");
    let single = ["run", "--embedded", "examples/single.yaml"];
    let anybody = printed(&[&["run", "--rm", "--user", "1234:1234", &image][..], &single].concat());
    assert!(anybody.contains("PASSED"), "{anybody}");
    let labels = printed(&["image", "inspect", "--format", "{{json .Config.Labels}}", &image]);
    assert!(labels.contains("org.opencontainers.image.licenses"), "{labels}");
}

#[test]
#[ignore = "builds the image, which takes minutes"]
fn reports_belong_to_the_caller() {
    let Some(image) = image() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/single.yaml");
    fs::copy(example, folder.path().join("single.yaml")).expect("the file is copied");
    // Give the folder to a non-root user. Without permission for this, it stays with the current user.
    let _ = chown(folder.path(), Some(1234), Some(1234));
    let owner = fs::metadata(folder.path()).expect("the folder is there").uid();
    let mount = format!("{}:/work", folder.path().display());
    printed(&["run", "--rm", "-v", &mount, &image, "run", "--embedded", "single.yaml", "--run-id", "one"]);
    for path in ["reports", "reports/one", "reports/one/summary.json", "reports/one/report.html"] {
        let found = fs::metadata(folder.path().join(path)).expect("the report is there");
        assert_eq!(found.uid(), owner, "{path}");
        assert_eq!(found.mode() & 0o400, 0o400, "{path} can be read");
    }
}

/// A broker that kaf6 starts, and a load that lasts.
const LONG: &str = r#"
cluster:
  services:
    broker:
      image: kaf6-lab/tansu:dev
      pull: never
      command: [broker]
      ports: {kafka: 9092}
      env:
        LISTENER_URL: tcp://0.0.0.0:9092
        ADVERTISED_LISTENER_URL: tcp://{{self.host}}:{{self.port.kafka}}
        STORAGE_ENGINE: memory://tansu/
      ready: {kafka: kafka}
topics: [{name: "long-{{run_id}}"}]
scenarios:
  write: {type: produce, duration: 5m, rate: 10/s}
checks: [{type: count_at_least, expected: 1}]
"#;

#[test]
#[ignore = "builds the image, which takes minutes"]
fn the_post_step_removes_what_a_killed_run_left() {
    let Some(image) = image() else { return };
    if TansuContainer::image().is_none() {
        return;
    }
    let workspace = tempfile::tempdir().expect("a folder");
    fs::write(workspace.path().join("long.yaml"), LONG).expect("the file is written");
    let state = workspace.path().join("state");
    fs::write(&state, "").expect("the runner's file is there");
    let mount = format!("{}:/github/workspace", workspace.path().display());
    let socket = "/var/run/docker.sock:/var/run/docker.sock";
    let runner = ["-v", &mount, "-v", socket, "-w", "/github/workspace", "-e", "GITHUB_ACTIONS=true"];
    let run_id = format!("killed-{}", std::process::id());
    let (name, id) = (format!("kaf6-{run_id}"), format!("KAF6_RUN_ID={run_id}"));
    let main = ["-e", "GITHUB_STATE=/github/workspace/state", "-e", "KAF6_FILES=long.yaml", "-e", &id];
    printed(&[&["run", "--detach", "--name", &name][..], &runner, &main, &[&image, "run"]].concat());
    let label = format!("label=io.kaf6.run={run_id}");
    let left = || printed(&["ps", "--all", "--quiet", "--filter", &label]);
    wait_for("the broker runs", Duration::from_secs(240), || !left().trim().is_empty());
    printed(&["kill", "--signal", "KILL", &name]);
    printed(&["rm", "--force", &name]);
    assert!(!left().trim().is_empty(), "nobody has cleaned up yet");

    let saved = fs::read_to_string(&state).expect("the runner's file is there");
    assert_eq!(saved, format!("kaf6_runs={run_id}\n"));
    let variable = format!("STATE_{}", saved.trim());
    // The runner passes the arguments of the main step to the post step.
    let post = ["-e", &variable, "--entrypoint", "/usr/local/bin/kaf6-post", &image, "run"];
    let said = printed(&[&["run", "--rm"][..], &runner, &post].concat());
    assert_eq!(left().trim(), "", "{said}");
    let networks = printed(&["network", "ls", "--quiet", "--filter", &label]);
    assert_eq!(networks.trim(), "", "{said}");
}
