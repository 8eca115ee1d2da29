//! One offset that held one message when it was read, and another when it was read again.

use super::log::{GATHER, Lake};
use super::run::{File, Gate, Run, topic};

#[test]
fn rewritten_between_a_live_read_and_the_audit() {
    let Some(lake) = Lake::start() else { return };
    let (topic, gate) = (topic("rewritten"), Gate::new());
    // `read` has ended when the gate is reached, and the audit comes after it.
    let text = File::new(&lake.tansu.address(), &topic)
        .properties(GATHER)
        .read("at: 0s")
        .more(&gate.scenario("after: read"))
        .audit(true)
        .text();
    let run = Run::start(&text);
    let held = gate.reached(&run);
    let batches = lake.batches(&topic, 0);
    let pair = batches[3..].windows(2).find(|pair| pair[0].records == pair[1].records);
    let [one, next] = pair.expect("two batches of one length") else { panic!("a pair") };
    // The second place gets what the first one holds; what it held is gone.
    lake.overwrite(next, &one.bytes);
    drop(held);
    let done = run.done();
    let count = next.records as u64;
    done.has(&[("lost", count, 0), ("rewritten", count, 0)]).is("fail");
    assert_eq!((done.check("no_loss"), done.check("no_corruption")), ("fail", "fail"), "{}", done.told());
    assert_eq!(done.evidence("rewritten")[0]["offset"].as_i64(), Some(next.base));
    done.is_told_of("rewritten");
}
