//! Apache Kafka, the reference: one node as broker and controller, with a small heap and its own folder.
//! A start takes seconds, so tests that do not change it share one node.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::parts::{Part, lab_dir, require};
use super::process::{Process, broker_answers, broker_lives, free_port};

/// A running Apache Kafka of one test, killed when dropped.
#[derive(Debug)]
pub struct Kafka {
    port: u16,
    secured: u16,
    process: Process,
    folder: TempDir,
}

impl Kafka {
    /// The address of the broker that all tests of this run share; none where Java or Kafka is missing.
    ///
    /// The first test that asks starts it; it ends with the test runner. Name topics after your test, and
    /// take [`Kafka::start`] to kill or to stop one.
    pub fn shared() -> Option<String> {
        require(Part::Java)?;
        let owner = run_owner();
        let folder = std::env::temp_dir().join(format!("kaf6-lab-kafka-{owner}"));
        fs::create_dir_all(&folder).expect("a folder for the shared broker");
        let lock = File::create(folder.join("lock")).expect("the lock file opens");
        lock.lock().expect("the lock is taken");
        if let Ok(address) = fs::read_to_string(folder.join("address"))
            && broker_lives(&address)
        {
            return Some(address);
        }
        let data = folder.join("data");
        fs::remove_dir_all(&data).ok();
        fs::create_dir_all(&data).expect("a folder for its data");
        let (port, _) = format_storage(&data, STARVED, &[]);
        let address = format!("127.0.0.1:{port}");
        // Ends the broker when its owner is gone, and itself when the broker is.
        let keeper = r#"
            owner=$0; folder=$1; shift
            {
                "$@" >"$folder/data/log" 2>&1 & broker=$!
                { while kill -0 "$owner"; do sleep 0.5; done; kill -KILL "$broker"; } & watch=$!
                wait "$broker"; kill "$watch"; kill -0 "$owner" || rm -rf "$folder"
            } &"#;
        let kept = Command::new("sh")
            .args(["-c", keeper, &owner.to_string()])
            .arg(&folder)
            .arg("java")
            .args(java_arguments())
            .arg("kafka.Kafka")
            .arg(data.join("server.properties"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .status();
        assert!(kept.is_ok_and(|status| status.success()), "the shared broker's keeper starts");
        let deadline = Instant::now() + READY_WITHIN;
        while !broker_answers(&address) {
            let log = || fs::read_to_string(data.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "Kafka answers within {READY_WITHIN:?}: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        fs::write(folder.join("address"), &address).expect("the address is noted");
        Some(address)
    }

    /// Starts a broker of this test's own and waits until it answers; none where Java or Kafka is missing.
    pub fn start() -> Option<Self> {
        Self::of(Duration::from_secs(10), &[])
    }

    /// The same with further properties of the server, which win over those that all have; not to be started again.
    pub fn start_with(properties: &[(&str, &str)]) -> Option<Self> {
        Self::of(STARVED, properties)
    }

    fn of(session: Duration, properties: &[(&str, &str)]) -> Option<Self> {
        require(Part::Java)?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, secured) = format_storage(folder.path(), session, properties);
        let process = spawn(folder.path(), port);
        Some(Self { port, secured, process, folder })
    }

    /// `host:port` for clients.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `host:port` for clients that authenticate: by PLAIN as `kaf6` with `secret`, or by an unsecured token. Who does not do so
    /// again within two seconds is thrown out.
    pub fn secured_address(&self) -> String {
        format!("127.0.0.1:{}", self.secured)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills it where it runs and starts it again on the same port and data.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.folder.path(), self.port);
    }
}

const READY_WITHIN: Duration = Duration::from_secs(180);
/// How long a busy machine may keep a broker from telling its controller that it lives.
const STARVED: Duration = Duration::from_secs(60);

/// The test runner where it is the parent, as cargo and nextest are; else this process.
fn run_owner() -> u32 {
    let parent = parent_id();
    let name = Command::new("ps").args(["-o", "comm=", "-p", &parent.to_string()]).output();
    let is_runner = name.is_ok_and(|name| String::from_utf8_lossy(&name.stdout).contains("cargo"));
    if is_runner { parent } else { std::process::id() }
}

fn spawn(folder: &Path, port: u16) -> Process {
    let mut command = Command::new("java");
    command.args(java_arguments()).arg("kafka.Kafka").arg(folder.join("server.properties"));
    let mut process = Process::spawn(&mut command, &folder.join("log"));
    let deadline = Instant::now() + READY_WITHIN;
    while !broker_answers(&format!("127.0.0.1:{port}")) {
        let goes_on = process.running() && Instant::now() < deadline;
        assert!(goes_on, "Kafka answers within {READY_WITHIN:?}: {}", process.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    process
}

fn java_arguments() -> Vec<String> {
    let jars = lab_dir().join("kafka/lib/*");
    let heap = ["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    let mut arguments: Vec<String> = heap.map(str::to_owned).into();
    arguments.push("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned());
    arguments.extend(["-cp".to_owned(), jars.display().to_string()]);
    arguments
}

/// Makes the folder ready for a broker and gives the ports that it will listen on: the open one, and the one with SASL.
///
/// A broker killed and started again may join when its `session` from before has timed out; one that is only
/// starved by a busy machine is thrown out by then.
fn format_storage(folder: &Path, session: Duration, more: &[(&str, &str)]) -> (u16, u16) {
    let (port, secured, controller) = (free_port(), free_port(), free_port());
    let properties = folder.join("server.properties");
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{secured},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{secured}\n\
         listener.security.protocol.map=\
         CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT\n\
         inter.broker.listener.name=PLAINTEXT\n\
         sasl.enabled.mechanisms=PLAIN,OAUTHBEARER\n\
         listener.name.sasl_plaintext.connections.max.reauth.ms=2000\n\
         listener.name.sasl_plaintext.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required user_kaf6=\"secret\";\n\
         listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config=\
         org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;\n\
         broker.session.timeout.ms={}\n\
         broker.heartbeat.interval.ms=500\n\
         log.dirs={}\n\
         auto.create.topics.enable=true\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.num.partitions=1\n\
         transaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n",
        session.as_millis(),
        folder.join("logs").display()
    );
    for (name, value) in more {
        writeln!(text, "{name}={value}").expect("a text takes a line");
    }
    fs::write(&properties, text).expect("the broker's properties are written");
    let output = Command::new("java")
        .args(java_arguments())
        .args(["kafka.tools.StorageTool", "format", "-t", "a2FmNi1sYWItY2x1c3Rlcg", "-c"])
        .arg(&properties)
        .output()
        .expect("java starts");
    assert!(output.status.success(), "the storage is formatted: {}", String::from_utf8_lossy(&output.stderr));
    (port, secured)
}
