//! Runs the repository's own workflow with act: the Action in containers, with local images.

use std::path::Path;
use std::process::Command;

use super::lab::{Part, require};

/// What act said of one job of e2e.yml, and whether it was green.
struct Ran {
    green: bool,
    said: String,
}

fn act(words: &[&str]) -> Ran {
    act_on(".github/workflows/e2e.yml", words)
}

fn act_on(workflow: &str, words: &[&str]) -> Ran {
    act_in(Path::new(env!("CARGO_MANIFEST_DIR")), workflow, words)
}

fn act_in(repository: &Path, workflow: &str, words: &[&str]) -> Ran {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut act = Command::new(root.join("scripts/act"));
    let act = act.args(words).env("ROOT", repository).env("WORKFLOW", workflow).current_dir(root);
    let output = act.output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    Ran { green: output.status.success(), said: String::from_utf8_lossy(&said).into_owned() }
}

impl Ran {
    /// The job was green, and all of this was said.
    fn says(&self, parts: &[&str]) {
        let missing: Vec<&&str> = parts.iter().filter(|part| !self.said.contains(**part)).collect();
        assert!(
            self.green && missing.is_empty(),
            "green: {}, missing: {missing:?}\n{}",
            self.green,
            self.said
        );
    }
}

/// The line of a file that holds a text.
fn line_of(file: &str, text: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let content = std::fs::read_to_string(path).expect("the file is there");
    1 + content.lines().position(|line| line.contains(text)).expect("it is in the file")
}

#[test]
#[ignore = "builds the Action's image, which takes minutes"]
fn the_action_runs_as_its_users_run_it() {
    if [Part::Docker, Part::Images, Part::Tansu].into_iter().any(|part| require(part).is_none()) {
        return;
    }
    act(&["embedded"]).says(&[
        "set-output:: status=pass",
        "set-output:: checks-failed=0",
        "set-output:: summary=reports/index.json",
        "## ✅ single: pass",
        "Success - Main Check the outputs",
        "Success - Post ./",
    ]);
    act(&["kafka", "--matrix", "kafka:4.3.1", "--matrix", "container:debian:bookworm-slim"])
        .says(&["set-output:: status=pass", "## ✅ smoke: pass"]);
    act(&["preset", "--matrix", "preset:tansu", "--matrix", "scenario:durability"]).says(&[
        "set-output:: status=pass",
        "| bounce | restart broker |",
        "Success - Post ./",
    ]);
    let line = line_of(".github/e2e/forgets.yaml", "type: no_loss");
    let place =
        format!("::error file=.github/e2e/forgets.yaml,line={line},col=5,title=no_loss failed for read::");
    act(&["forgets"]).says(&[
        &place,
        "1,000 lost of 1,000 acked messages",
        "set-output:: status=fail",
        "Success - Main Check that the run failed",
    ]);
}

#[test]
#[ignore = "builds the Action's image, which takes minutes"]
fn setup_installs_a_command_for_the_steps_behind_it() {
    if [Part::Docker, Part::Images].into_iter().any(|part| require(part).is_none()) {
        return;
    }
    let release = tempfile::tempdir().expect("a folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_kaf6")).parent().expect("a folder");
    let version = env!("CARGO_PKG_VERSION");
    let pack = format!(
        "tar -czf kaf6-{version}-linux-amd64.tar.gz -C {} kaf6 && sha256sum *.gz >SHA256SUMS",
        binary.display()
    );
    let packed =
        Command::new("sh").args(["-c", &pack]).current_dir(release.path()).status().expect("it starts");
    assert!(packed.success(), "{pack}");
    let mount = format!("--volume {}:/release:ro", release.path().display());
    let ran = act_on("tests/act/setup.yml", &["setup", "--container-options", &mount]);
    ran.says(&[
        "checksum verified",
        "::set-output:: version=",
        "PASSED",
        "Success - Main Run it from the PATH",
    ]);
}

#[test]
#[ignore = "builds the Action's image, which takes minutes"]
fn the_workflow_that_init_writes_is_green_as_it_stands() {
    if [Part::Docker, Part::Images].into_iter().any(|part| require(part).is_none()) {
        return;
    }
    let repository = tempfile::tempdir().expect("a folder");
    let in_it = |program: &str, words: &[&str]| {
        let ran =
            Command::new(program).args(words).current_dir(repository.path()).output().expect("it starts");
        assert!(ran.status.success(), "{program} {words:?}: {ran:?}");
    };
    in_it(env!("CARGO_BIN_EXE_kaf6"), &["init"]);
    // On GitHub, the Action joins the network of the job's services. With act, it does so only if the job runs in a container.
    let workflow = ".github/workflows/kaf6.yml";
    let path = repository.path().join(workflow);
    let text = std::fs::read_to_string(&path).expect("init wrote it");
    let runner = "    runs-on: ubuntu-latest\n";
    let contained = text.replace(runner, &format!("{runner}    container: debian:bookworm-slim\n"));
    assert_ne!(text, contained);
    std::fs::write(&path, contained).expect("it is written");
    in_it("git", &["init", "--quiet"]);
    in_it("git", &["add", "--all"]);
    let author = ["-c", "user.name=lab", "-c", "user.email=lab@example.org"];
    in_it("git", &[&author[..], &["commit", "--quiet", "--message=kaf6"]].concat());
    act_in(repository.path(), workflow, &["kaf6"]).says(&[
        "✓ PASSED  smoke",
        "set-output:: status=pass",
        "Success - Post org/kaf6@v1",
        "Job succeeded",
    ]);
}
