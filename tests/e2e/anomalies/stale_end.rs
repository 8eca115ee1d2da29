//! Tests a broker that reports an end of its log below existing records.

use kafka_protocol::messages::{ApiKey, ListOffsetsResponse};

use super::run::{File, run, topic};
use crate::lab::{Kafka, Relay, Verdict};

#[test]
fn stale_end_when_the_end_is_told_too_low() {
    let Some(broker) = Kafka::shared() else { return };
    for too_low in [0, 17] {
        let relay = Relay::start(&broker);
        relay.on_response(move |response| {
            if response.request.api != ApiKey::ListOffsets {
                return Verdict::Pass;
            }
            let mut told: ListOffsetsResponse = response.decode();
            for partition in told.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                partition.offset = (partition.offset - too_low).max(0);
            }
            Verdict::Replace(response.encode(&told))
        });
        let topic = topic("watermark");
        let done = run(&File::new(&relay.address(), &topic).text());
        // Sixteen messages, and the end marker.
        let lies = too_low.unsigned_abs();
        // There is a note but no failed check, because all messages are there.
        done.has(&[("stale_end", lies, 0)]).is("pass").checks(&[]);
        assert_eq!(done.counts("stale_end"), Some((lies, 0)), "{}", done.told());
        assert_eq!(done.notes().contains("high watermark"), lies > 0, "{}", done.notes());
    }
}
