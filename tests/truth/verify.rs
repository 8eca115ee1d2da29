//! Tests `verify` with saved ledgers: what they keep of the run, and what this explains later.

use kaf6::ledger::Saved;
use kaf6_liar::Action::*;
use kaf6_liar::Api::{Produce, ProduceMarker};
use kaf6_liar::{Behaviour, Rule};

use crate::kept::keeping;
use crate::pair::{Done, run_and_verify};
use crate::rows::{BATCHES, READ, SOON, file, run, with};

const AS_SAVED: fn(&mut Saved) = |_| {};

/// Done to the log after the run, and before verify looks: when a small run of later writes the second end marker.
fn later(action: kaf6_liar::Action) -> Behaviour {
    Behaviour::of([Rule::new(ProduceMarker, action).from(1).times(1)])
}

/// That run.
fn small() -> String {
    file("messages: 1, key: small", READ, "")
}

/// What the run found good, and verify found in these classes.
#[track_caller]
fn then_and_now([run, verify]: &[Done; 2], status: &str, classes: &[(&str, u64)]) {
    run.is("pass");
    verify.is(status).counts(classes);
    assert!(verify.is_unmeasured("resurrected"), "{}", verify.shown());
}

fn read(write: &str) -> String {
    format!("write: {{type: produce, {write}}}\n  read: {{type: consume, {READ}}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_verified_again() {
    let both = run_and_verify(&file(BATCHES, READ, ""), &[], Behaviour::default(), AS_SAVED).await;
    then_and_now(&both, "pass", &[("verified", 100)]);
    for anomaly in ["collided", "overtaken", "lost"] {
        assert!(!both[1].is_unmeasured(anomaly), "{anomaly}: {}", both[1].shown());
    }
}

/// Each message of a key is there until the run has ended, and a later run writes the same keys.
const KEYS: [&str; 3] = [
    "messages: 60, rate: 400/s, clients: 3, key: \"{{client}}/{{seq}}\"",
    "messages: 60, rate: 400/s, clients: 3, key: \"{{seq}}\", partition: by_key",
    "messages: 60, rate: 400/s, clients: 2, key: \"{{seq}}\", partition: 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_run_supersedes_is_not_lost() {
    for write in KEYS {
        let text = keeping("cleanup.policy: compact", &read(write), "");
        let text = text.replace("partitions: 1,", "partitions: 3,");
        let both = run_and_verify(&text, &[&text], Behaviour::default(), AS_SAVED).await;
        let superseded = both[1].account("superseded");
        assert!(superseded > 20, "{}", both[1].shown());
        then_and_now(&both, "error", &[("superseded", superseded), ("verified", 60 - superseded)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_nobody_can_render_explain_nothing_and_accuse_nobody() {
    let text = keeping("cleanup.policy: compact", &read(KEYS[0]), "");
    let secret = |saved: &mut Saved| saved.producers[0].key = kaf6::ledger::SavedKey::Secret;
    let both = run_and_verify(&text, &[&text], Behaviour::default(), secret).await;
    let unclear = both[1].account("expired");
    assert!(unclear > 20, "{}", both[1].shown());
    then_and_now(&both, "error", &[("expired", unclear), ("verified", 60 - unclear)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_later_key_explains_is_lost_from_a_compacted_topic() {
    let text = keeping("cleanup.policy: compact", &read(&format!("{BATCHES}, key: \"{{{{seq}}}}\"")), "");
    let both = run_and_verify(&text, &[&small()], later(DeleteEarly { batches: 2 }), AS_SAVED).await;
    let lost = both[1].account("lost");
    assert!(lost > 0, "{}", both[1].shown());
    then_and_now(&both, "fail", &[("lost", lost), ("verified", 100 - lost)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_old_enough_is_expired() {
    let text = keeping("retention.ms: 600000", &read(BATCHES), "");
    let gone = || later(DeleteEarly { batches: 3 });
    let young = run_and_verify(&text, &[&small()], gone(), AS_SAVED).await;
    let lost = young[1].account("lost");
    assert!(lost > 0, "{}", young[1].shown());
    then_and_now(&young, "fail", &[("lost", lost), ("verified", 100 - lost)]);

    // The same eleven minutes later, by this machine's clock; and where no clock tells.
    let aged = |saved: &mut Saved| saved.zero_us = saved.zero_us.map(|zero| zero - 660_000_000);
    let unknown = |saved: &mut Saved| saved.zero_us = None;
    for change in [aged as fn(&mut Saved), unknown] {
        let old = run_and_verify(&text, &[&small()], gone(), change).await;
        let expired = old[1].account("expired");
        assert!(expired > 0, "{}", old[1].shown());
        then_and_now(&old, "error", &[("expired", expired), ("verified", 100 - expired)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_by_size_knows_how_large_the_messages_were() {
    // All are behind the reader before they go; those of a later run push them out.
    let write = "messages: 20, rate: 100/s, value: {size: 10KiB}";
    let text = keeping("retention.bytes: 250000", &read(write), "");
    let both = run_and_verify(&text, &[&text], Behaviour::default(), AS_SAVED).await;
    let expired = both[1].account("expired");
    assert!(expired > 0, "{}", both[1].shown());
    then_and_now(&both, "error", &[("expired", expired), ("verified", 20 - expired)]);

    // What is as large as that, and goes although there is room.
    let text = keeping("retention.bytes: 30000000, max.message.bytes: 1000000", &read(write), "");
    let both = run_and_verify(&text, &[&small()], later(DeleteEarly { batches: 2 }), AS_SAVED).await;
    let lost = both[1].account("lost");
    assert!(lost > 0, "{}", both[1].shown());
    then_and_now(&both, "fail", &[("lost", lost), ("verified", 20 - lost)]);
}

/// The newest batches go with their leader.
async fn without_a_tail(acks: &str, change: fn(&mut Saved)) -> [Done; 2] {
    let behaviour = Behaviour { brokers: 2, ..later(LoseTail { batches: 6 }) };
    run_and_verify(&file(&format!("{BATCHES}, acks: {acks}"), READ, SOON), &[&small()], behaviour, change)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_of_later_may_lack_what_its_predecessor_alone_acked() {
    let both = without_a_tail("1", AS_SAVED).await;
    let unread = both[1].account("unread");
    assert!(unread > 0, "{}", both[1].shown());
    then_and_now(&both, "error", &[("unread", unread), ("verified", 100 - unread)]);
    assert_eq!(both[1].anomaly("collided"), 0, "{}", both[1].shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_of_later_must_not_lack_what_all_have_acked() {
    let both = without_a_tail("all", AS_SAVED).await;
    let lost = both[1].account("lost");
    assert!(lost > 0, "{}", both[1].shown());
    then_and_now(&both, "fail", &[("lost", lost), ("verified", 100 - lost)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_ack_and_the_same_leader_ever_since_it_is_lost() {
    let text = file(&format!("{BATCHES}, acks: 1"), READ, "");
    let both = run_and_verify(&text, &[&small()], later(DeleteEarly { batches: 2 }), AS_SAVED).await;
    let lost = both[1].account("lost");
    assert!(lost > 0, "{}", both[1].shown());
    then_and_now(&both, "fail", &[("lost", lost), ("verified", 100 - lost)]);
    // Nobody knows who led it then.
    let forget = |saved: &mut Saved| saved.topics[0].at_start = None;
    let both = run_and_verify(&text, &[&small()], later(DeleteEarly { batches: 2 }), forget).await;
    let unread = both[1].account("unread");
    assert!(unread > 0, "{}", both[1].shown());
    then_and_now(&both, "error", &[("unread", unread), ("verified", 100 - unread)]);
}

/// A run, and a shorter one that creates the topic again.
async fn created_again(acks: &str, config: &str, change: fn(&mut Saved)) -> [Done; 2] {
    let text = |messages: u32| {
        let write = format!("messages: {messages}, rate: 500/s, value: {{size: 100B}}, acks: {acks}");
        let run = if config.is_empty() { "retention.ms: 600000" } else { config };
        keeping(run, &read(&write), SOON).replace("partitions: 1,", "partitions: 1, recreate: true,")
    };
    run_and_verify(&text(100), &[&text(30)], Behaviour::default(), change).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_created_again_says_so() {
    let both = created_again("all", "", AS_SAVED).await;
    then_and_now(&both, "fail", &[("lost", 100)]);
    let verify = &both[1];
    assert!(verify.notes("topic `t` was recreated since the run"), "{}", verify.shown());
    let detail = verify.summary["anomalies"]["lost"]["evidence"][0]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("the topic was recreated since the run"), "{detail}");
    // Verify's own end marker lies where a message had been acked, in another log.
    assert!(verify.is_unmeasured("stale_end"), "{}", verify.shown());
    for anomaly in ["collided", "overtaken", "phantom", "misplaced"] {
        assert_eq!(verify.anomaly(anomaly), 0, "{anomaly}: {}", verify.shown());
    }
    assert_eq!(verify.check("no_corruption"), "pass", "{}", verify.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_had_taken_anyway_did_not_go_with_the_topic() {
    let both =
        created_again("all", "", |saved| saved.zero_us = saved.zero_us.map(|it| it - 660_000_000)).await;
    then_and_now(&both, "error", &[("expired", 100)]);
    // Neither compaction nor the size of another log explains it.
    for config in ["cleanup.policy: compact", "retention.bytes: 10"] {
        let keyed = |messages: u32| {
            let write = format!("messages: {messages}, rate: 500/s, key: \"{{{{seq}}}}\"");
            let text = keeping(config, &read(&write), SOON);
            text.replace("partitions: 1,", "partitions: 1, recreate: true,")
        };
        // The last one writes the same keys again, at higher offsets.
        let [again, more] = [keyed(60), keyed(60).replace("recreate: true", "recreate: false")];
        let others = [again.as_str(), more.as_str()];
        let [_, verify] = run_and_verify(&keyed(40), &others, Behaviour::default(), AS_SAVED).await;
        verify.is("fail").counts(&[("lost", 40)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_knows_who_led_a_topic_that_is_gone() {
    then_and_now(&created_again("1", "", AS_SAVED).await, "error", &[("unread", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_run_saw_of_its_acks_remains_true() {
    let rules = [Rule::new(Produce, AckUnwritten { gap: false }).from(3).times(1)];
    let [run, verify] = run_and_verify(&file(BATCHES, READ, ""), &[], Behaviour::of(rules), AS_SAVED).await;
    let twice = run.of_batches("ack_unwritten");
    for done in [&run, &verify] {
        done.is("fail").has("collided", twice).counts(&[("lost", twice), ("verified", 100 - twice)]);
        assert_eq!(done.check("no_corruption"), "fail", "{}", done.shown());
    }

    let text = file("messages: 20, rate: 20/s, value: {size: 100B}", READ, "");
    let text = text.replace("linger.ms: 20", "linger.ms: 0");
    let rules = [Rule::new(Produce, SwapAfterAck).from(8).times(1)];
    let both = run_and_verify(&text, &[], Behaviour::of(rules), AS_SAVED).await;
    let overtaken = both[0].anomaly("overtaken");
    for done in both {
        done.is("fail").has("overtaken", overtaken);
        assert_eq!(done.check("in_order"), "fail", "{}", done.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_beside_messages_that_nobody_confirms_fails_its_check() {
    let scenarios = format!(
        "write: {{type: produce, {BATCHES}, headers: {{by: write}}}}\n  \
         forget: {{type: produce, after: write, messages: 50, acks: 0, headers: {{by: forget}}}}\n  \
         read: {{type: consume, {READ}}}"
    );
    let honest = with(1, &scenarios, "", "");
    for done in run_and_verify(&honest, &[], Behaviour::default(), AS_SAVED).await {
        done.is("pass").counts(&[("verified", 100)]);
        assert_eq!(done.check("no_loss"), "pass", "{}", done.shown());
    }
    // What nobody confirms may not be there.
    let scenarios = "write: {type: produce, partition: 0, messages: 20, headers: {by: write}}\n  \
                     forget: {type: produce, partition: 1, messages: 20, acks: 0, headers: {by: forget}}\n  \
                     one: {type: consume, partition: 0}\n  two: {type: consume, partition: 1}";
    let rules = [Rule::new(Produce, AckUnwritten { gap: true }).partition(1)];
    let done = run(&with(2, scenarios, "", ""), rules).await;
    done.did("ack_unwritten").is("pass").counts(&[("verified", 20), ("absent", 20)]);
    assert_eq!(done.check("no_loss:two"), "pass", "{}", done.shown());

    let rules = [Rule::new(Produce, AckUnwritten { gap: true }).from(3).times(1)];
    let both = run_and_verify(&honest, &[], Behaviour::of(rules), AS_SAVED).await;
    let lost = both[0].of_batches("ack_unwritten");
    for done in both {
        done.is("fail").has("lost", lost).counts(&[("lost", lost), ("verified", 100 - lost)]);
        assert_eq!(done.check("no_loss"), "fail", "{}", done.shown());
    }
}
