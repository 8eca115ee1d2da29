//! Offsets that a broker hands out backwards; and logs that begin anew, where that is no such thing.

use std::sync::atomic::{AtomicBool, Ordering};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, FetchResponse};

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
        // Records 20 to 29 come again behind 29, under their own offsets.
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
fn nonmonotonic_is_not_a_reader_sent_back_to_the_start() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    let once = AtomicBool::new(false);
    relay.on_response(move |response| {
        if response.request.api != ApiKey::Fetch {
            return Verdict::Pass;
        }
        let fetched: FetchResponse = response.decode();
        let mut partitions = fetched.responses.iter().flat_map(|topic| &topic.partitions);
        let nothing_more = partitions.all(|p| p.records.as_ref().is_none_or(|records| records.is_empty()));
        // After some records were read; the broker says once that the reader stands outside of the log.
        if fetched.responses.is_empty() || !nothing_more || once.swap(true, Ordering::SeqCst) {
            return Verdict::Pass;
        }
        response.deny(ResponseError::OffsetOutOfRange)
    });
    let topic = topic("nonmonotonic");
    let file = File::new(&broker, &topic).reader(&relay.address()).read("at: 0s");
    let done = run(&file.text());
    done.has(&[]).is("pass").checks(&[]);
    assert!(done.notes().contains("under the reader"), "{}", done.notes());
    assert_eq!(done.of("read", "received"), 200);
}
