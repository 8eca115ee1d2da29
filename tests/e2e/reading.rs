//! Tests how kaf6 reads: without a consumer group, and completely, even if a broker sends null records.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use kafka_protocol::messages::{ApiKey, FetchRequest, FetchResponse};

use crate::lab::{Kafka, Relay, Request, Storage, Tansu, Verdict};
use crate::runs::{Kaf6, Ran};

/// Whether a request has to do with consumer groups, or pushes telemetry.
fn is_forbidden(api: ApiKey) -> bool {
    let name = format!("{api:?}");
    ["FindCoordinator", "Group", "Heartbeat", "OffsetCommit", "OffsetFetch", "OffsetDelete", "Telemetry"]
        .iter()
        .any(|part| name.contains(part))
}

#[test]
fn no_group_request_leaves_the_process() {
    let file = "topics: [{name: 'quiet-{{run_id}}', partitions: 4}, {name: 'pings-{{run_id}}'}]\n\
                scenarios:\n  reach: {type: connect}\n  \
                write: {type: produce, topic: 'quiet-{{run_id}}', clients: 2, messages: 400, rate: 200/s}\n  \
                read: {type: consume, topic: 'quiet-{{run_id}}', clients: 2}\n  \
                late: {type: consume, topic: 'quiet-{{run_id}}', after: write}\n  \
                any: {type: consume, topic: 'quiet-{{run_id}}', from: any, after: write}\n  \
                ping: {type: roundtrip, topic: 'pings-{{run_id}}', iterations: 20}\n\
                checks: [{type: reachable}, {type: count_equals, scenario: read, expected: 400}, {type: roundtrip_ok}]\n";
    let hold = |broker: &str, file: &str| {
        let relay = Relay::start(broker);
        Kaf6::file(file).brokers(&relay.address()).run().expect("pass");
        let apis = relay.apis();
        for needed in
            [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::Produce, ApiKey::Fetch, ApiKey::ListOffsets]
        {
            assert!(apis.contains(&needed), "the relay sees all: {apis:?}");
        }
        let forbidden: Vec<_> = apis.into_iter().filter(|api| is_forbidden(*api)).collect();
        assert!(forbidden.is_empty(), "{forbidden:?}");
    };
    assert!(is_forbidden(ApiKey::FindCoordinator) && is_forbidden(ApiKey::ConsumerGroupHeartbeat));
    if let Some(kafka) = Kafka::shared() {
        hold(&kafka, file);
    }
    if let Some(tansu) = Tansu::start(&Storage::Memory) {
        // With several clients, Tansu would skip messages; see `runs_gaps`.
        hold(&tansu.address(), &file.replace("clients: 2, messages", "messages"));
    }
}

#[test]
fn null_records_of_idle_partitions_keep_nothing_from_the_busy_one() {
    let Some(kafka) = Kafka::shared() else { return };
    let (relay, plain) = (Relay::start(&kafka), Relay::start(&kafka));
    relay.null_records();
    // Almost every response for the busy partition has records. For a quiet one, each message follows a null response.
    let file = "topics: [{name: 'null-{{run_id}}', partitions: 6}]\n\
                scenarios:\n  write: {type: produce, partition: 4, messages: 500, rate: 100/s}\n  \
                seldom: {type: produce, partition: 1, messages: 20, rate: 4/s}\n  \
                read: {type: consume}\n  quiet: {type: consume, partition: 1}\n\
                checks: [{type: count_equals, scenario: read, expected: 520}]\n";
    // In parallel, a run without null records, which a busy machine slows down equally.
    let plain = Kaf6::file(file).brokers(&plain.address()).start();
    let ran = Kaf6::file(file).brokers(&relay.address()).run().expect("pass");
    let plain = plain.end().expect("pass");
    for reader in ["read", "quiet"] {
        let median = |ran: &Ran| ran.figure(reader, "p50_ms").expect("latency was measured");
        assert!(median(&ran) < 4.0 * median(&plain) + 150.0, "{reader}: {plain} {ran}");
    }
    let explained = |name: &str| ran.summary["anomalies"][name]["explained"].as_u64();
    assert_eq!(
        (explained("duplicate"), explained("reordered")),
        (Some(0), Some(0)),
        "nothing was sent again: {ran}"
    );
    assert!(ran.count("read", "measured") >= 250, "most is read as it is written: {ran}");
    assert!(ran.count("quiet", "measured") >= 10, "{ran}");
    let cause = ran.notes().lines().filter(|note| note.contains("null records")).count();
    assert_eq!(cause, 1, "one note names the cause: {}", ran.notes());
    assert!(ran.stderr.lines().count() < 20, "a handful of lines: {ran}");
    assert!(ran.stdout.lines().count() < 60 && !ran.told().contains("PROTOERR"), "{ran}");
}

#[test]
fn the_fence_is_found_where_null_records_hide_the_end_of_the_log() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    relay.null_records();
    let file = "topics: [{name: 'hidden-{{run_id}}', partitions: 3}]\n\
                scenarios:\n  write: {type: produce, messages: 3000}\n  read: {type: consume}\n  \
                late: {type: consume, after: write}\n\
                checks: [{type: count_equals, expected: 3000}]\n";
    let ran = Kaf6::file(file).brokers(&relay.address()).run().expect("pass");
    assert_eq!((ran.count("read", "received"), ran.count("late", "received")), (3000, 3000));
    assert_eq!((ran.ended("read"), ran.ended("late")), ("done", "done"));
}

/// As Tansu over a store that takes longer than a fetch may wait: a reader that leaves it less than half a second gets nothing.
fn hasty_readers_get_nothing(relay: &Relay) {
    let patient = Arc::new(Mutex::new(HashSet::new()));
    let asked = Arc::clone(&patient);
    relay.on_request(move |request| {
        if request.api == ApiKey::Fetch && request.decode::<FetchRequest>().max_wait_ms >= 500 {
            asked.lock().expect("no holder panics").insert(request.connection);
        }
        Verdict::Pass
    });
    relay.on_response(move |response| {
        let Request { api, connection, .. } = &response.request;
        if *api != ApiKey::Fetch || patient.lock().expect("no holder panics").contains(connection) {
            return Verdict::Pass;
        }
        let mut fetched: FetchResponse = response.decode();
        for partition in fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.records = Some(Default::default());
        }
        Verdict::Replace(response.encode(&fetched))
    });
}

#[test]
fn a_broker_that_needs_longer_than_the_wait_is_given_it() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    hasty_readers_get_nothing(&relay);
    let file = "topics: [{name: 'slow-{{run_id}}', partitions: 2}]\n\
                scenarios:\n  write: {type: produce, messages: 100}\n  read: {type: consume, timeout: 4m}\n\
                checks: [{type: count_equals, scenario: read, expected: 100}]\nrun: {audit: true}\n";
    let ran = Kaf6::file(file).brokers(&relay.address()).run().expect("pass");
    assert!(ran.notes().contains("kaf6 waits up to 1 s for each response"), "{}", ran.notes());
    assert!(!ran.notes().contains("audit"), "the audit leaves it time from the start: {}", ran.notes());
}

#[test]
fn a_broker_that_needs_longer_is_given_it_while_its_producers_go_on() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    hasty_readers_get_nothing(&relay);
    let file = "topics: [{name: 'slow-{{run_id}}'}]\n\
                scenarios:\n  write: {type: produce, rate: 20/s, duration: 24s}\n  read: {type: consume}\n\
                checks: [{type: count_equals, scenario: read, expected: 480},\n  \
                {name: soon, type: threshold, scenario: read, expr: \"max < 20s\"}]\n";
    let ran = Kaf6::file(file).brokers(&relay.address()).run().expect("pass");
    assert!(ran.notes().contains("kaf6 waits up to 1 s for each response"), "{}", ran.notes());
}
