//! `throttle`: a way between two services made slow by kaf6's relay.
//!
//! Owns its proof: what passed through the relay meanwhile, and the delays that it had.

use std::time::{Duration, Instant};

use super::super::cut::Cut;
use super::super::lock::lock;
use super::super::options::Inflicted;
use super::super::relay::{Limited, Passed, Relay, Slow};
use super::super::state::Shared;
use super::shown::nothing;
use crate::plan::FaultPlan;
use crate::plan::cluster::Link;

/// How long what waited may take to arrive once it is let go.
const LET_GO: Duration = Duration::from_millis(50);
/// A bandwidth that held bytes back for less than this in all did not limit anything.
const LEAST: Duration = Duration::from_millis(100);
/// So long a time's worth may pass beyond a bandwidth.
const BURST: Duration = Duration::from_millis(100);

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
    let Passed { connections, refused, out, back, delayed, limited, .. } = passed;
    if out == 0 && back == 0 && limited.iter().all(|limited| limited.flowed.is_zero()) {
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
    if let Some(bandwidth) = slow.bandwidth {
        for (way, limited) in ["there", "back"].into_iter().zip(&limited) {
            if !limited.flowed.is_zero() {
                proof.push_str(&format!("; {way}, {}", limit_in_words(limited)));
            }
        }
        if limited.iter().any(|limited| exceeds(limited, bandwidth)) {
            effective = false;
            proof.push_str(&format!(": more than the {} asked for", per_second(as_f64(bandwidth))));
        } else if !limited.iter().any(is_limited) {
            // Less than it lets through is not slowed down by it.
            effective &= slow.delays();
            proof.push_str(&format!(": too little came for {} to limit it", per_second(as_f64(bandwidth))));
        }
    }
    (effective, proof)
}

/// `held back 7.4 s of 10.0 s, 1.02 MiB/s through`
fn limit_in_words(limited: &Limited) -> String {
    let Limited { through, flowed, held } = limited;
    let rate = as_f64(*through) / flowed.as_secs_f64();
    let (held, flowed) = (held.as_secs_f64(), flowed.as_secs_f64());
    format!("held back {held:.1} s of {flowed:.1} s, {} through", per_second(rate))
}

/// What came was held back for most of the time in which it flowed, and not for a moment only.
fn is_limited(limited: &Limited) -> bool {
    limited.held >= LEAST && limited.held * 2 >= limited.flowed
}

/// More went through than the bandwidth and a small burst.
fn exceeds(limited: &Limited, bandwidth: u64) -> bool {
    as_f64(limited.through) > as_f64(bandwidth) * (limited.flowed + BURST).as_secs_f64()
}

/// Bytes a second, in the units in which files ask for them.
fn per_second(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    if bytes >= KIB * KIB * KIB {
        format!("{:.2} GiB/s", bytes / KIB / KIB / KIB)
    } else if bytes >= KIB * KIB {
        format!("{:.2} MiB/s", bytes / KIB / KIB)
    } else if bytes >= KIB {
        format!("{:.2} KiB/s", bytes / KIB)
    } else {
        format!("{bytes:.0} B/s")
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a run stay below 2^53")]
const fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn what_passed_is_the_proof() {
        let latency = Slow { latency: MS(200), ..Slow::default() };
        let passed =
            Passed { connections: 2, out: 10, back: 20, delayed: 4, delay: MS(804), ..Passed::default() };
        let (effective, proof) = shown(latency, passed);
        assert!(effective);
        assert_eq!(
            proof,
            "10 bytes there and 20 back through the relay, 2 new connections; 4 pieces delayed, by 201.0 ms on average"
        );
        assert!(!shown(latency, Passed::default()).0);
        assert!(!shown(latency, Passed { delayed: 0, ..passed }).0, "only answers passed");
    }

    /// At 1 MiB/s, with this of what went there.
    fn limited(through: u64, flowed: u64, held: u64) -> (bool, String) {
        let there = Limited { through, flowed: MS(flowed), held: MS(held) };
        let passed = Passed { out: through, limited: [there, Limited::default()], ..Passed::default() };
        shown(Slow { bandwidth: Some(1 << 20), ..Slow::default() }, passed)
    }

    #[test]
    fn a_bandwidth_is_proven_by_what_it_held_back() {
        let (effective, proof) = limited(9_961_472, 10_000, 7_400);
        assert!(effective, "{proof}");
        assert_eq!(
            proof,
            "9961472 bytes there and 0 back through the relay, 0 new connections; there, held back 7.4 s of 10.0 s, 972.80 KiB/s through"
        );
        let (effective, proof) = limited(1000, 10_000, 4_900);
        assert!(!effective);
        assert!(
            proof.ends_with("4.9 s of 10.0 s, 100 B/s through: too little came for 1.00 MiB/s to limit it")
        );
        assert!(!limited(1000, 10_000, 0).0, "nothing was held back");
        assert!(!limited(1000, 90, 90).0, "for a moment only");
        assert!(limited(1000, 100, 100).0);
    }

    #[test]
    fn a_bandwidth_that_lets_more_through_is_none() {
        assert!(limited(10 << 20, 10_000, 9_900).0);
        assert!(limited((10 << 20) + 100_000, 10_000, 9_900).0, "a small burst");
        let (effective, proof) = limited(11 << 20, 10_000, 9_900);
        assert!(!effective);
        assert!(proof.ends_with("1.10 MiB/s through: more than the 1.00 MiB/s asked for"), "{proof}");
    }

    #[test]
    fn with_a_latency_the_bandwidth_need_not_limit() {
        let slow = Slow { latency: MS(200), bandwidth: Some(1 << 20), ..Slow::default() };
        let there = Limited { through: 1000, flowed: MS(10_000), held: MS(0) };
        let passed = Passed { out: 1000, delayed: 5, limited: [there; 2], ..Passed::default() };
        let (effective, proof) = shown(slow, passed);
        assert!(effective && proof.contains("too little came for 1.00 MiB/s to limit it"), "{proof}");
        assert!(!shown(slow, Passed { delayed: 0, ..passed }).0);
    }
}
