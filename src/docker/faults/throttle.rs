//! `throttle`: a way between two services made slow by kaf6's relay.
//!
//! Owns its proof: what passed through the relay meanwhile, and the delays that it had.

use std::time::{Duration, Instant};

use super::super::cut::Cut;
use super::super::lock::lock;
use super::super::options::Inflicted;
use super::super::relay::{Passed, Relay, Slow};
use super::super::state::Shared;
use super::shown::nothing;
use crate::plan::FaultPlan;
use crate::plan::cluster::Link;

/// How long what waited may take to arrive once it is let go.
const LET_GO: Duration = Duration::from_millis(50);

/// Slows a way down for the fault's length.
pub(super) async fn throttle(
    shared: &Shared,
    fault: &FaultPlan,
    link: &Link,
    (latency, jitter, bandwidth): (Duration, Duration, Option<u64>),
    cut: &Cut,
) -> Inflicted {
    let key = (link.from.clone(), link.to.clone());
    let slow = Slow { latency, jitter, bandwidth };
    let began = Instant::now();
    let set = lock(&shared.relays).get(&key).map(|relay| (relay.slow_down(slow), relay.passed()));
    let Some((number, before)) = set else {
        return nothing(format!("no relay stands between {} and {}", link.from, link.to));
    };
    match fault.length {
        Some(length) => {
            cut.sleep(length).await;
        }
        None => cut.wait().await,
    }
    let passed = || lock(&shared.relays).get(&key).map_or(before, Relay::passed).since(&before);
    if let Some(relay) = lock(&shared.relays).get(&key) {
        relay.let_go(number);
    }
    let ended = Instant::now();
    let mut passed_by = passed();
    if slow.delays() && passed_by.delayed == 0 {
        // All that came still waited, since the latency is longer than the fault: it is let go now, and then counted.
        tokio::time::sleep(LET_GO).await;
        passed_by = passed();
    }
    let (effective, proof) = shown(slow, passed_by);
    Inflicted { began, ended: Some(ended), holds: Vec::new(), effective, proof }
}

fn shown(slow: Slow, passed: Passed) -> (bool, String) {
    let Passed { connections, refused, out, back, delayed, .. } = passed;
    if out == 0 && back == 0 {
        return (false, "no byte passed through the relay meanwhile".to_owned());
    }
    let mut proof =
        format!("{out} bytes there and {back} back through the relay, {connections} new connections");
    if refused > 0 {
        proof.push_str(&format!(" and {refused} refused"));
    }
    let mut effective = true;
    if slow.delays() {
        effective = delayed > 0;
        let mean = passed.mean_delay().as_secs_f64() * 1000.0;
        proof.push_str(&format!("; {delayed} pieces delayed, by {mean:.1} ms on average"));
    }
    if slow.bandwidth.is_some() {
        let held = passed.held.as_secs_f64();
        proof.push_str(&format!("; held back for {held:.1} s in all by the bandwidth"));
        // Less than it lets through is not slowed down by it.
        effective &= slow.delays() || !passed.held.is_zero();
    }
    (effective, proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_the_proof() {
        let ms = Duration::from_millis;
        let latency = Slow { latency: ms(200), ..Slow::default() };
        let passed =
            Passed { connections: 2, out: 10, back: 20, delayed: 4, delay: ms(804), ..Passed::default() };
        let (effective, proof) = shown(latency, passed);
        assert!(effective);
        assert_eq!(
            proof,
            "10 bytes there and 20 back through the relay, 2 new connections; 4 pieces delayed, by 201.0 ms on average"
        );
        assert!(!shown(latency, Passed::default()).0);
        assert!(!shown(latency, Passed { delayed: 0, ..passed }).0, "only answers passed");
        let bandwidth = Slow { bandwidth: Some(1000), ..Slow::default() };
        assert!(!shown(bandwidth, passed).0, "nothing was held back");
        assert!(shown(bandwidth, Passed { held: ms(5), ..passed }).0);
    }
}
