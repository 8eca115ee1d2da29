//! Tansu in a container: an image that has only its static binary, built and run with the `docker` command.
//! The next container removes what a killed test left running.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::parts::{Part, lab_dir, require};
use super::process::{broker_answers, free_port, wait_for};

/// The image that [`TansuContainer::image`] builds.
const IMAGE: &str = "kaf6-lab/tansu:dev";

/// Every container of the lab carries it, with the process id of its test.
const LABEL: &str = "kaf6-lab";

/// A running container, removed when dropped.
#[derive(Debug)]
pub struct TansuContainer {
    name: String,
    port: u16,
}

impl TansuContainer {
    /// Builds the image where it is not there, and gives its name; none where Docker or Tansu is missing.
    pub fn image() -> Option<&'static str> {
        require(Part::Tansu)?;
        require(Part::Docker)?;
        let context = tempfile::tempdir().expect("a temporary folder");
        fs::copy(lab_dir().join("bin/tansu"), context.path().join("tansu")).expect("the binary is copied");
        let recipe = "FROM scratch\nCOPY tansu /tansu\nENTRYPOINT [\"/tansu\"]\nCMD [\"broker\"]\n";
        fs::write(context.path().join("Dockerfile"), recipe).expect("the recipe is written");
        run(&["build", "--quiet", "--tag", IMAGE], Some(context.path()));
        Some(IMAGE)
    }

    /// Starts a broker on memory, published on a free port of this host, and waits until it answers.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with more options of `docker run`.
    pub fn start_with(options: &[&str]) -> Option<Self> {
        let image = Self::image()?;
        sweep();
        let port = free_port();
        let name = format!("kaf6-lab-{}-{port}", std::process::id());
        let url = format!("tcp://127.0.0.1:{port}");
        run(
            &[
                &[
                    "run",
                    "--detach",
                    "--name",
                    &name,
                    "--label",
                    &format!("{LABEL}={}", std::process::id()),
                    "--publish",
                    &format!("127.0.0.1:{port}:9092"),
                    "--env",
                    "LISTENER_URL=tcp://0.0.0.0:9092",
                    "--env",
                    &format!("ADVERTISED_LISTENER_URL={url}"),
                    "--env",
                    "STORAGE_ENGINE=memory://tansu/",
                ],
                options,
                &[image],
            ]
            .concat(),
            None,
        );
        let container = Self { name, port };
        wait_for("tansu answers in its container", Duration::from_secs(120), || {
            broker_answers(&container.address())
        });
        Some(container)
    }

    /// `host:port` for clients on this host.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TansuContainer {
    fn drop(&mut self) {
        Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output().ok();
    }
}

/// Removes containers whose test is gone.
fn sweep() {
    let format = format!("{{{{.Names}}}} {{{{.Label \"{LABEL}\"}}}}");
    let list = run(&["ps", "--all", "--filter", &format!("label={LABEL}"), "--format", &format], None);
    for (name, pid) in list.lines().filter_map(|line| line.split_once(' ')) {
        let alive = Command::new("sh").args(["-c", r#"kill -0 "$0" 2>/dev/null"#, pid]).status();
        if !alive.is_ok_and(|status| status.success()) {
            Command::new("docker").args(["rm", "--force", "--volumes", name]).output().ok();
        }
    }
}

fn run(arguments: &[&str], context: Option<&Path>) -> String {
    let output = Command::new("docker").args(arguments).args(context).output().expect("docker starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {} works: {said}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
