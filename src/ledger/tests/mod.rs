//! The contents of evidence: retries, times of acks and reads, and unexpected records.

mod acks;
mod altered;
mod model;
mod removals;

use std::collections::HashMap;

use super::{
    CheckedUuid, Evidence, FoundAs, Judged, Kept, Marker, Observer, PartitionCase, PartitionReads, Pass,
    Resent, SentLog, Spot, StreamInfo, Streams, judge,
};
use crate::anomaly::Anomaly;
use crate::ids::{Identity, RunTag, StreamId};
use crate::ledger::sent::envelope::{Envelope, Opened, RecordKind};
use crate::ledger::sent::runs::Run;

const RUN: RunTag = RunTag::from_bits(7);

/// One stream in one partition, its log, and two readers of it.
struct World {
    streams: Streams,
    log: SentLog,
    reads: PartitionReads,
    audit: Option<PartitionReads>,
}

fn opened(seq: u64, intact: bool) -> Opened {
    let identity = Identity { run: RUN, stream: StreamId(0), seq };
    Opened::Kaf6 { envelope: Envelope { kind: RecordKind::Message, identity, due_us: 0 }, intact }
}

impl World {
    fn new() -> Self {
        let mut streams = Streams::default();
        let info =
            StreamInfo { scenario: 0, client: 0, topic: 0, partition: 0, has_uuid: false, roundtrip: false };
        streams.add(&info, [0]);
        let reads = PartitionReads::new(RUN, 0, 0);
        Self { streams, log: SentLog::default(), reads, audit: None }
    }

    /// Messages are acked at intervals of a tenth of a second, number 3 after a retry at 0.25 s.
    fn acked(mut self, count: i64) -> Self {
        for at in 0..count {
            let seq = self.log.next_seq();
            if seq == 3 {
                self.log.went_back(250_000, "Local: Broker transport failure", 1, true);
            }
            let resent = if seq == 3 { Resent::MaybeWritten } else { Resent::No };
            self.log.acked(seq, at, resent);
            self.log.acked_at(Run { seq, offset: at, len: 1 }, at.unsigned_abs() * 100_000);
        }
        self
    }

    fn read(&mut self, offset: i64, record: Opened) {
        let at_us = 1_000_000 + offset.unsigned_abs() * 100_000;
        self.reads.see(&self.streams, offset, record, at_us, |_| CheckedUuid::Fine);
    }

    /// The evidence of an anomaly after a fresh client re-read everything, and found what the audit had found.
    fn evidence(self, anomaly: Anomaly) -> Vec<Evidence> {
        let sent = HashMap::from([(StreamId(0), self.log)]);
        let again = self.audit.clone().unwrap_or_else(|| self.reads.clone());
        let end = |pass| Pass { to_end: true, ..pass };
        let mut passes = vec![end(Pass::new(Observer::Reader(1), &self.reads, 0))];
        passes.extend(self.audit.as_ref().map(|audit| end(Pass::new(Observer::Audit, audit, 0))));
        passes.push(end(Pass { full: false, ..Pass::new(Observer::Recheck, &again, 0) }));
        let case = case(&self.streams, &sent, &[], &passes);
        judge(&case).judgement.evidence.into_iter().filter(|e| e.anomaly == anomaly).collect()
    }
}

#[test]
fn an_explained_duplicate_names_the_retry() {
    let mut world = World::new().acked(5);
    for (offset, seq) in [0, 1, 2, 3, 3, 4, 4].into_iter().enumerate() {
        world.read(i64::try_from(offset).expect("small"), opened(seq, true));
    }
    let found = world.evidence(Anomaly::Duplicate);
    let of = |seq| found.iter().find(|e| e.message == Some((StreamId(0), seq))).expect("found");
    assert!(of(3).explained && !of(4).explained);
    assert_eq!(of(3).detail, "the producer saw `Broker transport failure` at 0.250 s and resent its batch");
    assert_eq!(of(3).acked_us, None, "acks of what was sent again come at any time");
    assert_eq!(of(4).acked_us, Some((400_000, 400_000)));
}

#[test]
fn an_explained_reordering_names_the_retry() {
    let mut world = World::new().acked(5);
    for (offset, seq) in [0, 1, 2, 4, 3].into_iter().enumerate() {
        world.read(i64::try_from(offset).expect("small"), opened(seq, true));
    }
    let found = world.evidence(Anomaly::Reordered);
    assert_eq!(
        found[0].detail,
        "follows message 4, which was sent later; the producer saw `Broker transport failure` at 0.250 s and resent its batch"
    );
}

#[test]
fn what_is_gone_at_the_audit_has_the_times_of_its_ack_and_its_reading() {
    let mut world = World::new().acked(5);
    let mut audit = PartitionReads::new(RUN, 0, 0);
    for seq in 0..5 {
        world.read(seq, opened(seq.unsigned_abs(), true));
        if seq != 2 {
            audit
                .see(&world.streams, seq, opened(seq.unsigned_abs(), true), 9_000_000, |_| CheckedUuid::Fine);
        }
    }
    world.audit = Some(audit);
    let found = world.evidence(Anomaly::Lost);
    assert_eq!(found.len(), 1);
    // The ack of number 3 is not known to be later, so the ack of number 4 is the next mark.
    assert_eq!(found[0].acked_us, Some((200_000, 300_000)));
    assert_eq!(found[0].read_us, Some((1_200_000, 1_300_000)));
}

#[test]
fn what_is_lost_side_by_side_is_one_piece_with_all_its_places() {
    let mut world = World::new().acked(40);
    let mut audit = PartitionReads::new(RUN, 0, 0);
    let gone = |seq: i64| (10..20).contains(&seq) || seq == 25;
    for seq in 0..40 {
        world.read(seq, opened(seq.unsigned_abs(), true));
        if !gone(seq) {
            audit
                .see(&world.streams, seq, opened(seq.unsigned_abs(), true), 9_000_000, |_| CheckedUuid::Fine);
        }
    }
    world.audit = Some(audit);
    let found = world.evidence(Anomaly::Lost);
    let ends = |piece: &Evidence| (piece.offset, piece.span.to_offset, piece.to_seq(), piece.messages());
    assert_eq!(
        found.iter().map(ends).collect::<Vec<_>>(),
        [(Some(10), Some(19), Some(19), 10), (Some(25), None, Some(25), 1)]
    );
    assert_eq!(found[0].acked_us, Some((1_000_000, 2_000_000)));
    let spot = |spot: &Spot| (spot.observer, spot.found, spot.offset, spot.to_offset);
    assert_eq!(
        found[0].spots.iter().map(spot).collect::<Vec<_>>(),
        [
            (None, FoundAs::Acked, 10, 19),
            (Some(Observer::Reader(1)), FoundAs::Read, 10, 19),
            (Some(Observer::Audit), FoundAs::Missing, 10, 19),
            (Some(Observer::Recheck), FoundAs::Missing, 10, 19),
        ]
    );
    assert_eq!((found[0].spots[0].at_us, found[0].spots[0].to_us), (1_050_000, 1_950_000));
}

/// The record at an offset before a reset of the log does not show when the current record was read there.
#[test]
fn a_place_in_a_log_that_began_anew_has_no_time() {
    let mut world = World::new().acked(3);
    world.read(0, opened(0, true));
    world.read(1, opened(1, true));
    world.reads.reset();
    world.read(0, opened(2, true));
    world.read(3, Opened::Foreign);
    let found = world.evidence(Anomaly::Misplaced);
    assert_eq!((found.len(), found[0].offset, found[0].other_offset), (1, Some(0), Some(2)));
    assert_eq!(found[0].spots.iter().map(|spot| spot.found).collect::<Vec<_>>(), [FoundAs::Acked]);
}

/// An observer cannot miss a message before it is written.
#[test]
fn who_looked_before_the_ack_has_not_missed_it() {
    let mut world = World::new().acked(20);
    let mut audit = PartitionReads::new(RUN, 0, 0);
    for seq in 0..20 {
        if seq != 15 {
            world
                .reads
                .see(&world.streams, seq, opened(seq.unsigned_abs(), true), 100_000, |_| CheckedUuid::Fine);
            audit
                .see(&world.streams, seq, opened(seq.unsigned_abs(), true), 9_000_000, |_| CheckedUuid::Fine);
        }
    }
    world.audit = Some(audit);
    let found = world.evidence(Anomaly::Lost);
    let by: Vec<Option<Observer>> = found[0].spots.iter().map(|spot| spot.observer).collect();
    assert_eq!(by, [None, Some(Observer::Audit), Some(Observer::Recheck)]);
}

#[test]
fn the_evidence_is_bounded_by_pieces_not_by_messages() {
    let of = |gone: fn(i64) -> bool| {
        let mut world = World::new().acked(3000);
        for seq in (0..3000).filter(|seq| !gone(*seq)) {
            world.read(seq, opened(seq.unsigned_abs(), true));
        }
        let found = world.evidence(Anomaly::Lost);
        (found.len(), found.iter().map(Evidence::messages).sum::<u64>())
    };
    assert_eq!(of(|seq| seq % 2 == 1), (20, 20));
    assert_eq!(of(|seq| seq % 10 > 0 && (10..150).contains(&seq)), (14, 126));
    // Number 3 was resent, so the time of its ack is unknown.
    assert_eq!(of(|seq| seq > 0), (3, 1000));
}

#[test]
fn a_record_whose_envelope_is_broken_is_shown() {
    let mut world = World::new().acked(3);
    world.read(0, opened(0, true));
    world.read(1, opened(1, false));
    world.reads.show(1, b"kaf6\x01 and what follows it");
    // Its envelope is corrupt, so kaf6 cannot tell that it is from this run.
    world.read(2, Opened::Foreign);
    world.reads.show(2, b"\x00af6");
    let (corrupt, lost) = {
        let other = World { log: world.log.clone(), reads: world.reads.clone(), ..World::new() };
        (world.evidence(Anomaly::Corrupt), other.evidence(Anomaly::Lost))
    };
    assert_eq!(corrupt[0].offset, Some(1));
    let words = corrupt[0].words();
    assert!(
        words.ends_with("; its value begins with 6b 61 66 36 01 20 61 6e 64 20 77 68 61 74 20 66 ..."),
        "{words}"
    );
    assert!(
        lost[0].detail.ends_with(
            "its offset has a record that is not from this run, with a value that begins with 00 61 66 36"
        ),
        "{}",
        lost[0].detail
    );
}

/// One stream in one partition, whose records the broker must keep.
fn case<'a>(
    streams: &'a Streams,
    sent: &'a HashMap<StreamId, SentLog>,
    markers: &'a [Marker],
    passes: &'a [Pass<'a>],
) -> PartitionCase<'a> {
    PartitionCase {
        streams,
        sent,
        place: (0, 0),
        ids: &[StreamId(0)],
        passes,
        excluded: &[],
        markers,
        leaders_alone: &[],
        leader_changed: true,
        one_log: true,
        earlier: None,
        removals: &Kept,
        reported_end: None,
    }
}

/// The verdict on one stream's messages, with these passes.
fn judged(log: SentLog, markers: &[Marker], passes: &[Pass<'_>]) -> Judged {
    let sent = HashMap::from([(StreamId(0), log)]);
    let streams = World::new().streams;
    judge(&case(&streams, &sent, markers, passes))
}

/// Messages at these offsets, by sequence.
fn found(messages: &[(i64, u64)]) -> PartitionReads {
    let mut world = World::new();
    messages.iter().for_each(|(offset, seq)| world.read(*offset, opened(*seq, true)));
    world.reads
}

/// A pass that read to the end of the log.
fn whole(observer: Observer, reads: &PartitionReads) -> Pass<'_> {
    Pass { to_end: true, ..Pass::new(observer, reads, 0) }
}

#[test]
fn a_copy_before_its_place_does_not_make_a_message_reached() {
    let acked = || {
        let mut log = SentLog::default();
        let seq = log.next_seq();
        log.acked(seq, 5, Resent::No);
        log
    };
    let copy = found(&[(1, 0)]);
    let stopped = || Pass::new(Observer::Reader(1), &copy, 0);
    let account = judged(acked(), &[], &[stopped()]).accounts[&0];
    assert_eq!((account.unread, account.unassigned), (1, 0));
    let account = judged(acked(), &[], &[Pass { unreadable: Some(2), ..stopped() }]).accounts[&0];
    assert_eq!((account.unreadable, account.unassigned), (1, 0));
    let all = found(&[(1, 0), (5, 0)]);
    let account = judged(acked(), &[], &[stopped(), whole(Observer::Audit, &all)]).accounts[&0];
    assert_eq!((account.unread, account.verified), (1, 0));
}

#[test]
fn what_a_reader_passed_and_the_audit_found_is_skipped_without_a_re_read() {
    let (reader, audit) = (found(&[(0, 0), (2, 2)]), found(&[(0, 0), (1, 1), (2, 2)]));
    let passes = [whole(Observer::Reader(1), &reader), whole(Observer::Audit, &audit)];
    let account = judged(World::new().acked(3).log, &[], &passes).accounts[&0];
    assert_eq!((account.skipped, account.unread), (1, 0));
}

#[test]
fn a_reader_that_begins_later_misses_no_message_without_a_place() {
    let mut log = World::new().acked(1).log;
    let seq = log.next_seq();
    log.acked_nowhere(seq, 1, Resent::No);
    let (all, none) = (found(&[(0, 0), (1, 1)]), found(&[]));
    let later = |observer| Pass { start: 5, ..whole(observer, &none) };
    let passes = [whole(Observer::Reader(1), &all), later(Observer::Reader(2)), later(Observer::Recheck)];
    let judged = judged(log, &[], &passes);
    assert_eq!((judged.accounts[&0].verified, judged.accounts[&0].lost), (2, 0));
}

/// Numbers 0 and 1 seem to be from one batch without an offset, of which only number 0 was lost. Or number 1 had an
/// offset, which was wrong. The client's reports are the same in both cases, so kaf6 cannot tell. The missing message
/// is lost, and the existing one is verified.
#[test]
fn behind_a_lost_message_without_a_place_no_place_is_proven_wrong() {
    let mut log = SentLog::default();
    for _ in 0..2 {
        log.next_seq();
    }
    log.acked_nowhere(0, 2, Resent::No);
    let there = found(&[(7, 1)]);
    let passes = [whole(Observer::Reader(1), &there), whole(Observer::Recheck, &there)];
    let account = judged(log, &[], &passes).accounts[&0];
    assert_eq!((account.lost, account.verified, account.misplaced), (1, 1, 0));
}

#[test]
fn each_reader_answers_for_what_it_saw_itself() {
    let (all, half, gap) = (found(&[(0, 0), (1, 1), (2, 2)]), found(&[(0, 0)]), found(&[(0, 0), (2, 2)]));
    let half = Pass::new(Observer::Reader(2), &half, 0);
    let passes = [
        whole(Observer::Reader(1), &all),
        half,
        whole(Observer::Reader(3), &gap),
        whole(Observer::Recheck, &all),
    ];
    let judged = judged(World::new().acked(3).log, &[], &passes);
    assert_eq!((judged.accounts[&0].skipped, judged.accounts[&0].unread), (1, 1));
    let of = |reader: usize, anomaly| judged.readers[reader].judgement.counts[&anomaly].count;
    assert_eq!((of(0, Anomaly::Skipped), of(0, Anomaly::Unread)), (0, 0));
    assert_eq!((of(1, Anomaly::Skipped), of(1, Anomaly::Unread)), (0, 2));
    assert_eq!((of(2, Anomaly::Skipped), of(2, Anomaly::Unread)), (1, 0));
}

#[test]
fn a_phantom_that_the_audit_saw_counts_for_each_reader() {
    let mut log = SentLog::default();
    let seq = log.next_seq();
    log.failed(seq, Resent::No);
    let (one, none) = (found(&[(0, 0)]), found(&[]));
    let passes =
        [whole(Observer::Reader(1), &one), whole(Observer::Reader(2), &none), whole(Observer::Audit, &one)];
    let judged = judged(log, &[], &passes);
    assert_eq!(judged.judgement.counts[&Anomaly::Phantom].count, 1);
    assert!(judged.readers.iter().all(|reader| reader.judgement.counts[&Anomaly::Phantom].count == 1));
}

#[test]
fn an_end_marker_that_is_gone_after_it_was_read_is_lost() {
    let marker = Marker { number: 4, offset: 1 };
    let with_marker = |marked: bool| {
        let mut world = World::new();
        world.read(0, opened(0, true));
        let identity = Identity { run: RUN, stream: StreamId(0), seq: marker.number };
        let envelope = Envelope { kind: RecordKind::EndMarker, identity, due_us: 0 };
        if marked {
            world.read(marker.offset, Opened::Kaf6 { envelope, intact: true });
        }
        world.reads
    };
    let (before, after) = (with_marker(true), with_marker(false));
    let recheck = |reads| Pass { passed_to: Some(2), ..Pass::new(Observer::Recheck, reads, 0) };
    let lost = |again| {
        let passes = [whole(Observer::Reader(1), &before), whole(Observer::Audit, &after), recheck(again)];
        judged(World::new().acked(1).log, &[marker], &passes).lost_markers
    };
    assert_eq!((lost(&before), lost(&after)), (0, 1));
}

#[test]
fn a_reader_that_starts_in_the_middle_is_to_find_what_lies_behind() {
    let mut world = World::new();
    for seq in 0..10 {
        world.log.acked(seq, 3 + seq.cast_signed(), Resent::No);
    }
    for offset in 8..13 {
        world.read(offset, opened((offset - 3).unsigned_abs(), true));
    }
    let wanted = |start| {
        let pass = Pass { to_end: true, ..Pass::new(Observer::Reader(1), &world.reads, start) };
        judged(world.log.clone(), &[], &[pass]).readers[0].wanted
    };
    assert_eq!([0, 3, 8, 12, 20].map(wanted), [10, 10, 5, 1, 0]);
}
