//! Scenario files, accepted and refused: what is said of each, and the plans that come of the good ones.
//!
//! The refused ones lie in `tests/bad/`; what is said of each is a snapshot.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kaf6::plan::{self, timeline};
use kaf6::scenario::{self, Diagnostics, LoadOptions, Scenario};

/// The environment of these tests.
fn env(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("hunter2 {{oops}}".to_owned()),
        "NUMBER" => Some("0123".to_owned()),
        _ => None,
    }
}

fn load(path: &str) -> Result<Scenario, Diagnostics> {
    scenario::load(Path::new(path), &LoadOptions::new(&env))
}

fn text(name: &str, text: &str) -> Result<Scenario, Diagnostics> {
    scenario::load_text(Path::new(name), text, &LoadOptions::new(&env))
}

/// The files with these endings in a folder, in their order.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.is_file())
        .collect();
    files.sort();
    files
}

#[test]
fn each_example_has_its_plan() {
    for path in files("examples") {
        let path = path.to_str().unwrap();
        let stem = Path::new(path).file_stem().unwrap().to_str().unwrap();
        let scenario = load(path).unwrap_or_else(|d| panic!("{d}"));
        let plan = plan::build(&scenario);
        let page = format!("{}\n\n{}", timeline::validate_line(&plan), timeline::render(&plan));
        insta::assert_snapshot!(format!("plan_{stem}"), page);
    }
}

#[test]
fn each_example_runs_on_the_embedded_broker_and_on_brokers_given() {
    for path in files("examples") {
        let embedded = LoadOptions { embedded: true, ..LoadOptions::new(&env) };
        let plan = plan::build(&scenario::load(&path, &embedded).unwrap());
        assert_eq!(plan.target, plan::Target::Embedded);
        let brokers = Some(vec!["a:1,b".to_owned()]);
        let given = LoadOptions { brokers, ..LoadOptions::new(&env) };
        let plan = plan::build(&scenario::load(&path, &given).unwrap());
        assert_eq!(plan.target, plan::Target::Brokers(vec!["a:1".to_owned(), "b:9092".to_owned()]));
    }
}

/// What is said of a file, and that it is said in time and with a place.
fn refused(path: &Path, options: &LoadOptions<'_>) -> String {
    let start = Instant::now();
    let diagnostics = scenario::load(path, options).expect_err("a wrong file is refused");
    assert!(start.elapsed() < Duration::from_secs(1), "{}: {:?}", path.display(), start.elapsed());
    assert!(!diagnostics.problems().is_empty());
    let text = diagnostics.to_string();
    assert!(!text.contains("oneOf") && !text.contains("anyOf"), "{text}");
    text
}

#[test]
fn each_wrong_file_is_told_what_is_wrong_and_where() {
    let files = files("tests/bad");
    assert!(files.len() > 30);
    for path in files {
        let said = refused(&path, &LoadOptions::new(&env));
        assert!(!said.contains("hunter2"), "a secret is shown:\n{said}");
        insta::assert_snapshot!(format!("bad_{}", path.file_name().unwrap().to_str().unwrap()), said);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let options = LoadOptions::new(&env);
    let said = refused(Path::new("tests/bad/there-is-no-such-file.yaml"), &options);
    assert!(said.starts_with("tests/bad/there-is-no-such-file.yaml: cannot be read: "), "{said}");
    assert!(refused(Path::new("tests"), &options).contains("cannot be read"));
}

#[test]
fn large_and_hostile_files_are_refused_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let good = "brokers: embedded\nscenarios: {a: {type: connect}}\n";
    let long = "x".repeat(1_000_000);
    let keys: String = (0..60_000).map(|n| format!("k{n}: 1\n")).collect();
    let hostile = [
        ("10mb", format!("{good}# {}\n", "x".repeat(10 << 20))),
        ("brackets", "[".repeat(1_000_000)),
        ("braces", "{a: ".repeat(250_000)),
        ("dashes", "- ".repeat(500_000)),
        ("questions", "? ".repeat(500_000)),
        ("anchors", (0..100_000).map(|n| format!("&a{n} ")).collect()),
        ("colons", ": ".repeat(500_000)),
        ("quotes", format!("a: \"{long}")),
        ("long key", format!("{long}: 1\n")),
        ("keys", keys.clone()),
        ("many checks", format!("{good}checks:\n{}", "  - {type: x}\n".repeat(60_000))),
        ("some checks", format!("{good}checks:\n{}", "  - {type: x}\n".repeat(3_000))),
        ("some keys", keys[..40_000].to_owned()),
        ("line", format!("a: [{}]", "1,".repeat(400_000))),
        ("aliases", format!("a: &a {}\nb: [{}]", "x".repeat(500_000), "*a,".repeat(3_000))),
        ("variables", format!("a: {}", "${X}".repeat(200_000))),
        ("zeros", "\0".repeat(100_000)),
        ("tabs", "\t".repeat(500_000)),
        ("newlines", "\n".repeat(1_000_000)),
        ("chain", {
            let link = |n: u32| format!("  s{n}: {{type: connect, after: s{}}}\n", (n + 1) % 2000);
            format!("brokers: embedded\nscenarios:\n{}", (0..2000).map(link).collect::<String>())
        }),
    ];
    for (name, text) in hostile {
        for ending in ["yaml", "json", "txt"] {
            let path = folder.path().join(format!("{name}.{ending}"));
            std::fs::write(&path, &text).unwrap();
            refused(&path, &LoadOptions::new(&env));
        }
    }
}
