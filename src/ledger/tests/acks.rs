//! Anomalies that acks alone prove: offsets that were acked twice, messages that were overtaken, and an end below acked
//! offsets.

use super::*;
use crate::ledger::judge::case::EarlierRun;

/// Streams of several scenarios, one stream each.
struct Acks {
    streams: Streams,
    sent: HashMap<StreamId, SentLog>,
    ids: Vec<StreamId>,
    markers: Vec<Marker>,
    leaders_alone: Vec<usize>,
    one_log: bool,
    reported_end: Option<i64>,
}

impl Acks {
    /// From the first and the last offset of each stream's acks.
    fn of(acked: &[(i64, i64)]) -> Self {
        let mut out = Self {
            streams: Streams::default(),
            sent: HashMap::new(),
            ids: Vec::new(),
            markers: Vec::new(),
            leaders_alone: Vec::new(),
            one_log: true,
            reported_end: None,
        };
        for (scenario, (first, last)) in acked.iter().enumerate() {
            let info =
                StreamInfo { scenario, client: 0, topic: 0, partition: 0, has_uuid: false, roundtrip: false };
            let id = out.streams.add(&info, [0]);
            let mut log = SentLog::default();
            let run = Run { seq: 0, offset: *first, len: (last - first + 1).unsigned_abs() };
            (0..run.len).for_each(|seq| assert_eq!(log.next_seq(), seq));
            log.acked_run(run, Resent::No);
            out.sent.insert(id, log);
            out.ids.push(id);
        }
        out
    }

    fn case<'a>(&'a self, passes: &'a [Pass<'a>]) -> PartitionCase<'a> {
        PartitionCase {
            streams: &self.streams,
            sent: &self.sent,
            place: (0, 0),
            ids: &self.ids,
            passes,
            excluded: &[],
            markers: &self.markers,
            leaders_alone: &self.leaders_alone,
            leader_changed: true,
            one_log: self.one_log,
            earlier: None,
            removals: &Kept,
            reported_end: self.reported_end,
        }
    }

    /// The verdict for a reader that read nothing.
    fn judged(&self) -> Judged {
        let reads = found(&[]);
        judge(&self.case(&[Pass::new(Observer::Reader(7), &reads, 0)]))
    }
}

/// The pieces of evidence, one for each message.
fn single(judged: &Judged, anomaly: Anomaly) -> Vec<Evidence> {
    let of = judged.judgement.evidence.iter().filter(|piece| piece.anomaly == anomaly);
    of.flat_map(Evidence::unfold).collect()
}

fn pieces(judged: &Judged, anomaly: Anomaly) -> Vec<(i64, &'static str)> {
    let of = single(judged, anomaly).into_iter();
    of.map(|piece| (piece.offset.expect("a place"), &*piece.words().leak())).collect()
}

/// The counts for the partition and for its reader.
fn counts(judged: &Judged, anomaly: Anomaly) -> [Option<u64>; 2] {
    [&judged.judgement, &judged.readers[0].judgement]
        .map(|judgement| judgement.counts.get(&anomaly).map(|counts| counts.count))
}

#[test]
fn an_offset_that_was_acked_twice_names_both() {
    let mut acks = Acks::of(&[(0, 4), (3, 6)]);
    acks.markers = vec![Marker { number: 1, offset: 6 }];
    let judged = acks.judged();
    assert_eq!(counts(&judged, Anomaly::Collided), [Some(3); 2]);
    assert_eq!(
        pieces(&judged, Anomaly::Collided),
        [
            (3, "acknowledged for message 3 of stream 0 and for message 0 of stream 1"),
            (4, "acknowledged for message 4 of stream 0 and for message 1 of stream 1"),
            (6, "acknowledged for message 3 of stream 1 and for an end marker of kaf6"),
        ]
    );
    let of = single(&judged, Anomaly::Collided).into_iter();
    let second = [0, 1, 3].map(|seq| Some((StreamId(1), seq)));
    assert_eq!(of.map(|piece| piece.message).collect::<Vec<_>>(), second);
}

#[test]
fn one_stream_collides_with_itself_and_neighbours_do_not() {
    let mut acks = Acks::of(&[(0, 3), (4, 6)]);
    acks.markers = vec![Marker { number: 1, offset: 7 }];
    assert_eq!(counts(&acks.judged(), Anomaly::Collided), [Some(0); 2]);
    assert!(!acks.case(&[]).acks_contradict());
    let log = acks.sent.get_mut(&StreamId(1)).expect("sent");
    let seq = log.next_seq();
    log.acked(seq, 5, Resent::No);
    assert_eq!(counts(&acks.judged(), Anomaly::Collided), [Some(1); 2]);
    assert!(acks.case(&[]).acks_contradict());
}

#[test]
fn a_marker_that_was_acked_at_a_messages_offset_contradicts_it() {
    let mut acks = Acks::of(&[(0, 3)]);
    acks.markers = vec![Marker { number: 1, offset: 0 }];
    assert!(acks.case(&[]).acks_contradict(), "whoever asks whether all acks are of one log must ask now");
}

#[test]
fn many_collisions_are_all_counted_and_some_are_shown() {
    // The acks of the third stream overlap both, so most of the offsets are acked three times.
    let judged = Acks::of(&[(0, 49), (10, 69), (5, 79)]).judged();
    assert_eq!(counts(&judged, Anomaly::Collided), [Some(65); 2]);
    // The first stream with the third, then with the second, and so on: a few ranges are sufficient.
    let rows = judged.judgement.evidence.iter().filter(|piece| piece.anomaly == Anomaly::Collided).count();
    assert!(rows < 10 && pieces(&judged, Anomaly::Collided).len() > 65, "{rows}");
}

#[test]
fn a_lost_message_names_who_else_was_acked_at_its_offset() {
    let acks = Acks::of(&[(0, 39), (0, 39)]);
    let lost_from = |first: i64| {
        let mut reads = PartitionReads::new(RUN, 0, 0);
        for offset in 0..first {
            for stream in [StreamId(0), StreamId(1)] {
                let identity = Identity { run: RUN, stream, seq: offset.unsigned_abs() };
                let envelope = Envelope { kind: RecordKind::Message, identity, due_us: 0 };
                let record = Opened::Kaf6 { envelope, intact: true };
                reads.see(&acks.streams, offset, record, 0, |_| CheckedUuid::Fine);
            }
        }
        let passes = [whole(Observer::Reader(7), &reads), whole(Observer::Recheck, &reads)];
        let judged = judge(&acks.case(&passes));
        let lost = pieces(&judged, Anomaly::Lost);
        lost.iter().map(|(offset, words)| (*offset, (*words).to_owned())).collect::<Vec<_>>()
    };
    // Also if it is after the collisions that are kept as evidence.
    for first in [0, 30] {
        let lost = lost_from(first);
        let named = |stream| {
            format!("; its offset was also acknowledged for message {first} of stream {stream} (collided)")
        };
        assert_eq!(lost[0].0, first);
        assert!(lost[0].1.ends_with(&named(1)), "{}", lost[0].1);
        if let Some((_, words)) = lost[1..].iter().find(|(offset, _)| *offset == first) {
            assert!(words.ends_with(&named(0)), "{words}");
        }
    }
}

#[test]
fn what_only_its_leader_acked_collides_with_nothing() {
    let mut acks = Acks::of(&[(0, 4), (0, 4)]);
    for alone in [0, 1] {
        acks.leaders_alone = vec![alone];
        assert_eq!(counts(&acks.judged(), Anomaly::Collided), [Some(0); 2]);
    }
    acks.leaders_alone = vec![2];
    assert_eq!(counts(&acks.judged(), Anomaly::Collided), [Some(5); 2]);
}

#[test]
fn acks_of_two_logs_are_not_compared() {
    let mut acks = Acks::of(&[(0, 4), (0, 4)]);
    acks.one_log = false;
    let log = acks.sent.get_mut(&StreamId(1)).expect("sent");
    log.was_overtaken(2, 2, 9, false);
    let reads = found(&[]);
    let passes = [whole(Observer::Reader(7), &reads), whole(Observer::Recheck, &reads)];
    let judged = judge(&acks.case(&passes));
    for anomaly in [Anomaly::Collided, Anomaly::Overtaken] {
        assert_eq!(counts(&judged, anomaly), [None; 2]);
        assert_eq!(pieces(&judged, anomaly), []);
    }
    let lost = pieces(&judged, Anomaly::Lost);
    assert!(lost.len() == 10 && lost.iter().all(|(_, words)| !words.contains("collided")), "{lost:?}");
}

#[test]
fn an_overtaken_message_names_the_ack_before_it() {
    let mut acks = Acks::of(&[(0, 4), (10, 14)]);
    acks.sent.get_mut(&StreamId(0)).expect("sent").was_overtaken(3, 3, 12, false);
    let judged = acks.judged();
    assert_eq!(counts(&judged, Anomaly::Overtaken), [Some(1); 2]);
    assert_eq!(
        pieces(&judged, Anomaly::Overtaken),
        [(3, "it was sent after offset 12 had been acknowledged")]
    );
    let piece = judged.judgement.evidence.iter().find(|piece| piece.anomaly == Anomaly::Overtaken);
    let piece = piece.expect("shown");
    assert_eq!((piece.message, piece.other_offset), (Some((StreamId(0), 3)), Some(12)));
    acks.leaders_alone = vec![0];
    assert_eq!(counts(&acks.judged(), Anomaly::Overtaken), [Some(0); 2]);
    acks.leaders_alone = vec![1];
    assert_eq!(counts(&acks.judged(), Anomaly::Overtaken), [Some(1); 2]);
}

#[test]
fn what_one_leader_acked_overtakes_nothing_of_another_leader() {
    let mut acks = Acks::of(&[(0, 4), (10, 14)]);
    acks.sent.get_mut(&StreamId(0)).expect("sent").was_overtaken(3, 3, 12, true);
    assert_eq!(counts(&acks.judged(), Anomaly::Overtaken), [Some(1); 2]);
    acks.leaders_alone = vec![1];
    assert_eq!(counts(&acks.judged(), Anomaly::Overtaken), [Some(0); 2]);
}

#[test]
fn all_overtaken_ones_are_counted_and_some_are_shown() {
    let mut acks = Acks::of(&[(0, 99)]);
    let log = acks.sent.get_mut(&StreamId(0)).expect("sent");
    (0..50).for_each(|seq| log.was_overtaken(seq, seq.cast_signed(), 200, false));
    assert_eq!(log.overtaken()[0].first.len(), 20);
    let judged = acks.judged();
    assert_eq!(counts(&judged, Anomaly::Overtaken), [Some(50); 2]);
    assert_eq!(pieces(&judged, Anomaly::Overtaken).len(), 20);
}

#[test]
fn an_end_below_what_was_acked_is_stale() {
    let mut acks = Acks::of(&[(0, 4), (3, 6)]);
    acks.markers = vec![Marker { number: 1, offset: 7 }];
    assert_eq!(counts(&acks.judged(), Anomaly::StaleEnd), [None; 2]);
    for (end, stale) in [(8, 0), (7, 1), (6, 2), (4, 4), (0, 8)] {
        acks.reported_end = Some(end);
        assert_eq!(counts(&acks.judged(), Anomaly::StaleEnd), [Some(stale); 2], "end {end}");
    }
    // The acks of a topic that was recreated cannot be compared with the end of the new log.
    acks.one_log = false;
    assert_eq!(counts(&acks.judged(), Anomaly::StaleEnd), [None; 2]);
    acks.one_log = true;
    acks.reported_end = Some(6);
    let judged = acks.judged();
    let words = "the broker acknowledged this offset, but later reported 6 as the end of the log";
    assert_eq!(pieces(&judged, Anomaly::StaleEnd), [(6, words), (7, words)]);
    let of = single(&judged, Anomaly::StaleEnd).into_iter();
    assert_eq!(of.map(|piece| piece.message).collect::<Vec<_>>(), [Some((StreamId(1), 3)), None]);
}

#[test]
fn acks_of_a_saved_ledger_are_compared_with_what_was_acked_then() {
    // Offsets 8 and 9 were acked twice in the earlier run, whose end marker was at 20. The end marker of the current
    // run is at 5.
    let mut acks = Acks::of(&[(0, 9), (8, 12)]);
    acks.markers = vec![Marker { number: 1, offset: 5 }];
    let reads = found(&[]);
    let passes = [Pass::new(Observer::Reader(7), &reads, 0)];
    let collided = |markers: &[Marker], leaders_alone: &[usize], then: &[usize], is_other_log| {
        let earlier = EarlierRun { markers, leaders_alone: then, is_other_log };
        let judged = judge(&PartitionCase { earlier: Some(earlier), leaders_alone, ..acks.case(&passes) });
        assert!(!judged.judgement.counts.contains_key(&Anomaly::Resurrected), "the run alone could see it");
        judged.judgement.counts[&Anomaly::Collided].count
    };
    let own = |offset| [Marker { number: 0, offset }];
    assert_eq!(collided(&own(20), &[], &[], false), 3);
    assert_eq!(collided(&own(11), &[], &[], false), 4);
    assert_eq!(collided(&own(11), &[], &[], true), 3, "the marker of now is in another log");
    assert_eq!(collided(&own(20), &[0], &[], false), 2, "nor where another leader came after the run");
    assert_eq!(collided(&own(20), &[0], &[0], false), 0, "one during the run may have undone the acks of 0");
}
