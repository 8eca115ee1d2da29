//! Tests one message at two offsets: explained if the client sent it again, otherwise not.

use kafka_protocol::ResponseError;

use super::log::{self, GATHER, Lake};
use super::run::{File, Run, run, topic};
use super::wire::Load;
use crate::lab::{Gate, Kafka, Relay, Storage, Tansu, Verdict};

/// One request at a time, so that a retry is the retry of what was touched and of nothing else.
const ONE_BY_ONE: &str = "max.in.flight.requests.per.connection: 1, batch.num.messages: 3";

#[test]
fn duplicate_when_a_request_is_repeated_on_the_wire() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    let load =
        Load::on_requests(&relay, |number, _| if number % 10 == 3 { Verdict::Repeat } else { Verdict::Pass });
    let (broker, topic) = (tansu.address(), topic("duplicate"));
    let done = run(&File::new(&relay.address(), &topic).reader(&broker).text());
    let count = load.touched();
    assert!(count > 3, "{count}");
    assert_eq!(log::duplicates(&log::read(&broker, &topic, 0)), count, "as another client reads it");
    done.has(&[("duplicate", count, 0)]).is("fail").checks(&[("no_duplicates", "fail")]);
    assert_eq!((done.of("read", "received"), done.of("read", "records")), (200, 200 + count));
    done.is_told_of("duplicate");
}

#[test]
fn duplicate_when_an_object_is_copied_to_a_later_place() {
    let Some(mut lake) = Lake::start() else { return };
    let (topic, gate) = (topic("duplicate"), Gate::new());
    let broker = lake.tansu.address();
    let file = File::new(&broker, &topic)
        .properties(GATHER)
        .read("after: gate")
        .more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    let batches = lake.batches(&topic, 0);
    let copied = &batches[batches.len() / 2];
    lake.append(&topic, 0, &copied.bytes, copied.records);
    drop(held);
    let done = run.done();
    let count = copied.records as u64;
    done.has(&[("duplicate", count, 0)]).is("fail").checks(&[("no_duplicates", "fail")]);
    let piece = &done.evidence("duplicate")[0];
    assert_eq!((piece["offset"].as_i64(), piece["other_offset"].as_i64()), (Some(200), Some(copied.base)));
    done.is_told_of("duplicate");
}

#[test]
fn duplicate_explained_when_the_connection_breaks_before_the_ack() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    for strict in [false, true] {
        let relay = Relay::start(&tansu.address());
        let load = Load::on_answers(
            &relay,
            |number, _| {
                if number % 40 == 7 { Verdict::Cut(0) } else { Verdict::Pass }
            },
        );
        let (broker, topic) = (tansu.address(), topic("duplicate"));
        let checks = format!("{{name: no_duplicates, type: no_duplicates, strict: {strict}}}");
        let file = File::new(&relay.address(), &topic).reader(&broker).properties(ONE_BY_ONE).checks(&checks);
        let done = run(&file.text());
        let count = load.touched();
        assert!(count > 1, "{count}");
        assert_eq!(log::duplicates(&log::read(&broker, &topic, 0)), count, "as another client reads it");
        done.has(&[("duplicate", 0, count)]);
        if strict {
            done.is("fail").checks(&[("no_duplicates", "fail")]).is_told_of("duplicate");
        } else {
            done.is_healthy(0);
        }
        assert!(done.page().contains("explained"));
    }
}

#[test]
fn duplicate_explained_when_an_answer_allows_to_send_again() {
    let Some(broker) = Kafka::shared() else { return };
    // A broker may return each of these errors after a write, and the client then retries.
    for error in [ResponseError::RequestTimedOut, ResponseError::NotEnoughReplicasAfterAppend] {
        let relay = Relay::start(&broker);
        let load =
            Load::on_answers(
                &relay,
                move |number, answer| {
                    if number % 30 == 11 { answer.deny(error) } else { Verdict::Pass }
                },
            );
        let topic = topic("duplicate");
        let file = File::new(&relay.address(), &topic).reader(&broker).properties(ONE_BY_ONE);
        let done = run(&file.text());
        let count = load.touched();
        assert!(count > 1, "{count}");
        assert_eq!(log::duplicates(&log::read(&broker, &topic, 0)), count, "as another client reads it");
        done.has(&[("duplicate", 0, count)]).is_healthy(0);
    }
}

#[test]
fn duplicate_unexplained_when_the_answer_excluded_a_write() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    // NOT_ENOUGH_REPLICAS means that nothing was written. A broker that returns it after a write is wrong.
    let load = Load::on_answers(&relay, |number, answer| {
        if number % 30 == 11 { answer.deny(ResponseError::NotEnoughReplicas) } else { Verdict::Pass }
    });
    let topic = topic("duplicate");
    let file = File::new(&relay.address(), &topic).reader(&broker).properties(ONE_BY_ONE);
    let done = run(&file.text());
    let count = load.touched();
    assert!(count > 1, "{count}");
    done.has(&[("duplicate", count, 0)]).is("fail").checks(&[("no_duplicates", "fail")]);
}
