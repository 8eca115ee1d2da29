//! Tests `watch` and `offsets`: brokers that stop answering never pass, whether they return or not.

use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::lab::{Gate, Kafka, Relay, Storage, Tansu, wait_for};
use crate::runs::{Kaf6, LONG, Ran};

/// Writes to the broker, while the relay alone is watched; something is done to that after some looks, and the run ends after it.
fn watched(check: &str, harm: impl FnOnce(Relay) -> Option<Relay>) -> Option<Ran> {
    let tansu = Tansu::start(&Storage::Memory)?;
    let (relay, gate) = (Relay::start(&tansu.address()), Gate::new());
    let file = format!(
        "brokers: ['{}']
topics: [{{name: 'watched-{{{{run_id}}}}'}}]
scenarios:
  write: {{type: produce, messages: 20, rate: 20/s}}
  {}
  steady: {{type: watch, every: 200ms, brokers: ['{}']}}
checks: [{{type: metadata_stable{check}}}]
",
        tansu.address(),
        gate.scenario("at: 0s"),
        relay.address()
    );
    let run = Kaf6::file(&file).start();
    let held = gate.reached(|| run.said());
    looks(&relay);
    let relay = harm(relay);
    drop(held);
    let ran = run.end();
    drop(relay);
    Some(ran)
}

/// Waits until it has been looked at some times more.
fn looks(relay: &Relay) {
    let asked = || relay.seen().iter().filter(|seen| seen.api == ApiKey::Metadata).count();
    let before = asked();
    wait_for("some looks", LONG, || asked() >= before + 5);
}

/// Kills it, some seconds before the run ends.
fn dies(relay: Relay) -> Option<Relay> {
    drop(relay);
    std::thread::sleep(Duration::from_secs(4));
    None
}

#[test]
fn a_broker_that_answers_to_the_end_is_stable() {
    let Some(ran) = watched("", |relay| {
        looks(&relay);
        Some(relay)
    }) else {
        return;
    };
    let ran = ran.expect("pass");
    let answer = ran.answer("metadata_stable");
    assert_eq!(answer, r#""0 changes, no silence over 10 s" / "0 changes" / """#, "{ran}");
}

#[test]
fn a_broker_that_dies_fails() {
    let Some(ran) = watched(", max_silence: 2s", dies) else { return };
    let ran = ran.expect("fail");
    let answer = ran.answer("metadata_stable");
    assert!(answer.contains("silent for") && answer.contains("refused"), "{answer}");
}

#[test]
fn a_broker_that_dies_shortly_before_the_end_is_no_pass() {
    let Some(ran) = watched(", max_silence: 4m", dies) else { return };
    let ran = ran.expect("error");
    assert_eq!(ran.check("metadata_stable"), "inconclusive", "{ran}");
    assert!(ran.answer("metadata_stable").contains("until the watch ended"), "{ran}");
}

#[test]
fn a_broker_that_comes_back_is_judged_by_how_long_it_was_silent() {
    let hangs = |relay: Relay| {
        relay.hold(Duration::from_secs(5));
        std::thread::sleep(Duration::from_secs(5));
        looks(&relay);
        Some(relay)
    };
    let Some(ran) = watched(", max_silence: 4m", hangs) else { return };
    let ran = ran.expect("pass");
    assert!(ran.answer("metadata_stable").contains("did not answer from"), "a pass that says so: {ran}");
    let Some(ran) = watched(", max_silence: 1s", hangs) else { return };
    assert_eq!(ran.expect("fail").check("metadata_stable"), "fail");
}

#[test]
fn a_broker_that_does_not_answer_the_last_question_is_asked_again() {
    let blinks = |relay: Relay| {
        // A request is in flight near the end of the run, and times out after two seconds.
        relay.hold(Duration::from_secs(3));
        std::thread::sleep(Duration::from_secs(1));
        Some(relay)
    };
    let Some(ran) = watched(", max_silence: 4m", blinks) else { return };
    let ran = ran.expect("pass");
    assert!(ran.answer("metadata_stable").contains("did not answer from"), "{ran}");
}

#[test]
fn a_secured_broker_is_watched_and_the_tokens_of_readers_are_renewed() {
    let Some(kafka) = Kafka::start() else { return };
    let by_password = "mechanism: PLAIN, username: kaf6, password: secret";
    // A token is valid for three seconds, and the broker requires a new one after two.
    let token = "properties: {enable.sasl.oauthbearer.unsecure.jwt: true, sasl.oauthbearer.config: \
                 'principal=kaf6 lifeSeconds=3'}";
    for (security, properties) in [(by_password, ""), ("mechanism: OAUTHBEARER", token)] {
        let comma = if properties.is_empty() { "" } else { ", " };
        let file = format!(
            "brokers: ['{}']
client: {{security: {{protocol: sasl_plaintext, {security}}}{comma}{properties}}}
topics: [{{name: 'secured-{{{{run_id}}}}', partitions: 2}}]
scenarios:
  write: {{type: produce, duration: 10s, rate: 50/s}}
  read: {{type: consume}}
  steady: {{type: watch, every: 200ms}}
checks: [{{type: metadata_stable}}]
run: {{audit: true}}
",
            kafka.secured_address()
        );
        let ran = Kaf6::file(&file).start().end().expect("pass");
        assert_eq!(ran.summary["accounts"]["total"]["verified"], 500, "{ran}");
        assert_eq!(ran.check("metadata_stable"), "pass", "{ran}");
    }
}

#[test]
fn the_ends_of_a_healthy_log_never_go_back() {
    let Some(kafka) = Kafka::shared() else { return };
    let file = format!(
        "brokers: ['{kafka}']
topics: [{{name: 'bounds-{{{{run_id}}}}', partitions: 3}}]
scenarios:
  write: {{type: produce, duration: 3s, rate: 200/s}}
  ends: {{type: offsets, every: 50ms}}
checks: [{{type: log_offsets_monotonic}}]
"
    );
    let ran = Kaf6::file(&file).start().end().expect("pass");
    assert_eq!(ran.summary["accounts"]["total"]["verified"], 600, "{ran}");
    assert_eq!(ran.answer("log_offsets_monotonic"), r#""0 reversals" / "0 reversals" / """#, "{ran}");
    assert_eq!(ran.summary["scenarios"]["ends"]["errors"], 0, "{ran}");
}
