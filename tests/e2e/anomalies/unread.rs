//! Tests acked messages that the reader did not reach: not lost and not read, so the run does not pass.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

use super::run::{Done, File, run, topic};
use super::wire;
use crate::lab::{Kafka, Relay, Verdict};

/// A reader that timed out leaves all of its checks open, and the reason says what to write.
fn is_open(done: &Done, unread: u64) {
    done.has(&[("unread", unread, 0)]).is("error");
    done.accounts_for(&[("verified", 200 - unread), ("unread", unread)]);
    let open = ["no_loss", "no_duplicates", "no_corruption", "in_order", "offsets_monotonic"];
    done.checks(&open.map(|check| (check, "inconclusive")));
    assert_eq!(done.check("all_acked"), "pass", "{}", done.told());
    let advice = [
        "scenario `read` timed out",
        "(increase its `timeout`)",
        &format!("{unread} unread (increase the reader's `timeout`, or set `verify: false` in `write`)"),
    ];
    for part in advice {
        assert!(done.reason().contains(part), "{part}: {}", done.reason());
    }
}

#[test]
fn unread_when_nothing_is_handed_out() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    relay.refuse(ApiKey::Fetch, ResponseError::UnknownServerError);
    let topic = topic("unread");
    let file = File::new(&broker, &topic).reader(&relay.address()).read("after: write, timeout: 6s");
    let done = run(&file.text());
    is_open(&done, 200);
    // The note names the broker's error.
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
    let file = File::new(&broker, &topic).reader(&relay.address()).read("after: write, timeout: 12s");
    let done = run(&file.text());
    is_open(&done, 80);
    assert_eq!(done.of("read", "received"), 120);
}

#[test]
fn unread_when_answers_come_too_late() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    relay.on_response(|response| {
        if response.request.api == ApiKey::Fetch {
            Verdict::Delay(Duration::from_secs(5))
        } else {
            Verdict::Pass
        }
    });
    let topic = topic("unread");
    let file = File::new(&broker, &topic).reader(&relay.address()).read("after: write, timeout: 2s");
    let done = run(&file.text());
    is_open(&done, 200);
}

#[test]
fn unread_where_a_batch_that_is_right_gets_to_no_client() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    // kaf6's own probe gets the records. librdkafka's clients get responses without records, as after a fetch timeout.
    let clients: Arc<Mutex<HashSet<u64>>> = Arc::default();
    let seen = Arc::clone(&clients);
    relay.on_request(move |request| {
        if request.api == ApiKey::ApiVersions && request.version >= 3 {
            let asked: ApiVersionsRequest = request.decode();
            if asked.client_software_name.as_str() == "librdkafka" {
                seen.lock().expect("no thread panics here").insert(request.connection);
            }
        }
        Verdict::Pass
    });
    wire::on_fetched(&relay, move |connection, records| {
        let before = records.len();
        if clients.lock().expect("no thread panics here").contains(&connection) {
            records.retain(|record| record.offset < 120);
        }
        records.len() < before
    });
    let file = File::new(&broker, &topic("unread"))
        .reader(&relay.address())
        .write("messages: 200, rate: 400/s")
        // The relay cuts at offset 120, which must be the start of a batch.
        .properties("batch.num.messages: 1")
        .read("after: write, timeout: 20s")
        .run("unreadable_after: 2s")
        .audit(false);
    let done = run(&file.text());
    done.is("error");
    assert_eq!(done.counts("corrupt"), Some((0, 0)), "{}", done.told());
    assert_eq!(done.check("no_loss"), "inconclusive", "{}", done.told());
    assert_eq!(done.of("read", "received"), 120, "{}", done.told());
}
