//! One run of the binary, with its summary.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The classes of acked messages, as the account names them.
const ACKED: [&str; 12] = [
    "verified",
    "excluded",
    "lost",
    "unreadable",
    "skipped",
    "corrupt",
    "misplaced",
    "rewritten",
    "expired",
    "superseded",
    "unread",
    "unassigned",
];
/// Those of them that are broken promises.
const BROKEN: [&str; 6] = ["lost", "unreadable", "skipped", "corrupt", "misplaced", "rewritten"];
/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(300);

/// A run under way, killed when dropped.
pub(super) struct Run {
    child: Child,
    folder: TempDir,
    scenario: String,
}

/// A run that has ended.
pub(super) struct Done {
    /// Its exit code.
    pub(super) code: Option<i32>,
    /// `summary.json`.
    pub(super) summary: Value,
    reports: PathBuf,
    scenario: String,
    _folder: TempDir,
}

impl Run {
    /// Starts the scenario file with this text.
    pub(super) fn start(scenario: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("scenario.yaml");
        fs::write(&file, scenario).expect("the scenario file is written");
        let output = fs::File::create(folder.path().join("output")).expect("the output file opens");
        let mut command = Command::new(env!("CARGO_BIN_EXE_kaf6"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KAF6_")) {
            command.env_remove(name);
        }
        let child = command
            .arg("run")
            .arg(&file)
            .args(["--quiet", "--run-id", "it", "--report-dir"])
            .arg(folder.path().join("reports"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file handle can be cloned"))
            .stderr(output)
            .spawn()
            .expect("kaf6 starts");
        Self { child, folder, scenario: scenario.to_owned() }
    }

    /// Waits for its end.
    pub(super) fn done(mut self) -> Done {
        let deadline = Instant::now() + LONGEST;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                break status;
            }
            assert!(Instant::now() < deadline, "the run ends within {LONGEST:?}: {}", self.output());
            std::thread::sleep(Duration::from_millis(10));
        };
        let reports = self.folder.path().join("reports/it");
        let summary = fs::read(reports.join("summary.json"))
            .unwrap_or_else(|error| panic!("a summary is there ({error}, {status}): {}", self.output()));
        Done {
            code: status.code(),
            summary: serde_json::from_slice(&summary).expect("summary.json is JSON"),
            reports,
            scenario: self.scenario.clone(),
            _folder: std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a temporary folder")),
        }
    }

    /// What it has said so far.
    pub(super) fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs it to its end.
pub(super) fn run(scenario: &str) -> Done {
    Run::start(scenario).done()
}

impl Done {
    /// Its status.
    pub(super) fn status(&self) -> &str {
        self.summary["status"].as_str().expect("a status")
    }

    /// Why it has its status.
    pub(super) fn reason(&self) -> &str {
        self.summary["reason"].as_str().expect("a reason")
    }

    /// What a check came to.
    pub(super) fn check(&self, name: &str) -> &str {
        self.summary["checks"][name].as_str().unwrap_or("absent")
    }

    /// Count and explained count of an anomaly; none where it was not measured.
    pub(super) fn counts(&self, anomaly: &str) -> Option<(u64, u64)> {
        let row = &self.summary["anomalies"][anomaly];
        row["count"].as_u64().map(|count| (count, row["explained"].as_u64().unwrap_or(0)))
    }

    /// How many messages the run has in this class.
    pub(super) fn account(&self, class: &str) -> u64 {
        self.summary["accounts"]["total"][class]
            .as_u64()
            .unwrap_or_else(|| panic!("{class}: {}", self.summary["accounts"]))
    }

    /// Holds the run to these classes of the acked messages; all others of them are 0.
    pub(super) fn accounts_for(&self, expected: &[(&str, u64)]) -> &Self {
        let found: Vec<_> = ACKED.iter().map(|class| (*class, self.account(class))).collect();
        let count = |class| expected.iter().find(|(other, _)| *other == class).map_or(0, |(_, count)| *count);
        let wanted: Vec<_> = ACKED.iter().map(|class| (*class, count(*class))).collect();
        assert_eq!(found, wanted, "{}", self.told());
        self
    }

    /// The sums of the account, for the run, each scenario and each of its partitions; and that only a closed one passes.
    fn adds_up(&self) {
        let accounts = &self.summary["accounts"];
        let add_up = |row: &Value, what: &str| {
            let of = |class: &str| row[class].as_u64().unwrap_or_else(|| panic!("{what}.{class}: {row}"));
            let sum = |classes: &[&str]| classes.iter().map(|class| of(class)).sum::<u64>();
            assert_eq!(of("sent"), sum(&["acked", "failed", "unknown"]), "{what}: {row}");
            assert_eq!(of("unknown"), sum(&["found", "absent", "unchecked"]), "{what}: {row}");
            assert_eq!(of("acked"), sum(&ACKED), "{what}: {row}");
        };
        let total = &accounts["total"];
        add_up(total, "total");
        let scenarios = accounts["scenarios"].as_object().expect("accounts of scenarios");
        for (name, row) in scenarios {
            add_up(row, name);
            let partitions = row["partitions"].as_array().expect("accounts of partitions");
            partitions.iter().for_each(|partition| add_up(partition, name));
            for class in ACKED.iter().chain(&["sent", "acked", "failed", "unknown"]) {
                let sum: u64 = partitions.iter().filter_map(|partition| partition[class].as_u64()).sum();
                assert_eq!(row[class].as_u64(), Some(sum), "{name}.{class}: {accounts:#}");
            }
        }
        for class in ACKED.iter().chain(&["planned", "unsent", "sent", "permitted"]) {
            let sum: u64 = scenarios.values().filter_map(|row| row[class].as_u64()).sum();
            assert_eq!(self.account(class), sum, "{class}: {accounts:#}");
        }
        assert_eq!(self.account("planned"), self.account("unsent") + self.account("sent"), "{total}");
        let met = self.account("verified") + self.account("excluded") + self.account("permitted");
        let closes = self.account("planned") == met && accounts["markers"]["lost"] == 0;
        assert_eq!(accounts["closed"], closes, "{accounts:#}");
        assert!(closes || self.status() != "pass", "{}", self.told());
        let broken: u64 = BROKEN.iter().map(|class| self.account(class)).sum();
        assert!(broken == 0 || self.status() == "fail", "{}", self.told());
    }

    /// The pieces of evidence of an anomaly.
    pub(super) fn evidence(&self, anomaly: &str) -> &[Value] {
        self.summary["anomalies"][anomaly]["evidence"].as_array().expect("a list of evidence")
    }

    /// A number of a scenario.
    pub(super) fn of(&self, scenario: &str, number: &str) -> u64 {
        self.summary["scenarios"][scenario][number]
            .as_u64()
            .unwrap_or_else(|| panic!("{scenario}.{number}: {}", self.summary["scenarios"]))
    }

    /// All notes.
    pub(super) fn notes(&self) -> String {
        let notes = self.summary["notes"].as_array().expect("notes");
        notes.iter().filter_map(|note| note["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// `junit.xml`, its entities replaced.
    pub(super) fn junit(&self) -> String {
        self.text("junit.xml")
    }

    /// `report.html`, its entities replaced.
    pub(super) fn page(&self) -> String {
        self.text("report.html")
    }

    fn text(&self, name: &str) -> String {
        let text = fs::read_to_string(self.reports.join(name)).expect("the report is there");
        text.replace("&#39;", "'").replace("&quot;", "\"").replace("&gt;", ">").replace("&amp;", "&")
    }

    /// Holds the run to exactly these counts (anomaly, count, explained); every other anomaly is 0 or not measured, but
    /// for `stale_end`, which is Tansu's habit. Each has its evidence, up to 20 pieces, with its place.
    pub(super) fn has(&self, expected: &[(&str, u64, u64)]) -> &Self {
        self.adds_up();
        let anomalies = self.summary["anomalies"].as_object().expect("anomalies");
        let found: Vec<(&str, u64, u64)> = anomalies
            .keys()
            .filter_map(|name| {
                self.counts(name).filter(|counts| *counts != (0, 0)).map(|(a, b)| (name.as_str(), a, b))
            })
            .filter(|(name, ..)| *name != "stale_end" || expected.iter().any(|(other, ..)| other == name))
            .collect();
        let mut wanted: Vec<_> = expected.iter().copied().filter(|(_, a, b)| *a + *b > 0).collect();
        let order = |name: &str| anomalies.keys().position(|key| key == name);
        wanted.sort_by_key(|(name, ..)| order(name));
        assert_eq!(found, wanted, "{}", self.told());
        let scenarios = self.summary["scenarios"].as_object().expect("scenarios");
        let readers = scenarios.values().filter(|scenario| scenario["type"] == "consume").count();
        for (name, count, explained) in found {
            let evidence = self.evidence(name);
            // Each consumer has its own evidence. A count is that of the worst consumer of each partition.
            let messages: u64 = evidence.iter().map(|piece| piece["count"].as_u64().unwrap_or(1)).sum();
            let most = if readers > 1 { u64::MAX } else { count + explained };
            let enough = (count + explained).min(20)..=most;
            assert!(evidence.len() <= 20 && enough.contains(&messages), "evidence of {name}: {evidence:#?}");
            for piece in evidence {
                let placed = piece["partition"].is_i64() && piece["offset"].is_i64();
                let worded = piece["detail"].as_str().is_some_and(|detail| !detail.is_empty());
                assert!(placed && worded, "evidence of {name}: {piece}");
            }
        }
        self
    }

    /// Holds the run to its status, and the exit code that goes with it.
    pub(super) fn is(&self, status: &str) -> &Self {
        self.adds_up();
        assert_eq!(self.status(), status, "{}", self.told());
        let code = match status {
            "pass" => 0,
            "fail" => 1,
            _ => 3,
        };
        assert_eq!(self.code, Some(code), "{}", self.told());
        self
    }

    /// Holds the five checks of the ledger to `pass`, but for these.
    pub(super) fn checks(&self, others: &[(&str, &str)]) -> &Self {
        let checks = self.summary["checks"].as_object().expect("checks");
        for name in ["no_loss", "no_duplicates", "no_corruption", "in_order", "offsets_monotonic"] {
            let wanted =
                others.iter().find(|(other, _)| *other == name).map_or("pass", |(_, result)| *result);
            // If several scenarios read, each has its own result.
            let asked = checks.iter().filter(|(check, _)| check.split(':').next() == Some(name));
            let results: Vec<_> = asked.filter_map(|(_, result)| result.as_str()).collect();
            let as_wanted = !results.is_empty() && results.iter().all(|result| *result == wanted);
            assert!(as_wanted, "{name}: {results:?} and not {wanted}: {}", self.told());
        }
        self
    }

    /// Nothing is wrong; repeats and reorderings are explained, if there are any, and `foreign` are others' records.
    pub(super) fn is_healthy(&self, foreign: u64) -> &Self {
        self.is_sound(foreign).is("pass")
    }

    /// As [`Done::is_healthy`], whatever became of what was sent.
    pub(super) fn is_sound(&self, foreign: u64) -> &Self {
        let explained = |name| self.counts(name).map_or(0, |(_, explained)| explained);
        self.has(&[
            ("duplicate", 0, explained("duplicate")),
            ("reordered", 0, explained("reordered")),
            ("foreign", foreign, 0),
        ])
        .checks(&[])
        .accounts_for(&[("verified", self.account("acked"))])
    }

    /// JUnit's failure text and the page name each piece of evidence by partition and offset.
    pub(super) fn is_told_of(&self, anomaly: &str) {
        // The page renders text between backquotes as code.
        let page = self.page().replace("<code>", "`").replace("</code>", "`");
        let junit = self.junit();
        let evidence = self.evidence(anomaly);
        assert!(!evidence.is_empty(), "{anomaly}");
        let failures: String = junit.split("<failure").skip(1).collect();
        assert!(failures.contains(anomaly), "{anomaly} in {failures}");
        for piece in evidence {
            let offset = format!("{}", piece["offset"]);
            let detail = piece["detail"].as_str().expect("a detail");
            assert!(page.contains(detail) && page.contains(&offset), "{detail} at {offset} on the page");
            assert!(
                failures.contains(detail) && failures.contains(&offset),
                "{detail} at {offset}: {failures}"
            );
        }
    }

    /// What a failed test shows.
    pub(super) fn told(&self) -> String {
        let part = |name: &str| serde_json::to_string_pretty(&self.summary[name]).expect("JSON is written");
        let mut anomalies = self.summary["anomalies"].clone();
        for row in anomalies.as_object_mut().expect("anomalies").values_mut() {
            if let Some(list) = row["evidence"].as_array_mut() {
                list.truncate(2);
            }
        }
        format!(
            "exit code {:?}\n{}\nreason: {}\naccounts: {}\nchecks: {}\nanomalies: {anomalies:#}\nscenarios: {}\npartitions: {}\n{}",
            self.code,
            self.scenario,
            self.summary["reason"],
            part("accounts"),
            part("checks"),
            part("scenarios"),
            part("partitions"),
            self.notes()
        )
    }
}

/// A topic's name that no other test has.
pub(super) fn topic(word: &str) -> String {
    let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("{word}-{}-{:x}", std::process::id(), stamp.as_nanos())
}

/// The usual scenario file: `write` produces 200 messages of 100 bytes at 400/s to one partition, then `read` reads.
pub(super) struct File {
    broker: String,
    topic: String,
    reader: Option<String>,
    partitions: u32,
    write: String,
    read: String,
    more: String,
    properties: String,
    checks: String,
    audit: &'static str,
    run: String,
}

impl File {
    /// On this topic of this broker.
    pub(super) fn new(broker: &str, topic: &str) -> Self {
        Self {
            broker: broker.to_owned(),
            topic: topic.to_owned(),
            reader: None,
            partitions: 1,
            write: "messages: 200, rate: 400/s, value: {size: 100B}".to_owned(),
            read: "after: write".to_owned(),
            more: String::new(),
            properties: "batch.num.messages: 3".to_owned(),
            checks: String::new(),
            audit: "auto",
            run: String::new(),
        }
    }

    /// `read` goes by this address.
    pub(super) fn reader(self, broker: &str) -> Self {
        Self { reader: Some(broker.to_owned()), ..self }
    }

    /// How many partitions the topic has.
    pub(super) fn partitions(self, partitions: u32) -> Self {
        Self { partitions, ..self }
    }

    /// Fields of `write`.
    pub(super) fn write(self, fields: &str) -> Self {
        Self { write: fields.to_owned(), ..self }
    }

    /// Fields of `read`.
    pub(super) fn read(self, fields: &str) -> Self {
        Self { read: fields.to_owned(), ..self }
    }

    /// A further scenario, in one line.
    pub(super) fn more(self, scenario: &str) -> Self {
        Self { more: scenario.to_owned(), ..self }
    }

    /// librdkafka properties, in one line, in place of the one that keeps batches so small that there are many, however late the
    /// producer is.
    pub(super) fn properties(self, properties: &str) -> Self {
        Self { properties: properties.to_owned(), ..self }
    }

    /// Checks, in one line.
    pub(super) fn checks(self, checks: &str) -> Self {
        Self { checks: checks.to_owned(), ..self }
    }

    /// Whether a fresh reader reads all of it at the end, in place of kaf6's own choice.
    pub(super) fn audit(self, audit: bool) -> Self {
        Self { audit: if audit { "true" } else { "false" }, ..self }
    }

    /// A further field of `run`, in one line.
    pub(super) fn run(self, field: &str) -> Self {
        Self { run: format!(", {field}"), ..self }
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        let Self { broker, topic, partitions, write, read, more, properties, checks, audit, run, .. } = self;
        let reader = self.reader.as_ref().unwrap_or(broker);
        format!(
            "brokers: [\"{broker}\"]\n\
             client: {{properties: {{{properties}}}}}\n\
             topics: [{{name: \"{topic}\", partitions: {partitions}}}]\n\
             scenarios:\n  \
               write: {{type: produce, {write}}}\n  \
               {more}\n  \
               read: {{type: consume, brokers: [\"{reader}\"], {read}}}\n\
             checks: [{checks}]\n\
             run: {{timeout: 4m, audit: {audit}{run}}}\n"
        )
    }
}
