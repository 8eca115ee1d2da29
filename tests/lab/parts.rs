//! Which parts of the lab this machine has, and what becomes of a test whose part is missing.
//! `scripts/lab` puts the parts under `target/lab`, or under `$KAF6_LAB`.

use std::env;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A part that a test may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The broker binary of Tansu.
    Tansu,
    /// A Java runtime, and Apache Kafka's jars for it.
    Java,
    /// An S3 server.
    Moto,
    /// A Docker daemon that answers.
    Docker,
    /// A browser without a head.
    Chromium,
    /// The JUnit schema that Jenkins uses, and `xmllint` to hold a file to it.
    JunitXsd,
}

impl Part {
    /// Its name in `KAF6_REQUIRE`.
    fn name(self) -> &'static str {
        match self {
            Self::Tansu => "tansu",
            Self::Java => "java",
            Self::Moto => "moto",
            Self::Docker => "docker",
            Self::Chromium => "chromium",
            Self::JunitXsd => "junit-xsd",
        }
    }

    /// What is missing of it; none where it is all there.
    fn lack(self) -> Option<String> {
        let absent = |path: PathBuf| (!path.exists()).then(|| format!("no {}, run make lab", path.display()));
        match self {
            Self::Tansu => absent(lab_dir().join("bin/tansu")),
            Self::Java => match on_path("java") {
                None => Some("no java on the PATH".to_owned()),
                Some(_) => absent(lab_dir().join("kafka/lib")),
            },
            Self::Moto => absent(lab_dir().join("moto/bin/moto_server")),
            Self::Docker => (!docker_answers()).then(|| "docker info does not answer".to_owned()),
            Self::Chromium => find_chromium().is_none().then(|| "no chromium on the PATH".to_owned()),
            Self::JunitXsd => match on_path("xmllint") {
                None => Some("no xmllint on the PATH".to_owned()),
                Some(_) => find_xsd().is_none().then(|| "no *.xsd in the lab, run make lab".to_owned()),
            },
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Goes on where the part is there. Else the test is to return: `let Some(()) = require(..) else { return };`.
///
/// # Panics
///
/// Where the part is missing and `KAF6_REQUIRE` lists it.
pub fn require(part: Part) -> Option<()> {
    require_of(part, part.lack(), &env::var("KAF6_REQUIRE").unwrap_or_default())
}

/// The same, told what is missing and what is required.
pub fn require_of(part: Part, lack: Option<String>, required: &str) -> Option<()> {
    let Some(lack) = lack else { return Some(()) };
    assert!(
        !required.split(',').any(|name| name.trim() == part.name()),
        "{part} is required (KAF6_REQUIRE) and missing: {lack}"
    );
    // Not by a macro: the test runner would keep that line to itself, as the test passes.
    let line = format!("SKIPPED {}: {part} is missing ({lack})\n", test_name());
    std::io::stderr().write_all(line.as_bytes()).expect("stderr takes a line");
    None
}

/// The browser to open reports with.
pub fn chromium() -> Option<PathBuf> {
    require(Part::Chromium)?;
    find_chromium()
}

/// The schema file that JUnit reports are held to, by `xmllint --noout --schema`.
pub fn junit_xsd() -> Option<PathBuf> {
    require(Part::JunitXsd)?;
    find_xsd()
}

/// The `docker` command, whose daemon answers.
pub fn docker() -> Option<PathBuf> {
    require(Part::Docker)?;
    on_path("docker")
}

/// The folder that `scripts/lab` fills.
pub(super) fn lab_dir() -> PathBuf {
    env::var_os("KAF6_LAB")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab"), PathBuf::from)
}

/// The test that is running: the runner's word for it, or the thread's name.
pub(super) fn test_name() -> String {
    env::var("NEXTEST_TEST_NAME")
        .unwrap_or_else(|_| std::thread::current().name().unwrap_or("a test").to_owned())
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn find_chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path)
}

fn find_xsd() -> Option<PathBuf> {
    let folder = std::fs::read_dir(lab_dir().join("junit-xsd")).ok()?;
    folder.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "xsd"))
}

fn docker_answers() -> bool {
    Command::new("docker")
        .args(["info", "--format", "{{.ServerVersion}}"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
