//! Acked, and not there when its place is read: objects deleted, a broker that forgets, records removed.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use super::log::Lake;
use super::run::{File, Gate, Run, run, topic};
use super::wire;
use crate::lab::{Kafka, Relay, Storage, Tansu};

#[test]
fn lost_when_objects_are_deleted() {
    let Some(lake) = Lake::start() else { return };
    let (topic, gate) = (topic("lost"), Gate::new());
    let file = File::new(&lake.tansu.address(), &topic)
        .partitions(2)
        .read("after: gate")
        .more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(&run);
    // The first, some in the middle, and the last of one partition; one of the other.
    let mut lost = BTreeSet::new();
    let (one, other) = (lake.batches(&topic, 0), lake.batches(&topic, 1));
    let picked = [&one[0], &one[3], &one[4], &one[one.len() - 1], &other[5]];
    for (number, batch) in picked.into_iter().enumerate() {
        lake.delete(batch);
        let partition = i64::from(number == 4);
        lost.extend((batch.base..).take(batch.records.len()).map(|offset| (partition, offset)));
    }
    drop(held);
    let done = run.done();
    let count = lost.len() as u64;
    done.has(&[("lost", count, 0)]).is("fail").checks(&[("no_loss", "fail")]);
    assert_eq!(done.of("write", "acked"), 200);
    assert_eq!(done.of("read", "received"), 200 - count);
    let shown = done.evidence("lost").iter().map(|e| (e["partition"].as_i64(), e["offset"].as_i64()));
    let shown: BTreeSet<_> = shown.filter_map(|(partition, offset)| partition.zip(offset)).collect();
    assert!(shown.is_subset(&lost) && shown.len() == lost.len().min(20), "{shown:?} of {lost:?}");
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
    let held = gate.reached(&run);
    tansu.restart();
    drop(held);
    let done = run.done();
    done.has(&[("lost", 200, 0)]).is("fail");
    assert_eq!(done.check("no_loss"), "fail");
    assert_eq!(done.of("read", "received"), 0);
    done.is_told_of("lost");
}

#[test]
fn lost_when_the_broker_forgets_in_the_middle_of_a_live_read() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let (topic, gate) = (topic("lost"), Gate::new());
    let broker = tansu.address();
    let file = File::new(&broker, &topic)
        .write("messages: 400, rate: 200/s, value: {size: 100B}")
        .read("at: 0s")
        .more(&gate.scenario("when: \"read.received >= 150\""));
    let run = Run::start(&file.text());
    let held = gate.reached(&run);
    tansu.restart();
    drop(held);
    let done = run.done();
    assert_eq!(done.status(), "fail", "{}", done.told());
}

#[test]
fn lost_when_records_are_deleted() {
    let Some(broker) = Kafka::shared() else { return };
    let (topic, gate) = (topic("lost"), Gate::new());
    let file = File::new(&broker, &topic).read("after: gate").more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(&run);
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
    let held = gate.reached(&run);
    let deleted = wait(admin(&broker).delete_topics(&[&topic], &AdminOptions::new()));
    assert!(deleted.is_ok_and(|topics| topics.iter().all(Result::is_ok)));
    std::thread::sleep(Duration::from_millis(200));
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

fn admin(broker: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", broker).create().expect("an admin client")
}

/// Waits for what a client answers by itself in time.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
