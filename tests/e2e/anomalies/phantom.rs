//! Tests messages that are read although the broker rejected them with an error that excludes a write.

use kafka_protocol::ResponseError;

use super::run::{File, run, topic};
use super::wire::Load;
use crate::lab::{Kafka, Relay, Verdict};

#[test]
fn phantom_when_a_refused_write_is_there() {
    let Some(broker) = Kafka::shared() else { return };
    for error in [ResponseError::InvalidRecord, ResponseError::InvalidTimestamp] {
        let relay = Relay::start(&broker);
        let load =
            Load::on_answers(
                &relay,
                move |number, answer| {
                    if number % 25 == 9 { answer.deny(error) } else { Verdict::Pass }
                },
            );
        let topic = topic("phantom");
        let done = run(&File::new(&relay.address(), &topic).reader(&broker).text());
        let count = load.touched();
        assert!(count > 2, "{count}");
        done.has(&[("phantom", count, 0)]).is("fail").checks(&[("no_corruption", "fail")]);
        assert_eq!((done.of("write", "failed"), done.of("write", "acked")), (count, 200 - count));
        done.is_told_of("phantom");
    }
}
