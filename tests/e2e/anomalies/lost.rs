//! Tests acked messages that are missing from the log: deleted objects, a broker that loses data, removed records.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use super::log::{self, GATHER, Lake};
use super::run::{Done, File, Run, run, topic};
use super::wire;
use crate::lab::{Gate, Kafka, Relay, Storage, Tansu, wait_for};

/// How long the broker may take to delete a topic, on the busiest machine.
const LONG: Duration = Duration::from_secs(120);

#[test]
fn lost_when_objects_are_deleted() {
    let Some(lake) = Lake::start() else { return };
    let (topic, gate) = (topic("lost"), Gate::new());
    let file = File::new(&lake.tansu.address(), &topic)
        .properties(GATHER)
        .partitions(2)
        .read("after: gate")
        .more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    // The first, two middle and the last batch of one partition, and one batch of the other.
    let mut lost = BTreeSet::new();
    let (one, other) = (lake.batches(&topic, 0), lake.batches(&topic, 1));
    let picked = [&one[0], &one[3], &one[4], &one[one.len() - 1], &other[5]];
    for (number, batch) in picked.into_iter().enumerate() {
        lake.delete(batch);
        let partition = i64::from(number == 4);
        lost.extend((batch.base..).take(batch.records).map(|offset| (partition, offset)));
    }
    drop(held);
    let done = run.done();
    let count = lost.len() as u64;
    done.has(&[("lost", count, 0)]).is("fail").checks(&[("no_loss", "fail")]);
    assert_eq!(done.of("write", "acked"), 200);
    assert_eq!(done.of("read", "received"), 200 - count);
    let mut shown = BTreeSet::new();
    for piece in done.evidence("lost") {
        let (partition, offset) = (piece["partition"].as_i64().unwrap(), piece["offset"].as_i64().unwrap());
        let last = piece["to_offset"].as_i64().unwrap_or(offset);
        // With one producer, the offsets of a partition have no gaps.
        shown.extend((offset..=last).map(|offset| (partition, offset)));
    }
    assert_eq!(shown, lost);
    done.is_told_of("lost");
}

#[test]
fn lost_when_the_broker_forgets_between_write_and_read() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let (topic, gate) = (topic("lost"), Gate::new());
    let broker = tansu.address();
    let file =
        File::new(&broker, &topic).partitions(3).read("after: gate").more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    tansu.restart();
    drop(held);
    let done = run.done();
    done.has(&[("lost", 200, 0)]).is("fail");
    assert_eq!(done.check("no_loss"), "fail");
    assert_eq!(done.of("read", "received"), 0);
    done.is_told_of("lost");
}

/// A broker that forgets all when so many messages of 400 were read; what it gets after that is at its log's start.
fn forgets_in_the_middle(read: u32, audit: Option<bool>) -> Option<Done> {
    let mut tansu = Tansu::start(&Storage::Memory)?;
    let relay = Relay::start(&tansu.address());
    let (topic, gate) = (topic("lost"), Gate::new());
    let file = File::new(&relay.address(), &topic)
        .write("messages: 400, rate: 40/s, value: {size: 100B}")
        .read("at: 0s")
        .more(&gate.scenario(&format!("when: \"read.received >= {read}\"")));
    let file = match audit {
        Some(audit) => file.audit(audit),
        None => file,
    };
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    // Block clients during the setup, because Tansu recreates a topic that two clients request at once.
    relay.hold(Duration::from_secs(120));
    tansu.restart();
    let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
    let created = wait(admin(&tansu.address()).create_topics(&[new], &AdminOptions::new()));
    assert!(created.is_ok_and(|topics| topics.iter().all(Result::is_ok)));
    relay.hold(Duration::ZERO);
    drop(held);
    let done = run.done();
    // What another client reads from the log now. Everything else is gone.
    let left =
        log::read(&tansu.address(), &topic, 0).iter().filter(|found| found.message.is_some()).count() as u64;
    let acked = done.of("write", "acked");
    assert!(left > 20 && left <= 300 && acked > 390, "{left} of {acked}: {}", done.told());
    if audit != Some(false) {
        // A message that was read before, and whose offset has another message now, is rewritten and not also lost.
        let gone = done.account("lost") + done.account("rewritten");
        assert_eq!(gone, acked - left, "{}", done.told());
    }
    Some(done)
}

#[test]
fn lost_after_it_was_read_when_the_broker_forgets_in_the_middle_of_a_live_read() {
    // The reader goes back to the start of the new log, and the audit runs automatically.
    let Some(done) = forgets_in_the_middle(250, None) else { return };
    // Each reused offset had another message before.
    done.is("fail");
    assert_eq!(done.check("no_loss"), "fail");
    let rewritten = done.account("rewritten");
    assert!(rewritten > 20, "{}", done.told());
    done.has(&[("lost", done.account("lost"), 0), ("rewritten", rewritten, 0)]);
    assert_eq!(done.check("no_corruption"), "fail", "{}", done.told());
    assert!(done.evidence("lost").iter().any(|e| {
        e["detail"].as_str().is_some_and(|d| d.contains("a re-read by a fresh client no longer found it"))
    }));
    done.is_told_of("lost");
    done.is_told_of("rewritten");
}

#[test]
fn lost_and_rewritten_without_an_audit_too() {
    let Some(done) = forgets_in_the_middle(250, Some(false)) else { return };
    // The reader goes back to the start of the new log, and finds other messages at offsets that it has read.
    done.is("fail");
    assert_eq!(done.check("no_corruption"), "fail", "{}", done.told());
    assert!(done.counts("rewritten").is_some_and(|(count, _)| count > 20), "{}", done.told());
    assert!(done.notes().contains("the log was truncated or recreated"), "{}", done.notes());
    // Messages that were acked, but read neither before nor after the restart.
    assert_eq!(done.counts("unread"), Some((0, 0)), "{}", done.told());
    // Lost messages include some that were read before, if the re-reads covered their offsets.
    let never_read = done.of("write", "acked") - done.of("read", "received");
    assert!(done.counts("lost").is_some_and(|(lost, _)| lost >= never_read), "{}", done.told());
    // The new log is a new epoch, so no offset went back within an epoch.
    assert_eq!(done.counts("nonmonotonic"), Some((0, 0)), "{}", done.told());
}

#[test]
fn rewritten_where_a_log_that_begins_anew_outgrows_the_reader() {
    let Some(done) = forgets_in_the_middle(100, Some(false)) else { return };
    // The reader continues in the middle of the new log, and never reads the messages at reused offsets. A re-read finds
    // them: they are verified, and the messages that had these offsets before are rewritten.
    done.is("fail");
    assert_eq!(done.check("no_corruption"), "fail");
    let unseen = done.of("write", "acked") - done.of("read", "received");
    // Messages that were acked right before the broker forgot them, and not yet read, are lost.
    let lost = done.counts("lost").map_or(0, |(count, _)| count);
    assert!(unseen > 50 && lost < 10, "{}", done.told());
    let rewritten = unseen - lost;
    done.has(&[("lost", lost, 0), ("rewritten", rewritten, 0)]);
    let verified = done.of("write", "acked") - lost - rewritten;
    done.accounts_for(&[("verified", verified), ("lost", lost), ("rewritten", rewritten)]);
}

#[test]
fn rewritten_beneath_a_reader_that_a_log_begun_anew_outgrows() {
    // This reader cannot detect that its log was recreated. Only the requested audit can.
    let Some(done) = forgets_in_the_middle(100, Some(true)) else { return };
    done.is("fail");
    assert_eq!(done.check("no_corruption"), "fail");
    let [lost, rewritten] = ["lost", "rewritten"].map(|class| done.account(class));
    assert!(rewritten > 50, "{}", done.told());
    done.has(&[("lost", lost, 0), ("rewritten", rewritten, 0)]);
}

#[test]
fn lost_when_records_are_deleted() {
    let Some(broker) = Kafka::shared() else { return };
    let (topic, gate) = (topic("lost"), Gate::new());
    let file = File::new(&broker, &topic).read("after: gate").more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(77)).expect("an offset");
    let deleted = wait(admin(&broker).delete_records(&list, &AdminOptions::new()));
    deleted.expect("the records are deleted");
    drop(held);
    let done = run.done();
    done.has(&[("lost", 77, 0)]).is("fail").checks(&[("no_loss", "fail")]);
    done.is_told_of("lost");
}

#[test]
fn lost_when_the_topic_is_deleted() {
    let Some(broker) = Kafka::shared() else { return };
    let (topic, gate) = (topic("lost"), Gate::new());
    let file = File::new(&broker, &topic).read("after: gate").more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    let deleted = wait(admin(&broker).delete_topics(&[&topic], &AdminOptions::new()));
    assert!(deleted.is_ok_and(|topics| topics.iter().all(Result::is_ok)));
    let client = admin(&broker);
    let gone = || {
        let all = client.inner().fetch_metadata(None, LONG);
        all.is_ok_and(|all| all.topics().iter().all(|one| one.name() != topic))
    };
    wait_for("the topic is gone", LONG, gone);
    // The broker may answer requests for it a moment longer.
    std::thread::sleep(Duration::from_secs(1));
    drop(held);
    let done = run.done();
    done.has(&[("lost", 200, 0)]).is("fail");
    assert_eq!(done.check("no_loss"), "fail");
    done.is_told_of("lost");
}

#[test]
fn lost_when_no_fetch_ever_holds_it() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    wire::on_fetched(&relay, |_, records| {
        let before = records.len();
        records.retain(|record| !(50..57).contains(&record.offset));
        records.len() < before
    });
    let topic = topic("lost");
    let done = run(&File::new(&broker, &topic).reader(&relay.address()).text());
    done.has(&[("lost", 7, 0)]).is("fail").checks(&[("no_loss", "fail")]);
    done.is_told_of("lost");
}

pub(crate) fn admin(broker: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", broker).create().expect("an admin client")
}

/// Waits for what a client answers by itself in time.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
