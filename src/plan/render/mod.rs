//! Helpers to print a plan: sections with two columns, counts, durations and commands.

pub(crate) mod containers;
pub mod timeline;

use std::fmt::Write;
use std::time::Duration as StdDuration;

use super::{Counter, When};
use crate::scenario::ServiceTemplate;
use crate::units::{Duration, thousands};

/// Prints a title and two columns. Prints nothing if there are no rows.
pub(super) fn section(out: &mut String, title: &str, rows: impl Iterator<Item = (String, String)>) {
    let rows: Vec<(String, String)> = rows.collect();
    let width = rows.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0);
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for (left, right) in rows {
        line(out, &format!("  {left:width$}  {right}"));
    }
}

/// Prints a text as one line, because texts of a file may contain line breaks.
pub(super) fn line(out: &mut String, text: &str) {
    out.push_str(text.replace(['\n', '\r'], " ").trim_end());
    out.push('\n');
}

/// A count with its noun.
pub(super) fn count(number: u64, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{} {of}s", thousands(number)) }
}

/// A duration.
pub(super) fn time(length: StdDuration) -> String {
    Duration::from(length).to_string()
}

/// A `when` condition.
pub(super) fn when_text(when: &When) -> String {
    let counter = match when.counter {
        Counter::Sent => "sent",
        Counter::Acked => "acked",
        Counter::Received => "received",
    };
    format!("{}.{counter} >= {}", when.scenario, when.at_least)
}

/// A command as a YAML list in one line.
pub(super) fn command(words: &[ServiceTemplate]) -> String {
    let quoted = |word: &ServiceTemplate| {
        let text = word.to_string();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+${}".contains(c);
        if !text.is_empty() && text.chars().all(plain) { text } else { format!("{text:?}") }
    };
    format!("[{}]", words.iter().map(quoted).collect::<Vec<_>>().join(", "))
}
