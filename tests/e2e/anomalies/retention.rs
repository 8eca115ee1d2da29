//! Tests retention and compaction of Apache Kafka: removed messages are not lost, and the report has them.

use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

use super::lost::{admin, wait};
use super::run::{Done, File, Run, run, topic};
use crate::lab::{Gate, Kafka};

/// A broker that looks for what to remove several times a second.
pub(crate) fn tidy_broker() -> Option<Kafka> {
    Kafka::start_with(&[
        ("log.initial.task.delay.ms", "100"),
        ("log.retention.check.interval.ms", "200"),
        ("log.segment.delete.delay.ms", "100"),
        ("log.cleaner.backoff.ms", "100"),
    ])
}

/// A run of 12 s over a topic that keeps records for 6 s, in segments of half a second.
fn over_short_retention(read: &str, more: &str) -> Option<Done> {
    let kafka = tidy_broker()?;
    let (broker, topic) = (kafka.address(), topic("retention"));
    Some(run(&format!(
        "brokers: [\"{broker}\"]\n\
         topics:\n  - name: \"{topic}\"\n    config: {{retention.ms: 6000, segment.ms: 500, file.delete.delay.ms: 100}}\n\
         scenarios:\n  \
           write: {{type: produce, messages: 1200, rate: 100/s, value: {{size: 100B}}}}\n  \
           read: {{type: consume, {read}}}\n\
         run: {{timeout: 4m{more}}}\n"
    )))
}

#[test]
fn retention_of_what_a_live_reader_has_read_is_a_note() {
    let Some(done) = over_short_retention("at: 0s", ", audit: true") else { return };
    done.has(&[]).is("pass").checks(&[]).accounts_for(&[("verified", 1200)]);
    let notes = done.notes();
    let note = notes.lines().find(|note| note.contains("retention.ms")).unwrap_or_else(|| panic!("{notes}"));
    let counts = note.split_whitespace().filter_map(|word| word.replace(',', "").parse::<u64>().ok());
    // Messages of about 6 s are removed when the audit begins, and more while it reads.
    assert!(counts.into_iter().any(|count| (200..=1200).contains(&count)), "{note}");
}

#[test]
fn retention_of_what_nobody_has_read_is_inconclusive() {
    let Some(done) = over_short_retention("after: write", "") else { return };
    done.has(&[]).is("error").checks(&[("no_loss", "inconclusive")]);
    let expired = done.account("expired");
    assert!((200..=1200).contains(&expired), "{}", done.told());
    done.accounts_for(&[("verified", 1200 - expired), ("expired", expired)]);
    assert!(done.reason().contains("retention.ms"), "{}", done.reason());
    assert_eq!(done.summary["scenarios"]["read"]["ended"], "done", "{}", done.told());
}

#[test]
fn retention_explains_no_loss_of_younger_messages() {
    let Some(broker) = Kafka::shared() else { return };
    let (topic, gate) = (topic("retention"), Gate::new());
    let text = File::new(&broker, &topic).more(&gate.scenario("after: write")).read("after: gate").text();
    let run = Run::start(&text.replace("partitions: 1", "partitions: 1, config: {retention.ms: 600000}"));
    let held = gate.reached(|| run.output());
    // Delete records that are a few seconds old.
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(120)).expect("an offset");
    let deleted = wait(admin(&broker).delete_records(&list, &AdminOptions::new()));
    deleted.expect("the records are deleted");
    drop(held);
    let done = run.done();
    done.has(&[("lost", 120, 0)]).is("fail").accounts_for(&[("verified", 80), ("lost", 120)]);
}

/// A run over a compacted topic with four keys, in segments of a third of a second. `read` and `again` are its two readers.
fn over_compaction(read: &str, again: &str) -> Option<Done> {
    let kafka = tidy_broker()?;
    let (broker, topic) = (kafka.address(), topic("compaction"));
    let config = "cleanup.policy: compact, segment.ms: 300, min.cleanable.dirty.ratio: 0.01, file.delete.delay.ms: 100";
    Some(run(&format!(
        "brokers: [\"{broker}\"]\n\
         topics: [{{name: \"{topic}\", partitions: 2, config: {{{config}}}}}]\n\
         scenarios:\n  \
           write: {{type: produce, clients: 4, messages: 600, rate: 150/s, key: \"k{{{{client}}}}\", value: {{size: 100B}}}}\n  \
           read: {{type: consume, {read}}}\n  \
           again: {{type: consume, {again}}}\n\
         run: {{timeout: 4m}}\n"
    )))
}

/// Both readers came to the end, and what they did not find is explained.
fn is_compacted(done: &Done) -> u64 {
    for reader in ["read", "again"] {
        assert_eq!(done.summary["scenarios"][reader]["ended"], "done", "{}", done.told());
    }
    let superseded = done.account("superseded");
    done.has(&[]).accounts_for(&[("verified", 600 - superseded), ("superseded", superseded)]);
    superseded
}

#[test]
fn compaction_before_two_late_readers_is_inconclusive() {
    let Some(done) = over_compaction("after: write, at: 8s", "after: write, at: 9s") else { return };
    let superseded = is_compacted(&done);
    assert!(superseded > 100, "{}", done.told());
    done.is("error").checks(&[("no_loss", "inconclusive")]);
    assert!(done.reason().contains("cleanup.policy"), "{}", done.reason());
}

#[test]
fn compaction_behind_a_live_reader_is_a_note() {
    let Some(done) = over_compaction("at: 0s", "after: write, at: 8s") else { return };
    // A cleaner that is faster than the reader removes some messages before they are read.
    match is_compacted(&done) {
        0 => done.is("pass").checks(&[]),
        _ => done.is("error").checks(&[("no_loss", "inconclusive")]),
    };
    assert!(done.of("again", "received") < 600, "{}", done.told());
    assert!(done.notes().contains("cleanup.policy"), "{}", done.notes());
}
