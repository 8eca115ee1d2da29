//! Acked, and the reader never came that far: neither lost nor read, so not judged, and never green.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::run::{File, run, topic};
use super::wire;
use crate::lab::{Kafka, Relay};

#[test]
fn unread_when_nothing_is_handed_out() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    relay.refuse(ApiKey::Fetch, ResponseError::UnknownServerError);
    let topic = topic("unread");
    let file = File::new(&broker, &topic).reader(&relay.address()).read("after: write, timeout: 6s");
    let done = run(&file.text());
    done.has(&[("unread", 200, 0)]).is("error");
    assert_eq!(done.check("no_loss"), "inconclusive", "{}", done.told());
    // What the broker answered is named.
    assert!(done.notes().contains("UNKNOWN"), "{}", done.notes());
}

#[test]
fn unread_beyond_the_place_where_the_broker_stops() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    wire::on_fetched(&relay, |_, records| {
        let before = records.len();
        records.retain(|record| record.offset < 120);
        records.len() < before
    });
    let topic = topic("unread");
    let file = File::new(&broker, &topic).reader(&relay.address()).read("after: write, timeout: 4s");
    let done = run(&file.text());
    done.has(&[("unread", 80, 0)]).is("error").checks(&[("no_loss", "inconclusive")]);
    assert_eq!(done.of("read", "received"), 120);
}

#[test]
fn unread_when_answers_come_too_late() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    relay.on_response(|response| {
        if response.request.api == ApiKey::Fetch {
            crate::lab::Verdict::Delay(Duration::from_secs(5))
        } else {
            crate::lab::Verdict::Pass
        }
    });
    let topic = topic("unread");
    let file = File::new(&broker, &topic).reader(&relay.address()).read("after: write, timeout: 2s");
    let done = run(&file.text());
    done.has(&[("unread", 200, 0)]).is("error");
    assert_eq!(done.check("no_loss"), "inconclusive", "{}", done.told());
}
