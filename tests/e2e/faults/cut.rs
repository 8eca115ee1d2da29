//! Tests each mode of `cut` between broker and store. The broker continues afterwards, and loses nothing.

use super::cluster::{fault, of_run, over_s3, run, start};
use crate::runs::Ran;

/// Produces to Tansu over S3 while its way to the store is cut like this.
fn text(cluster: &str, messages: u32, how: &str) -> String {
    format!(
        "topics: [{{name: \"t-{{{{run_id}}}}\", partitions: 1}}]
scenarios:
  write: {{type: produce, messages: {messages}, rate: 4/s, value: {{size: 50B}}, timeout: 4m}}
  read: {{type: consume, timeout: 5m}}
faults:
  split: {{type: cut, target: broker -> store, when: \"write.acked >= 8\", {how}}}
checks:
  - {{name: kept, type: no_loss}}
  - {{name: comes_back, type: recovers, after: split, within: 60s, tolerance: 60%}}
{cluster}"
    )
}

/// Runs it; the broker has recovered from the cut, and lost nothing. Gives the proof.
fn recovers_from(how: &str) -> Option<(Ran, String)> {
    let cluster = over_s3()?;
    let ran = run(&text(&cluster, 80, how));
    assert_eq!(fault(&ran, "split")["effective"], true, "{ran}");
    assert_eq!((ran.check("kept"), ran.check("comes_back")), ("pass", "pass"), "{ran}");
    let proof = fault(&ran, "split")["proof"].as_str().expect("it is a text").to_owned();
    Some((ran, proof))
}

#[test]
fn a_broker_recovers_from_a_blackhole() {
    let Some((ran, proof)) = recovers_from("for: 4s") else { return };
    assert!(!proof.starts_with("0 bytes forward and 0 back") && proof.contains(" back discarded, "), "{ran}");
    assert!(proof.ends_with(" lost data"), "{ran}");
}

#[test]
fn a_broker_recovers_from_lost_answers() {
    let Some((ran, proof)) = recovers_from("for: 4s, direction: in") else { return };
    assert!(proof.starts_with("0 bytes forward and ") && proof.ends_with(" lost data"), "{ran}");
}

#[test]
fn a_broker_recovers_from_resets() {
    let Some((ran, proof)) = recovers_from("for: 4s, mode: reset") else { return };
    assert!(proof.contains(" reset, ") && proof.ends_with(" refused"), "{ran}");
}

#[test]
fn a_run_that_is_interrupted_during_a_cut_leaves_nothing() {
    let Some(cluster) = over_s3() else { return };
    let (kaf6, id) = start(&text(&cluster, 1000, "for: 10m"));
    let running = kaf6.start();
    running.wait_for("fault `split` started");
    running.signal("INT");
    let ran = running.interrupted(130);
    assert_eq!(of_run(&id), Vec::<String>::new(), "nothing is left: {ran}");
    let proof = fault(&ran, "split")["proof"].as_str().expect("it is a text");
    assert!(proof.contains("ended early with the run, after "), "{ran}");
}
