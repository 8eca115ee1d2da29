//! Times, rates and shares as the answers print them.

use std::time::Duration;

/// A time to the millisecond, so that what is a little too long does not read as if it were not: `350 ms`, `2.35 s`.
pub(super) fn time(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 999.5 { format!("{ms:.0} ms") } else { format!("{} s", trimmed(&format!("{:.3}", ms / 1e3))) }
}

/// A part of the run: `0.000 s to 12.345 s`.
pub(super) fn span((from, to): (Duration, Duration)) -> String {
    format!("{:.3} s to {:.3} s", from.as_secs_f64(), to.as_secs_f64())
}

/// A rate as people read it: `98.7/s`.
pub(super) fn per_second(rate: f64) -> String {
    format!("{}/s", digits(rate))
}

/// A share as people read it: `45 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", digits((share * 1e3).round() / 10.0))
}

/// A count and its noun: `1 message`, `3 messages`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// About three digits, without idle zeros.
fn digits(value: f64) -> String {
    let places = places(value);
    trimmed(&format!("{value:.places$}"))
}

/// Places behind the point for about three digits.
pub(super) fn places(value: f64) -> usize {
    match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    }
}

pub(super) fn trimmed(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
pub(super) const fn as_f64(count: u64) -> f64 {
    count as f64
}
