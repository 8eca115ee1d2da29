//! `throttle`: slows down a link between two services with kaf6's relay.
//!
//! Its proof: the traffic through the relay during the fault, and its delays.

use std::time::{Duration, Instant};

use super::super::lock::lock;
use super::super::relay::{Limited, Passed, Shaping};
use super::injection::Injection;
use super::shown::{last, lasting, nothing, time};
use crate::docker::cluster::options::FaultOutcome;
use crate::plan::cluster::Link;
use crate::units::thousands;

/// With fewer fully delayed pieces, nothing is proven: they may be a coincidence.
const LEAST_PIECES: u64 = 3;
/// A bandwidth limit that delayed bytes for less than this in total had no effect ...
const LEAST_HELD: Duration = Duration::from_millis(100);
/// ... and neither had one that did so for less than this fraction of the fault.
const HELD_PART: u32 = 10;
/// The traffic may exceed the bandwidth by the bytes of this time.
const BURST: Duration = Duration::from_millis(100);

/// Slows down a link for the fault's length.
pub(super) async fn throttle(
    Injection { shared, fault, cancel }: Injection<'_>,
    link: &Link,
    slow: Shaping,
) -> FaultOutcome {
    let key = (link.from.clone(), link.to.clone());
    let began = Instant::now();
    let set = lock(&shared.relays).get(&key).map(|relay| (relay.slow_down(slow), relay.passed()));
    let Some((number, before)) = set else {
        return nothing(format!("there is no relay between {} and {}", link.from, link.to));
    };
    let cut_short = last(began, fault.length.unwrap_or_default(), cancel).await;
    let mut passed = before;
    if let Some(relay) = lock(&shared.relays).get(&key) {
        passed = relay.passed();
        relay.reset(number);
    }
    let ended = Instant::now();
    let (effective, proof) = lasting(shown(slow, ended - began, passed.since(&before)), cut_short);
    FaultOutcome { began, ended: Some(ended), effect: None, holds: Vec::new(), effective, proof }
}

/// Evaluates the traffic of a slow link during this time, and whether it proves the effect.
fn shown(slow: Shaping, length: Duration, passed: Passed) -> (bool, String) {
    let Passed { connections, refused, out, back, pieces, limited, .. } = passed;
    if out == 0 && back == 0 && pieces == 0 && limited.iter().all(|limited| limited.held.is_zero()) {
        return (false, "no byte passed through the relay during the fault".to_owned());
    }
    let mut proof = format!(
        "{} bytes forward and {} back through the relay, {connections} new connections",
        thousands(out),
        thousands(back)
    );
    if refused > 0 {
        proof.push_str(&format!(" and {refused} refused"));
    }
    let mut effective = true;
    if slow.delays() {
        let (shows, words) = delay_in_words(slow, passed);
        effective = shows;
        proof.push_str(&words);
    }
    if let Some(bandwidth) = slow.bandwidth {
        for (way, limited) in ["forward", "back"].into_iter().zip(&limited) {
            if *limited != Limited::default() {
                proof.push_str(&format!("; {way}, {}", limit_in_words(limited, length)));
            }
        }
        if limited.iter().any(|limited| exceeds(limited, bandwidth, length)) {
            effective = false;
            proof.push_str(&format!(": more than the configured {}", per_second(as_f64(bandwidth))));
        } else if !limited.iter().any(|limited| is_limited(limited, length)) {
            // A limit that is higher than the traffic has no effect.
            effective &= slow.delays();
            proof
                .push_str(&format!(": too little traffic for {} to limit it", per_second(as_f64(bandwidth))));
        }
    }
    (effective, proof)
}

/// `; 104 of 106 pieces delayed, 103 of them in full, by 201.0 ms on average (200 ms configured)`
fn delay_in_words(slow: Shaping, passed: Passed) -> (bool, String) {
    let Passed { pieces, slowed, delayed, .. } = passed;
    let mut words = format!("; {slowed} of {pieces} pieces delayed");
    // The others were in the queue when the fault ended, and were sent at once.
    if delayed < slowed {
        words.push_str(&format!(", {delayed} of them in full"));
    }
    let mean = passed.mean_delay();
    if delayed > 0 {
        let millis = mean.as_secs_f64() * 1000.0;
        words.push_str(&format!(", by {millis:.1} ms on average ({} configured)", time(slow.latency)));
    }
    let why = if slowed * 2 < pieces {
        "less than half of them"
    } else if delayed < LEAST_PIECES {
        "too few to show the latency"
    } else if mean < (slow.latency * 9 / 10).saturating_sub(slow.jitter) {
        "less than configured"
    } else {
        return (true, words);
    };
    (false, format!("{words}: {why}"))
}

/// `held back 7.4 s of 10.0 s, 972.80 KiB/s passed`
fn limit_in_words(limited: &Limited, length: Duration) -> String {
    let rate = as_f64(limited.through) / length.as_secs_f64();
    let (held, length) = (limited.held.as_secs_f64(), length.as_secs_f64());
    format!("held back {held:.1} s of {length:.1} s, {} passed", per_second(rate))
}

/// Whether the limit delayed traffic during a large part of the fault.
fn is_limited(limited: &Limited, length: Duration) -> bool {
    limited.held >= LEAST_HELD.max(length / HELD_PART)
}

/// Whether the traffic exceeds the bandwidth by more than a small burst.
fn exceeds(limited: &Limited, bandwidth: u64, length: Duration) -> bool {
    as_f64(limited.through) > as_f64(bandwidth) * (length + BURST).as_secs_f64()
}

/// Bytes per second, in the units of scenario files.
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

    /// A latency of 200 ms, give or take 50 ms, with these pieces: those that came, those that it was added to, and the mean
    /// delay of those that had the whole of it.
    fn delays(pieces: u64, slowed: u64, (delayed, mean): (u64, u64)) -> (bool, String) {
        let slow = Shaping { latency: MS(200), jitter: MS(50), ..Shaping::default() };
        let passed = Passed {
            connections: 2,
            out: 10,
            back: 20,
            pieces,
            slowed,
            delayed,
            delay: MS(delayed * mean),
            ..Passed::default()
        };
        shown(slow, MS(10_000), passed)
    }

    #[test]
    fn a_latency_is_proven_by_number_share_and_mean_of_what_it_delayed() {
        let (effective, proof) = delays(4, 4, (4, 201));
        assert!(effective, "{proof}");
        assert_eq!(
            proof,
            "10 bytes forward and 20 back through the relay, 2 new connections; 4 of 4 pieces delayed, by 201.0 ms on average (200 ms configured)"
        );
        let (effective, proof) = delays(106, 104, (103, 201));
        assert!(effective, "{proof}");
        assert!(
            proof.contains("; 104 of 106 pieces delayed, 103 of them in full, by 201.0 ms on"),
            "{proof}"
        );
        for ((pieces, slowed, of_them), why) in [
            (
                (1, 1, (1, 200)),
                "1 of 1 pieces delayed, by 200.0 ms on average (200 ms configured): too few to show the latency",
            ),
            ((9, 9, (2, 200)), "too few to show the latency"),
            ((9, 9, (0, 0)), "9 of 9 pieces delayed, 0 of them in full: too few to show the latency"),
            ((100, 49, (49, 200)), "less than half of them"),
            ((100, 0, (0, 0)), "less than half of them"),
            // Another throttle took this one's place.
            ((100, 100, (100, 20)), "by 20.0 ms on average (200 ms configured): less than configured"),
            ((100, 100, (100, 129)), "less than configured"),
        ] {
            let (effective, proof) = delays(pieces, slowed, of_them);
            assert!(!effective && proof.ends_with(why), "{proof}, and not {why}");
        }
        assert!(delays(100, 50, (50, 200)).0 && delays(3, 3, (3, 150)).0, "jitter may take that off");
        assert!(delays(100, 100, (100, 2000)).0, "a slow target makes it longer");
        let (effective, proof) =
            shown(Shaping { latency: MS(200), ..Shaping::default() }, MS(1), Passed::default());
        assert_eq!((effective, proof.as_str()), (false, "no byte passed through the relay during the fault"));
    }

    /// At 1 MiB/s for 10 s, with this of what went there.
    fn limited(through: u64, held: u64) -> (bool, String) {
        let there = Limited { through, held: MS(held) };
        let passed = Passed { out: through, limited: [there, Limited::default()], ..Passed::default() };
        shown(Shaping { bandwidth: Some(1 << 20), ..Shaping::default() }, MS(10_000), passed)
    }

    #[test]
    fn a_bandwidth_is_proven_by_bytes_and_time_over_the_whole_fault() {
        let (effective, proof) = limited(9_961_472, 7_400);
        assert!(effective, "{proof}");
        assert_eq!(
            proof,
            "9,961,472 bytes forward and 0 back through the relay, 0 new connections; forward, held back 7.4 s of 10.0 s, 972.80 KiB/s passed"
        );
        let (effective, proof) = limited(1000, 900);
        assert!(!effective);
        assert!(
            proof.ends_with("0.9 s of 10.0 s, 100 B/s passed: too little traffic for 1.00 MiB/s to limit it"),
            "{proof}"
        );
        assert!(!limited(1000, 0).0, "nothing was held back");
        assert!(limited(1000, 1_000).0);
        // What waits from its beginning to its end has not gone through, and was held back all the same.
        let (effective, proof) = limited(0, 10_000);
        assert!(effective && proof.ends_with("held back 10.0 s of 10.0 s, 0 B/s passed"), "{proof}");
        // As a test saw it: 10 KiB/s, and something waited for 6.8 s of 7 s.
        let there = Limited { through: 69_000, held: MS(6_800) };
        let passed = Passed { out: 69_000, limited: [there, Limited::default()], ..Passed::default() };
        assert!(shown(Shaping { bandwidth: Some(10 << 10), ..Shaping::default() }, MS(7_000), passed).0);
        let short = Limited { through: 10, held: MS(90) };
        let passed = Passed { limited: [short, Limited::default()], ..passed };
        assert!(
            !shown(Shaping { bandwidth: Some(1000), ..Shaping::default() }, MS(100), passed).0,
            "for a moment"
        );
    }

    #[test]
    fn a_bandwidth_that_lets_more_through_is_none() {
        assert!(limited(10 << 20, 9_900).0);
        assert!(limited((10 << 20) + 100_000, 9_900).0, "a small burst");
        let (effective, proof) = limited(11 << 20, 9_900);
        assert!(!effective);
        assert!(proof.ends_with("1.10 MiB/s passed: more than the configured 1.00 MiB/s"), "{proof}");
    }

    #[test]
    fn with_a_latency_the_bandwidth_need_not_limit() {
        let slow = Shaping { latency: MS(200), bandwidth: Some(1 << 20), ..Shaping::default() };
        let there = Limited { through: 1000, held: MS(0) };
        let passed = Passed {
            out: 1000,
            pieces: 5,
            slowed: 5,
            delayed: 5,
            delay: MS(1000),
            limited: [there; 2],
            ..Passed::default()
        };
        let (effective, proof) = shown(slow, MS(10_000), passed);
        assert!(effective && proof.contains("too little traffic for 1.00 MiB/s to limit it"), "{proof}");
        assert!(!shown(slow, MS(10_000), Passed { delayed: 0, ..passed }).0);
    }
}
