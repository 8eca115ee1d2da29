//! Tests acked messages that one reader does not get, although another reader does.

use std::sync::atomic::{AtomicU64, Ordering};

use super::run::{File, run, topic};
use super::wire;
use crate::lab::{Kafka, Relay};

#[test]
fn skipped_when_one_connection_is_kept_from_it() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    let first = AtomicU64::new(0);
    wire::on_fetched(&relay, move |connection, records| {
        // The reader is the first client that gets these records. The re-read uses another client.
        if records.iter().any(|record| record.offset < 100) {
            first.compare_exchange(0, connection, Ordering::SeqCst, Ordering::SeqCst).ok();
        }
        if first.load(Ordering::SeqCst) != connection {
            return false;
        }
        let before = records.len();
        records.retain(|record| !(50..60).contains(&record.offset) && record.offset != 3);
        records.len() < before
    });
    let topic = topic("skipped");
    let done = run(&File::new(&broker, &topic).reader(&relay.address()).text());
    done.has(&[("skipped", 11, 0)]).is("fail").checks(&[("no_loss", "fail")]);
    assert_eq!(done.of("read", "received"), 189);
    done.is_told_of("skipped");
}
