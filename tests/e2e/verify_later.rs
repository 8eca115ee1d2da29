//! Tests `kaf6 verify` on Apache Kafka after retention, compaction, deletion and other changes since the run.

use std::time::{Duration, Instant};

use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

use crate::anomalies::lost::{admin, wait};
use crate::anomalies::retention::tidy_broker;
use crate::lab::Kafka;
use crate::runs::{Kaf6, LONG, Ran, unique};

/// What a run wrote that saved its ledger: all of it was read.
fn written(broker: &str, topic: &str, write: &str) -> Ran {
    let file = format!(
        "topics: [{topic}]\nscenarios:\n  write: {{type: produce, {write}}}\n  read: {{type: consume}}\n"
    );
    Kaf6::file(&file).brokers(broker).arg("--save-ledger").run().expect("pass")
}

/// Verifies a run until so much has changed, or minutes are over.
fn verified(run: &Ran, changed: impl Fn(&Ran) -> bool) -> Ran {
    let began = Instant::now();
    loop {
        let ran = Kaf6::verify(&run.folder).run();
        if changed(&ran) || began.elapsed() > LONG {
            return ran;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// These classes hold all acked messages.
#[track_caller]
fn accounts_for(ran: &Ran, classes: &[(&str, u64)]) {
    for (class, count) in classes {
        assert_eq!(ran.account(class), *count, "{class}: {ran}");
    }
    let sum: u64 = classes.iter().map(|(_, count)| count).sum();
    assert_eq!(ran.account("acked"), sum, "{ran}");
}

/// Somebody deletes what lies below this offset.
fn delete_records(broker: &str, topic: &str, below: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(below)).expect("an offset");
    wait(admin(broker).delete_records(&list, &AdminOptions::new())).expect("the records are deleted");
}

#[test]
fn verify_of_a_compacted_topic_renders_its_keys_again() {
    let Some(kafka) = tidy_broker() else { return };
    let (broker, name) = (kafka.address(), unique("compacted"));
    let topic = format!(
        "{{name: {name}, partitions: 2, config: {{cleanup.policy: compact, segment.ms: 300, \
         min.cleanable.dirty.ratio: 0.01, file.delete.delay.ms: 100}}}}"
    );
    let write = "messages: 400, rate: 400/s, clients: 2, key: 'k{{seq}}', partition: by_key";
    let first = written(&broker, &topic, write);
    written(&broker, &topic, write);
    let ran = verified(&first, |ran| ran.account("superseded") > 100).expect("error");
    let superseded = ran.account("superseded");
    accounts_for(&ran, &[("superseded", superseded), ("verified", 400 - superseded)]);
    assert!(superseded > 100 && ran.answer("no_loss").contains("compaction"), "{ran}");
}

#[test]
fn verify_knows_how_old_the_messages_are() {
    let Some(kafka) = tidy_broker() else { return };
    let (broker, name) = (kafka.address(), unique("aged"));
    let topic = format!(
        "{{name: {name}, config: {{retention.ms: 5000, segment.ms: 500, file.delete.delay.ms: 100}}}}"
    );
    let first = written(&broker, &topic, "messages: 200, rate: 200/s");
    let ran = verified(&first, |ran| ran.account("expired") > 50).expect("error");
    let expired = ran.account("expired");
    accounts_for(&ran, &[("expired", expired), ("verified", 200 - expired)]);
    assert!(expired > 50 && ran.answer("no_loss").contains("retention"), "{ran}");
}

#[test]
fn verify_of_young_messages_that_somebody_deleted_finds_them_lost() {
    let Some(broker) = Kafka::shared() else { return };
    let name = unique("young");
    let topic = format!("{{name: {name}, config: {{retention.ms: 600000}}}}");
    let run = written(&broker, &topic, "messages: 200");
    delete_records(&broker, &name, 120);
    let ran = Kaf6::verify(&run.folder).run().expect("fail");
    accounts_for(&ran, &[("lost", 120), ("verified", 80)]);
    assert_eq!(ran.check("no_loss"), "fail", "{ran}");
    assert!(ran.notes().contains("begins at offset 120"), "{}", ran.notes());
}

#[test]
fn verify_of_a_topic_that_is_gone_ends_in_time_and_finds_nothing() {
    let Some(broker) = Kafka::shared() else { return };
    let name = unique("gone");
    let file = format!(
        "topics: [{{name: {name}, partitions: 2}}]\n\
         scenarios: {{write: {{type: produce, messages: 200}}}}\n\
         run: {{unreadable_after: 5s}}\n"
    );
    let run = Kaf6::file(&file).brokers(&broker).arg("--save-ledger").run().expect("pass");
    wait(admin(&broker).delete_topics(&[name.as_str()], &AdminOptions::new())).expect("the topic is deleted");
    let ran = Kaf6::verify(&run.folder).run();
    // The topic's settings are gone, too, so kaf6 cannot tell whether retention had removed the messages before.
    accounts_for(&ran, &[("lost", ran.account("lost")), ("expired", 200 - ran.account("lost"))]);
    assert_ne!(ran.status(), "pass", "{ran}");
    let reader = &ran.summary["scenarios"]["verify"];
    let ended = reader["ended_ms"].as_u64().expect("it ended");
    assert!((5_000..600_000).contains(&ended), "its time bound is an hour: {ran}");
    assert!(ran.notes().contains("did not know it"), "{}", ran.notes());
    assert!(ran.stderr.contains("does not know all partitions"), "{ran}");
}

#[test]
fn verify_of_a_topic_that_is_gone_accuses_nobody_when_it_is_stopped() {
    // Otherwise the broker creates the topic again when kaf6 asks for it.
    let Some(kafka) = Kafka::start_with(&[("auto.create.topics.enable", "false")]) else { return };
    let (broker, name) = (kafka.address(), unique("stopped"));
    let file = format!(
        "topics: [{{name: {name}, partitions: 2}}]\n\
         scenarios: {{write: {{type: produce, messages: 200}}}}\n\
         run: {{unreadable_after: 2s}}\n"
    );
    let run = Kaf6::file(&file).brokers(&broker).arg("--save-ledger").run().expect("pass");
    wait(admin(&broker).delete_topics(&[name.as_str()], &AdminOptions::new())).expect("the topic is deleted");
    let verify = Kaf6::verify(&run.folder).start();
    verify.wait_for("audit of partition");
    verify.signal("TERM");
    let ran = verify.interrupted(143);
    assert_eq!(ran.status(), "error", "{ran}");
    accounts_for(&ran, &[("unread", ran.account("unread")), ("expired", 200 - ran.account("unread"))]);
}

#[test]
fn verify_tells_a_leader_of_then_from_one_of_now() {
    let Some(mut kafka) = Kafka::start() else { return };
    let (broker, [before, after]) = (kafka.address(), ["led", "led"].map(unique));
    let [one, other] = [&before, &after]
        .map(|name| written(&broker, &format!("{{name: {name}}}"), "messages: 200, acks: 1"));
    delete_records(&broker, &before, 120);
    let ran = Kaf6::verify(&one.folder).run().expect("fail");
    accounts_for(&ran, &[("lost", 120), ("verified", 80)]);
    // A restarted broker leads in a new epoch, and only the leader of the old epoch acked the messages.
    kafka.restart();
    delete_records(&broker, &after, 120);
    let ran = Kaf6::verify(&other.folder).run().expect("error");
    accounts_for(&ran, &[("unread", 120), ("verified", 80)]);
    assert!(ran.answer("no_loss").contains("acks: all"), "{ran}");
}

#[test]
fn verify_of_a_topic_that_was_created_again_says_so() {
    let Some(broker) = Kafka::shared() else { return };
    let name = unique("again");
    let topic = format!("{{name: {name}, recreate: true}}");
    let first = written(&broker, &topic, "messages: 200");
    // The end marker of `kaf6 verify` gets an offset at which a message of the first run was acked.
    written(&broker, &topic, "messages: 50");
    for _ in 0..2 {
        let ran = Kaf6::verify(&first.folder).run().expect("fail");
        accounts_for(&ran, &[("lost", 200)]);
        assert!(ran.notes().contains("was recreated since the run"), "{ran}");
        assert_eq!((ran.check("no_corruption"), ran.anomaly("stale_end")), ("pass", None), "{ran}");
        assert_eq!((ran.anomaly("collided"), ran.anomaly("resurrected")), (Some(0), None), "{ran}");
    }
}
