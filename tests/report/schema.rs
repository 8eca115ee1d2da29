//! Tests that `summary.json` and its schema match the types, accept real values, and reject wrong ones.

use std::path::Path;

use kaf6::report::json::{ReadSummaryError, from_json, hide, summary_schema, to_json};
use kaf6::report::summary::Summary;
use kaf6::scenario::Secrets;

use crate::faulted::faulted;
use crate::fixtures;
use crate::ranges::ranges;

/// Holds a committed file to what the code makes; `UPDATE_SCHEMAS=1` writes it.
fn in_step(path: &str, made: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    let kept = std::fs::read(&path).unwrap_or_default();
    assert!(
        kept == made,
        "{} is out of step with the code; run `UPDATE_SCHEMAS=1 cargo test --test report`",
        path.display()
    );
}

fn validator() -> jsonschema::Validator {
    let schema: serde_json::Value = serde_json::from_slice(&summary_schema().unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn all() -> [(&'static str, Summary); 7] {
    [
        ("pass", fixtures::pass()),
        ("fail", fixtures::fail()),
        ("error", fixtures::error()),
        ("open", fixtures::open()),
        ("faulted", faulted()),
        ("ranges", ranges()),
        ("hostile", fixtures::hostile()),
    ]
}

#[test]
fn the_committed_schema_is_in_step() {
    in_step("schemas/summary.schema.json", &summary_schema().unwrap());
}

#[test]
fn the_committed_summaries_are_in_step() {
    for (name, summary) in &all()[..6] {
        in_step(&format!("tests/fixtures/summaries/{name}.json"), &to_json(summary).unwrap());
    }
}

#[test]
fn real_summaries_hold_to_the_schema_and_come_back_the_same() {
    let validator = validator();
    for (name, summary) in all().into_iter().chain([("big", fixtures::big())]) {
        let bytes = to_json(&summary).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        assert_eq!(from_json(&bytes).unwrap(), summary, "{name}");
        assert_eq!(to_json(&from_json(&bytes).unwrap()).unwrap(), bytes, "{name}");
    }
}

#[test]
fn the_schema_rejects_what_is_none() {
    let validator = validator();
    let good = serde_json::to_value(fixtures::pass()).unwrap();
    for (pointer, wrong) in [
        ("/status", serde_json::json!("green")),
        ("/checks/delivered_all", serde_json::json!(true)),
        ("/scenarios/producer/errors", serde_json::json!(-1)),
        ("/scenarios/producer/p95_ms", serde_json::json!("12")),
        ("/brokers", serde_json::json!("localhost")),
        ("/duration_ms", serde_json::Value::Null),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
}

#[test]
fn the_seeds_fields_keep_name_place_and_type() {
    let value = serde_json::to_value(fixtures::pass()).unwrap();
    let seed = serde_json::json!({
        "run_id": "20260116-145402-7f3a", "profile": "local-service", "brokers": ["localhost:39092"],
        "scenarios": {
            "producer": {"sent": 1000, "errors": 0, "p95_ms": 12},
            "consumer": {"received": 1000, "errors": 0, "p95_ms": 18}
        },
        "checks": {"delivered_all": "pass", "no_duplicates": "pass"},
        "status": "pass", "duration_ms": 19990
    });
    fn within(part: &serde_json::Value, whole: &serde_json::Value, at: &str) {
        match part {
            serde_json::Value::Object(members) => {
                for (name, member) in members {
                    within(member, &whole[name], &format!("{at}/{name}"));
                }
            }
            _ => assert_eq!(part, whole, "{at}"),
        }
    }
    within(&seed, &value, "");
    // Whole numbers are written without a decimal point.
    let text = String::from_utf8(to_json(&fixtures::pass()).unwrap()).unwrap();
    assert!(text.contains("\"p95_ms\": 12,"), "{text}");
}

#[test]
fn summaries_of_earlier_versions_are_read() {
    let mut old = serde_json::to_value(fixtures::pass()).unwrap();
    let members = old.as_object_mut().unwrap();
    members.remove("accounts");
    members.remove("defaults");
    for scenario in members["scenarios"].as_object_mut().unwrap().values_mut() {
        scenario.as_object_mut().unwrap().remove("position");
    }
    let run = from_json(&serde_json::to_vec(&old).unwrap()).unwrap();
    assert_eq!(run.accounts, None);
    assert!(
        !kaf6::report::console::render(&run, kaf6::report::terminal::Style::PLAIN, None)
            .contains("messages:")
    );
    let xml = String::from_utf8(kaf6::report::junit::junit(&run).unwrap()).unwrap();
    assert!(!xml.contains("name=\"account\""), "{xml}");
    // A class of a later version is not an error.
    let mut later = serde_json::to_value(fixtures::pass()).unwrap();
    later["accounts"]["scenarios"]["producer"]["vaporized"] = serde_json::json!("7");
    from_json(&serde_json::to_vec(&later).unwrap()).unwrap();
}

#[test]
fn other_files_get_a_clear_error() {
    let good = to_json(&fixtures::pass()).unwrap();
    let newer = String::from_utf8(good.clone()).unwrap().replacen("_version\": 1", "_version\": 2", 1);
    assert!(matches!(from_json(newer.as_bytes()), Err(ReadSummaryError::Newer { found: 2 })));
    let zero = String::from_utf8(good.clone()).unwrap().replacen("_version\": 1", "_version\": 0", 1);
    assert!(matches!(from_json(zero.as_bytes()), Err(ReadSummaryError::NoSuchVersion { found: 0 })));
    let deep = "[".repeat(200_000);
    for bytes in [&b""[..], b"\xff\xfe", b"PK\x03\x04", b"{", &good[..good.len() / 2]] {
        assert!(matches!(from_json(bytes), Err(ReadSummaryError::NotJson(_))));
    }
    assert!(from_json(deep.as_bytes()).is_err());
    for bytes in [&b"{}"[..], b"[]", b"null", b"{\"schema_version\": \"1\"}", b"{\"schema_version\": 1}"] {
        let error = from_json(bytes).unwrap_err();
        assert!(matches!(error, ReadSummaryError::NotSummary(_)), "{error}");
    }
}

/// Each text of a value, wherever it stands.
fn texts(value: &serde_json::Value, out: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::String(text) => drop(out.insert(text.clone())),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        serde_json::Value::Object(members) => members.values().for_each(|item| texts(item, out)),
        _ => {}
    }
}

#[test]
fn whatever_text_of_a_summary_is_a_secret_it_can_be_hidden() {
    for (name, summary) in all() {
        let mut found = std::collections::BTreeSet::new();
        texts(&serde_json::to_value(&summary).unwrap(), &mut found);
        for text in found {
            let mut secrets = Secrets::default();
            secrets.add(&text, "***", &[]);
            let hidden = hide(summary.clone(), &secrets);
            assert_eq!(hidden.status, summary.status, "{name}: {text}");
        }
    }
}
