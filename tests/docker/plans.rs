//! Small services for tests, and functions that inspect Docker.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kaf6::docker::{Cluster, ClusterStep, DockerError, KafkaReady, UpOptions};
use kaf6::plan::cluster::{Pull, Readiness};
use kaf6::plan::{ActionPlan, ClusterPlan, FaultPlan, ServicePlan, Start};
use kaf6::scenario::template::service_template::ServiceTemplate;
use kaf6::scenario::{Position, Secrets};

use crate::lab::{Part, TansuContainer, require};

/// An image with a shell and little more.
const SHELL: &str = "kaf6-lab/shell:dev";

/// Bounds a wait for what comes by itself, however busy the machine is.
pub const SOON: Duration = Duration::from_secs(120);

/// A folder for logs, and a run's id that nobody else has.
pub struct Run {
    /// The id.
    pub id: String,
    /// Where the logs are.
    pub folder: tempfile::TempDir,
    /// The steps that were told.
    pub steps: Arc<Mutex<Vec<ClusterStep>>>,
}

impl Run {
    /// A new one.
    pub fn new() -> Self {
        let id = format!("t{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        Self { id, folder: tempfile::tempdir().unwrap(), steps: Arc::default() }
    }

    /// Options of its start.
    pub fn options(&self) -> UpOptions {
        let steps = Arc::clone(&self.steps);
        UpOptions {
            run_id: self.id.clone(),
            logs: self.folder.path().join("logs"),
            secrets: Secrets::default(),
            kafka_ready: kafka_ready(),
            bound: Duration::from_secs(240),
            progress: Arc::new(move |step| steps.lock().unwrap().push(step)),
            later_images: Vec::new(),
        }
    }

    /// Starts a plan.
    pub async fn up(&self, plan: &ClusterPlan) -> Result<Cluster, DockerError> {
        Cluster::up(plan, self.options(), std::future::pending()).await
    }

    /// The name of one of its containers.
    pub fn container(&self, service: &str, replica: u32) -> String {
        format!("kaf6-{}-{service}-{replica}", self.id)
    }

    /// A log of its.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("logs").join(name)).unwrap_or_default()
    }

    /// Waits until a log of its has so many lines.
    pub async fn says(&self, name: &str, lines: usize) -> Vec<String> {
        let deadline = Instant::now() + SOON;
        loop {
            let said: Vec<String> = self.log(name).lines().map(str::to_owned).collect();
            if said.len() >= lines {
                return said;
            }
            assert!(Instant::now() < deadline, "{lines} lines of {name}: {said:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asserts that nothing of it is left.
    pub fn assert_gone(&self) {
        let left = left_of(&self.id);
        assert!(left.is_empty(), "left of {}: {left:?}", self.id);
    }
}

/// Containers, networks and volumes with a run's label.
pub fn left_of(run_id: &str) -> Vec<String> {
    let filter = format!("label=io.kaf6.run={run_id}");
    let mut left = Vec::new();
    for list in [["ps", "--all"].as_slice(), &["network", "ls"], &["volume", "ls"]] {
        let mut words = list.to_vec();
        words.extend(["--quiet", "--filter", &filter]);
        left.extend(docker(&words).lines().map(str::to_owned));
    }
    left
}

/// What the `docker` command prints.
pub fn docker(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {}: {said}", words.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A field of a container, by a template of `docker inspect`.
pub fn inspect(container: &str, template: &str) -> String {
    docker(&["inspect", "--format", template, container]).trim().to_owned()
}

/// An image with bash, sleep, cat and head of this machine; none where Docker is missing.
pub fn shell() -> Option<&'static str> {
    require(Part::Docker)?;
    let there = Command::new("docker").args(["image", "inspect", SHELL]).output().unwrap();
    if there.status.success() {
        return Some(SHELL);
    }
    let context = tempfile::tempdir().unwrap();
    let root = context.path().join("root");
    let place = |from: &Path, to: &str| {
        let to = root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    for program in ["bash", "sleep", "cat", "head"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap().trim().to_owned();
        place(Path::new(&path), &format!("bin/{program}"));
        let needs = Command::new("ldd").arg(&path).output().unwrap();
        for word in String::from_utf8(needs.stdout).unwrap().split_whitespace().filter(|w| w.starts_with('/'))
        {
            place(&fs::canonicalize(word).unwrap(), word);
        }
    }
    fs::create_dir_all(root.join("tmp")).unwrap();
    let recipe =
        "FROM scratch\nCOPY root /\nENV PATH=/bin\nVOLUME /state\nENTRYPOINT [\"/bin/bash\", \"-c\"]\n";
    fs::write(context.path().join("Dockerfile"), recipe).unwrap();
    docker(&["build", "--quiet", "--tag", SHELL, &context.path().display().to_string()]);
    Some(SHELL)
}

/// Texts of a service.
pub fn texts(words: &[&str]) -> Vec<ServiceTemplate> {
    words.iter().map(|word| ServiceTemplate::parse(word).unwrap()).collect()
}

/// A service of one replica that runs a script in the shell's image.
pub fn script(name: &str, script: &str) -> ServicePlan {
    ServicePlan {
        name: name.to_owned(),
        image: SHELL.to_owned(),
        pull: Pull::Never,
        entrypoint: None,
        command: Some(texts(&[script])),
        env: Vec::new(),
        ports: Vec::new(),
        volumes: Vec::new(),
        needs: Vec::new(),
        replicas: 1,
        most: 1,
        ready: script
            .contains(READY)
            .then(|| Readiness::Exec(texts(&["/bin/bash", "-c", &format!("[[ -e {READY} ]]")]))),
        ready_timeout: Duration::from_secs(120),
        position: position(),
    }
}

/// Where a script puts a file once it is as its test needs it; the file is gone when its container starts again.
const READY: &str = "/dev/shm/up";

/// A script that runs until it gets SIGTERM.
pub const UNTIL_TERM: &str =
    "trap 'echo bye; exit 7' TERM; echo hello; > /dev/shm/up; while true; do sleep 0.05; done";

/// Tansu on memory, in the image that the lab builds; none where Docker or Tansu is missing.
pub fn tansu(name: &str) -> Option<ServicePlan> {
    let image = TansuContainer::image()?;
    let variable = |name: &str, value: &str| (name.to_owned(), ServiceTemplate::parse(value).unwrap());
    Some(ServicePlan {
        image: image.to_owned(),
        command: None,
        env: vec![
            variable("LISTENER_URL", "tcp://0.0.0.0:9092"),
            variable("ADVERTISED_LISTENER_URL", "tcp://{{self.host}}:{{self.port.kafka}}"),
            variable("STORAGE_ENGINE", "memory://tansu/"),
        ],
        ports: vec![("kafka".to_owned(), 9092)],
        ready: Some(Readiness::Kafka { port: "kafka".to_owned() }),
        ..script(name, "")
    })
}

/// A cluster of services.
pub fn cluster(services: Vec<ServicePlan>) -> ClusterPlan {
    ClusterPlan { services, ..ClusterPlan::default() }
}

/// A fault that begins when it is inflicted.
pub fn fault(length: Option<Duration>, action: ActionPlan) -> FaultPlan {
    FaultPlan {
        name: "fault".to_owned(),
        start: Start { after: None, at: Duration::ZERO, when: None },
        length,
        timeout: Duration::from_secs(120),
        action,
        position: position(),
    }
}

fn position() -> Position {
    Position { file: "test.yaml".into(), line: 1, column: 1 }
}

/// Asks for API versions, as the engine asks for metadata.
pub fn kafka_ready() -> KafkaReady {
    Arc::new(|address: &str| kafka_answers(address).map_err(|error| error.to_string()))
}

/// Whether a broker answers there.
pub fn kafka_answers(address: &str) -> std::io::Result<()> {
    const API_VERSIONS_V0: &[u8] = b"\0\0\0\x0d\0\x12\0\0\0\0\0\x01\0\x03lab";
    let place = address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&place, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(API_VERSIONS_V0)?;
    stream.read_exact(&mut [0; 8])
}
