//! Tests the changes of the release workflow to the repository: `scripts/release` in a shallow clone, like the checkout on
//! GitHub, with a bare repository as the remote.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::text;

const IMAGE: &str =
    "ghcr.io/org/kaf6@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER_IMAGE: &str =
    "ghcr.io/org/kaf6@sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

/// The files that a release reads.
const FILES: [&str; 5] = ["Cargo.toml", "Cargo.lock", "Dockerfile", "action.yml", "scripts/release"];

/// A bare repository with a branch `main`.
struct Hub {
    folder: tempfile::TempDir,
    clones: std::cell::Cell<u32>,
}

/// A command's exit and what it said, on both ways.
struct Ran {
    good: bool,
    said: String,
}

impl Ran {
    fn is_refused(&self, why: &str) {
        assert!(
            !self.good && self.said.contains(why),
            "good: {}, not refused by {why:?}: {}",
            self.good,
            self.said
        );
    }

    fn works(self) -> String {
        assert!(self.good, "{}", self.said);
        self.said
    }
}

fn run(folder: &Path, program: &str, words: &[&str]) -> Ran {
    let name = ["AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"]
        .map(|name| format!("GIT_{name}"));
    let output = Command::new(program)
        .args(words)
        .current_dir(folder)
        .env_remove("REMOTE")
        .env("GITHUB_REF", "refs/heads/main")
        .envs(name.iter().map(|name| (name, "lab@example.org")))
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")])
        .output()
        .unwrap_or_else(|error| panic!("{program} starts: {error}"));
    let said = text(&[output.stdout, output.stderr].concat()).trim().to_owned();
    Ran { good: output.status.success(), said }
}

impl Hub {
    /// With one commit, which Cargo.toml and CHANGELOG.md call by this version.
    fn new(version: &str) -> Self {
        let hub = Self { folder: tempfile::tempdir().unwrap(), clones: std::cell::Cell::new(0) };
        run(hub.folder.path(), "git", &["init", "--quiet", "--bare", "--initial-branch=main", "hub"]).works();
        hub.commit(version);
        hub
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    fn git(&self, words: &[&str]) -> String {
        run(&self.path(), "git", words).works()
    }

    /// A clone of the newest commit alone.
    fn checkout(&self) -> PathBuf {
        self.clones.set(self.clones.get() + 1);
        let name = format!("clone-{}", self.clones.get());
        let url = format!("file://{}", self.path().display());
        run(self.folder.path(), "git", &["clone", "--quiet", "--depth", "1", &url, &name]).works();
        self.folder.path().join(name)
    }

    /// Puts a commit on `main` with these files of the project, as they are when a version is to be released.
    fn commit(&self, version: &str) {
        let clone = self.checkout();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for file in FILES {
            let place = clone.join(file);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::copy(root.join(file), &place).unwrap();
        }
        for file in ["Cargo.toml", "Cargo.lock"] {
            let was = std::fs::read_to_string(clone.join(file)).unwrap();
            let named = |version: &str| format!("name = \"kaf6\"\nversion = \"{version}\"\n");
            let is = was.replace(&named(env!("CARGO_PKG_VERSION")), &named(version));
            assert!(is.contains(&named(version)), "{file}");
            std::fs::write(clone.join(file), is).unwrap();
        }
        let changes =
            format!("# Changelog\n\n## [Unreleased]\n\n## [{version}] - 2026-11-26\n\n- It is {version}.\n");
        let older = "\n## [0.0.1] - 2026-01-01\n\n- The first.\n";
        std::fs::write(clone.join("CHANGELOG.md"), changes + older).unwrap();
        run(&clone, "git", &["add", "."]).works();
        run(&clone, "git", &["commit", "--quiet", "--message", version]).works();
        run(&clone, "git", &["push", "--quiet", "origin", "HEAD:refs/heads/main"]).works();
    }

    /// `scripts/release` in a fresh checkout.
    fn release(&self, words: &[&str]) -> Ran {
        run(&self.checkout(), "scripts/release", words)
    }

    /// All that can be pulled: names, and what they stand for.
    fn refs(&self) -> String {
        self.git(&["for-each-ref", "--format=%(refname) %(objecttype) %(objectname)"])
    }

    /// The commit that a name stands for.
    fn at(&self, name: &str) -> String {
        self.git(&["rev-parse", &format!("{name}^{{commit}}")])
    }

    /// What the Action of a commit runs.
    fn image_at(&self, name: &str) -> String {
        let action = self.git(&["show", &format!("{name}:action.yml")]);
        let action: serde_yaml::Value = serde_yaml::from_str(&action).unwrap();
        action["runs"]["image"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_release_is_a_tag_whose_action_names_the_image() {
    let hub = Hub::new("1.2.3");
    let main = hub.at("main");
    hub.release(&["check", "1.2.3"]).works();
    let clone = hub.checkout();
    run(&clone, "scripts/release", &["tag", "1.2.3", IMAGE]).works();
    assert_eq!(hub.at("v1.2.3^"), main);
    assert_eq!(hub.git(&["diff", "--name-only", "main", "v1.2.3"]), "action.yml");
    assert_eq!(hub.git(&["diff", "--numstat", "main", "v1.2.3"]), "1\t1\taction.yml");
    assert_eq!(hub.image_at("v1.2.3"), format!("docker://{IMAGE}"));
    assert_eq!(hub.image_at("main"), "Dockerfile");
    assert_eq!(hub.at("v1"), hub.at("v1.2.3"));
    assert_eq!(hub.git(&["cat-file", "-t", "v1.2.3"]), "tag");
    assert_eq!(hub.git(&["log", "-1", "--format=%s", "v1"]), "release: 1.2.3");
    // Nothing else changed, neither in the remote nor in the clone.
    assert_eq!(hub.at("main"), main);
    assert_eq!(hub.refs().lines().count(), 3, "{}", hub.refs());
    assert_eq!(run(&clone, "git", &["status", "--porcelain"]).works(), "");
    assert_eq!(run(&clone, "git", &["rev-parse", "HEAD", "main"]).works(), format!("{main}\n{main}"));
}

#[test]
fn a_second_try_finds_what_the_first_one_pushed() {
    let hub = Hub::new("1.2.3");
    hub.release(&["tag", "1.2.3", IMAGE]).works();
    let first = hub.refs();
    // As if the first attempt had ended between its two pushes.
    hub.git(&["update-ref", "-d", "refs/tags/v1"]);
    let said = hub.release(&["tag", "1.2.3", IMAGE]).works();
    assert!(said.contains("v1.2.3 already exists for this commit and this image"), "{said}");
    assert_eq!(hub.refs(), first);
}

#[test]
fn a_version_is_released_once() {
    let hub = Hub::new("1.2.3");
    hub.release(&["tag", "1.2.3", IMAGE]).works();
    let first = hub.refs();
    hub.release(&["check", "1.2.3"]).is_refused("::error::v1.2.3 is already released");
    hub.release(&["tag", "1.2.3", OTHER_IMAGE]).is_refused("for another commit or another image");
    assert_eq!(hub.refs(), first);
    hub.commit("1.2.4");
    let moved = hub.refs();
    hub.release(&["tag", "1.2.3", IMAGE]).is_refused("for another commit or another image");
    assert_eq!(hub.refs(), moved);
}

#[test]
fn the_major_tag_moves_on_and_never_back() {
    let hub = Hub::new("1.9.0");
    hub.release(&["tag", "1.9.0", IMAGE]).works();
    let old = hub.at("v1.9.0");
    hub.commit("1.10.0");
    hub.release(&["check", "1.10.0"]).works();
    hub.release(&["tag", "1.10.0", OTHER_IMAGE]).works();
    assert_eq!(hub.at("v1"), hub.at("v1.10.0"));
    assert_eq!((hub.at("v1.9.0"), hub.image_at("v1")), (old, format!("docker://{OTHER_IMAGE}")));
    hub.commit("1.9.1");
    hub.release(&["check", "1.9.1"])
        .is_refused("v1.10.0 is already released, so v1 would move back to 1.9.1");
    // A tag that is not a version, and another major version, do not prevent the release.
    hub.git(&["tag", "v1.99-rc", "main"]);
    hub.commit("2.0.0");
    hub.release(&["check", "2.0.0"]).works();
    hub.release(&["tag", "2.0.0", IMAGE]).works();
    assert_eq!((hub.at("v1"), hub.at("v2")), (hub.at("v1.10.0"), hub.at("v2.0.0")));
}

#[test]
fn what_is_not_ready_is_refused_before_anything_is_built() {
    let hub = Hub::new("1.2.3");
    for bad in ["1.2", "v1.2.3", "01.2.3", "1.2.3-rc1", ""] {
        hub.release(&["check", bad]).is_refused("expected, for example, 1.2.3");
    }
    hub.release(&["check", "1.2.4"]).is_refused("the version in Cargo.toml is not 1.2.4");
    hub.release(&["check", "1x2.3"]).is_refused("invalid version");
    let clone = hub.checkout();
    let check = || run(&clone, "scripts/release", &["check", "1.2.3"]);
    let with = |file: &str, from: &str, to: &str| {
        let was = std::fs::read_to_string(clone.join(file)).unwrap();
        std::fs::write(clone.join(file), was.replace(from, to)).unwrap();
        let ran = check();
        std::fs::write(clone.join(file), was).unwrap();
        ran
    };
    with("Cargo.lock", "\"1.2.3\"", "\"1.2.2\"").is_refused("the version in Cargo.lock is not");
    with("CHANGELOG.md", "- It is 1.2.3.", "").is_refused("CHANGELOG.md has no section for 1.2.3");
    let branch = run(&clone, "env", &["GITHUB_REF=refs/heads/other", "scripts/release", "check", "1.2.3"]);
    branch.is_refused("releases are created only from main, not from refs/heads/other");
    let nowhere = run(&clone, "env", &["REMOTE=/nowhere", "scripts/release", "check", "1.2.3"]);
    nowhere.is_refused("/nowhere");
    check().works();
    let refs = hub.refs();
    hub.release(&["tag", "1.2.3", "ghcr.io/org/kaf6:1.2.3"]).is_refused("expected NAME@sha256:DIGEST");
    let action = std::fs::read_to_string(clone.join("action.yml")).unwrap();
    std::fs::write(clone.join("action.yml"), action.replace("image: Dockerfile", "image: ./Dockerfile"))
        .unwrap();
    run(&clone, "git", &["commit", "--quiet", "--all", "--message", "another line"]).works();
    run(&clone, "scripts/release", &["tag", "1.2.3", IMAGE]).is_refused("action.yml has no line");
    assert_eq!(hub.refs(), refs);
}

#[test]
fn notes_are_the_version_s_own_lines() {
    let hub = Hub::new("1.2.3");
    assert_eq!(hub.release(&["notes", "1.2.3"]).works(), "- It is 1.2.3.");
    assert_eq!(hub.release(&["notes", "0.0.1"]).works(), "- The first.");
}
