//! S4: a broker is killed and started again. Over a store all is still there; on memory all that was acked is lost.

use super::cluster::{example, fault, kafka, of_fault, on_memory, over_s3, run};
use crate::runs::Ran;

/// The restart happened, and the load met it.
fn restarted(ran: &Ran, name: &str) {
    let bounce = fault(ran, name);
    assert_eq!(bounce["effective"], true, "{ran}");
    let proof = bounce["proof"].as_str().expect("it is a text");
    assert!(proof.contains("137"), "the signal killed it: {proof}");
    assert!(of_fault(ran, name, "started_ms") < of_fault(ran, name, "ended_ms"), "{ran}");
}

#[test]
fn s4_over_a_store_loses_nothing() {
    let Some(cluster) = over_s3() else { return };
    let ran = run(&example("s4-durability.yaml", &cluster)).expect("pass");
    restarted(&ran, "bounce");
    assert_eq!(ran.anomaly("lost"), Some(0));
    assert_eq!(ran.count("read", "received"), ran.count("write", "acked"));
    assert!(fault(&ran, "bounce")["first_read_ms"].is_u64(), "{ran}");
}

#[test]
fn s4_live_over_a_store_loses_nothing() {
    let Some(cluster) = over_s3() else { return };
    let ran = run(&example("s4-durability-live.yaml", &cluster)).expect("pass");
    restarted(&ran, "bounce");
    assert_eq!((ran.anomaly("lost"), ran.anomaly("rewritten")), (Some(0), Some(0)), "{ran}");
    for field in ["first_ack_ms", "first_read_ms", "longest_gap_ms"] {
        assert!(fault(&ran, "bounce")[field].is_u64(), "{field}: {ran}");
    }
}

#[test]
fn s4_on_memory_loses_exactly_what_was_acked() {
    let Some(cluster) = on_memory() else { return };
    let ran = run(&example("s4-durability.yaml", &cluster)).expect("fail");
    restarted(&ran, "bounce");
    assert_eq!(ran.check("no_loss"), "fail");
    // What is acked after the crash lies in a topic that Tansu made anew, and is there.
    let lost = acked_before(&ran, "bounce");
    assert!(lost >= 1_000, "{ran}");
    assert_eq!(ran.anomaly("lost"), Some(lost), "{ran}");
    assert_eq!(fault(&ran, "bounce")["lost"], lost, "{ran}");
}

#[test]
fn s4_live_on_memory_loses_what_the_reader_had_seen_too() {
    let Some(cluster) = on_memory() else { return };
    let ran = run(&example("s4-durability-live.yaml", &cluster)).expect("fail");
    restarted(&ran, "bounce");
    assert_eq!(ran.check("no_loss"), "fail");
    assert_eq!(ran.anomaly("lost"), Some(acked_before(&ran, "bounce")), "{ran}");
    // What the reader had seen is lost too, and its place holds something else now, since the producers went on.
    assert!(ran.anomaly("rewritten") > Some(1_000), "{ran}");
    let evidence = &ran.summary["anomalies"]["lost"]["evidence"];
    assert!(evidence.to_string().contains("bounce"), "the fault stands beside it: {evidence}");
}

#[test]
fn s4_on_apache_kafka_loses_nothing() {
    let Some(cluster) = kafka() else { return };
    let ran = run(&example("s4-durability-live.yaml", &cluster)).expect("pass");
    restarted(&ran, "bounce");
    assert_eq!(ran.anomaly("lost"), Some(0));
}

/// Acks before a fault's end: nothing is acked while the broker is down, so that whole buckets tell it exactly.
fn acked_before(ran: &Ran, name: &str) -> u64 {
    let timeline = &ran.summary["timeline"];
    let width = timeline["bucket_ms"].as_u64().expect("it is a number");
    let buckets = usize::try_from(of_fault(ran, name, "ended_ms") / width).expect("a few hundred");
    let rates = timeline["series"]["write"]["rate"].as_array().expect("it is a list");
    let count = |rate: &serde_json::Value| {
        rate.as_f64().expect("it is a number") * f64::from(u32::try_from(width).expect("small")) / 1_000.0
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
    let acked = rates[..buckets].iter().map(count).sum::<f64>().round() as u64;
    acked
}
