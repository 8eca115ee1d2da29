//! Tests records of other writers: counted, reported, and not treated as messages of the run.

use super::log;
use super::run::{File, Run, run, topic};
use crate::lab::{Gate, Kafka};

#[test]
fn foreign_when_another_client_writes_too() {
    let Some(broker) = Kafka::shared() else { return };
    let (topic, gate) = (topic("foreign"), Gate::new());
    let file = File::new(&broker, &topic)
        .partitions(2)
        .read("at: 0s")
        .more(&gate.scenario("when: \"write.acked >= 50\""));
    log::write(&broker, &topic, 0, &[b"before", b"", b"kaf6"]);
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    // Records that resemble kaf6's: the first letters of an envelope, and an envelope of no run.
    let mut envelope = b"kaf6\x01".to_vec();
    envelope.resize(100, 7);
    log::write(&broker, &topic, 0, &[b"in between", &envelope, b"kaf6\x01"]);
    drop(held);
    let done = run.done();
    done.is_healthy(6);
    assert_eq!((done.of("read", "received"), done.of("read", "foreign")), (200, 6));
    assert!(done.page().contains("not from this run"));
}

#[test]
fn foreign_when_an_earlier_run_wrote_to_the_topic() {
    let Some(broker) = Kafka::shared() else { return };
    let topic = topic("foreign");
    let file = File::new(&broker, &topic).partitions(3);
    run(&file.text()).is_healthy(0);
    // End markers of the earlier run are not counted.
    run(&file.text()).is_healthy(200);
    run(&file.text()).is_healthy(400);
}
