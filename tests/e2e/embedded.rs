//! Tests the Kafka clients on the embedded broker: delivery, reading, resets, errors, closing.
//!
//! They use real sockets and the real protocol. Other tests use real brokers for what the embedded broker cannot do.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kaf6::kafka::client::metadata;
use kaf6::kafka::probe::NoSettings;
use kaf6::kafka::{
    Client, Code, Delivery, DeliveryOutcome, Embedded, Producer, ProducerEventKind, ProducerOptions, Range,
    ReadEvent, ReaderOptions, ReaderSet, SendError, TopicOutcome, TopicSpec, Waits, Waker, ensure_topics,
    probe, read_range,
};
use kaf6::plan::{Acks, ClientSettings, Security, StartOffset};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
/// Bounds what comes in milliseconds, or much later than this; no test takes so long, however busy the machine is.
const SOON: Duration = Duration::from_secs(60);
/// Long enough to gather what a test sends in one batch; a flush or a full batch ends it.
const GATHER: Duration = Duration::from_secs(1);

fn start(partitions: i32) -> (Embedded, Client) {
    let embedded = Embedded::start(1, &[("t".into(), partitions, 1)]).unwrap();
    let client = Client::embedded(&embedded, &ClientSettings::default()).unwrap();
    (embedded, client)
}

/// Of a producer that sends in one batch what it gets at once.
fn gathering() -> ProducerOptions {
    ProducerOptions { linger: GATHER, ..ProducerOptions::new("t") }
}

fn options(partitions: &[i32]) -> ReaderOptions {
    ReaderOptions {
        topic: "t".into(),
        partitions: partitions.to_vec(),
        start: StartOffset::Earliest,
        prefetch_bytes: 32 << 20,
        patient: false,
        open_timeout: SOON,
    }
}

fn range(from: i64, to: i64) -> Range<'static> {
    Range { topic: "t", partition: 0, from, to, is_mark: None, is_over: &|| false, progress: &|_| {} }
}

/// Sends so many messages of ten bytes, each to `partition`, and gives their outcomes by tag.
fn send(
    producer: &mut Producer,
    partition: i32,
    tags: std::ops::Range<u64>,
) -> BTreeMap<u64, DeliveryOutcome> {
    let mut outcomes = BTreeMap::new();
    let mut on = |delivery: Delivery| {
        assert!(outcomes.insert(delivery.tag, delivery.outcome).is_none(), "one end for each message");
    };
    for tag in tags {
        let value = format!("value {tag:04}");
        producer.send(partition, Some(b"k"), value.as_bytes(), &[], tag).unwrap();
    }
    let deadline = Instant::now() + SOON;
    while producer.in_flight() > 0 && Instant::now() < deadline {
        producer.poll(Duration::from_millis(100), &mut on);
    }
    outcomes
}

fn acked(outcomes: &BTreeMap<u64, DeliveryOutcome>) -> usize {
    outcomes.values().filter(|outcome| matches!(outcome, DeliveryOutcome::Acked { .. })).count()
}

/// Reads until so many records came; gives partition, offset and value of each.
fn read(readers: &mut ReaderSet, count: usize) -> Vec<(i32, i64, String)> {
    let mut records = Vec::new();
    let deadline = Instant::now() + SOON;
    while records.len() < count && Instant::now() < deadline {
        readers.wait(Duration::from_millis(100));
        readers.drain(usize::MAX, &mut |event| match event {
            ReadEvent::Record(record) => {
                let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                records.push((record.partition, record.offset, value));
            }
            event => panic!("{event:?}"),
        });
    }
    records
}

#[test]
fn what_is_acked_is_read_back_at_its_offset() {
    let (_embedded, client) = start(3);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    assert_eq!(producer.warm_up(SOON).unwrap(), 3);
    let mut readers = ReaderSet::open(&client, &options(&[0, 1, 2])).unwrap();
    for partition in 0..3 {
        let outcomes = send(&mut producer, partition, 0..500);
        for (tag, outcome) in &outcomes {
            assert_eq!(*outcome, DeliveryOutcome::Acked { offset: i64::try_from(*tag).unwrap() });
        }
        assert_eq!(outcomes.len(), 500);
    }
    let records = read(&mut readers, 1500);
    assert_eq!(records.len(), 1500);
    for partition in 0..3 {
        let of = |p: &&(i32, i64, String)| p.0 == partition;
        for (expected, (_, offset, value)) in records.iter().filter(of).enumerate() {
            assert_eq!(*offset, i64::try_from(expected).unwrap());
            assert_eq!(*value, format!("value {expected:04}"));
        }
        assert_eq!(readers.position(partition), Some(500));
        assert_eq!(readers.watermarks(partition, SOON).unwrap(), (0, 500));
    }
    assert!(producer.events().is_empty());
    assert!(client.logs().snapshot().is_empty(), "{:?}", client.logs().snapshot());
}

#[test]
fn no_request_of_a_group_or_of_telemetry_leaves_the_process() {
    let (embedded, client) = start(3);
    embedded.track();
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    send(&mut producer, 0, 0..10);
    let mut readers = ReaderSet::open(&client, &options(&[0, 1, 2])).unwrap();
    assert_eq!(read(&mut readers, 10).len(), 10);
    let latest = ReaderOptions { start: StartOffset::Latest, ..options(&[0]) };
    drop(ReaderSet::open(&client, &latest).unwrap());
    read_range(&client, &range(0, 3), SOON, &mut |_| {}).unwrap();
    metadata::fetch(&client, &["t"], SOON).unwrap();
    readers.close();
    let mut keys = embedded.tracked();
    keys.sort_unstable();
    keys.dedup();
    // Produce, Fetch, ListOffsets, Metadata, ApiVersions, OffsetForLeaderEpoch: nothing else.
    assert!(keys.starts_with(&[0, 1, 2, 3]), "{keys:?}");
    assert!(keys.iter().all(|key| [0, 1, 2, 3, 18, 23].contains(key)), "{keys:?}");
}

#[test]
fn keys_headers_and_empty_values_come_back_as_they_were() {
    let (_embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    let headers: &[(&str, &[u8])] = &[("source", b"kaf6"), ("again", b"1"), ("again", b"2"), ("empty", b"")];
    producer.send(0, None, b"", headers, 1).unwrap();
    producer.send(0, Some(b""), b"v", headers, 2).unwrap();
    producer.send(0, Some(b"key"), b"v", &[], 3).unwrap();
    let mut readers = ReaderSet::open(&client, &options(&[0])).unwrap();
    let mut seen = 0;
    let deadline = Instant::now() + SOON;
    while seen < 3 && Instant::now() < deadline {
        producer.poll(Duration::ZERO, &mut |_| {});
        readers.wait(Duration::from_millis(20));
        readers.drain(10, &mut |event| {
            let ReadEvent::Record(record) = event else { panic!("{event:?}") };
            seen += 1;
            let (created_ms, by_its_producer) = record.timestamp_ms.unwrap();
            assert!(created_ms > 1_600_000_000_000 && by_its_producer);
            match record.offset {
                0 => assert_eq!((record.key, record.value), (None, Some(&b""[..]))),
                1 => assert_eq!(record.value, Some(&b"v"[..])),
                _ => assert_eq!(record.key, Some(&b"key"[..])),
            }
            let expected: Vec<(&[u8], Option<&[u8]>)> =
                headers.iter().map(|(name, value)| (name.as_bytes(), Some(*value))).collect();
            let expected = if record.offset < 2 { expected } else { Vec::new() };
            assert_eq!(record.headers().collect::<Vec<_>>(), expected);
        });
    }
    assert_eq!(seen, 3);
}

#[test]
fn acks_zero_is_unknown() {
    let (_embedded, client) = start(1);
    let options = ProducerOptions { acks: Acks::None, ..ProducerOptions::new("t") };
    let mut producer = Producer::open(&client, &options).unwrap();
    let outcomes = send(&mut producer, 0, 0..10);
    assert_eq!(outcomes.len(), 10);
    for outcome in outcomes.values() {
        assert_eq!(*outcome, DeliveryOutcome::Unknown { code: Code::NONE });
    }
}

#[test]
fn answers_that_exclude_a_write_fail_and_others_leave_it_unknown() {
    let (embedded, client) = start(1);
    for (code, expected) in [
        (10, DeliveryOutcome::Failed { code: Code(10) }),
        (87, DeliveryOutcome::Failed { code: Code(87) }),
        (-1, DeliveryOutcome::Unknown { code: Code(-1) }),
    ] {
        let mut producer = Producer::open(&client, &gathering()).unwrap();
        producer.warm_up(SOON).unwrap();
        embedded.push_errors(PRODUCE, &[Code(code)]);
        let outcomes = send(&mut producer, 0, 0..5);
        assert_eq!(outcomes.len(), 5);
        assert!(outcomes.values().all(|outcome| *outcome == expected), "{outcomes:?}");
        assert!(producer.events().is_empty());
    }
}

#[test]
fn a_batch_that_is_sent_again_is_an_event() {
    let (embedded, client) = start(2);
    let mut producer = Producer::open(&client, &gathering()).unwrap();
    producer.warm_up(SOON).unwrap();
    assert_eq!(acked(&send(&mut producer, 1, 0..7)), 7);
    assert!(producer.events().is_empty());
    let before = Instant::now();
    embedded.push_errors(PRODUCE, &[Code(7)]);
    assert_eq!(acked(&send(&mut producer, 1, 7..10)), 3);
    let events = producer.events();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event.kind, ProducerEventKind::Retried { messages: 3, maybe_written: true });
    assert_eq!(event.partition, Some(1));
    assert!(before <= event.since && event.at <= Instant::now());
    // The connection closes during a request.
    embedded.push_errors(PRODUCE, &[Code(-195)]);
    assert_eq!(acked(&send(&mut producer, 1, 10..11)), 1);
    let kinds: Vec<_> = producer.events().into_iter().map(|event| event.kind).collect();
    let again = ProducerEventKind::Retried { messages: 1, maybe_written: true };
    assert!(kinds.contains(&again), "{kinds:?}");
}

#[test]
fn a_full_queue_and_a_message_larger_than_it_are_told_apart() {
    let (embedded, client) = start(1);
    embedded.set_down(-1);
    let options = ProducerOptions { queue_bytes: 64 << 10, ..ProducerOptions::new("t") };
    let mut producer = Producer::open(&client, &options).unwrap();
    let value = vec![0; 1000];
    let full = (0..1000).find_map(|tag| producer.send(0, None, &value, &[], tag).err());
    assert_eq!(full, Some(SendError::QueueFull));
    assert_eq!(producer.send(0, None, &vec![0; 100_000], &[], 0), Err(SendError::Refused(Code(10))));
}

#[test]
fn one_that_just_fits_waits_for_room_and_one_that_does_not_is_refused() {
    let (_embedded, client) = start(1);
    // librdkafka counts its queue in KiB: 99,328 bytes.
    let options = ProducerOptions { queue_bytes: 100_000, ..ProducerOptions::new("t") };
    let mut producer = Producer::open(&client, &options).unwrap();
    for (tag, size) in [(0, 99_328), (1, 99_328), (2, 99_500)] {
        producer.stage(0, tag, Some(b"a key"), size, |bytes, _| bytes.fill(7));
    }
    let (mut refused, mut ends) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + SOON;
    while refused.len() + ends.len() < 3 && Instant::now() < deadline {
        producer.hand_over(&mut |tag, code| refused.push((tag, code)));
        producer.poll(Duration::from_millis(50), &mut |delivery| ends.push((delivery.tag, delivery.outcome)));
    }
    assert_eq!(refused, [(2, Code(10))]);
    assert_eq!(ends, [(0, DeliveryOutcome::Acked { offset: 0 }), (1, DeliveryOutcome::Acked { offset: 1 })]);
}

#[test]
fn a_flush_does_not_wait_for_the_linger_and_tells_each_end_when_it_comes() {
    let embedded = Embedded::start(2, &[("t".into(), 2, 1)]).unwrap();
    let client = Client::embedded(&embedded, &ClientSettings::default()).unwrap();
    let long = SOON * 4;
    let options = ProducerOptions { linger: long, message_timeout: long * 2, ..ProducerOptions::new("t") };
    let mut producer = Producer::open(&client, &options).unwrap();
    producer.warm_up(SOON).unwrap();
    let flush = |producer: &mut Producer, ends: usize| {
        let (started, mut got) = (Instant::now(), 0);
        while got < ends && started.elapsed() < SOON {
            got += producer.flush(SOON, &mut |delivery| {
                assert!(matches!(delivery.outcome, DeliveryOutcome::Acked { .. }));
            });
        }
        got
    };
    let both = |producer: &mut Producer| (0..2).for_each(|p| producer.send(p, None, b"v", &[], 0).unwrap());
    both(&mut producer);
    assert_eq!(flush(&mut producer, 2), 2);
    // The finished delivery is reported, although the other one takes longer than this wait.
    embedded.set_rtt(1, long);
    both(&mut producer);
    assert_eq!(flush(&mut producer, 1), 1);
    let mut ends = Vec::new();
    producer.close(Instant::now(), &mut |delivery| ends.push(delivery.outcome));
    // On a busy machine, the message may not have been sent yet.
    let given_up = |end: &DeliveryOutcome| match end {
        DeliveryOutcome::Unknown { .. } => true,
        DeliveryOutcome::Failed { code } => code.to_string().contains("PURGE_QUEUE"),
        DeliveryOutcome::Acked { .. } | DeliveryOutcome::AckedNowhere => false,
    };
    assert!(ends.len() == 1 && given_up(&ends[0]), "{ends:?}");
}

/// An idempotent producer that has sent one message, whose next requests fail with these codes; with another sent after that, its
/// events.
fn idempotent(codes: &[i32]) -> (Embedded, Producer, BTreeMap<u64, DeliveryOutcome>, Vec<ProducerEventKind>) {
    let (embedded, client) = start(1);
    let options = ProducerOptions { idempotence: true, ..gathering() };
    let mut producer = Producer::open(&client, &options).unwrap();
    assert_eq!(acked(&send(&mut producer, 0, 0..1)), 1);
    assert!(producer.events().is_empty(), "its first identity is no change");
    embedded.push_errors(PRODUCE, &codes.iter().map(|code| Code(*code)).collect::<Vec<_>>());
    let outcomes = send(&mut producer, 0, 1..4);
    let kinds = producer.events().into_iter().map(|event| event.kind);
    let kinds = kinds.filter(|kind| *kind != ProducerEventKind::Disconnected).collect();
    (embedded, producer, outcomes, kinds)
}

#[test]
fn a_batch_sent_again_under_one_identity_is_no_change_of_it() {
    let (_embedded, producer, outcomes, kinds) = idempotent(&[7]);
    assert_eq!(acked(&outcomes), 3);
    assert_eq!(kinds, [ProducerEventKind::Retried { messages: 3, maybe_written: true }]);
    assert_eq!(producer.fatal(), None);
}

#[test]
fn an_idempotent_producer_tells_when_it_goes_on_under_another_identity() {
    // UNKNOWN_PRODUCER_ID for a batch that was not sent before: librdkafka uses the next epoch and resends the batch.
    let (_embedded, producer, outcomes, kinds) = idempotent(&[59]);
    assert_eq!(acked(&outcomes), 3);
    let again = ProducerEventKind::Retried { messages: 3, maybe_written: false };
    assert_eq!(kinds, [again, ProducerEventKind::IdentityChanged]);
    assert_eq!(producer.fatal(), None);
}

#[test]
fn an_idempotent_producer_is_given_up_where_the_broker_lost_its_place() {
    let (_embedded, producer, outcomes, _) = idempotent(&[45]);
    assert_eq!(acked(&outcomes), 0);
    let (code, text) = producer.fatal().unwrap();
    assert_eq!(code, Code(45));
    assert!(text.contains("desynchronization"), "{text}");
}

#[test]
fn a_batch_that_the_broker_says_it_has_is_acked_without_a_place() {
    let (_embedded, _, outcomes, kinds) = idempotent(&[46]);
    assert!(outcomes.values().all(|outcome| *outcome == DeliveryOutcome::AckedNowhere), "{outcomes:?}");
    assert_eq!(kinds, [ProducerEventKind::Duplicate { first: 1, messages: 3 }]);
}

#[test]
fn each_broker_is_asked_for_itself() {
    let embedded = Embedded::start(2, &[("t".into(), 3, 1)]).unwrap();
    let client = Client::embedded(&embedded, &ClientSettings::default()).unwrap();
    let brokers = embedded.bootstrap();
    for broker in &brokers {
        let metadata = metadata::fetch_from(&client, broker, &["t", "none"], SOON).unwrap();
        assert_eq!(metadata.brokers.len(), 2);
        assert!(metadata.controller.is_some());
        assert!(metadata.topic("t").unwrap().is_ready());
        assert_eq!(metadata.topic("none").unwrap().code, Code(3));
        assert!(metadata.is_from(broker), "{metadata:?}");
        let other = brokers.iter().find(|other| *other != broker).unwrap();
        assert!(!metadata.is_from(other), "{metadata:?}");
    }
    embedded.set_down(2);
    let error = metadata::fetch_from(&client, &brokers[1], &["t"], Duration::from_secs(5)).unwrap_err();
    assert!(error.contains("refused"), "{error}");
    assert!(metadata::fetch_from(&client, &brokers[0], &["t"], SOON).is_ok());
}

#[test]
fn closing_ends_every_message_and_itself_with_the_broker_gone() {
    let (embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    producer.warm_up(SOON).unwrap();
    assert_eq!(acked(&send(&mut producer, 0, 0..1)), 1);
    // In flight: the response takes minutes. Queued: the broker is down.
    embedded.set_rtt(-1, SOON * 4);
    embedded.track();
    producer.send(0, None, b"in flight", &[], 1).unwrap();
    let deadline = Instant::now() + SOON;
    while !embedded.tracked().contains(&PRODUCE) && Instant::now() < deadline {
        producer.poll(Duration::from_millis(20), &mut |delivery| panic!("{delivery:?}"));
    }
    embedded.set_down(-1);
    let mut other = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    other.send(0, None, b"queued", &[], 2).unwrap();
    let start = Instant::now();
    let mut ends = Vec::new();
    producer.close(start + Duration::from_millis(200), &mut |delivery| ends.push(delivery));
    other.close(start + Duration::from_millis(200), &mut |delivery| ends.push(delivery));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    ends.sort_by_key(|delivery| delivery.tag);
    let [first, second] = ends.as_slice() else { panic!("{ends:?}") };
    assert!(matches!(first.outcome, DeliveryOutcome::Unknown { .. }), "{first:?}");
    assert!(matches!(second.outcome, DeliveryOutcome::Failed { .. }), "{second:?}");
}

#[test]
fn a_waker_ends_a_wait() {
    let (_embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    let mut readers = ReaderSet::open(&client, &options(&[0])).unwrap();
    let (over, wakers) = (AtomicBool::new(false), [producer.waker(), readers.waker()]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(30));
                wakers.iter().for_each(Waker::wake);
            }
        });
        let start = Instant::now();
        assert_eq!(producer.poll(SOON, &mut |_| {}), 0);
        // The start of reading makes a queue ready once, although it has no event.
        while readers.wait(SOON) {
            readers.drain(10, &mut |event| panic!("{event:?}"));
        }
        let took = start.elapsed();
        over.store(true, Ordering::Relaxed);
        assert!(took < SOON, "{took:?}");
    });
}

#[test]
fn a_reader_behind_its_log_starts_anew_in_a_new_epoch() {
    let (_embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    assert_eq!(acked(&send(&mut producer, 0, 0..20)), 20);
    let beyond = ReaderOptions { start: StartOffset::At(800), ..options(&[0]) };
    let mut readers = ReaderSet::open(&client, &beyond).unwrap();
    let mut resets = Vec::new();
    let mut epochs = Vec::new();
    let deadline = Instant::now() + SOON;
    while epochs.len() < 20 && Instant::now() < deadline {
        readers.wait(Duration::from_millis(100));
        readers.drain(usize::MAX, &mut |event| match event {
            ReadEvent::Record(record) => epochs.push(record.epoch),
            ReadEvent::Reset { from, to, anew: true, epoch, .. } => resets.push((from, to, epoch)),
            event => panic!("{event:?}"),
        });
    }
    assert_eq!(resets, [(800, Some(0), 1)]);
    assert_eq!(epochs, [1; 20]);
    assert_eq!((readers.position(0), readers.epoch(0)), (Some(20), 1));
}

#[test]
fn an_offset_that_is_refused_inside_the_log_is_asked_for_again() {
    let (embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    assert_eq!(acked(&send(&mut producer, 0, 0..20)), 20);
    embedded.push_errors(FETCH, &[Code(1); 6]);
    let from = ReaderOptions { start: StartOffset::At(5), ..options(&[0]) };
    let mut readers = ReaderSet::open(&client, &from).unwrap();
    let (mut refused, mut offsets) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + SOON;
    while offsets.len() < 15 && Instant::now() < deadline {
        readers.wait(Duration::from_secs(2));
        readers.drain(usize::MAX, &mut |event| match event {
            ReadEvent::Record(record) => offsets.push(record.offset),
            ReadEvent::Refused { offset, code, low, high, .. } => {
                refused.push((offset, code.0, low, high));
            }
            event => panic!("{event:?}"),
        });
    }
    assert!(!refused.is_empty() && refused.iter().all(|it| *it == (5, 1, 0, 20)), "{refused:?}");
    assert_eq!(offsets, (5..20).collect::<Vec<_>>());
    assert_eq!(readers.epoch(0), 0);
}

#[test]
fn a_reader_that_is_told_so_starts_anew() {
    let (_embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    send(&mut producer, 0, 0..5);
    let mut readers = ReaderSet::open(&client, &options(&[0])).unwrap();
    assert_eq!(read(&mut readers, 5).len(), 5);
    let mut event = String::new();
    readers.reset(0, "the log ends before it", &mut |reset| event = format!("{reset:?}"));
    assert!(event.contains("from: 5, to: Some(0), anew: true, epoch: 1"), "{event}");
    assert_eq!(read(&mut readers, 5).len(), 5);
    assert_eq!((readers.position(0), readers.epoch(0)), (Some(5), 1));
}

#[test]
fn latest_and_offsets_start_where_they_say() {
    let (_embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    send(&mut producer, 0, 0..10);
    let mut latest =
        ReaderSet::open(&client, &ReaderOptions { start: StartOffset::Latest, ..options(&[0]) }).unwrap();
    assert_eq!(latest.started_at(0), Some(10));
    let mut fourth =
        ReaderSet::open(&client, &ReaderOptions { start: StartOffset::At(4), ..options(&[0]) }).unwrap();
    send(&mut producer, 0, 10..12);
    let offsets = |records: Vec<(i32, i64, String)>| records.iter().map(|r| r.1).collect::<Vec<_>>();
    assert_eq!(offsets(read(&mut latest, 2)), [10, 11]);
    assert_eq!(offsets(read(&mut fourth, 8)), [4, 5, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn a_fetch_error_is_shown_and_reading_goes_on() {
    let (embedded, client) = start(1);
    let mut readers = ReaderSet::open(&client, &options(&[0])).unwrap();
    // Two errors, because librdkafka treats the first response at the end of a log as "end of partition", with any error code.
    embedded.push_errors(FETCH, &[Code(-1), Code(-1)]);
    let mut errors = Vec::new();
    let deadline = Instant::now() + SOON;
    while errors.is_empty() && Instant::now() < deadline {
        readers.wait(Duration::from_millis(100));
        readers.drain(10, &mut |event| {
            let ReadEvent::Error { code, .. } = event else { panic!("{event:?}") };
            errors.push(code);
        });
    }
    assert_eq!(errors.first(), Some(&Code(-1)));
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    send(&mut producer, 0, 0..3);
    assert_eq!(read(&mut readers, 3).len(), 3);
}

#[test]
fn draining_in_small_portions_is_fair_and_complete() {
    let (_embedded, client) = start(2);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    send(&mut producer, 0, 0..300);
    send(&mut producer, 1, 0..300);
    let mut readers = ReaderSet::open(&client, &options(&[0, 1])).unwrap();
    let mut seen = [0_usize; 2];
    let deadline = Instant::now() + SOON;
    while seen != [300, 300] && Instant::now() < deadline {
        readers.wait(Duration::from_millis(100));
        let handed = readers.drain(7, &mut |event| {
            let ReadEvent::Record(record) = event else { panic!("{event:?}") };
            seen[usize::try_from(record.partition).unwrap()] += 1;
        });
        assert!(handed <= 7);
    }
    assert_eq!(seen, [300, 300]);
}

#[test]
fn a_missing_topic_or_partition_is_said_at_once() {
    let (_embedded, client) = start(1);
    let start = Instant::now();
    let error = ReaderSet::open(&client, &options(&[5])).err().unwrap();
    assert_eq!(error.code(), Some(Code(3)), "{error}");
    assert!(error.to_string().contains("t/5"), "{error}");
    assert!(start.elapsed() < SOON, "it is no matter of time");
}

#[test]
fn a_partition_that_is_unknown_at_first_is_read_once_it_is_there() {
    let (embedded, client) = start(1);
    let later = ReaderOptions { topic: "later".into(), ..options(&[0, 1]) };
    assert_eq!(ReaderSet::open(&client, &later).err().unwrap().code(), Some(Code(3)));
    let mut readers = ReaderSet::open_unknown_too(&client, &later).unwrap();
    assert!(readers.is_unknown(0) && readers.is_unknown(1));
    assert_eq!(metadata::known(&client, "later", SOON), Some(vec![]));
    embedded.create_topic("later", 2, 1).unwrap();
    assert_eq!(metadata::known(&client, "later", SOON), Some(vec![0, 1]));
    let mut producer = Producer::open(&client, &ProducerOptions::new("later")).unwrap();
    assert_eq!(acked(&send(&mut producer, 1, 0..7)), 7);
    readers.restart(0);
    readers.restart(1);
    let mut offsets = Vec::new();
    let deadline = Instant::now() + SOON;
    while offsets.len() < 7 && Instant::now() < deadline {
        readers.wait(Duration::from_millis(100));
        readers.drain(usize::MAX, &mut |event| match event {
            ReadEvent::Record(record) => offsets.push(record.offset),
            ReadEvent::Error { code, .. } if code.means_gone() => {}
            event => panic!("{event:?}"),
        });
    }
    assert_eq!(offsets, (0..7).collect::<Vec<_>>());
    assert!(readers.is_unknown(0) && !readers.is_unknown(1));
}

#[test]
fn a_reread_waits_for_a_partition_that_is_unknown_and_says_where_it_is() {
    let (embedded, client) = start(1);
    let told = std::cell::Cell::new(0);
    let client = client.with_waits(Waits::short());
    let progress = |_| told.set(told.get() + 1);
    let enough = || told.get() > 2;
    let place = |topic| Range { topic, progress: &progress, is_over: &enough, ..range(0, 3) };
    // It retries until it must stop.
    let gone = read_range(&client, &place("never"), SOON, &mut |_| {}).unwrap_err();
    assert!(gone.code().is_some_and(Code::means_gone), "{gone}");
    assert_eq!(told.replace(0), 3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(400));
            embedded.create_topic("late", 1, 1).unwrap();
            let mut producer = Producer::open(&client, &ProducerOptions::new("late")).unwrap();
            assert_eq!(acked(&send(&mut producer, 0, 0..4)), 4);
        });
        let mut got = 0;
        let late = Range { is_over: &|| false, ..place("late") };
        let end = read_range(&client, &late, SOON, &mut |event| {
            got += i32::from(matches!(event, ReadEvent::Record(_)));
        });
        assert!(end.unwrap().passed);
        assert_eq!(got, 4);
    });
    embedded.set_down(-1);
    let away = read_range(&client, &place("t"), Duration::from_millis(600), &mut |_| {}).unwrap_err();
    assert!(!away.code().is_some_and(Code::means_gone), "{away}");
}

#[test]
fn nobody_there_is_an_error_within_its_time() {
    let client = Client::new(&["127.0.0.1:1".into()], &ClientSettings::default()).unwrap();
    let start = Instant::now();
    let bound = Duration::from_millis(700);
    assert!(metadata::fetch(&client, &["t"], bound).is_err());
    assert!(ReaderSet::open(&client, &ReaderOptions { open_timeout: bound, ..options(&[0, 1]) }).is_err());
    assert!(ensure_topics(&client, &[], bound).is_ok());
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let notes = client.logs().notes();
    assert!(notes.iter().any(|(note, _)| note.contains("refused connections")), "{notes:?}");
}

#[test]
fn metadata_tells_brokers_topics_and_what_is_missing() {
    let embedded = Embedded::start(3, &[("t".into(), 4, 3)]).unwrap();
    let client = Client::embedded(&embedded, &ClientSettings::default()).unwrap();
    let metadata = metadata::fetch(&client, &["t"], SOON).unwrap();
    assert_eq!(metadata.brokers.len(), 3);
    let topic = metadata.topic("t").unwrap();
    assert!(topic.is_ready());
    assert_eq!(topic.partitions.len(), 4);
    assert_eq!(topic.partitions[2].replicas.len(), 3);
    assert_eq!(metadata::watermarks(&client, "t", 0, SOON).unwrap(), (0, 0));
}

#[test]
fn a_topic_that_is_there_is_taken_as_it_is() {
    let (_embedded, client) = start(3);
    let spec = TopicSpec {
        name: "t".into(),
        partitions: 12,
        replication: 1,
        config: BTreeMap::new(),
        recreate: false,
    };
    let results = ensure_topics(&client, &[spec], SOON).unwrap();
    assert_eq!(results[0].outcome, TopicOutcome::Existed { partitions: 3 });
}

#[test]
fn a_reread_from_a_broker_that_is_away_is_given_up_when_asked_to() {
    let client = Client::new(&["127.0.0.1:1".into()], &ClientSettings::default()).unwrap();
    let start = Instant::now();
    let is_over = || start.elapsed() > Duration::from_secs(1);
    let place = Range { is_over: &is_over, ..range(0, 3) };
    read_range(&client, &place, Duration::from_secs(300), &mut |_| {}).unwrap_err();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn a_reread_finds_what_lies_there_and_knows_the_end() {
    let (_embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    send(&mut producer, 0, 0..50);
    let mut offsets = Vec::new();
    let mut on = |event: ReadEvent<'_>| {
        if let ReadEvent::Record(record) = event {
            offsets.push(record.offset);
        }
    };
    let end = read_range(&client, &range(20, 24), SOON, &mut on).unwrap();
    assert!(end.passed && end.by_record, "{end:?}");
    assert_eq!(offsets, [20, 21, 22, 23, 24]);
    // Past the end: the log ends before this offset, which is also a result.
    let end = read_range(&client, &range(48, 90), SOON, &mut |_| {}).unwrap();
    assert!(end.passed && !end.by_record, "{end:?}");
    assert_eq!((end.at, end.end), (50, Some(50)));
}

#[test]
fn many_partitions_open_and_close_side_by_side() {
    // In sequence, at one second each, they would take longer than this wait.
    let partitions: Vec<i32> = (0..96).collect();
    let (_embedded, client) = start(96);
    let start = Instant::now();
    let readers = ReaderSet::open(&client, &options(&partitions)).unwrap();
    let opened = start.elapsed();
    readers.close();
    assert!(start.elapsed() < SOON, "opened in {opened:?}, closed by {:?}", start.elapsed());
}

#[test]
fn a_probe_times_each_step_and_reads_versions_and_metadata() {
    let (_embedded, client) = start(3);
    let probe = probe::probe(&client, &client.brokers()[0], &["t"], Instant::now() + SOON);
    let names: Vec<_> = probe.stages.iter().map(|stage| (stage.name, stage.error.clone())).collect();
    let expected = ["resolve", "tcp", "api_versions", "metadata"].map(|name| (name, None));
    assert_eq!(names, expected);
    assert!(probe.apis.iter().any(|api| api.name == "Produce" && api.max >= 3));
    let metadata = probe.metadata.unwrap();
    assert_eq!(metadata.topics[0].partitions, [(0, Some(1)), (1, Some(1)), (2, Some(1))]);
    assert!(probe::api_notes(&probe.apis).iter().any(|note| note.contains("no CreateTopics")));
}

#[test]
fn a_fetch_probe_shows_the_code_that_the_broker_sent() {
    let (embedded, client) = start(1);
    let mut producer = Producer::open(&client, &ProducerOptions::new("t")).unwrap();
    send(&mut producer, 0, 0..5);
    let fetch = |offset| probe::probe_fetch(&client, "t", 0, offset, Instant::now() + SOON);
    let there = fetch(0).unwrap();
    assert_eq!((there.code, there.high_watermark), (Code::NONE, Some(5)));
    assert!(there.record_bytes > 0 && !there.null_records);
    let batch = there.batch.unwrap();
    assert_eq!((batch.base_offset, batch.crc_ok), (0, Some(true)), "{batch:?}");
    assert_eq!(fetch(900).unwrap().code, Code(1));
    embedded.push_errors(FETCH, &[Code(7)]);
    assert_eq!(fetch(0).unwrap().code, Code(7));
    let missing = probe::probe_fetch(&client, "t", 9, 0, Instant::now() + SOON);
    assert!(missing.unwrap_err().to_string().contains("partition 9"));
}

#[test]
fn settings_that_nobody_tells_end_with_the_reason_in_time() {
    let (_embedded, client) = start(1);
    let settings =
        |client: &Client| probe::topic_settings(client, "t", Instant::now() + Duration::from_secs(3));
    assert_eq!(settings(&client), Err(NoSettings::Unsupported));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = [silent.local_addr().unwrap().to_string(), "127.0.0.1:1".into()];
    let client = Client::new(&brokers, &ClientSettings::default()).unwrap();
    let start = Instant::now();
    let Err(NoSettings::Unanswered(text)) = settings(&client) else { panic!("nobody answers") };
    assert!(text.contains("refused"), "the second broker is asked, too: {text}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let sasl = Security {
        protocol: "sasl_plaintext".into(),
        mechanism: Some("PLAIN".into()),
        username: Some("u".into()),
        password: Some("p".into()),
        ..Security::default()
    };
    let sasl = ClientSettings { security: Some(sasl), ..ClientSettings::default() };
    assert_eq!(settings(&Client::new(&brokers, &sasl).unwrap()), Err(NoSettings::Sasl));
}

#[test]
fn a_probe_of_nobody_or_of_something_else_says_so_in_time() {
    let client = Client::new(&["127.0.0.1:1".into()], &ClientSettings::default()).unwrap();
    let refused = probe::probe(&client, "127.0.0.1:1", &[], Instant::now() + SOON);
    let last = refused.stages.last().unwrap();
    assert_eq!(last.name, "tcp");
    assert!(last.error.as_ref().unwrap().contains("refused"));
    let odd = probe::probe(&client, "no.such.host.invalid:9092", &[], Instant::now() + SOON);
    assert_eq!(odd.stages.last().unwrap().name, "resolve");
    // Peers that never respond, respond byte by byte, or speak HTTP.
    for (answer, part) in [
        (&b""[..], "no response in time"),
        (&b"\0\0\0\x20"[..], "no response in time"),
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "the port of a Kafka broker"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for byte in answer {
                let _ = std::io::Write::write_all(&mut stream, &[*byte]);
                std::thread::sleep(Duration::from_millis(5));
            }
            // It stays silent until the peer closes the connection.
            let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
        });
        let start = Instant::now();
        let probe = probe::probe(&client, &address, &[], start + Duration::from_secs(3));
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        let last = probe.stages.last().unwrap();
        assert_eq!(last.name, "api_versions");
        assert!(last.error.as_ref().unwrap().contains(part), "{:?}", last.error);
        server.join().unwrap();
    }
}
