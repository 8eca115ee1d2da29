//! Charts as SVG text: timeline strips, histograms, partition pictures and bars.
//!
//! Plots stretch to the available width but texts do not, so that one chart fits desktop and phone.

pub mod bar;
pub mod histogram;
pub mod scale;
pub mod spots;
pub mod strip;

use std::fmt::Write as _;

/// Width of every plot in its own units. The page stretches it.
pub(super) const WIDTH: f64 = 1000.0;
pub(super) const HEIGHT: f64 = 100.0;

/// Escapes text for use in markup or in an attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Escapes a sentence and formats names in backticks as code.
pub fn prose(text: &str) -> String {
    let escaped = escape(text);
    let parts: Vec<&str> = escaped.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A single backtick stays as it is.
        return escaped;
    }
    let mut out = String::with_capacity(escaped.len() + 16);
    for (i, part) in parts.iter().enumerate() {
        if i % 2 == 0 {
            out.push_str(part);
        } else {
            let _ = write!(out, "<code>{part}</code>");
        }
    }
    out
}

/// Writes a coordinate with at most one decimal place.
pub(super) fn put(out: &mut String, value: f64) {
    let rounded = (value * 10.0).round() / 10.0;
    // Avoids `-0` and anything that a path parser could reject.
    let rounded = if rounded.is_finite() { rounded + 0.0 } else { 0.0 };
    let _ = write!(out, "{rounded}");
}

/// Writes a path command with its numbers: `M12 3.5`.
pub(super) fn step(out: &mut String, command: char, numbers: &[f64]) {
    out.push(command);
    for (i, number) in numbers.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        put(out, *number);
    }
}

/// Limits a number to a safe range. Counts and times of real runs are far below the limits.
pub(super) fn sane(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-1e15, 1e15) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short_and_always_numbers() {
        let mut out = String::new();
        step(&mut out, 'M', &[1.0, 2.345]);
        step(&mut out, 'L', &[-0.01, f64::INFINITY]);
        assert_eq!(out, "M1 2.3L0 0");
    }

    #[test]
    fn names_between_backticks_are_code() {
        assert_eq!(prose("gone after `bounce`"), "gone after <code>bounce</code>");
        assert_eq!(prose("`<`"), "<code>&lt;</code>");
        assert_eq!(prose("a ` b"), "a ` b");
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape("<a b='\"&\">"), "&lt;a b=&#39;&quot;&amp;&quot;&gt;");
    }
}
