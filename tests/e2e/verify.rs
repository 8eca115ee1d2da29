//! Tests `kaf6 verify`: it judges the messages of an earlier run again, from the saved ledger.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::lab::{Storage, Tansu};
use crate::runs::{Kaf6, Ran, unique, write};

/// What is asked of each reader without being named.
const CHECKS: [&str; 5] = ["no_loss", "no_duplicates", "no_corruption", "no_phantoms", "in_order"];

/// A run of 500 messages over this topic that saves its ledger. One client writes: of what several have written to a
/// partition, Tansu passes over some, now and then also for who reads it later.
fn written(broker: &str, topic: &str) -> Ran {
    let file = format!(
        "topics: [{{name: {topic}, partitions: 3}}]\n\
         scenarios:\n  write: {{type: produce, messages: 500}}\n  read: {{type: consume}}\n\
         checks: [{{type: count_equals, expected: 500}}]\n"
    );
    let ran = Kaf6::file(&file).brokers(broker).arg("--save-ledger").run().expect("pass");
    assert!(ran.folder.join("ledger.json").is_file(), "{ran}");
    ran
}

/// Verifies a run that wrote 500 messages, all of which must be there.
fn whole(run: &Ran, foreign: u64) -> Ran {
    let ran = Kaf6::verify(&run.folder).run().expect("pass");
    assert_eq!((ran.count("write", "sent"), ran.count("write", "acked")), (500, 500), "{ran}");
    assert_eq!((ran.count("verify", "received"), ran.count("verify", "records")), (500, 500), "{ran}");
    assert_eq!(ran.count("verify", "foreign"), foreign, "{ran}");
    assert_eq!((ran.ended("write"), ran.ended("verify")), ("done", "done"), "{ran}");
    for check in CHECKS {
        assert!(matches!(ran.check(check), "pass" | "none"), "{check}: {ran}");
    }
    assert_eq!(ran.check("no_loss"), "pass", "{ran}");
    assert_eq!(ran.summary["run_tag"], run.summary["run_tag"], "it looks for the messages of then");
    assert_ne!(ran.summary["run_id"], run.summary["run_id"], "but is a run of its own");
    ran
}

#[test]
fn verify_finds_all_that_was_acked_again_and_again() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let (broker, topic) = (tansu.address(), unique("verify"));
    let run = written(&broker, &topic);
    let ran = whole(&run, 0);
    assert!(ran.told().contains("this run sent nothing"), "{ran}");
    // End markers of one verification do not affect the next.
    whole(&run, 0);
    whole(&run, 0);
    // The path of the file works like that of the folder.
    Kaf6::verify(&run.folder.join("ledger.json")).run().expect("pass");

    // Other clients write to the topic: another run of kaf6, and a foreign client.
    let other = written(&broker, &topic);
    write(&broker, &topic, 1, (0..7).map(|n| format!("foreign {n}")));
    whole(&run, 507);
    whole(&other, 507);
    whole(&run, 507);
}

#[test]
fn verify_of_a_broker_that_forgot_finds_all_lost() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let run = written(&tansu.address(), &unique("forgot"));
    whole(&run, 0);
    tansu.restart();
    for _ in 0..2 {
        let ran = Kaf6::verify(&run.folder).run().expect("fail");
        assert_eq!(ran.code, 1);
        assert_eq!((ran.check("no_loss"), ran.anomaly("lost")), ("fail", Some(500)), "{ran}");
        assert_eq!((ran.count("write", "acked"), ran.count("verify", "received")), (500, 0), "{ran}");
        for other in ["duplicate", "corrupt", "phantom", "reordered"] {
            assert!(matches!(ran.anomaly(other), None | Some(0)), "{other}: {ran}");
        }
    }
}

#[test]
fn verify_reads_each_topic_by_a_reader_of_its_own() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let (broker, one, two) = (tansu.address(), unique("one"), unique("two"));
    // Round trips also send messages, including warm-ups. kaf6 verifies them like others, and readers do not count them. They
    // run in sequence, because Tansu skips records if several clients write to a partition.
    let file = format!(
        "topics: [{{name: {one}, partitions: 2}}, {{name: {two}}}]\n\
         scenarios:\n  first: {{type: roundtrip, topic: {one}, iterations: 5}}\n  \
         to_one: {{type: produce, topic: {one}, messages: 300, after: first}}\n  \
         to_two: {{type: produce, topic: {two}, messages: 200}}\n  \
         also: {{type: produce, topic: {two}, messages: 50, after: to_two}}\n  \
         last: {{type: roundtrip, topic: {two}, iterations: 5, after: also}}\n\
         checks: [{{type: count_equals, scenario: to_one, expected: 300}}]\n"
    );
    let run = Kaf6::file(&file).brokers(&broker).arg("--save-ledger").run().expect("pass");
    let readers = [format!("verify-{one}"), format!("verify-{two}")];
    let ran = Kaf6::verify(&run.folder).run().expect("pass");
    for (reader, count) in readers.iter().zip([300, 250]) {
        assert_eq!(ran.count(reader, "received"), count, "{reader}: {ran}");
        assert_eq!(ran.check(&format!("no_loss:{reader}")), "pass", "{ran}");
    }
    assert_eq!(ran.anomaly("phantom").unwrap_or(0), 0, "{ran}");

    tansu.restart();
    let ran = Kaf6::verify(&run.folder).run().expect("fail");
    // 300, 200 and 50 messages, and two scenarios of 5 round trips with 5 warm-ups each.
    assert_eq!(ran.anomaly("lost"), Some(570), "{ran}");
    for reader in &readers {
        assert_eq!(ran.check(&format!("no_loss:{reader}")), "fail", "{ran}");
    }
}

#[test]
fn verify_refuses_what_is_no_whole_ledger() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let run = written(&tansu.address(), &unique("damaged"));
    let text = fs::read_to_string(run.folder.join("ledger.json")).expect("the ledger is there");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ledger.json");
    let refused = |text: &str| {
        fs::write(&file, text).expect("the ledger is written");
        let said = Kaf6::verify(&file).refused();
        assert!(said.contains("ledger.json"), "it names the file: {said}");
        said
    };
    let changed = |path: &str, value: Value| {
        let mut ledger: Value = serde_json::from_str(&text).expect("it is JSON");
        *ledger.pointer_mut(path).unwrap_or_else(|| panic!("a ledger has {path}")) = value;
        ledger.to_string()
    };

    for form in ["", "{}", "[2]", "[3]", "not JSON", &text[..text.len() / 2]] {
        let said = refused(form);
        assert!(said.contains("is not a saved ledger"), "{said}");
    }
    for other in [1, 2, 3, 5] {
        let said = refused(&changed("/ledger_version", json!(other)));
        assert!(
            said.contains(&format!("has ledger version {other}, but this kaf6 reads version 4")),
            "{said}"
        );
        assert!(said.contains("run the scenario file again with --save-ledger"), "{said}");
    }
    let huge = u64::MAX;
    for (path, value) in [
        ("/streams/0/acked/0/2", json!(huge)),
        ("/streams/0/acked/0/0", json!(huge)),
        ("/streams/0/acked/0/1", json!(-1)),
        ("/streams/0/topic", json!(9)),
        ("/streams/0/scenario", json!(9)),
        ("/streams/0/id", json!(u32::MAX)),
        ("/streams/0/partition", json!(-1)),
        ("/streams/0/partition", json!(i32::MAX)),
        ("/streams/0/sent", json!(0)),
        ("/topics/0/partitions", json!(-1)),
        ("/producers/0/clients", json!(0)),
        ("/producers/0/key", json!({"template": "{{sequence}}"})),
    ] {
        let said = refused(&changed(path, value));
        assert!(said.contains("is damaged"), "{path}: {said}");
    }
    let ledger: Value = serde_json::from_str(&text).expect("it is JSON");
    let said = refused(&changed("/streams", json!([ledger["streams"][0], ledger["streams"][0]])));
    assert!(said.contains("duplicate stream"), "{said}");
    // The scenario that kaf6 creates from the ledger must follow the same rules as others, and so must the original file.
    for (path, value, word) in [
        ("/topics/0/name", json!(""), "topic"),
        ("/producers/0/name", json!("no name, this"), "no name, this"),
        ("/source", json!("scenarios: ["), "scenario.yaml"),
    ] {
        fs::write(&file, changed(path, value)).expect("the ledger is written");
        let said = Kaf6::verify(&file).refused();
        assert!(said.contains(word), "{path}: {said}");
    }
    let said = refused(&changed("/streams", json!([])));
    assert!(said.contains("it has no acked messages"), "{said}");
    let nothing: PathBuf = folder.path().join("nothing.json");
    let said = Kaf6::verify(&nothing).refused();
    assert!(said.contains("cannot read") && said.contains("nothing.json"), "{said}");
    // The run of this folder saved no ledger.
    fs::remove_file(&file).expect("it was there");
    let said = Kaf6::verify(folder.path()).refused();
    assert!(said.contains("ledger.json does not exist: only `kaf6 run --save-ledger`"), "{said}");
}

#[test]
fn verify_says_that_an_embedded_broker_is_gone() {
    let file =
        "topics: [{name: t}]\nscenarios:\n  write: {type: produce, messages: 10}\n  read: {type: consume}\n";
    let run = Kaf6::file(file).embedded().arg("--save-ledger").run().expect("pass");
    let said = Kaf6::verify(&run.folder).refused();
    assert!(
        said.contains("its brokers no longer exist (they were embedded, or started by the run)"),
        "{said}"
    );
}

#[test]
fn a_saved_ledger_holds_no_secret_of_a_key() {
    let file = "topics: [{name: t}]\nscenarios:\n  \
                write: {type: produce, messages: 10, key: \"${API_TOKEN}-{{seq}}\"}\n  \
                plain: {type: produce, messages: 10, key: \"{{seq}}\"}\n";
    let run = Kaf6::file(file).embedded().env("API_TOKEN", "tell-nobody").arg("--save-ledger").run();
    let run = run.expect("pass");
    let text = fs::read_to_string(run.folder.join("ledger.json")).expect("the ledger is there");
    assert!(!text.contains("tell-nobody"), "{text}");
    let ledger: Value = serde_json::from_str(&text).expect("it is JSON");
    let keys = [0, 1].map(|producer| &ledger["producers"][producer]["key"]);
    assert_eq!(keys, [&json!("secret"), &json!({"template": "{{seq}}"})]);
}
