//! Tests S5: the link from broker to store is slow. The rate drops by what the delay explains, and recovers.

use super::cluster::{example, fault, over_s3, run};
use crate::runs::Ran;

#[test]
fn s5_throughput_drops_and_comes_back() {
    let Some(cluster) = over_s3() else { return };
    let text = example("slow-storage.yaml", &cluster);
    let ran = run(&text).expect("pass");
    assert_eq!(fault(&ran, "slow")["effective"], true, "{ran}");
    assert_eq!((ran.check("drops"), ran.check("comes_back")), ("pass", "pass"), "{ran}");
    arithmetic(&ran);
}

/// The example with this bandwidth in place of its latency.
fn by_bandwidth(cluster: &str, bandwidth: &str) -> String {
    let text = example("slow-storage.yaml", cluster);
    let limited = text.replace("latency: 1s", &format!("bandwidth: {bandwidth}"));
    assert_ne!(text, limited);
    limited
}

#[test]
fn s5_by_bandwidth_is_proven_by_what_was_held_back() {
    let Some(cluster) = over_s3() else { return };
    // At most one message per second passes, and four are due.
    let ran = run(&by_bandwidth(&cluster, "1KiB/s")).expect("pass");
    assert_eq!(fault(&ran, "slow")["effective"], true, "{ran}");
    let proof = fault(&ran, "slow")["proof"].as_str().expect("it is a text");
    assert!(proof.contains("; forward, held back ") && proof.contains(" passed"), "{proof}");
    assert_eq!((ran.check("drops"), ran.check("comes_back")), ("pass", "pass"), "{ran}");
}

#[test]
fn a_bandwidth_that_nothing_exceeds_is_no_fault() {
    let Some(cluster) = over_s3() else { return };
    let ran = run(&by_bandwidth(&cluster, "1GiB/s")).expect("error");
    assert_eq!(fault(&ran, "slow")["effective"], false, "{ran}");
    let reason = ran.summary["reason"].as_str().expect("it is a text");
    assert!(reason.contains("too little traffic for 1.00 GiB/s to limit it"), "{reason}");
    assert_eq!((ran.check("drops"), ran.check("no_loss")), ("inconclusive", "inconclusive"), "{ran}");
}

#[test]
fn a_fault_that_the_runs_end_cuts_short_leaves_open_what_passed_under_it() {
    let Some(cluster) = over_s3() else { return };
    let text = format!(
        "topics: [{{name: \"t-{{{{run_id}}}}\"}}]
scenarios:
  write: {{type: produce, duration: 6s, rate: 10/s, value: {{size: 50B}}, verify: false}}
faults:
  slow: {{type: throttle, target: broker -> store, at: 1s, for: 2m, latency: 100ms}}
{cluster}"
    );
    let ran = run(&text).expect("error");
    let proof = fault(&ran, "slow")["proof"].as_str().expect("it is a text");
    assert!(proof.contains("(100 ms configured); ended early with the run, after "), "{proof}");
    assert!(proof.ends_with(" of 120.0 s") && ran.reason().contains("ended early with the run"), "{ran}");
    assert_eq!(fault(&ran, "slow")["effective"], false, "{ran}");
    assert_eq!(ran.check("all_acked"), "inconclusive", "{ran}");
}

/// One message is in flight at a time: before the fault four a second at most, during it each takes at least one delay.
fn arithmetic(ran: &Ran) {
    let series = &ran.summary["timeline"]["series"]["write"]["rate"];
    let width = ran.summary["timeline"]["bucket_ms"].as_f64().expect("it is a number");
    let rates: Vec<f64> =
        series.as_array().expect("a list").iter().filter_map(serde_json::Value::as_f64).collect();
    let mean = |from: f64, to: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bucket numbers")]
        let (from, to) = ((from / width).ceil() as usize, (to / width).floor() as usize);
        let part = &rates[from..to.min(rates.len())];
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        mean
    };
    let slow = fault(ran, "slow");
    let at = |field: &str| slow[field].as_f64().expect("it is a number");
    // Messages that are in flight when the fault begins are still fast.
    let (before, during) =
        (mean(1_000.0, at("started_ms")), mean(at("started_ms") + 1_000.0, at("ended_ms")));
    let (fast_ms, slow_ms) = (1_000.0 / before, 1_000.0 / during);
    let delays = (slow_ms - fast_ms) / 1_000.0;
    assert!(delays > 0.7, "{before}/s before, {during}/s during, {delays} delays a message: {ran}");
}
