//! Tests the script of `org/kaf6/setup` with a release in a local folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::text;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A runner, and a release of kaf6 as the release workflow makes it.
struct Runner {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What the step came to.
struct Step {
    good: bool,
    said: String,
    path: String,
    outputs: String,
}

impl Runner {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["release", "runner"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let runner = Self { folder, variables: Vec::new() };
        // A stub, because packing the real kaf6 takes seconds.
        runner.archive("linux-amd64", format!("#!/bin/sh\necho kaf6 {VERSION}\n").as_bytes());
        runner.sums();
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn release(&self) -> PathBuf {
        self.path("release")
    }

    /// Puts an archive into the release that holds this as `kaf6`.
    fn archive(&self, platform: &str, binary: &[u8]) {
        let kaf6 = self.path("kaf6");
        fs::write(&kaf6, binary).unwrap();
        let archive = self.release().join(format!("kaf6-{VERSION}-{platform}.tar.gz"));
        let [archive, from] = [archive.as_path(), self.folder.path()].map(|path| path.to_str().unwrap());
        sh(&format!("chmod +x {from}/kaf6 && tar -czf {archive} -C {from} kaf6"));
    }

    fn sums(&self) {
        sh(&format!("cd {} && sha256sum kaf6-*.tar.gz >SHA256SUMS", self.release().display()));
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn step(&self) -> Step {
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/install"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs([("RUNNER_OS", "Linux"), ("RUNNER_ARCH", "X64")])
            .env("RUNNER_TEMP", self.path("runner"))
            .env("GITHUB_PATH", self.path("path"))
            .env("GITHUB_OUTPUT", self.path("outputs"))
            .env("KAF6_SETUP_FROM", self.release())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap_or_default();
        let said = text(&[output.stdout, output.stderr].concat());
        Step { good: output.status.success(), said, path: read("path"), outputs: read("outputs") }
    }
}

impl Step {
    fn is_refused(&self, why: &str) {
        assert!(!self.good && self.said.contains(why), "not refused by {why:?}: {}", self.said);
        assert!(self.said.contains("::error title=kaf6 is not installed::"), "{}", self.said);
        assert_eq!((self.path.as_str(), self.outputs.as_str()), ("", ""), "nothing is handed on");
    }
}

fn sh(line: &str) {
    assert!(Command::new("sh").args(["-c", line]).status().unwrap().success(), "{line}");
}

#[test]
fn the_version_of_the_action_is_installed_for_the_runner() {
    let runner = Runner::new();
    runner.archive("linux-amd64", &fs::read(assert_cmd::cargo::cargo_bin!("kaf6")).unwrap());
    runner.sums();
    let step = runner.step();
    assert!(step.good, "{}", step.said);
    let folder = step.path.trim();
    let binary = format!("{folder}/kaf6");
    assert_eq!(step.outputs, format!("version={VERSION}\npath={binary}\n"));
    assert!(step.said.contains("checksum verified"), "{}", step.said);
    let version = Command::new(&binary).arg("--version").output().unwrap();
    assert_eq!(text(&version.stdout).trim(), format!("kaf6 {VERSION}"));
    assert!(runner.step().good, "a second time, over the first");
}

#[test]
fn what_is_not_what_was_released_is_not_installed() {
    let runner = Runner::new();
    runner.archive("linux-amd64", b"#!/bin/sh\necho kaf6 9.9.9\n");
    runner.step().is_refused("does not match SHA256SUMS");
    runner.sums();
    runner.step().is_refused("contains 'kaf6 9.9.9'");
    fs::write(runner.release().join("SHA256SUMS"), "").unwrap();
    runner.step().is_refused("has no line for");
}

#[test]
fn what_there_is_no_release_for_is_refused_by_name() {
    Runner::new().with("RUNNER_ARCH", "ARM64").step().is_refused("has no kaf6-");
    Runner::new().with("RUNNER_ARCH", "X86").step().is_refused("use a runner with X64 or ARM64");
    Runner::new().with("RUNNER_OS", "Windows").step().is_refused("kaf6 has no binary for Windows");
    Runner::new().with("KAF6_SETUP_VERSION", "latest").step().is_refused("invalid version 'latest'");
    Runner::new().with("KAF6_SETUP_FROM", "/nowhere").step().is_refused("folder '/nowhere' does not exist");
    let refused = Runner::new().with("KAF6_SETUP_FROM", "http://127.0.0.1:1").step();
    refused.is_refused("cannot download http");
}

#[test]
fn the_action_hands_each_variable_to_its_script() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup");
    let action = fs::read_to_string(folder.join("action.yml")).unwrap();
    let action: serde_yaml::Value = serde_yaml::from_str(&action).unwrap();
    let handed = action["runs"]["steps"][0]["env"].as_mapping().unwrap();
    let script = fs::read_to_string(folder.join("install")).unwrap();
    for name in handed.keys().map(|name| name.as_str().unwrap()) {
        assert!(script.contains(&format!("${{{name}")), "install does not read {name}");
    }
}
