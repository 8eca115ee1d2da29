//! Tests offsets that a broker returns in descending order, and a rejected offset, which is not such an anomaly.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::run::{File, run, topic};
use super::wire;
use crate::lab::{Kafka, Relay, Verdict};

#[test]
fn nonmonotonic_when_an_answer_goes_back() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    let once = AtomicBool::new(false);
    wire::on_fetched(&relay, move |_, records| {
        let Some(at) = records.iter().position(|record| record.offset == 30) else { return false };
        if once.swap(true, Ordering::SeqCst) {
            return false;
        }
        // Records 20 to 29 appear again after 29, with the same offsets.
        let again: Vec<_> = records[at - 10..at].to_vec();
        records.splice(at..at, again);
        true
    });
    let topic = topic("nonmonotonic");
    let done = run(&File::new(&broker, &topic).reader(&relay.address()).text());
    done.has(&[("nonmonotonic", 10, 0)]).is("fail").checks(&[("offsets_monotonic", "fail")]);
    assert_eq!(done.of("read", "received"), 200);
    done.is_told_of("nonmonotonic");
}

#[test]
fn nonmonotonic_is_not_an_offset_that_the_broker_refuses_once() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    let answers = AtomicU64::new(0);
    relay.on_response(move |response| {
        // The broker reports once, after some reads, that the reader's offset is out of range.
        if response.request.api == ApiKey::Fetch && answers.fetch_add(1, Ordering::SeqCst) == 30 {
            response.deny(ResponseError::OffsetOutOfRange)
        } else {
            Verdict::Pass
        }
    });
    let topic = topic("nonmonotonic");
    let done = run(&File::new(&broker, &topic).reader(&relay.address()).read("at: 0s").text());
    // The offset is within the log, so the reader retries it and does not move.
    done.has(&[]).is("pass").checks(&[]).accounts_for(&[("verified", 200)]);
    assert!(done.notes().contains("the broker refused offset "), "{}", done.told());
    assert!(!done.notes().contains("the log was truncated or recreated"), "{}", done.told());
    assert_eq!((done.of("read", "received"), done.of("read", "records")), (200, 200), "{}", done.told());
    assert_eq!(done.summary["scenarios"]["read"]["errors_by_code"]["OFFSET_OUT_OF_RANGE"], 1);
}
