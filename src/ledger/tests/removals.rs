//! Classes of messages that retention, compaction or a change of leader may have removed, by the precedence of the
//! account.

use super::super::{Account, RemovalReason, Removals};
use super::*;
use crate::ids::{Offset, Seq};

/// Everything may be removed: messages for this reason, and end markers if it is true.
#[derive(Debug)]
struct May(Option<RemovalReason>, bool);

impl Removals for May {
    fn of_message(&self, _: StreamId, _: Seq, _: Option<Offset>) -> Option<RemovalReason> {
        self.0
    }

    fn of_marker(&self, _: Marker) -> Option<RemovalReason> {
        self.0.filter(|_| self.1)
    }
}

const EXPIRED: May = May(Some(RemovalReason::Expired), true);
const SUPERSEDED: May = May(Some(RemovalReason::Superseded), true);
const UNCLEAR: May = May(Some(RemovalReason::Unclear), true);
const KEPT: May = May(None, false);

/// Numbers 0 to 2 were acked at offsets 0 to 2; or number 0 without an offset. `alone`: a change of leader may have
/// undone the acks.
fn judged_with(
    may: &dyn Removals,
    alone: bool,
    log: SentLog,
    markers: &[Marker],
    passes: &[Pass<'_>],
) -> Judged {
    judged_by(may, (alone, true), log, markers, passes)
}

/// The same, with or without certainty that the leader changed.
fn judged_by(
    may: &dyn Removals,
    (alone, leader_changed): (bool, bool),
    log: SentLog,
    markers: &[Marker],
    passes: &[Pass<'_>],
) -> Judged {
    let sent = HashMap::from([(StreamId(0), log)]);
    let streams = World::new().streams;
    judge(&PartitionCase {
        leaders_alone: if alone { &[0] } else { &[] },
        leader_changed,
        removals: may,
        ..case(&streams, &sent, markers, passes)
    })
}

fn three() -> SentLog {
    World::new().acked(3).log
}

fn placeless() -> SentLog {
    let mut log = SentLog::default();
    let seq = log.next_seq();
    log.acked_nowhere(seq, 1, Resent::No);
    log
}

/// The classes of a verdict except verified, and how many messages were removed after they were read, or dropped.
fn classes(judged: &Judged) -> (Vec<(&'static str, u64)>, u64, u64) {
    let account = &judged.accounts[&0];
    let told = ["verified", "sent", "acked"];
    let of = Account::CLASSES.iter().map(|(name, count)| (*name, count(account)));
    let of = of.filter(|(name, count)| *count > 0 && !told.contains(name)).collect();
    assert_eq!(account.check_sent(), Ok(()));
    (of, judged.removed_later, account.dropped)
}

fn anomaly(judged: &Judged, anomaly: Anomaly) -> [u64; 2] {
    [&judged.judgement, &judged.readers[0].judgement].map(|it| it.counts[&anomaly].count)
}

#[test]
fn what_nobody_read_and_a_setting_explains_is_not_lost() {
    let gap = found(&[(0, 0), (2, 2)]);
    let passes = [whole(Observer::Reader(1), &gap), whole(Observer::Recheck, &gap)];
    let class = |may: &May, alone| {
        let judged = judged_with(may, alone, three(), &[], &passes);
        let classes = classes(&judged);
        (classes, anomaly(&judged, Anomaly::Lost), anomaly(&judged, Anomaly::Unread))
    };
    assert_eq!(class(&KEPT, false), ((vec![("lost", 1)], 0, 0), [1; 2], [0; 2]));
    assert_eq!(class(&EXPIRED, false), ((vec![("expired", 1)], 0, 0), [0; 2], [0; 2]));
    assert_eq!(class(&SUPERSEDED, false), ((vec![("superseded", 1)], 0, 0), [0; 2], [0; 2]));
    // The settings explain it, regardless of the leader.
    assert_eq!(class(&EXPIRED, true), ((vec![("expired", 1)], 0, 0), [0; 2], [0; 2]));
    assert_eq!(class(&KEPT, true), ((vec![("unread", 1)], 0, 1), [0; 2], [1; 2]));
}

#[test]
fn what_a_removal_leaves_is_an_empty_offset() {
    // Each type of record that a re-read finds where another was acked. The live reader found the message, or not.
    let (all, gap) = (found(&[(0, 0), (1, 1), (2, 2)]), found(&[(0, 0), (2, 2)]));
    let other = |record| {
        let mut world = World { reads: gap.clone(), ..World::new() };
        world.read(1, record);
        world.reads
    };
    let identity = Identity { run: RUN, stream: StreamId(0), seq: 9 };
    let marker = Opened::Kaf6 {
        envelope: Envelope { kind: RecordKind::EndMarker, identity, due_us: 0 },
        intact: true,
    };
    for again in [other(Opened::Foreign), other(opened(9, true)), other(marker)] {
        for may in [EXPIRED, SUPERSEDED, UNCLEAR] {
            let passes = [whole(Observer::Reader(1), &gap), whole(Observer::Recheck, &again)];
            let lost = classes(&judged_with(&may, false, three(), &[], &passes));
            assert_eq!(lost, (vec![("lost", 1)], 0, 0), "{may:?}");
            // It is unknown whether the leader that lacked it should have it.
            let dropped = classes(&judged_with(&may, true, three(), &[], &passes));
            assert_eq!(dropped, (vec![("unread", 1)], 0, 1), "{may:?}");
            let markers = [Marker { number: 5, offset: 1 }];
            let log = || World::new().acked(1).log;
            assert_eq!(judged_with(&may, false, log(), &markers, &passes).lost_markers, 1);
            // Another re-read happened before the removal.
            let found = [
                whole(Observer::Reader(1), &gap),
                whole(Observer::Recheck, &all),
                whole(Observer::Recheck, &gap),
            ];
            let removed = classes(&judged_with(&may, false, three(), &[], &found));
            assert!(removed.0.iter().all(|(class, _)| *class != "lost"), "{removed:?}");
        }
    }
}

#[test]
fn what_only_its_leader_acked_says_so() {
    let gap = found(&[(0, 0), (2, 2)]);
    let passes = [whole(Observer::Reader(1), &gap), whole(Observer::Recheck, &gap)];
    for (changed, leader) in [
        (true, "the partition's leader has changed"),
        (false, "it is unknown whether the partition's leader has changed"),
    ] {
        let judged = judged_by(&KEPT, (true, changed), three(), &[], &passes);
        let piece = judged.judgement.evidence.iter().find(|piece| piece.anomaly == Anomaly::Unread);
        let piece = piece.expect("shown");
        assert_eq!((piece.offset, piece.message, piece.observer), (Some(1), Some((StreamId(0), 1)), None));
        let detail = format!("only the leader acknowledged it (`acks: 1`), and {leader}");
        assert_eq!(piece.detail, detail);
    }
}

#[test]
fn what_nobody_can_tell_is_neither_lost_nor_verified() {
    let (all, gap) = (found(&[(0, 0), (1, 1), (2, 2)]), found(&[(0, 0), (2, 2)]));
    let class = |reader, audit| {
        let passes = [whole(Observer::Reader(1), reader), whole(Observer::Audit, audit)];
        let passes: Vec<Pass<'_>> = passes.into_iter().chain([whole(Observer::Recheck, &gap)]).collect();
        let judged = judged_with(&UNCLEAR, false, three(), &[], &passes);
        (classes(&judged), judged.accounts[&0].unclear)
    };
    for reader in [&all, &gap] {
        assert_eq!(class(reader, &gap), ((vec![("expired", 1)], 0, 0), 1));
    }
    // A message that a reader passed before its removal is skipped.
    assert_eq!(class(&gap, &all), ((vec![("skipped", 1)], 0, 0), 0));
    let (none, one) = (found(&[]), found(&[(4, 0)]));
    for first in [&none, &one] {
        let passes = [whole(Observer::Reader(1), first), whole(Observer::Recheck, &none)];
        let judged = judged_with(&UNCLEAR, false, placeless(), &[], &passes);
        assert_eq!((classes(&judged), judged.accounts[&0].unclear), ((vec![("expired", 1)], 0, 0), 1));
    }
}

/// Messages below this offset have expired. A message without a known offset is unclear.
#[derive(Debug)]
struct Below(Offset);

impl Removals for Below {
    fn of_message(&self, _: StreamId, _: Seq, place: Option<Offset>) -> Option<RemovalReason> {
        place.map_or(Some(RemovalReason::Unclear), |place| (place < self.0).then_some(RemovalReason::Expired))
    }

    fn of_marker(&self, _: Marker) -> Option<RemovalReason> {
        None
    }
}

#[test]
fn a_message_without_a_place_lay_where_it_was_read() {
    let (none, one) = (found(&[]), found(&[(4, 0)]));
    let class = |start, first| {
        let passes = [whole(Observer::Reader(1), first), whole(Observer::Recheck, &none)];
        classes(&judged_with(&Below(start), false, placeless(), &[], &passes))
    };
    assert_eq!(class(5, &one), (vec![], 1, 0));
    assert_eq!(class(4, &one), (vec![("lost", 1)], 0, 0));
    assert_eq!(class(4, &none), (vec![("expired", 1)], 0, 0));
}

#[test]
fn without_a_re_read_nothing_is_explained() {
    let gap = found(&[(0, 0), (2, 2)]);
    let judged = judged_with(&EXPIRED, false, three(), &[], &[whole(Observer::Reader(1), &gap)]);
    assert_eq!(classes(&judged), (vec![("unread", 1)], 0, 0));
}

#[test]
fn what_was_read_before_it_was_removed_stays_verified() {
    let (all, gap) = (found(&[(0, 0), (1, 1), (2, 2)]), found(&[(0, 0), (2, 2)]));
    let passes =
        [whole(Observer::Reader(1), &all), whole(Observer::Audit, &gap), whole(Observer::Recheck, &gap)];
    for may in [EXPIRED, SUPERSEDED] {
        let judged = judged_with(&may, false, three(), &[], &passes);
        assert_eq!(classes(&judged), (vec![], 1, 0));
        assert_eq!(judged.accounts[&0].verified, 3);
        assert_eq!((anomaly(&judged, Anomaly::Lost), anomaly(&judged, Anomaly::Unread)), ([0; 2], [0; 2]));
    }
    assert_eq!(classes(&judged_with(&KEPT, false, three(), &[], &passes)), (vec![("lost", 1)], 0, 0));
    assert_eq!(classes(&judged_with(&KEPT, true, three(), &[], &passes)), (vec![("unread", 1)], 0, 1));
    // The other reader read after the removal, and nothing counts against it.
    let passes =
        [whole(Observer::Reader(1), &all), whole(Observer::Reader(2), &gap), whole(Observer::Recheck, &gap)];
    let judged = judged_with(&EXPIRED, false, three(), &[], &passes);
    assert_eq!(classes(&judged), (vec![], 1, 0));
    let own = |reader: usize| judged.readers[reader].judgement.counts[&Anomaly::Lost].count;
    assert_eq!((own(0), own(1)), (0, 0));
}

#[test]
fn what_a_reader_skipped_is_skipped_whatever_was_removed_later() {
    let (all, gap) = (found(&[(0, 0), (1, 1), (2, 2)]), found(&[(0, 0), (2, 2)]));
    let passes =
        [whole(Observer::Reader(1), &gap), whole(Observer::Audit, &all), whole(Observer::Recheck, &gap)];
    let judged = judged_with(&EXPIRED, false, three(), &[], &passes);
    assert_eq!(classes(&judged), (vec![("skipped", 1)], 0, 0));
    assert_eq!(anomaly(&judged, Anomaly::Skipped), [1; 2]);
    let (none, one) = (found(&[]), found(&[(4, 0)]));
    let passes =
        [whole(Observer::Reader(1), &none), whole(Observer::Audit, &one), whole(Observer::Recheck, &none)];
    let judged = judged_with(&EXPIRED, false, placeless(), &[], &passes);
    assert_eq!(classes(&judged), (vec![("skipped", 1)], 0, 0));
}

#[test]
fn a_fresh_client_that_found_it_before_it_was_removed_blames_nobody() {
    let (all, gap) = (found(&[(0, 0), (1, 1), (2, 2)]), found(&[(0, 0), (2, 2)]));
    let (one, none) = (found(&[(4, 0)]), found(&[]));
    for (log, before, after) in [(three(), &all, &gap), (placeless(), &one, &none)] {
        let passes = [
            whole(Observer::Reader(1), before),
            whole(Observer::Audit, before),
            whole(Observer::Recheck, after),
        ];
        assert_eq!(classes(&judged_with(&EXPIRED, false, log, &[], &passes)), (vec![], 1, 0));
    }
}

#[test]
fn what_a_reader_did_not_reach_is_unread_whatever_was_removed_later() {
    let (all, gap, none) = (found(&[(0, 0), (1, 1), (2, 2)]), found(&[(0, 0), (2, 2)]), found(&[(0, 0)]));
    let stopped = Pass::new(Observer::Reader(2), &none, 0);
    let passes = [whole(Observer::Reader(1), &all), stopped, whole(Observer::Recheck, &gap)];
    let judged = judged_with(&EXPIRED, false, three(), &[], &passes);
    assert_eq!(classes(&judged), (vec![("unread", 2)], 0, 0), "as it is of what is still there");
    let (one, none) = (found(&[(4, 0)]), found(&[]));
    let stopped = Pass::new(Observer::Reader(2), &none, 0);
    let passes = [whole(Observer::Reader(1), &one), stopped, whole(Observer::Recheck, &none)];
    let judged = judged_with(&EXPIRED, false, placeless(), &[], &passes);
    assert_eq!(classes(&judged), (vec![("unread", 1)], 0, 0));
}

#[test]
fn a_message_without_a_place_may_be_removed_too() {
    let (none, one) = (found(&[]), found(&[(4, 0)]));
    let class = |may: &May, alone, first| {
        let passes = [whole(Observer::Reader(1), first), whole(Observer::Recheck, &none)];
        classes(&judged_with(may, alone, placeless(), &[], &passes))
    };
    assert_eq!(class(&KEPT, false, &none), (vec![("lost", 1)], 0, 0));
    assert_eq!(class(&EXPIRED, false, &none), (vec![("expired", 1)], 0, 0));
    assert_eq!(class(&SUPERSEDED, false, &none), (vec![("superseded", 1)], 0, 0));
    assert_eq!(class(&SUPERSEDED, false, &one), (vec![], 1, 0));
    assert_eq!(class(&KEPT, true, &none), (vec![("unread", 1)], 0, 1));
}

#[test]
fn what_is_altered_misplaced_or_rewritten_is_so_whatever_may_be_removed() {
    let gap = found(&[(0, 0), (2, 2)]);
    let mut world = World::new();
    for (offset, intact) in [(0, true), (1, false), (2, true)] {
        world.read(offset, opened(offset.unsigned_abs(), intact));
    }
    let altered = world.reads;
    let class = |may: &May, alone, reader: &PartitionReads, audit: &PartitionReads| {
        let passes = [whole(Observer::Reader(1), reader), whole(Observer::Audit, audit)];
        let again = whole(Observer::Recheck, &gap);
        let passes: Vec<Pass<'_>> = passes.into_iter().chain([again]).collect();
        classes(&judged_with(may, alone, three(), &[], &passes))
    };
    assert_eq!(class(&EXPIRED, false, &altered, &gap), (vec![("corrupt", 1)], 0, 0));
    let moved = found(&[(0, 0), (2, 2), (7, 1)]);
    assert_eq!(class(&EXPIRED, false, &moved, &gap), (vec![("misplaced", 1)], 0, 0));
    let all = found(&[(0, 0), (1, 1), (2, 2)]);
    let mut world = World::new();
    [Some(0), None, Some(2)].into_iter().zip(0..).for_each(|(seq, offset)| {
        world.read(offset, seq.map_or(Opened::Foreign, |seq| opened(seq, true)));
    });
    assert_eq!(class(&EXPIRED, false, &all, &world.reads), (vec![("rewritten", 1)], 0, 0));
    // Only the leader had it, and another leader may have replaced it.
    assert_eq!(class(&KEPT, true, &all, &world.reads), (vec![("unread", 1)], 0, 1));
}

#[test]
fn of_two_copies_of_a_retry_the_acked_one_may_be_removed() {
    // Number 0 was written at 1 and, by a retry, at 5, where it was acked.
    let found = found(&[(1, 0)]);
    let passes = [whole(Observer::Reader(1), &found), whole(Observer::Recheck, &found)];
    let class = |may: &May, resent| {
        let mut log = SentLog::default();
        let seq = log.next_seq();
        log.acked(seq, 5, resent);
        classes(&judged_with(may, false, log, &[], &passes)).0
    };
    for resent in [Resent::No, Resent::Unwritten] {
        assert_eq!(class(&EXPIRED, resent), [("misplaced", 1)]);
    }
    assert_eq!(class(&EXPIRED, Resent::MaybeWritten), [("expired", 1)]);
    assert_eq!(class(&SUPERSEDED, Resent::MaybeWritten), [("superseded", 1)]);
    assert_eq!(class(&KEPT, Resent::MaybeWritten), [("misplaced", 1)]);
}

#[test]
fn what_takes_the_place_of_a_leaders_message_is_not_rewritten() {
    let all = found(&[(0, 0), (1, 1), (2, 2)]);
    let mut world = World::new();
    [Some(0), None, Some(2)].into_iter().zip(0..).for_each(|(seq, offset)| {
        world.read(offset, seq.map_or(Opened::Foreign, |seq| opened(seq, true)));
    });
    let rewritten = |reads: [&PartitionReads; 2], alone| {
        let passes = [whole(Observer::Reader(1), reads[0]), whole(Observer::Audit, reads[1])];
        let judged = judged_with(&KEPT, alone, three(), &[], &passes);
        anomaly(&judged, Anomaly::Rewritten)
    };
    // Regardless of which of the two was first.
    for reads in [[&all, &world.reads], [&world.reads, &all]] {
        assert_eq!((rewritten(reads, false), rewritten(reads, true)), ([1; 2], [0; 2]));
    }
}

#[test]
fn an_end_marker_that_may_be_removed_is_neither_lost_nor_unread() {
    let marker = Marker { number: 1, offset: 3 };
    let all = found(&[(0, 0), (1, 1), (2, 2)]);
    let passes = [whole(Observer::Reader(1), &all), whole(Observer::Recheck, &all)];
    let markers = |may: &May| {
        let judged = judged_with(may, false, three(), &[marker], &passes);
        (judged.lost_markers, judged.unread_markers, anomaly(&judged, Anomaly::Lost))
    };
    assert_eq!(markers(&KEPT), (1, 0, [1; 2]));
    assert_eq!(markers(&EXPIRED), (0, 0, [0; 2]));
    assert_eq!(markers(&UNCLEAR), (0, 1, [0; 2]));
    // Without a re-read, nothing is explained.
    let judged = judged_with(&EXPIRED, false, three(), &[marker], &passes[..1]);
    assert_eq!((judged.lost_markers, judged.unread_markers), (0, 1));
    // A change of leader explains no missing end marker, because kaf6 writes them with `acks: all`.
    let judged = judged_with(&KEPT, true, three(), &[marker], &passes);
    assert_eq!((judged.lost_markers, judged.accounts[&0].dropped), (1, 0));
}
