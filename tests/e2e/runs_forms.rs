//! Tests what a scenario file can define for messages: keys, headers, compression, acks, partitions, and what readers accept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kafka_protocol::messages::{ApiKey, ProduceRequest};

use crate::lab::{Kafka, Relay, Storage, Tansu, Verdict};
use crate::runs::{Found, Kaf6, read, unique, write};

/// A reader of what others wrote, with these fields, that must receive exactly so many.
fn reader(topic: &str, fields: &str, expected: u64) -> String {
    format!(
        "topics: [{{name: {topic}}}]\n\
         scenarios: {{read: {{type: consume, from: any{fields}}}}}\n\
         checks: [{{type: count_equals, expected: {expected}}}]\n"
    )
}

#[test]
fn what_a_stranger_wrote_is_read_from_any_place() {
    let hold = |broker: &str| {
        let topic = unique("stranger");
        let make = format!(
            "topics: [{{name: {topic}, partitions: 2}}]\nscenarios: {{reach: {{type: connect}}}}\nchecks: [{{type: metadata}}]\n"
        );
        Kaf6::file(&make).brokers(broker).run().expect("pass");
        write(broker, &topic, 0, (0..200).map(|n| format!("early {n}")));
        std::thread::sleep(Duration::from_millis(20));
        let middle = jiff::Timestamp::now();
        std::thread::sleep(Duration::from_millis(20));
        write(broker, &topic, 1, (0..100).map(|n| format!("late {n}")));
        let run = |fields: &str, expected: u64| {
            let ran = Kaf6::file(&reader(&topic, fields, expected)).brokers(broker).run();
            // This run wrote nothing, so it has no `no_loss`.
            assert_eq!(ran.check("no_loss"), "none");
            assert_eq!(ran.count("read", "received"), expected, "{fields}: {ran}");
            ran.expect("pass")
        };
        let whole = run(", idle_timeout: 4m", 300);
        assert!(whole.seconds() < 120.0, "the watermark ends it: {whole}");
        run(", limit: 120", 120);
        run(", partition: 0, offset: 150", 50);
        run(", partition: 0, clients: 3", 200);
        run(", offset: earliest, limit: 300", 300);
        run(&format!(", offset: '{middle}', idle_timeout: 2s"), 100);
    };
    if let Some(kafka) = Kafka::shared() {
        hold(&kafka);
    }
    if let Some(tansu) = Tansu::start(&Storage::Memory) {
        let topic = unique("plain");
        write(&tansu.address(), &topic, 0, (0..300).map(|n| format!("stranger {n}")));
        let all = Kaf6::file(&reader(&topic, "", 300)).brokers(&tansu.address()).start();
        let some = Kaf6::file(&reader(&topic, ", limit: 10", 10)).brokers(&tansu.address()).start();
        all.end().expect("pass");
        some.end().expect("pass");
    }
}

#[test]
fn a_reader_from_the_end_reads_only_what_comes() {
    let Some(kafka) = Kafka::shared() else { return };
    let file = "topics: [{name: 'end-{{run_id}}', partitions: 2}]\n\
                scenarios:\n  before: {type: produce, messages: 100}\n  \
                read: {type: consume, offset: latest, after: before}\n  \
                then: {type: produce, messages: 50, after: before, at: 8s}\n\
                checks: [{type: count_equals, scenario: read, expected: 50}]\n";
    let ran = Kaf6::file(file).brokers(&kafka).run().expect("pass");
    let checks = ["no_loss:read", "no_duplicates:read", "no_loss:verify:end-{{run_id}}"];
    assert_eq!(checks.map(|check| ran.check(check)), ["none", "pass", "pass"], "{ran}");
    // kaf6 reads back the messages before the reader's start.
    assert_eq!(
        (ran.account("verified"), ran.count("verify:end-{{run_id}}", "received")),
        (150, 150),
        "{ran}"
    );
    // The reader starts at an offset. Messages below are out of its scope and not lost.
    let file = "topics: [{name: 'number-{{run_id}}'}]\n\
                scenarios:\n  write: {type: produce, messages: 300}\n  \
                read: {type: consume, offset: 200, after: write}\n\
                checks: [{type: count_equals, scenario: read, expected: 100}]\n";
    let ran = Kaf6::file(file).brokers(&kafka).run().expect("pass");
    let checks = ["no_loss:read", "in_order:read", "no_loss:verify:number-{{run_id}}"];
    assert_eq!(checks.map(|check| ran.check(check)), ["none", "pass", "pass"], "{ran}");
    assert_eq!(ran.account("verified"), 300, "{ran}");
    // A limit below the number of sent messages ends the reading there.
    let file = "topics: [{name: 'limit-{{run_id}}', partitions: 3}]\n\
                scenarios:\n  write: {type: produce, messages: 5000}\n  \
                read: {type: consume, limit: 700, clients: 3, after: write}\n\
                checks: [{type: count_equals, scenario: read, expected: 700}]\n";
    let ran = Kaf6::file(file).brokers(&kafka).run().expect("pass");
    assert_eq!((ran.count("read", "received"), ran.check("no_loss:read")), (700, "none"), "{ran}");
    assert_eq!(
        (ran.account("verified"), ran.check("no_loss:verify:limit-{{run_id}}")),
        (5000, "pass"),
        "{ran}"
    );
    // With `audit: false`, no one reads the rest, so the run does not pass unless the file permits this.
    let unread = format!("{file}run: {{audit: false}}\n");
    let ran = Kaf6::file(&unread).brokers(&kafka).run().expect("error");
    assert_eq!(
        (ran.check("count_equals"), ran.account("verified") + ran.account("unassigned")),
        ("pass", 5000),
        "{ran}"
    );
    assert!(ran.reason().contains("set `audit: true` in `run`, or `verify: false` in `write`"), "{ran}");
    let excluded = file.replace("messages: 5000", "messages: 5000, verify: false");
    let ran = Kaf6::file(&excluded).brokers(&kafka).run().expect("pass");
    assert_eq!((ran.count("read", "received"), ran.account("excluded")), (700, 5000), "{ran}");
}

#[test]
fn keys_headers_and_values_arrive_as_the_file_says() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = unique("forms");
    let file = format!(
        "topics: [{{name: {topic}, partitions: 4}}]\n\
         scenarios:\n  write:\n    type: produce\n    clients: 3\n    messages: 60\n    partition: by_key\n    \
         key: 'k{{{{client}}}}'\n    headers: {{source: kaf6, who: '{{{{client}}}}/{{{{seq}}}}'}}\n    \
         value: {{text: '{{{{uuid}}}} {{{{run_id}}}} {{{{partition}}}} {{{{random(8)}}}}'}}\n  \
         read: {{type: consume}}\n\
         checks: [{{type: count_equals, scenario: read, expected: 60}}, {{type: uuid_match}}]\n"
    );
    let ran = Kaf6::file(&file).brokers(&kafka).arg("--run-id").arg("forms").run().expect("pass");
    assert!(ran.answer("uuid_match").contains("60 of 60"), "{ran}");
    // 60 messages, and an end marker in each partition.
    let records = read(&kafka, &topic, 64);
    let (fences, records): (Vec<Found>, Vec<Found>) =
        records.into_iter().partition(|record| record.key.as_deref() == Some("kaf6-fence"));
    assert_eq!((fences.len(), records.len()), (4, 60));
    let mut places: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    let mut uuids = BTreeSet::new();
    for record in &records {
        let key = record.key.clone().expect("it has a key");
        places.entry(key.clone()).or_default().insert(record.partition);
        let header =
            |name: &str| record.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(header("source"), Some("kaf6"));
        assert!(header("who").is_some_and(|who| who.starts_with(&format!("{}/", &key[1..]))), "{record:?}");
        let value = String::from_utf8(record.value.clone()).expect("it is a text");
        let [uuid, run, partition, random] = value.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{value}")
        };
        assert_eq!((run, partition.parse()), ("forms", Ok(record.partition)));
        assert_eq!(random.len(), 8);
        assert_eq!(uuid.parse::<uuid::Uuid>().map(|uuid| uuid.get_version_num()), Ok(8));
        uuids.insert(uuid.to_owned());
    }
    assert_eq!(uuids.len(), 60, "each UUID is unique");
    assert_eq!(places.len(), 3);
    assert!(places.values().all(|of_key| of_key.len() == 1), "a key stays in its partition: {places:?}");
}

#[test]
fn each_codec_is_on_the_wire_and_read_back() {
    let Some(kafka) = Kafka::shared() else { return };
    for (codec, number) in [("none", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)] {
        let relay = Relay::start(&kafka);
        let seen: Arc<Mutex<BTreeSet<u8>>> = Arc::default();
        let sees = Arc::clone(&seen);
        relay.on_request(move |request| {
            if request.api == ApiKey::Produce && !request.client_id.contains("fence") {
                let asked: ProduceRequest = request.decode();
                for partition in asked.topic_data.iter().flat_map(|topic| &topic.partition_data) {
                    let records = partition.records.as_deref().unwrap_or_default();
                    // The low three bits of a batch's attributes. Small end markers are not compressed.
                    if records.len() > 1000 {
                        sees.lock().expect("no thread panics here").insert(records[22] & 7);
                    }
                }
            }
            Verdict::Pass
        });
        let file = format!(
            "topics: [{{name: 'codec-{{{{run_id}}}}', partitions: 2}}]\n\
             scenarios:\n  write: {{type: produce, messages: 2000, compression: {codec}, value: {{size: 2KiB, content: zeros}}}}\n  \
             text: {{type: produce, messages: 2000, compression: {codec}}}\n  read: {{type: consume}}\n\
             checks: [{{type: count_equals, scenario: read, expected: 4000}}]\n"
        );
        let ran = Kaf6::file(&file).brokers(&relay.address()).run().expect("pass");
        assert_eq!(ran.anomaly("corrupt"), Some(0), "{codec}: {ran}");
        assert!(seen.lock().expect("no thread panics here").contains(&number), "{codec}: {seen:?}");
        if number == 0 {
            assert_eq!(seen.lock().expect("no thread panics here").len(), 1, "{seen:?}");
        }
    }
}

#[test]
fn acks_0_leaves_messages_unknown_and_acks_1_has_them_acked() {
    let Some(kafka) = Kafka::shared() else { return };
    let file = |acks: &str| {
        format!(
            "topics: [{{name: 'acks-{{{{run_id}}}}', partitions: 2}}]\n\
             scenarios: {{write: {{type: produce, messages: 1000, acks: {acks}}}, read: {{type: consume}}}}\n\
             checks: [{{type: count_equals, scenario: read, expected: 1000}}]\n"
        )
    };
    let ran = Kaf6::file(&file("0")).brokers(&kafka).run().expect("pass");
    assert_eq!((ran.count("write", "acked"), ran.count("write", "unknown")), (0, 1000), "{ran}");
    assert_eq!((ran.check("no_loss"), ran.check("no_duplicates")), ("none", "pass"));
    assert_eq!(ran.count("write", "errors"), 0, "nobody asked for an ack: {ran}");
    let ran = Kaf6::file(&file("1")).brokers(&kafka).run().expect("pass");
    assert_eq!((ran.count("write", "acked"), ran.check("no_loss")), (1000, "pass"), "{ran}");
}

#[test]
fn three_clients_share_twelve_partitions_and_the_total() {
    let Some(kafka) = Kafka::shared() else { return };
    let file = "topics: [{name: 'share-{{run_id}}', partitions: 12}]\n\
                scenarios:\n  write: {type: produce, clients: 5, messages: 6001}\n  \
                read: {type: consume, clients: 3, limit: 6001}\n  \
                alone: {type: consume, partition: 7}\n\
                checks:\n  - {type: count_equals, scenario: read, expected: 6001}\n  \
                - {name: sent, type: count_equals, scenario: write, metric: sent, expected: 6001}\n";
    let ran = Kaf6::file(file).brokers(&kafka).run().expect("pass");
    let partitions = ran.summary["partitions"].as_array().expect("it is a list").clone();
    assert_eq!(partitions.len(), 12);
    let acked = |n: usize| partitions[n]["acked"].as_u64().expect("it is a number");
    assert!((0..12).all(|n| acked(n) > 400), "messages go round: {partitions:?}");
    assert_eq!(ran.count("alone", "received"), acked(7), "{ran}");
}

#[test]
fn a_topic_is_named_by_the_run() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let file = "topics: [{name: 'of-{{run_id}}', partitions: 3}]\n\
                scenarios: {write: {type: produce, messages: 30}, read: {type: consume}}\n\
                checks: [{type: count_equals, expected: 30}]\n";
    let ran = Kaf6::file(file).brokers(&tansu.address()).arg("--run-id").arg("today.1").run().expect("pass");
    assert_eq!(ran.summary["run_id"], "today.1");
    assert_eq!(ran.summary["partitions"][0]["topic"], "of-today.1");
    let records = read(&tansu.address(), "of-today.1", 33);
    assert_eq!(records.iter().map(|record| record.partition).collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn bytes_of_a_given_size_are_told_apart_too() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let file = |size: &str| {
        format!(
            "topics: [{{name: 'bytes-{{{{run_id}}}}', partitions: 2}}]\n\
             scenarios: {{write: {{type: produce, messages: 500, value: {{size: {size}}}}}, read: {{type: consume}}}}\n\
             checks: [{{type: count_equals, expected: 500}}]\n"
        )
    };
    for size in ["0", "1", "10", "64", "1KiB", "100KiB"] {
        let ran = Kaf6::file(&file(size)).brokers(&tansu.address()).run().expect("pass");
        assert_eq!((ran.check("no_corruption"), ran.check("no_loss")), ("pass", "pass"), "{size}: {ran}");
    }
}
