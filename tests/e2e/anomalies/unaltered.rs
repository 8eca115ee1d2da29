//! Tests that unusual topics and logs of Apache Kafka return messages unaltered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::log;
use super::run::{Done, File, Run, run, topic};
use crate::lab::Kafka;

/// A run over a topic with this config, of these scenarios.
fn over(broker: &str, config: &str, scenarios: &[&str], rest: &str) -> Done {
    let topic = topic("unaltered");
    run(&format!(
        "brokers: [\"{broker}\"]\n\
         topics: [{{name: \"{topic}\", partitions: 2, config: {{{config}}}}}]\n\
         scenarios:\n  {}\n\
         run: {{timeout: 4m, audit: true}}\n{rest}\n",
        scenarios.join("\n  ")
    ))
}

/// A message of 9,900 bytes fits into a topic's 10,000, and one of 10,000 does not.
const NEAR: &str = "near: {type: produce, messages: 40, rate: 20/s, value: {size: 9900B}}";
const ABOVE: &str = "above: {type: produce, messages: 40, rate: 20/s, value: {size: 10000B}}";
const READ: &str = "read: {type: consume}";
/// Each message is a batch of its own.
const ALONE: &str = "client: {properties: {batch.num.messages: 1}}";

#[test]
fn messages_that_are_too_large_for_their_topic_failed_and_are_not_lost() {
    let Some(broker) = Kafka::shared() else { return };
    let scenarios = [NEAR, ABOVE, READ];
    let done = over(&broker, "max.message.bytes: 10000", &scenarios, ALONE);
    done.is_sound(0).is("error");
    let counts = ["near", "above"].map(|name| (done.of(name, "acked"), done.of(name, "failed")));
    assert_eq!(counts, [(40, 0), (0, 40)], "{}", done.told());
    let checks = ["all_acked:near", "all_acked:above"].map(|name| done.check(name));
    assert_eq!(checks, ["pass", "inconclusive"], "{}", done.told());

    let allowed = "checks: [{type: all_acked, scenario: above, allow: {failed: 100%}}]";
    let done = over(&broker, "max.message.bytes: 10000", &scenarios, &format!("{ALONE}\n{allowed}"));
    done.is_healthy(0);
    assert_eq!((done.account("verified"), done.account("permitted")), (40, 40), "{}", done.told());
}

#[test]
fn messages_with_the_timestamps_of_the_broker_are_unaltered() {
    let Some(broker) = Kafka::shared() else { return };
    let write = "write: {type: produce, messages: 400, rate: 400/s, clients: 2}";
    let trips = "trips: {type: roundtrip, iterations: 10}";
    let done = over(&broker, "message.timestamp.type: LogAppendTime", &[write, trips, READ], "");
    done.is_healthy(0);
}

#[test]
fn messages_with_headers_of_all_kinds_are_unaltered() {
    let Some(broker) = Kafka::shared() else { return };
    let headers = "headers: {source: it, empty: \"\", seq: \"{{seq}}\", uuid: \"{{uuid}}\", Grüße: \"ä {{random(9)}}\"}";
    let sized = format!("sized: {{type: produce, messages: 200, {headers}, value: {{size: 100B}}}}");
    let text = format!("text: {{type: produce, messages: 200, {headers}, key: \"\", value: {{text: \"\"}}}}");
    let trips = format!("trips: {{type: roundtrip, iterations: 10, {headers}}}");
    let done = over(&broker, "", &[&sized, &text, &trips, READ], "");
    done.is_healthy(0);
}

/// Others write records while the run goes on.
fn beside(file: &File, write: impl Fn() -> u64 + Sync) -> (Done, u64) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !over.load(Ordering::SeqCst) {
                written += write();
                std::thread::sleep(Duration::from_millis(20));
            }
            written
        });
        let run = Run::start(&file.text());
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.done()));
        over.store(true, Ordering::SeqCst);
        let written = writer.join().expect("the writer ends");
        (done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)), written)
    })
}

#[test]
fn messages_among_transactions_of_others_are_unaltered() {
    let Some(broker) = Kafka::shared() else { return };
    for isolation in ["read_uncommitted", "read_committed"] {
        let topic = topic("unaltered");
        let others = log::Transactions::of(&broker, &topic);
        // The topic exists and has records.
        others.write(0, 5, true);
        let file = File::new(&broker, &topic)
            .write("messages: 600, rate: 200/s")
            .read("at: 0s")
            .more("late: {type: consume, after: write}")
            .properties(&format!("isolation.level: {isolation}"))
            .audit(true);
        let (done, written) = beside(&file, || others.write(0, 3, true) + others.write(0, 2, false));
        let foreign = done.counts("foreign").map_or(0, |(count, _)| count);
        assert!(written > 9 && foreign > 5, "{written} {}", done.told());
        done.is_healthy(foreign);
    }
}

#[test]
fn messages_among_records_of_others_with_strange_headers_are_unaltered() {
    let Some(broker) = Kafka::shared() else { return };
    let topic = topic("unaltered");
    let strange = || {
        log::write_with_headers(
            &broker,
            &topic,
            &[
                ("a", Some(b"1")),
                ("a", Some(b"2")),
                ("a", None),
                ("", Some(b"")),
                ("kaf6", Some(b"kaf6\x02")),
                ("kaf6", None),
            ],
        );
        1
    };
    strange();
    let file = File::new(&broker, &topic).write("messages: 400, rate: 200/s").read("at: 0s").audit(true);
    let (done, _) = beside(&file, strange);
    let foreign = done.counts("foreign").map_or(0, |(count, _)| count);
    assert!(foreign > 1, "{}", done.told());
    done.is_healthy(foreign);
}
