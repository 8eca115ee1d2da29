//! Tests when scenarios start and end: times, counts, dependencies, timeouts, and checks on scenarios that never ran.

use crate::lab::{Kafka, Storage, Tansu};
use crate::runs::{Kaf6, unique, write};

#[test]
fn at_after_and_when_say_when_a_scenario_starts() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let file = "topics: [{name: 'order-{{run_id}}', partitions: 2}]\n\
                scenarios:\n  write: {type: produce, messages: 800, rate: 100/s}\n  \
                by_count: {type: consume, when: 'write.acked >= 100'}\n  \
                by_time: {type: consume, at: 1500ms}\n  \
                then: {type: produce, messages: 100, after: write}\n  \
                last: {type: consume, after: then, at: 500ms}\n\
                checks:\n  - {type: count_equals, expected: 900}\n";
    let ran = Kaf6::file(file).brokers(&tansu.address()).run().expect("pass");
    let started = |name| ran.figure(name, "started_ms").expect("it started");
    let ended = |name| ran.figure(name, "ended_ms").expect("it ended");
    // It starts neither earlier nor only when another scenario ends.
    assert!((900.0..ended("write")).contains(&started("by_count")), "100 of 100/s: {ran}");
    assert!((1500.0..ended("write")).contains(&started("by_time")), "{ran}");
    assert!(started("then") >= ended("write") && started("last") >= ended("then") + 500.0, "{ran}");
    // Readers that start late also read from the start of the log to the end marker.
    for reader in ["by_count", "by_time", "last"] {
        assert_eq!(ran.check(&format!("no_loss:{reader}")), "pass", "{ran}");
    }
    // A reader of old messages would measure their age, not the broker.
    assert_eq!(ran.figure("last", "p95_ms"), None, "{ran}");
}

#[test]
fn of_two_readers_the_late_one_sees_the_same() {
    let Some(kafka) = Kafka::shared() else { return };
    let file = "topics: [{name: 'two-{{run_id}}', partitions: 3}]\n\
                scenarios:\n  write: {type: produce, clients: 2, messages: 2000}\n  \
                early: {type: consume, limit: 2000}\n  late: {type: consume, after: early, limit: 2000}\n\
                checks: [{type: count_equals, expected: 2000}]\n";
    let ran = Kaf6::file(file).brokers(&kafka).run().expect("pass");
    assert_eq!((ran.count("early", "received"), ran.count("late", "received")), (2000, 2000));
    assert_eq!((ran.check("no_loss:early"), ran.check("no_loss:late")), ("pass", "pass"), "{ran}");
    // The early reader does not wait for the late one.
    assert!(ran.figure("early", "ended_ms") <= ran.figure("late", "started_ms"), "{ran}");
}

#[test]
fn stages_follow_each_other_and_a_closed_loop_goes_as_fast_as_it_can() {
    let Some(kafka) = Kafka::shared() else { return };
    let file = "topics: [{name: 'pace-{{run_id}}', partitions: 2}]\n\
                scenarios:\n  staged: {type: produce, clients: 2, stages: [{duration: 1s, rate: 100/s}, {duration: 1s, rate: 300/s}]}\n  \
                closed: {type: produce, duration: 1s, max_in_flight: 64KiB, after: staged}\n  read: {type: consume}\n\
                checks:\n  - {name: staged, type: count_equals, scenario: staged, expected: 400}\n  \
                - {name: closed, type: count_at_least, scenario: closed, expected: 100}\n";
    let ran = Kaf6::file(file).brokers(&kafka).run().expect("pass");
    assert_eq!(ran.count("read", "received"), 400 + ran.count("closed", "acked"), "{ran}");
    let span = |name| {
        ran.figure(name, "ended_ms").zip(ran.figure(name, "started_ms")).map(|(end, start)| end - start)
    };
    assert!(span("staged").is_some_and(|span| span >= 1900.0), "{ran}");
    assert!(span("closed").is_some_and(|span| span >= 1000.0), "{ran}");
    let open = |name: &str| ran.summary["scenarios"][name]["open_loop"].clone();
    assert_eq!((open("staged"), open("closed")), (true.into(), false.into()));
}

#[test]
fn a_threshold_with_abort_ends_the_run_early() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let file = "topics: [{name: 'abort-{{run_id}}', partitions: 2}]\n\
                scenarios:\n  write: {type: produce, duration: 10m, rate: 100/s}\n  read: {type: consume}\n\
                checks:\n  - {name: few, type: threshold, scenario: write, expr: acked < 150, abort: true}\n  \
                - {name: whole, type: count_equals, scenario: write, expected: 60000}\n";
    let ran = Kaf6::file(file).brokers(&tansu.address()).run().expect("fail");
    assert!(ran.seconds() >= 1.0, "{ran}");
    assert_eq!((ran.check("few"), ran.check("whole")), ("fail", "inconclusive"), "{ran}");
    assert_eq!((ran.ended("write"), ran.ended("read")), ("aborted", "aborted"));
    assert_eq!(ran.anomaly("lost"), Some(0), "what was not read for want of time is not lost: {ran}");
    assert!(ran.notes().contains("`few` failed and aborted the run"), "{}", ran.notes());

    let file = file.replace("acked < 150", "p95 < 60s");
    let file = file.replace("duration: 10m", "duration: 3s").replace("60000", "300");
    Kaf6::file(&file).brokers(&tansu.address()).run().expect("pass");
}

#[test]
fn the_time_bound_of_a_run_is_no_pass() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let file = "topics: [{name: 'bound-{{run_id}}'}]\n\
                scenarios:\n  write: {type: produce, duration: 10m, rate: 100/s}\n  read: {type: consume}\n  \
                never: {type: consume, after: write}\n\
                checks: [{type: count_at_least, scenario: write, expected: 1}]\nrun: {timeout: 4s}\n";
    let ran = Kaf6::file(file).brokers(&tansu.address()).run().expect("error");
    assert!(ran.seconds() >= 2.0, "{ran}");
    assert_eq!(ran.check("count_at_least"), "pass", "it was seen before: {ran}");
    assert!(ran.told().contains("the run timed out (increase `run.timeout`)"), "{ran}");
    assert_eq!(ran.check("no_loss:never"), "inconclusive", "{ran}");
}

#[test]
fn a_check_on_what_never_ran_is_no_pass() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let file = "topics: [{name: 'never-{{run_id}}'}]\n\
                scenarios:\n  write: {type: produce, duration: 1s, max_in_flight: 64KiB}\n  \
                late: {type: consume, when: 'write.acked >= 1000000000'}\n  later: {type: consume, after: late}\n  \
                read: {type: consume}\n\
                checks:\n  - {name: enough, type: count_at_least, scenario: late, expected: 1}\n  \
                - {name: none, type: threshold, scenario: later, expr: lost == 0}\n  \
                - {name: read, type: count_at_least, scenario: read, expected: 1}\n";
    let ran = Kaf6::file(file).brokers(&tansu.address()).run().expect("error");
    assert_eq!((ran.ended("late"), ran.ended("later"), ran.ended("read")), ("skipped", "skipped", "done"));
    assert_eq!(
        (ran.check("enough"), ran.check("none"), ran.check("read")),
        ("inconclusive", "inconclusive", "pass")
    );
    assert_eq!((ran.check("no_loss:late"), ran.check("no_loss:read")), ("inconclusive", "pass"), "{ran}");
    assert!(
        ran.told().contains("it waits for 1,000,000,000 messages of `write`, which ended with fewer"),
        "{ran}"
    );

    // The run does not pass either if no check applies to the scenario that never ran.
    let file = "topics: [{name: 'unasked-{{run_id}}'}]\n\
                scenarios:\n  write: {type: produce, duration: 300ms, rate: 100/s}\n  read: {type: consume}\n  \
                ping: {type: roundtrip, topic: pings, when: 'read.received >= 1000000'}\n\
                checks: [{type: count_equals, scenario: read, expected: 30}]\n";
    let ran = Kaf6::file(file).brokers(&tansu.address()).run().expect("error");
    assert_eq!(
        (ran.ended("ping"), ran.check("count_equals"), ran.check("no_loss:read")),
        ("skipped", "pass", "pass")
    );
}

#[test]
fn a_reader_with_nothing_to_read_is_no_pass() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let broker = tansu.address();
    let empty = "topics: [{name: 'empty-{{run_id}}', partitions: 2}]\n\
                 scenarios: {read: {type: consume, limit: 10, idle_timeout: 2s}}\n\
                 checks: [{type: count_at_least, expected: 1}, {type: threshold, expr: p95 < 1s}]\n";
    let run = Kaf6::file(empty).brokers(&broker).start();
    // The producer writes to another partition than the reader's.
    let beside = "topics: [{name: 'beside-{{run_id}}', partitions: 2}]\n\
                  scenarios:\n  write: {type: produce, messages: 30, partition: 0}\n  \
                  read: {type: consume, partition: 1}\n\
                  checks: [{type: count_at_least, expected: 1}]\n";
    let ran = Kaf6::file(beside).brokers(&broker).run().expect("error");
    assert_eq!((ran.count("write", "acked"), ran.count("read", "received")), (30, 0), "{ran}");
    assert_eq!(ran.check("count_at_least"), "inconclusive", "{ran}");
    assert!(ran.answer("count_at_least").contains("no data"), "{ran}");
    assert!(ran.reason().contains("check the topic, partition and `timeout` of `read`"), "{ran}");
    // Its checks of messages pass, because nothing was written there. kaf6 read back the other partition.
    for check in ["no_loss:read", "no_duplicates:read", "no_corruption:read", "in_order:read"] {
        assert_eq!(ran.check(check), "pass", "{check}: {ran}");
        assert!(ran.answer(check).contains("nothing was written to these partitions"), "{ran}");
    }
    assert_eq!(
        (ran.account("verified"), ran.count("verify:beside-{{run_id}}", "received")),
        (30, 30),
        "{ran}"
    );
    let ran = run.end().expect("error");
    assert_eq!(
        (ran.check("count_at_least"), ran.check("threshold")),
        ("inconclusive", "inconclusive"),
        "{ran}"
    );
    assert!(ran.answer("threshold").contains("no data"), "{ran}");

    // A file without checks that sends nothing has nothing to evaluate.
    let unjudged = "scenarios: {reach: {type: connect}}\n";
    let ran = Kaf6::file(unjudged).brokers(&broker).arg("--fail-on").arg("inconclusive").run();
    assert_eq!(ran.expect("error").summary["checks"], serde_json::json!({}));
    let shortest =
        "topics: [{name: 'shortest-{{run_id}}'}]\nscenarios: {write: {type: produce, messages: 1}}\n";
    let ran = Kaf6::file(shortest).brokers(&broker).run().expect("pass");
    assert_eq!((ran.account("verified"), ran.check("no_loss"), ran.check("all_acked")), (1, "pass", "pass"));
}

#[test]
fn a_partition_that_is_not_there_is_no_pass() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let broker = tansu.address();
    let topic = unique("small");
    write(&broker, &topic, 0, ["one".to_owned()]);
    let file = format!(
        "topics: [{{name: {topic}, partitions: 60}}]\n\
         scenarios:\n  write: {{type: produce, partition: 50, messages: 10}}\n  read: {{type: consume, partition: 50}}\n\
         checks: [{{type: count_equals, expected: 10}}]\n"
    );
    let ran = Kaf6::file(&file).brokers(&broker).run().expect("error");
    assert!(ran.told().contains("but no partition 50"), "{ran}");
}
