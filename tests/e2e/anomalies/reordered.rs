//! Tests logs whose order differs from the order of sending.

use super::log::{self, GATHER, Lake};
use super::run::{File, Run, run, topic};
use super::wire::Load;
use crate::lab::{Gate, Kafka, Relay, Verdict};

#[test]
fn reordered_when_requests_are_swapped_on_the_wire() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    // A swapped request is sent after the next one. The last request is never swapped.
    let load = Load::on_requests(&relay, |number, _| {
        if number % 20 == 5 && number < 100 { Verdict::Swap } else { Verdict::Pass }
    });
    let topic = topic("reordered");
    let done = run(&File::new(&relay.address(), &topic).reader(&broker).text());
    let count = load.touched();
    assert!(count > 2, "{count}");
    assert_eq!(log::reordered(&log::read(&broker, &topic, 0)), count, "as another client reads it");
    done.has(&[("reordered", count, 0)]).is("fail").checks(&[("in_order", "fail")]);
    done.is_told_of("reordered");
}

#[test]
fn reordered_and_misplaced_when_objects_change_places() {
    let Some(lake) = Lake::start() else { return };
    let (topic, gate) = (topic("reordered"), Gate::new());
    let broker = lake.tansu.address();
    let file = File::new(&broker, &topic)
        .properties(GATHER)
        .read("after: gate")
        .more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    let batches = lake.batches(&topic, 0);
    // Two adjacent batches with equal numbers of records, so that no other batch has to move.
    let pair = batches[3..].windows(2).find(|pair| pair[0].records == pair[1].records);
    let [one, next] = pair.expect("two batches of one length") else { panic!("a pair") };
    lake.overwrite(one, &next.bytes);
    lake.overwrite(next, &one.bytes);
    drop(held);
    let done = run.done();
    let moved = one.records as u64;
    // Messages of the first batch are after the others, and every message is at an offset that was acked for another one.
    done.has(&[("reordered", moved, 0), ("misplaced", 2 * moved, 0)])
        .is("fail")
        .checks(&[("in_order", "fail"), ("no_corruption", "fail")]);
    done.is_told_of("reordered");
    done.is_told_of("misplaced");
}
