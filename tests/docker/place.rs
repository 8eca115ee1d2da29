//! A remote Docker Engine: a second engine on a TCP port of this machine.

use std::process::Command;
use std::time::Duration;

use kaf6::docker::{Cluster, DockerError, clean_at};
use kaf6::plan::cluster::Link;

use crate::lab::{Process, free_port, wait_for};
use crate::plans::{Run, UNTIL_TERM, cluster, kafka_answers, script, shell, tansu};

/// A second Docker Engine with nothing of the first one's; ended when dropped.
struct Remote {
    host: String,
    folder: tempfile::TempDir,
    process: Option<Process>,
    bridge: String,
}

impl Remote {
    fn start() -> Option<Self> {
        shell()?;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let host = format!("tcp://127.0.0.1:{port}");
        // Two engines must not share a bridge or the addresses of networks.
        let number = port % 200;
        let bridge = format!("kaf6b{port}");
        run("ip", &["link", "add", &bridge, "type", "bridge"])?;
        run("ip", &["addr", "add", &format!("10.211.{number}.1/24"), "dev", &bridge])?;
        run("ip", &["link", "set", &bridge, "up"])?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new("dockerd");
        command.args([
            "--host",
            &host,
            "--data-root",
            &at("data"),
            "--exec-root",
            &at("exec"),
            "--pidfile",
            &at("pid"),
            // A second engine would overwrite the iptables rules of the first one on this machine.
            "--iptables=false",
            "--ip-masq=false",
            "--bridge",
            &bridge,
            "--default-address-pool",
            &format!("base=10.212.{number}.0/24,size=28"),
        ]);
        let process = Process::spawn(&mut command, &folder.path().join("log"));
        let remote = Self { host, folder, process: Some(process), bridge };
        wait_for("a second dockerd answers", Duration::from_secs(60), || remote.docker(&["info"]).is_ok());
        Some(remote)
    }

    fn docker(&self, words: &[&str]) -> Result<String, String> {
        let output = Command::new("docker").args(["--host", &self.host]).args(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Copies an image of the first engine.
    fn copy(&self, image: &str) {
        let file = self.folder.path().join("image.tar").display().to_string();
        crate::plans::docker(&["save", "--output", &file, image]);
        self.docker(&["load", "--input", &file]).unwrap();
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // After SIGTERM, the engine removes its containers and mounts.
            process.signal("TERM");
            for _ in 0..200 {
                if !process.running() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        self.process = None;
        run("ip", &["link", "delete", &self.bridge]);
    }
}

fn run(program: &str, words: &[&str]) -> Option<()> {
    Command::new(program).args(words).output().ok()?.status.success().then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_docker_engine_publishes_on_its_host() {
    let Some(broker) = tansu("broker") else { return };
    let Some(remote) = Remote::start() else { return };
    remote.copy(&broker.image);
    let plan = cluster(vec![broker]);
    let run = Run::new();
    let up = Cluster::up_at(&remote.host, &plan, run.options(), std::future::pending()).await.unwrap();
    let address = up.addresses().get("broker", 0, "kafka").unwrap().to_owned();
    kafka_answers(&address).unwrap();
    let (_, port) = address.rsplit_once(':').unwrap();
    let published = remote.docker(&["port", &run.container("broker", 0)]).unwrap();
    assert!(published.contains(&format!("0.0.0.0:{port}")), "on all addresses: {published}");
    assert!(up.down().await.is_empty());
    assert_eq!(remote.docker(&["ps", "--all", "--quiet"]).unwrap(), "");
    assert!(!remote.docker(&["network", "ls"]).unwrap().contains(&run.id));
    assert!(clean_at(&remote.host, &kaf6::docker::CleanOptions::default()).await.unwrap().done.is_empty());

    let mut plan = plan;
    plan.links = vec![Link { from: "broker".into(), to: "broker".into() }];
    let error =
        Cluster::up_at(&remote.host, &plan, run.options(), std::future::pending()).await.err().unwrap();
    let error = error.to_string();
    assert!(
        error.contains("cannot run a relay for broker -> broker: Docker runs on another host"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_free_addresses_is_told_and_nothing_is_left() {
    let Some(shell) = shell() else { return };
    let Some(remote) = Remote::start() else { return };
    remote.copy(shell);
    let mut all = 0;
    let said = loop {
        match remote.docker(&["network", "create", &format!("other-{all}")]) {
            Ok(_) => all += 1,
            Err(said) => break said,
        }
        assert!(all < 100, "they have an end");
    };
    let plan = cluster(vec![script("one", UNTIL_TERM)]);
    let run = Run::new();
    let error =
        Cluster::up_at(&remote.host, &plan, run.options(), std::future::pending()).await.err().unwrap();
    assert!(matches!(error, DockerError::NoAddresses { .. }), "{error}, and docker: {said}");
    let error = error.to_string();
    assert!(
        error.starts_with(&format!("Docker has no addresses left for the run's network kaf6-{}", run.id)),
        "{error}"
    );
    let left = |words: &[&str]| remote.docker(words).unwrap();
    assert_eq!(left(&["ps", "--all", "--quiet"]), "");
    assert_eq!(left(&["volume", "ls", "--quiet"]), "");
    assert!(!left(&["network", "ls"]).contains(&run.id));
    // One free network is enough.
    left(&["network", "rm", "other-0"]);
    let up = Cluster::up_at(&remote.host, &plan, run.options(), std::future::pending()).await.unwrap();
    assert!(up.down().await.is_empty());
}
