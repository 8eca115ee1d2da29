//! What the kinds of anomalies and checks mean, in the words that every report uses.
//!
//! Owns the definitions, and which anomalies a check is about.

use crate::anomaly::Anomaly;
use crate::checks::reason_of;

use super::format::{float, instant, millis, plural};
use super::summary::{CheckRow, FaultSummary, Summary};

/// What an anomaly is, in one clause.
pub const fn meaning(anomaly: Anomaly) -> &'static str {
    match anomaly {
        Anomaly::Lost => {
            "acknowledged, but not in the log when a reader passed its place, nor at a second look"
        }
        Anomaly::Skipped => "acknowledged, passed over by the reader, and found there by a fresh one",
        Anomaly::Unreadable => "acknowledged, but a reachable broker gave no record there",
        Anomaly::Unread => "acknowledged, but the reader never came that far",
        Anomaly::Duplicate => "one message at two or more offsets",
        Anomaly::Reordered => "two messages of one producer and partition in the other order than sent",
        Anomaly::Corrupt => "content that differs from what was sent",
        Anomaly::Misplaced => "acknowledged at one offset, read at another",
        Anomaly::Rewritten => "one offset that held two different messages at two times",
        Anomaly::Phantom => "read, though its sending is known to have failed",
        Anomaly::Nonmonotonic => "an offset handed out at or below an earlier one",
        Anomaly::WatermarkLie => "a record at or above the high watermark that the quiet broker reports",
        Anomaly::Foreign => "records of other runs or programs: counted, never judged",
    }
}

/// Whether finding it is a fault of somebody. Foreign records are not.
pub const fn is_suspect(anomaly: Anomaly) -> bool {
    !matches!(anomaly, Anomaly::Foreign)
}

/// The anomalies that a check of this row asks about.
pub fn anomalies_of(row: &CheckRow) -> Vec<Anomaly> {
    match row.kind.as_str() {
        "no_loss" | "continuity" => vec![Anomaly::Lost, Anomaly::Skipped, Anomaly::Unread],
        "no_duplicates" => vec![Anomaly::Duplicate],
        "in_order" => vec![Anomaly::Reordered],
        "no_corruption" => {
            vec![Anomaly::Corrupt, Anomaly::Misplaced, Anomaly::Rewritten, Anomaly::Phantom]
        }
        "offsets_monotonic" => vec![Anomaly::Nonmonotonic],
        "uuid_match" => vec![Anomaly::Corrupt, Anomaly::Lost],
        "threshold" => {
            let metric = row.expected.split_whitespace().next().unwrap_or_default();
            Anomaly::from_name(metric).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The exact count of an anomaly; none where it is not known.
pub fn anomaly_count(summary: &Summary, anomaly: Anomaly) -> Option<u64> {
    summary.anomalies.get(anomaly.name()).and_then(|a| a.count)
}

/// How a scenario ended, in words.
pub fn ended_words(ended: &str) -> &str {
    match ended {
        "done" => "done",
        "timeout" => "ran out of time",
        "idle" => "nothing came any more",
        "aborted" => "cut short",
        "interrupted" => "interrupted",
        "skipped" => "skipped",
        "failed" => "could not work",
        other => other,
    }
}

/// The one line of numbers that says most about a check: what was wanted and what was found.
pub fn expected_actual(row: &CheckRow) -> String {
    match (row.expected.is_empty(), row.actual.is_empty()) {
        (true, true) => String::new(),
        (true, false) => row.actual.clone(),
        (false, true) => format!("expected {}", row.expected),
        (false, false) => format!("expected {}, got {}", row.expected, row.actual),
    }
}

/// When a fault was, in words.
pub fn fault_span(fault: &FaultSummary) -> String {
    match (fault.started_ms, fault.ended_ms) {
        (Some(start), Some(end)) => format!("{} to {}", instant(Some(start)), instant(Some(end))),
        (Some(start), None) => format!("from {}", instant(Some(start))),
        _ => "never began".to_owned(),
    }
}

/// What clients felt of a fault, in words: the recovery time, the longest standstill, the recovery point.
pub fn fault_felt(fault: &FaultSummary) -> Vec<String> {
    let time = |ms: u64| millis(float(ms));
    let mut felt = Vec::new();
    felt.extend(fault.first_ack_ms.map(|ms| format!("first ack {} after it", time(ms))));
    felt.extend(fault.first_read_ms.map(|ms| format!("first read {} after it", time(ms))));
    felt.extend(fault.longest_gap_ms.map(|ms| format!("longest gap {}", time(ms))));
    felt.extend(fault.lost.map(|lost| format!("{} lost", plural(lost, "acked message", "acked messages"))));
    felt
}

/// A fault in one line: what, when, whether it took effect and how that is known, and what clients felt.
pub fn fault_line(fault: &FaultSummary) -> String {
    let proof = reason_of(&fault.proof);
    let behind = if proof.is_empty() { String::new() } else { format!(" ({proof})") };
    let (name, kind, target) = (&fault.name, &fault.kind, &fault.target);
    let mut parts = vec![format!("{name}: {kind} {target}, {}", fault_span(fault))];
    match (fault.effective, fault.started_ms) {
        (true, _) => parts.push(format!("took effect{behind}")),
        (false, Some(_)) => parts.push(format!("not shown to have taken effect{behind}")),
        (false, None) => parts[0].push_str(&behind),
    }
    let felt = fault_felt(fault);
    if !felt.is_empty() {
        parts.push(felt.join(", "));
    }
    parts.join("; ")
}
