//! Explanations of anomalies, checks and classes of the account. All reports use the same words.
//!
//! Also maps checks to the anomalies that they are about.

use crate::anomaly::Anomaly;
use crate::checks::{self, CheckOutcome, reason_of};
use crate::ledger::Account;
use crate::plan::{CheckKind, ScenarioKind};
use crate::record::account;
use crate::units::grouped;

use super::format::{count, float, instant, millis, plural};
use super::summary::{
    AccountsSummary, AnomalySummary, CheckRow, EvidenceRow, FaultSummary, ScenarioSummary, Summary,
};

/// The meaning of an anomaly, as a clause.
pub const fn meaning(anomaly: Anomaly) -> &'static str {
    match anomaly {
        Anomaly::Lost => {
            "acknowledged, but missing from the log, also when re-read by a fresh \
        client"
        }
        Anomaly::Skipped => {
            "acknowledged and missed by a reader that passed its offset, but found by a fresh \
            client"
        }
        Anomaly::Unreadable => {
            "acknowledged, but a reachable broker returned no record at its \
        offset"
        }
        Anomaly::Unread => "acknowledged, but the reader did not reach it",
        Anomaly::Duplicate => "one message at two or more offsets",
        Anomaly::Reordered => {
            "two messages of one producer and partition in a different order \
        than sent"
        }
        Anomaly::Overtaken => {
            "sent after another message was acknowledged, but acknowledged at a lower offset"
        }
        Anomaly::Corrupt => "content that differs from what was sent",
        Anomaly::Misplaced => "acknowledged at one offset, read at another",
        Anomaly::Rewritten => "one offset that returned different messages at different times",
        Anomaly::Collided => "one offset that was acknowledged for two messages",
        Anomaly::Resurrected => "a record that is older than its topic, which kaf6 created",
        Anomaly::Phantom => "read, although its send is known to have failed",
        Anomaly::Nonmonotonic => "an offset that a reader got at or below an earlier one",
        Anomaly::StaleEnd => {
            "an acknowledged offset at or above the end of the log that the broker reports later"
        }
        Anomaly::Foreign => "records of other runs or programs; kaf6 counts them, but does not check them",
    }
}

/// All classes of the account, in the order of [`crate::ledger::Account::CLASSES`], with what their messages are
/// as a sentence.
const CLASSES: [(&str, &str); 22] = [
    ("planned", "Messages to send if nothing fails."),
    ("unsent", "Planned, but never passed to the client."),
    ("sent", "Passed to the client."),
    ("acked", "The broker confirmed them."),
    ("failed", "Definitely not written: the broker refused them, or they were never sent."),
    ("unknown", "Neither confirmed nor failed: they may or may not be in the log."),
    ("found", "Unknown, but read back."),
    ("absent", "Unknown, and not in the log, which was read to its end."),
    ("unchecked", "Unknown, and no reader read that far."),
    ("permitted", "Failed and unknown messages that the file allows."),
    ("verified", "Acked, and read back unmodified at the acked offset."),
    ("excluded", "Acked, but not read back, because the producer sets `verify: false`."),
    ("lost", "Acked, but missing from the log, also when re-read by a fresh client."),
    ("unreadable", "Acked, but a reachable broker returned no record at their offsets."),
    (
        "skipped",
        "Acked and missed by a reader that passed their offsets, but found by a \
    fresh client.",
    ),
    ("corrupt", "Acked, but modified when read."),
    ("misplaced", "Acked at one offset, but read only at other offsets."),
    (
        "rewritten",
        "Acked and read, but their offset returned another message at another \
    time.",
    ),
    ("expired", "Acked, but removed by retention before any reader read them."),
    (
        "superseded",
        "Acked, but removed by compaction: the log has a later record with the \
    same key.",
    ),
    ("unread", "Acked, but a reader or the audit did not reach them."),
    ("unassigned", "Acked, but no reader is assigned to them."),
];

/// What the messages of a class are, as a sentence.
pub fn class_meaning(name: &str) -> &'static str {
    CLASSES.iter().find(|(class, _)| *class == name).map_or("", |(_, meaning)| meaning)
}

/// The label of a readback consumer.
pub const READBACK: &str = "read back by kaf6";
/// Why kaf6 added a readback consumer.
pub const READBACK_WHY: &str = "kaf6 added this reader for messages that no reader in the file \
reads completely. To turn it off, set `verify: false` in the producers.";

/// Where the messages went, as a sentence without a period. `None` if no scenario sends messages.
pub fn account_sentence(run: &Summary) -> Option<String> {
    run.accounts.as_ref().map(|it| account::sentence(&it.total.to_account(), it.markers))
}

/// Where the messages went, in one line. `None` if no scenario sends messages.
pub fn account_line(run: &Summary) -> Option<String> {
    let line = |it: &AccountsSummary| account::line(&it.total.to_account(), it.markers);
    run.accounts.as_ref().map(|accounts| format!("messages: {}", line(accounts)))
}

/// What the account shows: see [`account::standing`].
pub fn standing(accounts: &AccountsSummary) -> CheckOutcome {
    account::standing(&accounts.total.to_account(), accounts.markers)
}

/// What to change in the scenario file about messages that are not accounted for. Scenarios that could not
/// run, or were ended early with the run, need other advice, which the reason of the run gives. No change in
/// the file fixes a broken promise.
pub fn account_advice(run: &Summary, accounts: &AccountsSummary) -> Vec<String> {
    if standing(accounts) == CheckOutcome::Fail {
        return Vec::new();
    }
    let had_its_time = |name: &str| {
        let cut = ["skipped", "failed", "aborted", "interrupted"];
        run.scenarios.get(name).is_none_or(|it| !cut.contains(&it.ended.as_str()))
    };
    let scenarios = accounts.scenarios.iter().filter(|(name, _)| had_its_time(name));
    let named: Vec<(&str, Account)> =
        scenarios.map(|(name, it)| (name.as_str(), it.account.to_account())).collect();
    account::advice(named.iter().map(|(name, account)| (*name, account)), is_embedded(run))
}

/// Whether the run used the embedded broker.
pub fn is_embedded(run: &Summary) -> bool {
    run.brokers == ["embedded"]
}

/// Whether the anomaly indicates a problem. Foreign records do not.
pub const fn is_suspect(anomaly: Anomaly) -> bool {
    !matches!(anomaly, Anomaly::Foreign)
}

/// The anomalies that a check is about.
pub fn anomalies_of(row: &CheckRow) -> Vec<Anomaly> {
    // The expression of a `threshold` may name an anomaly.
    let named =
        row.expected.split_whitespace().next().filter(|_| row.check_kind() == Some(CheckKind::Threshold));
    let named = named.and_then(Anomaly::from_name);
    row.check_kind().map_or(&[][..], checks::anomalies_of).iter().copied().chain(named).collect()
}

/// The exact count of an anomaly. `None` if it is unknown.
pub fn anomaly_count(summary: &Summary, anomaly: Anomaly) -> Option<u64> {
    summary.anomalies.get(anomaly.name()).and_then(|a| a.count)
}

/// Text after the count of an anomaly: how many a retry explains or may explain. Empty if there are none.
pub fn beside_count(found: &AnomalySummary) -> String {
    let parts = [
        (found.explained, "explained by a retry"),
        (
            found.undecided,
            "possibly explained \
    by a retry",
        ),
    ];
    let parts = parts.into_iter().filter_map(|(n, what)| Some((n.filter(|n| *n > 0)?, what)));
    parts.map(|(n, what)| format!("{} more {what}", count(n))).collect::<Vec<_>>().join(", ")
}

/// The number of all messages with an anomaly, explained or not.
pub const fn all_of(found: &AnomalySummary) -> u64 {
    const fn of(count: Option<u64>) -> u64 {
        match count {
            Some(count) => count,
            None => 0,
        }
    }
    of(found.count).saturating_add(of(found.explained)).saturating_add(of(found.undecided))
}

/// The number of messages in these pieces of evidence.
pub fn shown<'a>(pieces: impl IntoIterator<Item = &'a EvidenceRow>) -> u64 {
    pieces.into_iter().fold(0, |sum, piece| sum.saturating_add(piece.messages()))
}

/// The number of messages or records in a range. Empty for a single one.
pub fn how_many(piece: &EvidenceRow) -> String {
    let what = if piece.seq.is_some() { "messages" } else { "records" };
    piece.count.map_or_else(String::new, |n| format!("{} {what}", count(n)))
}

/// A number, or a range of numbers: `7`, `7 and 9`, `7 to 26`, `7 to 45, every 2nd`.
pub fn range(first: i64, to: Option<i64>, messages: u64) -> String {
    let to = to.filter(|to| messages > 1 && *to != first);
    let behind = i64::try_from(messages.saturating_sub(1)).unwrap_or(i64::MAX);
    match to {
        None => first.to_string(),
        Some(to) if behind == 1 => format!("{first} and {to}"),
        Some(to) => match to.saturating_sub(first) / behind {
            step @ 2.. => {
                let end = match step {
                    2 => "nd",
                    3 => "rd",
                    _ => "th",
                };
                format!("{first} to {to}, every {step}{end}")
            }
            _ => format!("{first} to {to}"),
        },
    }
}

/// The offsets of a piece of evidence: `offset 7`, `offsets 7 to 26`.
pub fn offsets(piece: &EvidenceRow) -> Option<String> {
    let offsets = range(piece.offset?, piece.to_offset, piece.messages());
    Some(format!("offset{} {offsets}", if piece.to_offset.is_some() { "s" } else { "" }))
}

/// The observer of a piece of evidence, as text.
pub fn observer_words(consumer: &str) -> String {
    match consumer {
        "audit" => "the audit".to_owned(),
        "recheck" => "a re-read".to_owned(),
        name => format!("`{name}`"),
    }
}

/// How a scenario ended, as text.
pub fn ended_words(ended: &str) -> &str {
    match ended {
        "done" => "done",
        "timeout" => "timed out",
        "idle" => "received nothing more",
        "aborted" => "aborted",
        "interrupted" => "interrupted",
        "skipped" => "skipped",
        "failed" => "could not run",
        "fatal" => "fatal client error",
        other => other,
    }
}

/// How a scenario ended. If it could not run, with the reason.
pub fn ending(scenario: &ScenarioSummary) -> String {
    let words = ended_words(&scenario.ended);
    let could_not_run = matches!(scenario.ended.as_str(), "failed" | "skipped");
    match scenario.message.as_deref().filter(|_| could_not_run) {
        Some(message) => format!("{words}: {message}"),
        None => words.to_owned(),
    }
}

/// The expected and actual value of a check, in one line.
pub fn expected_actual(row: &CheckRow) -> String {
    match (row.expected.is_empty(), row.actual.is_empty()) {
        (true, true) => String::new(),
        (true, false) => grouped(&row.actual),
        (false, true) => format!("expected {}", grouped(&row.expected)),
        (false, false) => format!("expected {}, got {}", grouped(&row.expected), grouped(&row.actual)),
    }
}

/// The expected and actual value of a check and its message, in one line that is clear without its context.
pub fn check_words(row: &CheckRow) -> String {
    let numbers = expected_actual(row);
    match row.message.as_str() {
        "" => numbers,
        message if numbers.is_empty() => message.to_owned(),
        // Such as `expected 0 lost, got 3 lost of 4,800 acked messages`.
        message if message.starts_with("of ") => format!("{numbers} {message}"),
        message => format!("{numbers}: {message}"),
    }
}

/// When a fault was active, as text.
pub fn fault_span(fault: &FaultSummary) -> String {
    match (fault.started_ms, fault.ended_ms) {
        (Some(start), Some(end)) => format!("{} to {}", instant(Some(start)), instant(Some(end))),
        (Some(start), None) => format!("from {}", instant(Some(start))),
        _ => "never started".to_owned(),
    }
}

/// The effect of a fault on clients, as text: recovery time, longest gap, recovery point.
pub fn fault_felt(fault: &FaultSummary) -> Vec<String> {
    let time = |ms: u64| millis(float(ms));
    let mut felt = Vec::new();
    felt.extend(fault.first_ack_ms.map(|ms| format!("first ack {} after the fault", time(ms))));
    felt.extend(fault.first_read_ms.map(|ms| format!("first read {} after the fault", time(ms))));
    felt.extend(fault.longest_gap_ms.map(|ms| format!("longest gap {}", time(ms))));
    felt.extend(fault.lost.map(|lost| format!("{} lost", plural(lost, "acked message", "acked messages"))));
    felt
}

/// A fault in one line: what, when, whether it took effect, the proof, and the effect on clients.
pub fn fault_line(fault: &FaultSummary) -> String {
    let proof = reason_of(&fault.proof);
    let behind = if proof.is_empty() { String::new() } else { format!(" ({proof})") };
    let (name, kind, target) = (&fault.name, &fault.kind, &fault.target);
    let mut parts = vec![format!("{name}: {kind} {target}, {}", fault_span(fault))];
    match (fault.effective, fault.started_ms) {
        (true, _) => parts.push(format!("took effect{behind}")),
        (false, Some(_)) => parts.push(format!("no proof that it took effect{behind}")),
        (false, None) => parts[0].push_str(&behind),
    }
    let felt = fault_felt(fault);
    if !felt.is_empty() {
        parts.push(felt.join(", "));
    }
    parts.join("; ")
}

/// How much work a scenario did.
pub(super) fn done(s: &ScenarioSummary) -> Option<u64> {
    match s.scenario_kind() {
        Some(ScenarioKind::Consume) => s.received,
        Some(ScenarioKind::Produce) => s.acked.or(s.sent),
        // Each failed attempt is an error.
        Some(kind) if kind.attempts() => s.sent.map(|attempts| attempts.saturating_sub(s.errors)),
        _ => s.received.or(s.acked).or(s.sent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_exact() {
        assert_eq!(range(7, None, 1), "7");
        assert_eq!(range(7, Some(9), 2), "7 and 9");
        assert_eq!(range(7, Some(26), 20), "7 to 26");
        assert_eq!(range(7, Some(45), 20), "7 to 45, every 2nd");
        assert_eq!(range(7, Some(7), 20), "7");
        assert_eq!(range(i64::MIN, Some(i64::MAX), u64::MAX), format!("{} to {}", i64::MIN, i64::MAX));
        assert_eq!(range(i64::MAX, Some(i64::MIN), 0), i64::MAX.to_string());
    }

    #[test]
    fn each_class_has_its_meaning_in_the_order_of_the_account() {
        let names: Vec<&str> = Account::CLASSES.iter().map(|(name, _)| *name).collect();
        assert_eq!(CLASSES.map(|(class, _)| class).to_vec(), names);
    }
}
