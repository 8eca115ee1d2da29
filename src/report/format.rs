//! Formats numbers: thousands separators, and times and sizes with a suitable unit.
//!
//! The page, the terminal and JUnit texts use the same formats.

use super::summary::{Num, RunStatus};

pub use crate::units::{counted as plural, thousands as count};

/// A number with about three significant digits and thousands separators: `0.042`, `3.1`, `12`, `1,240`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let digits = match size {
        s if s >= 100.0 || s == 0.0 => 0,
        s if s >= 10.0 => 1,
        s if s >= 1.0 => 2,
        _ => 3,
    };
    if size >= 1e15 {
        return format!("{value:.2e}");
    }
    let text = format!("{size:.digits$}");
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    let part = part.trim_end_matches('0');
    let sign = if value < 0.0 && (whole != "0" || !part.is_empty()) { "−" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// Milliseconds as a duration: `0.21 ms`, `12 ms`, `2.35 s`, `1 min 20 s`, `1 h 5 min`.
pub fn millis(ms: f64) -> String {
    if ms < 999.5 {
        return format!("{} ms", number(ms));
    }
    let seconds = ms / 1000.0;
    if seconds < 59.95 {
        return format!("{} s", number(seconds));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, never negative")]
    let whole = seconds.round() as u64;
    let (big, small, big_unit, small_unit) = if whole < 3600 {
        (whole / 60, whole % 60, "min", "s")
    } else {
        (whole / 3600, whole % 3600 / 60, "h", "min")
    };
    if small == 0 {
        format!("{} {big_unit}", count(big))
    } else {
        format!("{} {big_unit} {small} {small_unit}", count(big))
    }
}

/// A duration that may not have been measured.
pub fn latency(value: Option<&Num>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| millis(ms.get()))
}

/// Time from the start of the run: `+4 ms`, `+12.5 s`. A dash if there is none.
pub fn instant(ms: Option<u64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| format!("+{}", millis(float(ms))))
}

/// A count, or a dash if there is none.
pub fn optional(value: Option<u64>) -> String {
    value.map_or_else(|| "–".to_owned(), count)
}

/// A number of bytes: `512 B`, `88 KiB`, `1.5 GiB`.
pub fn bytes(value: u64) -> String {
    let mut size = float(value);
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return format!("{} {unit}", number(size));
        }
        size /= 1024.0;
    }
    format!("{} TiB", number(size))
}

/// A duration in milliseconds, as summaries have it.
pub fn whole_ms(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A count for drawing, where the last bits do not matter.
#[expect(clippy::cast_precision_loss, reason = "pictures and rounded texts only")]
pub const fn float(value: u64) -> f64 {
    value as f64
}

pub const fn status_words(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pass => "Passed",
        RunStatus::Fail => "Failed",
        RunStatus::Error => "Inconclusive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(number(3.10), "3.1");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(-0.5), "−0.5");
        assert_eq!(number(-0.0001), "0");
        assert_eq!(number(1240.4), "1,240");
        assert_eq!(number(f64::MAX), "1.80e308");
        assert_eq!(millis(0.214), "0.214 ms");
        assert_eq!(millis(2350.0), "2.35 s");
        assert_eq!(millis(80_000.0), "1 min 20 s");
        assert_eq!(millis(3_900_000.0), "1 h 5 min");
        assert_eq!(bytes(90_000), "87.9 KiB");
        assert_eq!(bytes(u64::MAX), "16,777,216 TiB");
        assert_eq!(plural(1, "check", "checks"), "1 check");
    }
}
