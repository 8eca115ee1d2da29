//! Tests measured times: open-loop latency and rates, compared with calculated values. No other test runs at the same time, but other
//! processes may use the processor.
//!
//! So no test requires a fast machine. A message that was due during a stall waited at least for the rest of it. The load generator
//! catches up with its schedule when it gets the processor. The reported lateness and rate equal those that another client sees in the
//! log. In files without a reader, `verify: false` keeps kaf6 from reading back at the same time.

use std::thread::sleep;
use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::lab::{Relay, Storage, Tansu, wait_for};
use crate::runs::{Kaf6, LONG, Ran, read, unique};

/// When each message of a topic with one partition was handed to the client, in milliseconds from the first.
fn sent_ms(broker: &str, topic: &str, count: usize) -> Vec<f64> {
    let found = read(broker, topic, count);
    let time = |index: usize| found[index].timestamp_ms.expect("a record has its time");
    let since = |index| u32::try_from(time(index) - time(0)).expect("times grow within a partition");
    (0..count).map(|index| f64::from(since(index))).collect()
}

/// How late each message was, in milliseconds from its time in the schedule, against the most punctual one.
fn late_ms(sent: &[f64], due_ms: impl Fn(f64) -> f64) -> Vec<f64> {
    let number = |index: usize| f64::from(u32::try_from(index).expect("it is small"));
    let off: Vec<f64> = sent.iter().enumerate().map(|(index, at)| at - due_ms(number(index))).collect();
    let least = off.iter().copied().fold(f64::INFINITY, f64::min);
    off.iter().map(|off| off - least).collect()
}

/// In each tenth of the run some message went out on time: nothing adds up, and after each delay the schedule was caught up with.
#[track_caller]
fn keeps_up(late: &[f64]) {
    for (tenth, part) in late.chunks(late.len().div_ceil(10)).enumerate() {
        let least = part.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(least <= 10.0, "in tenth {tenth} each message was {least} ms late or more");
    }
}

/// The report says how late messages were handed over, and at which rate, as another client finds it in their timestamps.
#[track_caller]
fn tells_the_truth(ran: &Ran, sent: &[f64], late: &[f64]) {
    let figure =
        |name| ran.figure("write", name).unwrap_or_else(|| panic!("there is a figure {name}: {ran}"));
    let mut sorted = late.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (found, told) = (sorted[sorted.len() * 99 / 100], figure("late_p99_ms"));
    assert!((found - told).abs() <= 5.0 + found / 10.0, "late by {found} ms, not {told}: {ran}");
    let count = f64::from(u32::try_from(sent.len()).expect("it is small"));
    let (found, told) = (count * 1000.0 / (sent[sent.len() - 1] - sent[0]), figure("rate_per_s"));
    assert!((found - told).abs() <= found / 5.0, "{found} a second, not {told}: {ran}");
}

#[test]
fn a_stall_is_in_the_latency_of_all_that_was_due_in_it_timed() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    // 20,000 messages, of which 4,000 are due during the stall, so they wait between 4 s and 0 s. The reader starts later,
    // so that the broker can accept all of them at once after the stall.
    let file = "topics: [{name: 'stall-{{run_id}}'}]\n\
                scenarios:\n  write: {type: produce, messages: 20000, rate: 1k/s, value: {size: 100B}}\n  read: {type: consume, after: write}\n\
                checks: [{type: count_equals, expected: 20000}]\n";
    let relay = Relay::start(&tansu.address());
    let run = Kaf6::file(file).brokers(&relay.address()).start();
    let produces = || relay.seen().iter().any(|seen| seen.api == ApiKey::Produce);
    wait_for("the first message", LONG, produces);
    sleep(Duration::from_secs(8));
    relay.hold(Duration::from_secs(4));
    let ran = run.end().expect("pass");

    assert_eq!((ran.count("write", "acked"), ran.count("read", "received")), (20_000, 20_000), "{ran}");
    assert_eq!((ran.check("no_loss"), ran.anomaly("lost")), ("pass", Some(0)), "{ran}");
    assert_eq!(ran.summary["scenarios"]["write"]["open_loop"], true);
    let figure =
        |name| ran.figure("write", name).unwrap_or_else(|| panic!("there is a figure {name}: {ran}"));
    for (name, wanted) in [("p90_ms", 2000.0), ("p95_ms", 3000.0), ("p99_ms", 3800.0), ("max_ms", 4000.0)] {
        assert!(figure(name) >= wanted * 0.95, "{name} is {wanted} or more: {ran}");
    }
    // Most messages were due outside the stall, and the generator did not wait for its end.
    assert!(figure("p50_ms") < 1000.0 && figure("late_p99_ms") < figure("p99_ms") / 2.0, "{ran}");
}

/// Writes by these fields of a producer, and gives when each message was sent.
fn written(word: &str, fields: &str, count: u32) -> Option<(Ran, Vec<f64>)> {
    let tansu = Tansu::start(&Storage::Memory)?;
    let (broker, topic) = (tansu.address(), unique(word));
    let file = format!(
        "topics: [{{name: {topic}}}]\n\
         scenarios: {{write: {{type: produce, verify: false, value: {{size: 100B}}, {fields}}}}}\n\
         checks: [{{type: count_equals, scenario: write, expected: {count}}}]\n"
    );
    let ran = Kaf6::file(&file).brokers(&broker).run().expect("pass");
    assert_eq!(
        (ran.count("write", "sent"), ran.count("write", "acked")),
        (count.into(), count.into()),
        "{ran}"
    );
    let sent = sent_ms(&broker, &topic, count as usize);
    Some((ran, sent))
}

#[test]
fn a_rate_is_kept_up_with_and_its_lateness_told_timed() {
    let Some((ran, sent)) = written("rate", "duration: 5s, rate: 10k/s", 50_000) else { return };
    let late = late_ms(&sent, |number| number / 10.0);
    keeps_up(&late);
    tells_the_truth(&ran, &sent, &late);
}

#[test]
fn stages_send_what_they_say_when_they_say_timed() {
    let stages = "stages: [{duration: 2s, rate: 500/s}, {duration: 2s, rate: 2k/s}]";
    let Some((ran, sent)) = written("stages", stages, 5000) else { return };
    let due = |number: f64| if number < 1000.0 { number * 2.0 } else { 2000.0 + (number - 1000.0) / 2.0 };
    let late = late_ms(&sent, due);
    keeps_up(&late);
    tells_the_truth(&ran, &sent, &late);
}

#[test]
#[ignore = "takes ten seconds or more"]
fn one_message_a_second_is_sent_each_second_timed() {
    let Some((_, sent)) = written("slow", "messages: 11, rate: 1/s", 11) else { return };
    let mut late = late_ms(&sent, |number| number * 1000.0);
    late.sort_by(f64::total_cmp);
    assert!(late[5] <= 300.0, "half of them are on time: {sent:?}");
}

#[test]
#[ignore = "takes a minute"]
fn the_highest_rate_sends_all_and_its_lateness_is_told_timed() {
    let Some((ran, sent)) = written("fast", "duration: 3s, rate: 200k/s", 600_000) else { return };
    tells_the_truth(&ran, &sent, &late_ms(&sent, |number| number / 200.0));
}
