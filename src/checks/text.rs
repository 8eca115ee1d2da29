//! Formats times, rates and shares for answers.

use std::time::Duration;

pub(super) use crate::units::counted;

/// A duration to the millisecond, so that a value slightly above a limit does not look equal to it: `350 ms`,
/// `2.35 s`.
pub(super) fn time(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 999.5 { format!("{ms:.0} ms") } else { format!("{} s", trimmed(&format!("{:.3}", ms / 1e3))) }
}

/// A part of the run: `0.000 s to 12.345 s`.
pub(super) fn span((from, to): (Duration, Duration)) -> String {
    format!("{:.3} s to {:.3} s", from.as_secs_f64(), to.as_secs_f64())
}

/// A rate: `98.7/s`.
pub(super) fn per_second(rate: f64) -> String {
    format!("{}/s", digits(rate))
}

/// A share: `45 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", digits((share * 1e3).round() / 10.0))
}

/// A number with about three digits and without trailing zeros.
fn digits(value: f64) -> String {
    let places = places(value);
    trimmed(&format!("{value:.places$}"))
}

/// Number of decimal places for about three digits.
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
