//! A folder for one test, with scenario files and functions that run kaf6 in it.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value as Json;

/// Ten messages written and read back; all that a run needs to be judged.
pub const TEN: &str = "
brokers: embedded
topics: [{name: ten, partitions: 1}]
scenarios:
  write: {type: produce, messages: 10}
  read: {type: consume}
checks:
  - {name: all_there, type: count_equals, scenario: read, expected: 10}
";

/// The folder; it goes away with the test.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// With [`TEN`] as `ten.yaml`.
    pub fn with_ten() -> Self {
        let place = Self::new();
        place.write("ten.yaml", TEN);
        place
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(&path, text).expect("the file is written");
        path
    }

    /// kaf6 in this folder, with nothing of the environment that would change what it does.
    pub fn kaf6(&self, words: &[&str]) -> Command {
        let mut command = Command::from_std(self.plain(words));
        command.timeout(std::time::Duration::from_secs(300));
        command
    }

    /// The same without a wrapper around it, for tests that send signals.
    pub fn plain(&self, words: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("kaf6"));
        command.current_dir(self.path()).args(words).env("COLUMNS", "100");
        let changes = |name: &str| {
            name.starts_with("KAF6_")
                || name.starts_with("GITHUB_")
                || matches!(name, "NO_COLOR" | "CLICOLOR" | "CLICOLOR_FORCE" | "TERM" | "LANG" | "LC_ALL")
        };
        for (name, _) in std::env::vars().filter(|(name, _)| changes(name)) {
            command.env_remove(name);
        }
        command
    }

    pub fn output(&self, words: &[&str]) -> Output {
        self.kaf6(words).output().expect("kaf6 runs")
    }

    /// The exit code alone.
    pub fn code(&self, words: &[&str]) -> i32 {
        self.output(words).status.code().expect("it ended by itself")
    }

    pub fn json(&self, path: &str) -> Json {
        let text = std::fs::read(self.path().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        serde_json::from_slice(&text).expect("JSON")
    }

    /// The names in a folder, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join(folder)).expect("the folder is read");
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}
