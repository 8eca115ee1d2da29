//! What the parts of a plan's page share.
//!
//! Owns its two columns, and how counts and times are written there.

pub(crate) mod containers;
pub mod timeline;

use std::fmt::Write;
use std::time::Duration as StdDuration;

use super::{Counter, When};
use crate::units::Duration;

/// Two columns under a title; nothing where there is nothing.
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

/// One line: a text of the file may hold more.
pub(super) fn line(out: &mut String, text: &str) {
    out.push_str(text.replace(['\n', '\r'], " ").trim_end());
    out.push('\n');
}

/// A number of things.
pub(super) fn count(number: u64, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// A length of time.
pub(super) fn time(length: StdDuration) -> String {
    Duration::from(length).to_string()
}

/// A start by count.
pub(super) fn when_text(when: &When) -> String {
    let counter = match when.counter {
        Counter::Sent => "sent",
        Counter::Acked => "acked",
        Counter::Received => "received",
    };
    format!("{}.{counter} >= {}", when.scenario, when.at_least)
}
