//! Tests that secrets of any source never appear in files, reports or output of a run.

use std::path::Path;

use crate::place::{Place, text};

/// Secrets of the environment in all texts of a file, and literal ones where passwords stand.
const FILE: &str = r#"
description: "uses ${DB_PASSWORD}"
brokers: embedded
topics: [{name: "orders-{{run_id}}", partitions: 1, config: {x.password: "${DB_PASSWORD}"}}]
client:
  properties: {ssl.key.password: literal-Key-8, client.id: "${CUSTOMER}"}
scenarios:
  write:
    type: produce
    messages: 3
    key: "${DB_PASSWORD}"
    headers: {h: "${DB_PASSWORD}", "c": "${CUSTOMER}"}
    value: {text: "padded ${API_TOKEN}"}
  read: {type: consume}
  one: {type: metrics, url: "http://bob:${DB_PASSWORD}@127.0.0.1:1/nothere?token=${DB_PASSWORD}"}
  two: {type: metrics, url: "http://${DB_PASSWORD}.invalid/"}
  three: {type: metrics, url: "http://127.0.0.1:1/metrics", contains: ['up{x="${DB_PASSWORD}"}']}
  four: {type: metrics, url: "http://user:literal-Url-7@127.0.0.1:1/metrics?token=literal-Tok-6"}
checks: [{type: http_ok}, {type: series_present, scenario: three}, {type: threshold, scenario: write, expr: "p95 < 10s"}]
secrets: ["${CUSTOMER}"]
"#;

/// Longer than what `plan` shows of a value.
const TOKEN: &str = "tok-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789-end";
/// What must not be seen, each by its start, as a text may be cut.
const SECRETS: [&str; 6] =
    ["hunter2", "tok-0123", "customer-number", "literal-Key", "literal-Url", "literal-Tok"];

fn kaf6(place: &Place, words: &[&str]) -> std::process::Output {
    let mut command = place.kaf6(words);
    command
        .env("DB_PASSWORD", "hunter2secret")
        .env("API_TOKEN", TOKEN)
        .env("CUSTOMER", "customer-number-4711");
    for (name, file) in [
        ("GITHUB_OUTPUT", "github/output"),
        ("GITHUB_STEP_SUMMARY", "github/summary"),
        ("GITHUB_STATE", "github/state"),
    ] {
        command.env(name, place.path().join(file));
    }
    command.env("GITHUB_ACTIONS", "true").output().unwrap()
}

/// Each file below a folder with its text.
fn files(folder: &Path, out: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), out);
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            out.push((entry.path().display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

#[test]
fn nothing_that_a_run_leaves_or_says_holds_one() {
    let place = Place::new();
    place.write("f.yaml", FILE);
    place.write("github/state", "");
    let mut seen = Vec::new();
    for words in [
        &["run", "f.yaml", "--save-ledger", "--run-id", "one"][..],
        &["run", "f.yaml", "--format", "json", "--run-id", "two"],
        &["validate", "f.yaml"],
        &["plan", "f.yaml"],
        &["report", "reports/one"],
    ] {
        let output = kaf6(&place, words);
        let name = words.join(" ");
        assert!(!output.stdout.is_empty(), "{name}: {}", text(&output.stderr));
        seen.push((format!("stdout of {name}"), text(&output.stdout)));
        // This is how GitHub's runner learns what to mask.
        let said: Vec<String> = text(&output.stderr)
            .lines()
            .filter(|line| !line.starts_with("::add-mask::"))
            .map(str::to_owned)
            .collect();
        seen.push((format!("stderr of {name}"), said.join("\n")));
    }
    for folder in ["reports", "github"] {
        files(&place.path().join(folder), &mut seen);
    }
    assert!(seen.iter().any(|(name, _)| name.ends_with("ledger.json")));
    for (name, text) in &seen {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} is in {name}:\n{text}");
        }
    }
    let plan = &seen.iter().find(|(name, _)| name == "stdout of plan f.yaml").unwrap().1;
    for shown in
        ["key ${DB_PASSWORD}", "padded ${API_TOKEN}", "http://${DB_PASSWORD}.invalid/", "c=${CUSTOMER}"]
    {
        assert!(plan.contains(shown), "{shown}: {plan}");
    }
    let warned = &seen.iter().find(|(name, _)| name == "stderr of validate f.yaml").unwrap().1;
    for place in [
        "f.yaml:6:34: warning: the file contains a secret",
        "f.yaml:18:30: warning: the file contains a secret",
    ] {
        assert!(warned.contains(place), "{warned}");
    }
}

#[test]
fn names_that_others_see_take_no_secret() {
    let place = Place::new();
    for (file, what) in [
        (
            "topics: [{name: 't-${DB_PASSWORD}'}]\nscenarios: {w: {type: produce, messages: 1}}\n",
            "a topic's name",
        ),
        ("scenarios: {w: {type: produce, topic: 't-${DB_PASSWORD}', messages: 1}}\n", "a topic's name"),
        (
            "scenarios: {w: {type: produce, topic: t, messages: 1}}\nchecks: [{name: 'c-${DB_PASSWORD}', type: all_acked}]\n",
            "a check's name",
        ),
        ("name: ${DB_PASSWORD}\nscenarios: {w: {type: produce, topic: t, messages: 1}}\n", "the run's name"),
    ] {
        place.write("f.yaml", &format!("brokers: embedded\n{file}"));
        let output = kaf6(&place, &["validate", "f.yaml"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("exposes a secret in {what}")) && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn texts_of_a_file_steer_neither_a_terminal_nor_github() {
    let place = Place::new();
    let file = "description: \"hello\\n::error file=README.md,line=1::pwned\\n::stop-commands::tok\"\nname: '::error::pwned'\n\
                brokers: embedded\ntopics: [{name: t}]\nscenarios: {w: {type: produce, messages: 1, key: \"a\\e[2J\\e]0;title\\a\"}}\n\
                checks: [{name: '::error::pwned', type: all_acked}]\n";
    place.write("f.yaml", file);
    for words in [&["plan", "f.yaml"][..], &["validate", "f.yaml"], &["run", "f.yaml"]] {
        let output = place.output(words);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        for shown in [text(&output.stdout), text(&output.stderr)] {
            assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{words:?}: {shown:?}");
            let command = shown.lines().find(|line| line.trim_start().starts_with("::"));
            assert_eq!(command, None, "{words:?}: {shown}");
        }
    }
}
