//! Tests an offset that has another message when it is read again.

use super::log::{GATHER, Lake};
use super::run::{File, Run, topic};
use crate::lab::Gate;

#[test]
fn rewritten_between_a_live_read_and_the_audit() {
    let Some(lake) = Lake::start() else { return };
    let (topic, gate) = (topic("rewritten"), Gate::new());
    // `read` ends before the gate, and the audit runs after it.
    let text = File::new(&lake.tansu.address(), &topic)
        .properties(GATHER)
        .read("at: 0s")
        .more(&gate.scenario("after: read"))
        .audit(true)
        .text();
    let run = Run::start(&text);
    let held = gate.reached(|| run.output());
    let batches = lake.batches(&topic, 0);
    let pair = batches[3..].windows(2).find(|pair| pair[0].records == pair[1].records);
    let [one, next] = pair.expect("two batches of one length") else { panic!("a pair") };
    // Overwrite the second batch with the first one.
    lake.overwrite(next, &one.bytes);
    drop(held);
    let done = run.done();
    let count = next.records as u64;
    // Each overwritten message is rewritten and not also lost. The other batch is there twice.
    done.has(&[("duplicate", count, 0), ("rewritten", count, 0)]).is("fail");
    done.checks(&[("no_duplicates", "fail"), ("no_corruption", "fail")]);
    done.accounts_for(&[("verified", 200 - count), ("rewritten", count)]);
    assert_eq!(done.evidence("duplicate")[0]["consumer"], "audit");
    assert_eq!(done.evidence("rewritten")[0]["offset"].as_i64(), Some(next.base));
    done.is_told_of("rewritten");
    done.is_told_of("duplicate");
}
