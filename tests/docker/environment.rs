//! Tests unusual environments: other platforms, no addresses, Podman, no root, unreadable logs. kaf6 reports each one, and leaves
//! nothing behind.

use std::time::{Duration, Instant};

use kaf6::docker::{Cluster, DockerError};
use kaf6::plan::cluster::{AttachBy, AttachPlan, Link};
use kaf6::plan::{ActionPlan, ClusterPlan, FaultTarget, ServicePlan};
use kaf6::scenario::Position;

use crate::attached::Bystander;
use crate::lab::Engine;
use crate::plans::{Run, SOON, UNTIL_TERM, cluster, docker, fault, script, shell};

/// An image of one program, for a platform.
struct Foreign(String);

impl Foreign {
    fn build(platform: &str, program: &[u8]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, program).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let recipe = "FROM scratch\nCOPY program /program\nENTRYPOINT [\"/program\"]\n";
        std::fs::write(folder.path().join("Dockerfile"), recipe).unwrap();
        let name = format!("kaf6-lab/foreign:{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let context = folder.path().display().to_string();
        docker(&["build", "--quiet", "--platform", platform, "--tag", &name, &context]);
        Self(name)
    }

    /// Of a processor that nobody emulates: the head of an ELF file, and nothing behind it.
    fn alpha() -> Self {
        let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x26\x90\x01\0\0\0".to_vec();
        elf.resize(64, 0);
        Self::build("linux/s390x", &elf)
    }

    fn service(&self) -> ServicePlan {
        ServicePlan { image: self.0.clone(), command: None, ..script("foreign", "") }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").args(["rmi", &self.0]).output();
    }
}

/// The platform of this Docker host.
fn host() -> String {
    docker(&["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"]).trim().to_owned()
}

#[tokio::test]
async fn a_program_for_another_processor_is_told_with_both_platforms() {
    let Some(_) = shell() else { return };
    let (image, host, run) = (Foreign::alpha(), host(), Run::new());
    let error = run.up(&cluster(vec![image.service()])).await.err().unwrap();
    assert!(matches!(error, DockerError::Platform { .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.starts_with(&format!(
            "foreign cannot run (exec format error): image {} is for linux/s390x, but the Docker host is {host}; use an image for {host}",
            image.0
        )),
        "{error}"
    );
    run.assert_gone();
}

#[tokio::test]
async fn a_script_without_its_first_line_is_no_other_platform() {
    let Some(_) = shell() else { return };
    let (host, run) = (host(), Run::new());
    let image = Foreign::build(&host, b"echo without a first line that says by what\n");
    let error = run.up(&cluster(vec![image.service()])).await.err().unwrap().to_string();
    assert!(
        error.contains(&format!("and the Docker host are both {host}, so its program is a script")),
        "{error}"
    );
    run.assert_gone();
}

#[tokio::test]
async fn an_upgrade_to_an_image_of_another_platform_says_so_in_its_proof() {
    let Some(_) = shell() else { return };
    let (image, run) = (Foreign::alpha(), Run::new());
    let up = run.up(&cluster(vec![script("one", UNTIL_TERM)])).await.unwrap();
    let restart = ActionPlan::Restart {
        target: FaultTarget { service: "one".into(), replica: None },
        signal: "SIGKILL".into(),
        down_for: Duration::ZERO,
        image: Some(image.0.clone()),
    };
    let done = up.inject(&fault(None, restart), std::future::pending()).await;
    let said =
        format!("; image {} is for linux/s390x, but the Docker host is {}; use an image", image.0, host());
    assert!(done.proof.contains("ended again with exit code") && done.proof.contains(&said), "{done:?}");
    assert_eq!(up.down().await, Vec::<String>::new());
    run.assert_gone();
}

#[tokio::test]
async fn an_engine_that_finds_it_at_the_start_and_a_program_that_ends_by_it_are_told_as_well() {
    let Some(_) = shell() else { return };
    // The wording of later versions of runc.
    let message = "failed to create task for container: exec /program: exec format error: unknown";
    let answer = ("POST /containers/*/start", 400, format!(r#"{{"message": "{message}"}}"#));
    let Some(engine) = Engine::with(vec![answer]) else { return };
    let (image, run) = (Foreign::alpha(), Run::new());
    let plan = cluster(vec![image.service()]);
    let up = Cluster::up_at(&engine.host(), &plan, run.options(), std::future::pending()).await;
    let error = up.err().unwrap();
    assert!(matches!(error, DockerError::Platform { .. }), "{error}");
    run.assert_gone();

    let says = "> /dev/shm/up; until [[ -e /dev/shm/go ]]; do sleep 0.05; done; echo 'x: cannot execute binary file: Exec format error' >&2; exit 126";
    let run = Run::new();
    let up = run.up(&cluster(vec![script("one", says)])).await.unwrap();
    docker(&["exec", &run.container("one", 0), "/bin/bash", "-c", "> /dev/shm/go"]);
    let deadline = Instant::now() + SOON;
    let mut told = Vec::new();
    while told.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
        told = up.unexpected().await;
    }
    let both =
        format!("Exec format error); image kaf6-lab/shell:dev and the Docker host are both {}", host());
    assert!(told[0].contains(&both), "{told:?}");
    up.down().await;
    run.assert_gone();
}

/// An attached container that is not kaf6's, with these options of `docker run`.
fn attached(more: &[&str]) -> (ClusterPlan, Bystander) {
    let other = Bystander::start(more);
    let by = AttachBy::Container(other.0.clone());
    let position = Position { file: "test.yaml".into(), line: 1, column: 1 };
    let attach = AttachPlan { name: "it".into(), by, position };
    (ClusterPlan { attached: vec![attach], ..ClusterPlan::default() }, other)
}

#[tokio::test]
async fn a_log_that_docker_does_not_hand_out_is_a_note_and_a_line_of_the_log() {
    let Some(_) = shell() else { return };
    let syslog = ["--log-driver", "syslog", "--log-opt", "syslog-address=udp://127.0.0.1:9"];
    for (driver, options) in [
        ("none", ["--log-driver", "none"].as_slice()),
        ("syslog", &[syslog.as_slice(), &["--log-opt", "cache-disabled=true"]].concat()),
    ] {
        let (plan, other) = attached(options);
        let run = Run::new();
        let up = run.up(&plan).await.unwrap();
        let deadline = Instant::now() + SOON;
        while up.notes().is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let notes = up.notes();
        assert!(
            notes[0].starts_with(&format!(
                "cannot read the log of it, so reports contain none of its lines: its log driver is {driver} ("
            )),
            "{notes:?}"
        );
        assert!(notes[0].contains(&format!("start {} with --log-driver json-file", other.0)), "{notes:?}");
        let line = format!("[kaf6: cannot read this log: its log driver is {driver} (");
        let lines = up.seen().await.remove(0).last_lines;
        assert!(lines.len() == 1 && lines[0].starts_with(&line), "{lines:?}");
        // The note appears once, even if the container is restarted.
        let restart = ActionPlan::Restart {
            target: FaultTarget { service: "it".into(), replica: None },
            signal: "SIGKILL".into(),
            down_for: Duration::ZERO,
            image: None,
        };
        assert!(up.inject(&fault(None, restart), std::future::pending()).await.effective);
        assert_eq!(up.down().await, Vec::<String>::new());
        assert_eq!(up.notes().len(), 1);
        run.assert_gone();
        let log = run.log("it.log");
        assert!(log.starts_with(&line) && log.lines().count() == 1, "{log}");
    }
}

#[tokio::test]
async fn a_log_that_can_be_read_has_no_note() {
    let Some(_) = shell() else { return };
    let (plan, _other) = attached(&["--log-driver", "local"]);
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    assert_eq!(up.down().await, Vec::<String>::new());
    assert_eq!(up.notes(), Vec::<String>::new());
    run.assert_gone();
}

/// What `GET /version` answers where Podman listens.
fn podman() -> String {
    let component = r#"{"Name": "Podman Engine", "Version": "4.3.1", "Details": {"APIVersion": "4.3.1"}}"#;
    format!(
        r#"{{"Components": [{component}], "Version": "4.3.1", "ApiVersion": "1.41", "Os": "linux", "Arch": "amd64"}}"#
    )
}

#[tokio::test]
async fn podman_is_named_in_a_note_and_beside_what_fails() {
    let Some(_) = shell() else { return };
    let Some(engine) = Engine::with(vec![("GET /version", 200, podman())]) else { return };
    let run = Run::new();
    let plan = cluster(vec![script("one", UNTIL_TERM)]);
    let up = Cluster::up_at(&engine.host(), &plan, run.options(), std::future::pending()).await.unwrap();
    assert_eq!(
        up.notes(),
        ["the containers run on Podman 4.3.1; kaf6 is tested less with Podman than with Docker"]
    );
    assert_eq!(up.down().await, Vec::<String>::new());
    run.assert_gone();

    let refusal = (500, r#"{"message": "runc: permission denied: OCI permission denied"}"#.to_owned());
    let answers = vec![("GET /version", 200, podman()), ("POST /containers/create", refusal.0, refusal.1)];
    let Some(engine) = Engine::with(answers) else { return };
    let up = Cluster::up_at(&engine.host(), &plan, run.options(), std::future::pending()).await;
    let error = up.err().unwrap().to_string();
    assert!(error.contains("OCI permission denied; the engine here is Podman 4.3.1, and kaf6"), "{error}");
    run.assert_gone();
}

#[tokio::test]
async fn relays_are_refused_where_docker_has_no_root() {
    let Some(_) = shell() else { return };
    let info = r#"{"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]}"#;
    let answers = vec![("GET /info", 200, info.to_owned())];
    let Some(engine) = Engine::with(answers) else { return };
    let run = Run::new();
    let mut plan = cluster(vec![script("one", UNTIL_TERM), script("two", UNTIL_TERM)]);
    plan.links = vec![Link { from: "one".into(), to: "two".into() }];
    let up = Cluster::up_at(&engine.host(), &plan, run.options(), std::future::pending()).await;
    let error = up.err().unwrap().to_string();
    assert!(
        error.starts_with("cannot run a relay for one -> two: Docker runs rootless, and its containers"),
        "{error}"
    );
    run.assert_gone();
    // Without relays, the cluster starts.
    plan.links.clear();
    let up = Cluster::up_at(&engine.host(), &plan, run.options(), std::future::pending()).await.unwrap();
    assert_eq!(up.down().await, Vec::<String>::new());
    run.assert_gone();
}

#[tokio::test]
async fn no_addresses_for_a_network_are_told_in_the_words_of_each_engine() {
    let Some(_) = shell() else { return };
    for (status, words) in [
        (
            404,
            "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
        ),
        (403, "all predefined address pools have been fully subnetted"),
        (500, "could not find free subnet from subnet pools"),
    ] {
        let answer = ("POST /networks/create", status, format!(r#"{{"message": "{words}"}}"#));
        let Some(engine) = Engine::with(vec![answer]) else { return };
        let run = Run::new();
        let plan = cluster(vec![script("one", UNTIL_TERM)]);
        let up = Cluster::up_at(&engine.host(), &plan, run.options(), std::future::pending()).await;
        let error = up.err().unwrap();
        assert!(matches!(error, DockerError::NoAddresses { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(words) && error.contains("docker network prune"), "{error}");
        run.assert_gone();
    }
}
