//! The parts of the lab that this machine has, and what happens to a test whose part is missing.
//! `scripts/lab` installs the parts under `target/lab`, or under `$KAF6_LAB`.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An S3 server on port 9000, with the buckets that its arguments name.
pub const S3_IMAGE: &str = "kaf6-lab/s3:dev";
/// One Apache Kafka node on port 9092 with its data in `/data`; `KAFKA_ADVERTISED` is what clients are told.
pub const KAFKA_IMAGE: &str = "kaf6-lab/kafka:dev";

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
    /// The images of an S3 server and of Apache Kafka.
    Images,
    /// A container registry.
    Registry,
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
            Self::Images => "images",
            Self::Registry => "registry",
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
            Self::Images => images_lack(),
            Self::Registry => absent(lab_dir().join("bin/registry")),
            Self::Chromium => find_chromium().is_none().then(|| "no chromium on the PATH".to_owned()),
            Self::JunitXsd => match on_path("xmllint") {
                None => Some("no xmllint on the PATH".to_owned()),
                Some(_) => absent(lab_dir().join("junit-10.xsd")),
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
    let Some(lack) = part.lack() else { return Some(()) };
    let required = env::var("KAF6_REQUIRE").unwrap_or_default();
    assert!(!lists(&required, part), "{part} is required (KAF6_REQUIRE={required}) and missing: {lack}");
    // Not by a macro: the test runner would keep that line to itself, as the test passes. Nextest does so
    // in any case; scripts/test then shows what stands in this file.
    let line = format!("SKIPPED {}: {part} is missing ({lack})\n", test_name());
    std::io::stderr().write_all(line.as_bytes()).expect("stderr takes a line");
    if let Some(file) = env::var_os("KAF6_SKIPPED") {
        let file = File::options().append(true).create(true).open(file);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the list of skipped tests takes a line");
    }
    None
}

/// Whether a value of `KAF6_REQUIRE` lists the part.
fn lists(required: &str, part: Part) -> bool {
    required.split(',').any(|name| name.trim() == part.name())
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
    Some(lab_dir().join("junit-10.xsd")).filter(|file| file.is_file())
}

/// What is missing of the images that `scripts/lab-images` builds.
fn images_lack() -> Option<String> {
    if !docker_answers() {
        return Some("docker info does not answer".to_owned());
    }
    [S3_IMAGE, KAFKA_IMAGE]
        .into_iter()
        .find(|image| !has_image(image))
        .map(|image| format!("no image {image}, run scripts/lab-images (as root, with debootstrap)"))
}

fn has_image(image: &str) -> bool {
    let inspect = Command::new("docker")
        .args(["image", "inspect", image])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    inspect.is_ok_and(|status| status.success())
}

fn docker_answers() -> bool {
    Command::new("docker")
        .args(["info", "--format", "{{.ServerVersion}}"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_required_by_its_name() {
        assert!(lists("docker, java", Part::Java));
        assert!(lists("junit-xsd", Part::JunitXsd));
        assert!(!lists("", Part::Java) && !lists("javascript", Part::Java));
    }
}
