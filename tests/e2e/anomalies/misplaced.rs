//! Tests messages that are acked at one offset and read at another.

use kafka_protocol::messages::ProduceResponse;

use super::run::{File, run, topic};
use super::wire::Load;
use crate::lab::{Kafka, Relay, Verdict};

#[test]
fn misplaced_when_acks_name_another_offset() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    let load = Load::on_answers(&relay, |number, answer| {
        if number % 25 != 9 {
            return Verdict::Pass;
        }
        let mut produced: ProduceResponse = answer.decode();
        for partition in produced.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
            partition.base_offset += 1000;
        }
        Verdict::Replace(answer.encode(&produced))
    });
    let topic = topic("misplaced");
    let done = run(&File::new(&relay.address(), &topic).reader(&broker).text());
    let count = load.touched();
    assert!(count > 2, "{count}");
    // Messages that are sent after such an ack are acked at lower offsets.
    let overtaken = done.counts("overtaken").map_or(0, |(count, _)| count);
    assert!(overtaken > 0, "{}", done.told());
    done.has(&[("misplaced", count, 0), ("overtaken", overtaken, 0)]).is("fail");
    done.checks(&[("no_corruption", "fail"), ("in_order", "fail")]);
    for piece in done.evidence("misplaced") {
        let at = |name: &str| piece[name].as_i64().expect("an offset");
        assert_eq!(at("other_offset"), at("offset") + 1000, "{piece}");
    }
    done.is_told_of("misplaced");
}
