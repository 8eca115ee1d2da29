//! Tests acked messages that a reachable broker never returns: a failure, and not a timeout.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
};

use super::run::{Done, File, run, topic};
use super::wire;
use crate::lab::{Kafka, Relay, Verdict};

/// A file whose reader goes by the relay, and has time for more than `unreadable_after`.
fn patient(broker: &str, relay: &Relay) -> File {
    File::new(broker, &topic("unreadable"))
        .reader(&relay.address())
        .read("after: write, timeout: 3m")
        .run("unreadable_after: 2s")
}

fn is_unreadable(done: &Done, unreadable: u64) {
    done.has(&[("unreadable", unreadable, 0)]).is("fail");
    done.accounts_for(&[("verified", 200 - unreadable), ("unreadable", unreadable)]);
    assert_eq!(done.check("no_loss"), "fail", "{}", done.told());
    assert_eq!(done.of("read", "received"), 200 - unreadable);
    done.is_told_of("unreadable");
}

fn details(done: &Done) -> String {
    done.evidence("unreadable").iter().filter_map(|piece| piece["detail"].as_str()).collect()
}

#[test]
fn unreadable_when_every_fetch_is_answered_with_an_error() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    relay.refuse(ApiKey::Fetch, ResponseError::UnknownServerError);
    let done = run(&patient(&broker, &relay).text());
    is_unreadable(&done, 200);
    assert!(details(&done).contains("UNKNOWN"), "{}", done.told());
}

#[test]
fn unreadable_behind_what_was_handed_out() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    wire::on_fetched(&relay, |_, records| {
        let before = records.len();
        records.retain(|record| record.offset < 120);
        records.len() < before
    });
    let done = run(&patient(&broker, &relay).text());
    is_unreadable(&done, 80);
}

#[test]
fn unreadable_above_the_end_that_the_broker_reports() {
    const END: i64 = 120;
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    // The timestamp in each request, by connection and request number, because a response does not contain it.
    let asks: Arc<Mutex<HashMap<(u64, i32), i64>>> = Arc::default();
    let asked = Arc::clone(&asks);
    relay.on_request(move |request| {
        let offset = match request.api {
            ApiKey::ListOffsets => {
                let list: ListOffsetsRequest = request.decode();
                list.topics.first().and_then(|topic| topic.partitions.first()).map(|p| p.timestamp)
            }
            ApiKey::Fetch => {
                let fetch: FetchRequest = request.decode();
                fetch.topics.first().and_then(|topic| topic.partitions.first()).map(|p| p.fetch_offset)
            }
            _ => None,
        };
        if let Some(offset) = offset {
            let id = (request.connection, request.correlation_id);
            asks.lock().expect("no thread panics here").insert(id, offset);
        }
        Verdict::Pass
    });
    relay.on_response(move |response| {
        let id = (response.request.connection, response.request.correlation_id);
        let asked = asked.lock().expect("no thread panics here").remove(&id);
        match (response.request.api, asked) {
            // Do not change the earliest offset.
            (ApiKey::ListOffsets, Some(-2)) => Verdict::Pass,
            (ApiKey::ListOffsets, _) => {
                let mut told: ListOffsetsResponse = response.decode();
                for partition in told.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    partition.offset = partition.offset.min(END);
                }
                Verdict::Replace(response.encode(&told))
            }
            (ApiKey::Fetch, asked) => {
                let mut fetched: FetchResponse = response.decode();
                for partition in fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    partition.high_watermark = partition.high_watermark.min(END);
                    partition.last_stable_offset = partition.last_stable_offset.min(END);
                    let Some(bytes) = &partition.records else { continue };
                    let mut records = wire::decode(wire::whole(bytes));
                    records.retain(|record| record.offset < END);
                    if asked > Some(END) {
                        records.clear();
                        partition.error_code = ResponseError::OffsetOutOfRange.code();
                    }
                    partition.records = Some(wire::encode(&records).into());
                }
                Verdict::Replace(response.encode(&fetched))
            }
            _ => Verdict::Pass,
        }
    });
    let done = run(&patient(&broker, &relay).text());
    is_unreadable(&done, 80);
    assert!(details(&done).contains("120"), "the end that it reports is named: {}", done.told());
}
