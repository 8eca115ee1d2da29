//! Records that are bad with their batch, have a wrong timestamp, or are older than their topic.

use super::*;
use crate::ledger::read::sighting::Altered;

/// Messages at offsets 0 to 4 by number, of which only these were decoded.
fn decoded(seqs: impl IntoIterator<Item = u64>) -> PartitionReads {
    found(&seqs.into_iter().map(|seq| (seq.cast_signed(), seq)).collect::<Vec<_>>())
}

fn log_of(acked: i64) -> SentLog {
    World::new().acked(acked).log
}

fn corrupt(reads: &PartitionReads) -> Vec<i64> {
    let mut offsets: Vec<i64> =
        reads.corrupt.runs().flat_map(|run| run.offset..run.offset_of(run.end())).collect();
    offsets.sort_unstable();
    offsets
}

fn sighted(reads: &PartitionReads) -> Vec<(i64, Altered, u64)> {
    let of = reads.sightings.iter().filter(|it| it.anomaly == Anomaly::Corrupt);
    of.map(|it| (it.offset, it.altered, it.at_us)).collect()
}

fn details(judged: &Judged, anomaly: Anomaly) -> Vec<(Option<i64>, &'static str)> {
    let of = judged.judgement.evidence.iter().filter(|piece| piece.anomaly == anomaly);
    of.flat_map(Evidence::unfold).map(|piece| (piece.offset, &*piece.words().leak())).collect()
}

#[test]
fn a_bad_batch_counts_what_was_acked_in_it_alone() {
    let mut reads = decoded([0]);
    reads.see_bad_batch(1, 6, 7_000);
    assert_eq!(corrupt(&reads), [0; 0], "what was acked is not known yet");
    // Offsets 0 to 3 were acked for messages, and 5 for an end marker. This run did not write 4 and 6.
    reads.settle([(StreamId(0), &log_of(4))], &[Marker { number: 1, offset: 5 }], true);
    assert_eq!(corrupt(&reads), [1, 2, 3, 5]);
    let at = |offset| (offset, Altered::Batch(6), 7_000);
    assert_eq!(sighted(&reads), [1, 2, 3, 5].map(at));
}

#[test]
fn a_bad_batch_of_others_is_not_judged() {
    let mut reads = decoded([0]);
    reads.see_bad_batch(1, 6, 7_000);
    reads.settle([(StreamId(0), &log_of(1))], &[], true);
    assert_eq!((corrupt(&reads), sighted(&reads)), (vec![], vec![]));
    // All offsets except the first were acked. The first is the one in the sighting.
    let mut log = SentLog::default();
    log.acked_run(Run { seq: 0, offset: 2, len: 9 }, Resent::No);
    let mut reads = decoded([]);
    reads.see_bad_batch(1, 3, 7_000);
    reads.settle([(StreamId(0), &log)], &[], true);
    assert_eq!(corrupt(&reads), [2, 3]);
    assert_eq!(sighted(&reads).iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn what_was_acked_without_an_offset_is_altered_where_it_was_found() {
    let mut log = log_of(2);
    log.next_seq();
    log.next_seq();
    log.acked_nowhere(2, 2, Resent::No);
    // Numbers 2 and 3 were acked without an offset, and found at 6 and 7, between the foreign records 5 and 8.
    let read = || {
        let mut world = World::new();
        for (offset, record) in
            [(5, Opened::Foreign), (6, opened(2, true)), (7, opened(3, true)), (8, Opened::Foreign)]
        {
            world.read(offset, record);
        }
        world.reads
    };
    let (mut bad, mut good) = (read(), read());
    bad.see_bad_batch(5, 8, 7_000);
    for reads in [&mut bad, &mut good] {
        reads.settle([(StreamId(0), &log)], &[], true);
    }
    assert_eq!((corrupt(&bad), corrupt(&good)), (vec![6, 7], vec![]));
    assert_eq!(sighted(&bad).iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), [6, 7]);
    let judged = judged(log, &[], &[whole(Observer::Reader(1), &bad)]);
    assert_eq!(judged.accounts[&0].corrupt, 2);
}

#[test]
fn bad_batches_are_told_apart() {
    let mut reads = decoded([]);
    reads.see_bad_batch(0, 1, 1_000);
    reads.see_bad_batch(2, 2, 2_000);
    // The numbers in its header are impossible.
    reads.see_bad_batch(4, 3, 3_000);
    reads.settle([(StreamId(0), &log_of(5))], &[], true);
    assert_eq!(corrupt(&reads), [0, 1, 2]);
    let mut seen = sighted(&reads);
    seen.sort_unstable_by_key(|(offset, ..)| *offset);
    let batches =
        [(0, Altered::Batch(1), 1_000), (1, Altered::Batch(1), 1_000), (2, Altered::Batch(2), 2_000)];
    assert_eq!(seen, batches);
}

#[test]
fn where_one_message_of_a_bad_batch_differs_it_is_that_one() {
    for differs in [1_u64, 3] {
        let mut world = World::new();
        for seq in 0..5_u64 {
            world.read(seq.cast_signed(), opened(seq, seq != differs));
        }
        let mut reads = world.reads;
        reads.see_bad_batch(1, 3, 9_000);
        reads.settle([(StreamId(0), &log_of(5))], &[], true);
        let offset = differs.cast_signed();
        assert_eq!(corrupt(&reads), [offset]);
        assert_eq!(sighted(&reads), [(offset, Altered::Content, 1_000_000 + differs * 100_000)]);
    }
    // A record next to the batch is not part of it.
    for (first, last) in [(0, 1), (3, 4)] {
        let mut world = World::new();
        world.read(2, opened(2, false));
        world.reads.see_bad_batch(first, last, 9_000);
        world.reads.settle([(StreamId(0), &log_of(5))], &[], true);
        let mut all = vec![first, 2, last];
        all.sort_unstable();
        assert_eq!(corrupt(&world.reads), all);
    }
}

#[test]
fn times_are_judged_or_they_are_not() {
    let read = || {
        let mut reads = decoded([0, 1, 2]);
        reads.see_mistimed(1, (StreamId(0), 1), 12_345, 4_000);
        assert_eq!(corrupt(&reads), [0; 0], "whether the clock was set is not known yet");
        reads
    };
    let (mut judged_too, mut not) = (read(), read());
    judged_too.settle([(StreamId(0), &log_of(3))], &[], true);
    not.settle([(StreamId(0), &log_of(3))], &[], false);
    assert_eq!(corrupt(&judged_too), [1]);
    assert_eq!(sighted(&judged_too), [(1, Altered::Time(12_345), 4_000)]);
    assert_eq!((corrupt(&not), sighted(&not)), (vec![], vec![]));
    // Other alterations do not depend on a clock.
    let mut world = World::new();
    world.read(0, opened(0, false));
    world.reads.see_bad_batch(1, 1, 5_000);
    world.reads.settle([(StreamId(0), &log_of(3))], &[], false);
    assert_eq!(corrupt(&world.reads), [0, 1]);
}

#[test]
fn a_time_is_not_what_is_wrong_with_its_batch() {
    let mut reads = decoded([0, 1, 2]);
    reads.see_mistimed(1, (StreamId(0), 1), 12_345, 4_000);
    reads.see_bad_batch(0, 2, 5_000);
    reads.settle([(StreamId(0), &log_of(3))], &[], false);
    assert_eq!(corrupt(&reads), [0, 1, 2], "its clock says nothing of the batch's checksum");
}

#[test]
fn what_is_settled_is_settled_once() {
    let mut reads = decoded([0]);
    reads.see_bad_batch(1, 2, 7_000);
    reads.settle([(StreamId(0), &log_of(3))], &[], true);
    reads.settle([(StreamId(0), &log_of(3))], &[], true);
    assert_eq!(corrupt(&reads), [1, 2]);
}

#[test]
fn evidence_says_what_is_wrong_with_a_record() {
    let mut reader = decoded([0, 1, 3, 4]);
    reader.see_mistimed(1, (StreamId(0), 1), 12_345, 4_000);
    reader.see_bad_batch(2, 2, 5_000);
    let mut audit = decoded([0, 1, 2, 3, 4]);
    for reads in [&mut reader, &mut audit] {
        reads.settle([(StreamId(0), &log_of(5))], &[], true);
    }
    let judged =
        judged(log_of(5), &[], &[whole(Observer::Reader(1), &reader), whole(Observer::Audit, &audit)]);
    assert_eq!((judged.accounts[&0].corrupt, judged.accounts[&0].verified), (2, 3));
    assert_eq!(judged.judgement.counts[&Anomaly::Corrupt].count, 2);
    assert_eq!(
        details(&judged, Anomaly::Corrupt),
        [
            (
                Some(1),
                "the audit read it unmodified by 1.2 s; its timestamp (12345 ms since 1970) is more than 1 s outside the time from its send to its read, as read by a reader"
            ),
            (
                Some(2),
                "the audit read it unmodified by 1.3 s; its batch (up to offset 2) has a wrong checksum (CRC) or cannot be decoded, as read by a reader"
            ),
        ]
    );
    let message = |offset| {
        let mut all = judged.judgement.evidence.iter().flat_map(Evidence::unfold);
        all.find(|it| it.offset == Some(offset)).and_then(|it| it.message)
    };
    assert_eq!([message(1), message(2)], [1, 2].map(|seq| Some((StreamId(0), seq))));
}

#[test]
fn a_record_older_than_its_topic_is_none_of_others() {
    let mut world = World::new();
    world.read(0, Opened::Foreign);
    world.reads.show(0, b"old");
    world.reads.see_resurrected(0);
    world.read(1, Opened::Foreign);
    assert_eq!(world.reads.foreign(), 1);
    let judged = judged(SentLog::default(), &[], &[whole(Observer::Reader(1), &world.reads)]);
    let count = |anomaly| judged.judgement.counts[&anomaly].count;
    assert_eq!((count(Anomaly::Resurrected), count(Anomaly::Foreign)), (1, 1));
    assert_eq!(judged.readers[0].judgement.counts[&Anomaly::Resurrected].count, 1);
    let words = "older than its topic, which kaf6 created for this run; its value begins with 6f 6c 64";
    assert_eq!(details(&judged, Anomaly::Resurrected), [(Some(0), words)]);
    assert_eq!(details(&judged, Anomaly::Foreign), [(Some(1), "not from this run")]);
}

#[test]
fn a_topic_full_of_old_records_takes_no_memory_for_each() {
    let mut world = World::new();
    for offset in 0..1_000 {
        world.read(offset, Opened::Foreign);
        world.reads.see_resurrected(offset);
    }
    assert_eq!((world.reads.foreign(), world.reads.resurrected.len()), (0, 1_000));
    assert!(world.reads.sightings.len() <= 64, "{}", world.reads.sightings.len());
}

#[test]
fn an_old_record_takes_no_other_ones_sighting() {
    let mut world = World::new();
    // There is no room for more foreign records, so the last sighting here is a descending offset.
    for offset in 0..65 {
        world.read(offset, Opened::Foreign);
    }
    world.read(3, Opened::Foreign);
    world.reads.see_resurrected(3);
    let last = world.reads.sightings.last().expect("it went back");
    assert_eq!((last.anomaly, last.offset), (Anomaly::Nonmonotonic, 3));
}
