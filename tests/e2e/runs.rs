//! Tests the binary as users start it: a scenario file as input; exit code, terminal and three reports as output.
//!
//! The harness verifies for each run what is true for all: it ends in time, writes all reports, follows the summary schema, and
//! returns the exit code of its status.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;

use crate::lab::wait_for;

/// A run may take this long, however busy the machine is; only one that hangs takes longer.
pub const LONG: Duration = Duration::from_secs(300);

/// A process may take this long from the last byte of its result to its end.
const PROMPT: Duration = Duration::from_secs(30);

/// `kaf6 run` or `kaf6 verify`, about to be started.
#[derive(Debug)]
pub struct Kaf6 {
    command: Command,
    /// Reports, and the scenario file where the test writes one.
    folder: TempDir,
    limit: Duration,
}

impl Kaf6 {
    /// Of a scenario file with this text.
    pub fn file(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("scenario.yaml");
        std::fs::write(&file, text).expect("the scenario file is written");
        Self::of(&file, folder)
    }

    /// Of a file of `examples`.
    pub fn example(name: &str) -> Self {
        Self::of(&Path::new("examples").join(name), tempfile::tempdir().expect("a temporary folder"))
    }

    /// `kaf6 verify` of a saved ledger, or of the folder that it lies in.
    pub fn verify(ledger: &Path) -> Self {
        Self::command("verify", ledger, tempfile::tempdir().expect("a temporary folder"))
    }

    fn of(file: &Path, folder: TempDir) -> Self {
        Self::command("run", file, folder)
    }

    fn command(name: &str, of: &Path, folder: TempDir) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kaf6"));
        command
            // The variables of a CI system must not affect the run.
            .env_clear()
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .arg(name)
            .arg(of)
            .arg("--report-dir")
            .arg(folder.path().join("reports"));
        Self { command, folder, limit: LONG }
    }

    /// Against these brokers.
    pub fn brokers(mut self, brokers: &str) -> Self {
        self.command.args(["--brokers", brokers]);
        self
    }

    /// Against the broker inside kaf6.
    pub fn embedded(mut self) -> Self {
        self.command.arg("--embedded");
        self
    }

    /// With one more argument.
    pub fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// With a variable set.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Running {
        let command = self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().expect("kaf6 starts");
        let mut stdout = child.stdout.take().expect("its output is piped");
        let result = std::thread::spawn(move || {
            let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
            let mut last = Instant::now();
            while let Ok(length @ 1..) = stdout.read(&mut chunk) {
                bytes.extend(&chunk[..length]);
                last = Instant::now();
            }
            // The output closes when the process ends, even if no one waits for it yet.
            Output { text: String::from_utf8(bytes).expect("kaf6 prints text"), last, ended: Instant::now() }
        });
        let said = Arc::new(Mutex::new(String::new()));
        let (stderr, hearing) = (child.stderr.take().expect("its messages are piped"), Arc::clone(&said));
        let messages = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writeln!(hearing.lock().expect("no thread panics here"), "{line}").expect("it is memory");
            }
        });
        let (folder, limit) = (self.folder, self.limit);
        Running {
            child,
            began,
            result: Some(result),
            messages: Some(messages),
            said,
            folder: Some(folder),
            limit,
        }
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Ran {
        self.start().end()
    }

    /// Runs one that must be refused before it starts: exit 2, in words, without a report. Returns the words.
    pub fn refused(mut self) -> String {
        let output = self.command.stdin(Stdio::null()).output().expect("kaf6 starts");
        let stderr = String::from_utf8(output.stderr).expect("kaf6 prints text");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "there is no result: {stderr}");
        assert!(!self.folder.path().join("reports").exists(), "there is nothing to report: {stderr}");
        stderr
    }
}

/// What a process printed, when its last byte came, and when it ended.
#[derive(Debug)]
struct Output {
    text: String,
    last: Instant,
    ended: Instant,
}

/// A run on its way; dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    began: Instant,
    result: Option<JoinHandle<Output>>,
    messages: Option<JoinHandle<()>>,
    said: Arc<Mutex<String>>,
    folder: Option<TempDir>,
    limit: Duration,
}

impl Running {
    /// Waits until its progress has a line with this.
    pub fn wait_for(&self, part: &str) {
        wait_for(part, self.limit, || self.said().contains(part));
    }

    /// What it has said of its progress so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("no thread panics here").clone()
    }

    /// Waits until its progress says that this scenario has ended.
    pub fn wait_for_end(&self, scenario: &str) {
        let begins = format!("{scenario}: ");
        wait_for("its end", self.limit, || {
            let ended = |line: &str| line.starts_with(&begins) && line.contains(", ended");
            self.said().lines().any(ended)
        });
    }

    /// Sends it a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal is sent");
    }

    /// Waits for its end, and holds it to what is true of each run.
    pub fn end(self) -> Ran {
        let ran = self.ended();
        ran.hold(None);
        ran
    }

    /// Waits for the end of one that a signal ended, which has this exit code and reports all the same.
    pub fn interrupted(self, code: i32) -> Ran {
        let ran = self.ended();
        ran.hold(Some(code));
        ran
    }

    fn ended(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                break status;
            }
            assert!(self.began.elapsed() < self.limit, "kaf6 ends within {:?}: {}", self.limit, self.said());
            std::thread::sleep(Duration::from_millis(5));
        };
        let result = self.result.take().expect("only taken here").join().expect("it does not panic");
        let Output { text: stdout, last, ended } = result;
        self.messages.take().expect("only taken here").join().expect("it does not panic");
        let took = ended - self.began;
        let stderr = self.said();
        let late = ended.saturating_duration_since(last);
        assert!(late < PROMPT, "the process ends with its result, not {late:?} later: {stderr}");
        let code = status.code().unwrap_or_else(|| panic!("kaf6 is not killed: {stderr}"));
        let home = self.folder.take().expect("only taken here");
        let reports = home.path().join("reports");
        let runs: Vec<PathBuf> = std::fs::read_dir(&reports)
            .unwrap_or_else(|error| panic!("reports are written ({error}), exit {code}: {stdout}{stderr}"))
            .map(|entry| entry.expect("a folder can be listed").path())
            .collect();
        let [folder] = runs.as_slice() else { panic!("one run, one folder: {runs:?}") };
        let text = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .unwrap_or_else(|error| panic!("{name}: {error}: {stderr}"))
        };
        let summary: Value = serde_json::from_str(&text("summary.json")).expect("summary.json is JSON");
        let (html, junit) = (text("report.html"), text("junit.xml"));
        let folder = folder.clone();
        Ran { code, took, stdout, stderr, summary, html, junit, folder, _home: home }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// From start to end of the process.
    pub took: Duration,
    /// Its result.
    pub stdout: String,
    /// Its progress and messages.
    pub stderr: String,
    /// summary.json.
    pub summary: Value,
    /// report.html.
    pub html: String,
    /// junit.xml.
    pub junit: String,
    /// Where its reports are, while this lives.
    pub folder: PathBuf,
    _home: TempDir,
}

impl Ran {
    /// What is true of each run.
    fn hold(&self, interrupted: Option<i32>) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/summary.schema.json");
        let schema = std::fs::read(path).expect("the schema is there");
        let schema = serde_json::from_slice(&schema).expect("the schema is JSON");
        let validator = jsonschema::validator_for(&schema).expect("the schema is one");
        let wrong: Vec<String> =
            validator.iter_errors(&self.summary).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "summary.json keeps to its schema: {wrong:#?}");
        let wanted = match self.status() {
            "pass" => 0,
            "fail" => 1,
            "error" => 3,
            other => panic!("{other} is no status"),
        };
        assert_eq!(self.code, interrupted.unwrap_or(wanted), "the exit code says the status: {self}");
        let run_id = self.summary["run_id"].as_str().expect("a run has an id");
        assert!(self.html.contains(run_id), "the page names the run");
        let (failures, errors) =
            (self.junit.matches("<failure").count(), self.junit.matches("<error").count());
        match self.status() {
            "pass" => assert_eq!((failures, errors), (0, 0), "{}", self.junit),
            "fail" => assert!(failures > 0, "{}", self.junit),
            _ => assert!(failures == 0 && errors > 0, "{}", self.junit),
        }
    }

    /// `pass`, `fail` or `error`.
    pub fn status(&self) -> &str {
        self.summary["status"].as_str().expect("a run has a status")
    }

    /// Fails the test where the status is another, showing the run.
    #[track_caller]
    pub fn expect(self, status: &str) -> Self {
        assert_eq!(self.status(), status, "{self}");
        self
    }

    /// The answer to a check by its name; `none` where there is no such check.
    pub fn check(&self, name: &str) -> &str {
        self.summary["checks"].get(name).map_or("none", |answer| answer.as_str().expect("it is a text"))
    }

    /// Expected, actual and message of a check, in one text.
    pub fn answer(&self, name: &str) -> String {
        let results = self.summary["check_results"].as_array().expect("it is a list");
        let found: Vec<String> = results
            .iter()
            .filter(|result| result["name"] == name)
            .map(|r| format!("{} / {} / {}", r["expected"], r["actual"], r["message"]))
            .collect();
        assert!(!found.is_empty(), "there is a check `{name}`: {self}");
        found.join("\n")
    }

    /// One number of a scenario.
    pub fn count(&self, scenario: &str, field: &str) -> u64 {
        let value = &self.summary["scenarios"][scenario][field];
        value.as_u64().unwrap_or_else(|| panic!("{scenario} has a number {field}, not {value}: {self}"))
    }

    /// How many messages the account has in this class.
    pub fn account(&self, class: &str) -> u64 {
        let value = &self.summary["accounts"]["total"][class];
        value.as_u64().unwrap_or_else(|| panic!("the account has {class}, not {value}: {self}"))
    }

    /// Why it has its status.
    pub fn reason(&self) -> &str {
        self.summary["reason"].as_str().expect("a run has a reason")
    }

    /// One number of a scenario that may be null or have decimals.
    pub fn figure(&self, scenario: &str, field: &str) -> Option<f64> {
        self.summary["scenarios"][scenario][field].as_f64()
    }

    /// How a scenario ended.
    pub fn ended(&self, scenario: &str) -> &str {
        self.summary["scenarios"][scenario]["ended"].as_str().unwrap_or("")
    }

    /// How often an anomaly was found; none where that was not measured.
    pub fn anomaly(&self, name: &str) -> Option<u64> {
        self.summary["anomalies"][name]["count"].as_u64()
    }

    /// All notes, a line each.
    pub fn notes(&self) -> String {
        let notes = self.summary["notes"].as_array().expect("it is a list");
        notes.iter().map(|note| note["text"].as_str().expect("it is a text")).collect::<Vec<_>>().join("\n")
    }

    /// Its result with all line breaks taken out: where lines wrap is not the matter of a test.
    pub fn told(&self) -> String {
        self.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Seconds from the run's zero to its end.
    pub fn seconds(&self) -> f64 {
        self.summary["duration_ms"].as_f64().expect("a run has a duration") / 1000.0
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {} after {:?}\n{}\n{}", self.code, self.took, self.stdout, self.stderr)
    }
}

/// A name that no other test and no other run of this one uses.
pub fn unique(name: &str) -> String {
    format!("{name}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8])
}

/// A record as a client of no relation to kaf6 finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Its key.
    pub key: Option<String>,
    /// Its value.
    pub value: Vec<u8>,
    /// When it was made, by its producer or its broker.
    pub timestamp_ms: Option<i64>,
    /// Its headers, as text where they are.
    pub headers: Vec<(String, String)>,
}

/// Writes records to a partition by rdkafka alone, and waits for their acks.
pub fn write(broker: &str, topic: &str, partition: i32, values: impl IntoIterator<Item = String>) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker).set("linger.ms", "0");
    let producer: BaseProducer = config.create().expect("a producer can be made");
    for value in values {
        let record = BaseRecord::<(), String>::to(topic).partition(partition).payload(&value);
        producer.send(record).map_err(|(error, _)| error).expect("the record is queued");
    }
    producer.flush(LONG).expect("all is acked");
}

/// The values that rdkafka alone finds in a topic, until none has come for some seconds; none of an unknown topic.
pub fn left(broker: &str, topic: &str) -> Vec<Vec<u8>> {
    let consumer = reader(broker, topic);
    let (mut values, mut last) = (Vec::new(), Instant::now());
    while last.elapsed() < Duration::from_secs(10) {
        if let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) {
            values.push(record.payload().unwrap_or_default().to_vec());
            last = Instant::now();
        }
    }
    values
}

/// A consumer at the start of each partition of a topic.
fn reader(broker: &str, topic: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker).set("group.id", "none").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer can be made");
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(60)).expect("metadata comes");
    let mut places = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        places.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("a place");
    }
    consumer.assign(&places).expect("it is assigned");
    consumer
}

/// Reads so many records of a topic by rdkafka alone; fences of kaf6 are among them.
pub fn read(broker: &str, topic: &str, count: usize) -> Vec<Found> {
    let consumer = reader(broker, topic);
    let mut found = Vec::new();
    let deadline = Instant::now() + LONG;
    while found.len() < count {
        assert!(Instant::now() < deadline, "{count} records come, not {}", found.len());
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record.expect("a record");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        found.push(Found {
            partition: record.partition(),
            offset: record.offset(),
            key: record.key().map(text),
            value: record.payload().unwrap_or_default().to_vec(),
            timestamp_ms: record.timestamp().to_millis(),
            headers: record.headers().map_or_else(Vec::new, |headers| {
                headers.iter().map(|h| (h.key.to_owned(), text(h.value.unwrap_or_default()))).collect()
            }),
        });
    }
    found
}
