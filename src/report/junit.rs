//! `junit.xml`: one suite per scenario file, with one case per check and one for the account, for Jenkins,
//! GitLab and others.
//!
//! Maps a summary to JUnit. `quick-junit` writes the XML.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::findings;
use super::format::count;
use super::summary::{AccountsSummary, CheckOutcome, CheckRow, EvidenceRow, Summary};
use super::words::{
    READBACK, account_advice, account_line, account_sentence, all_of, anomalies_of, beside_count,
    check_words, ended_words, ending, fault_line, how_many, meaning, observer_words, offsets, range, shown,
    standing,
};
use crate::anomaly::Anomaly;
use crate::ledger::{Account, Markers};
use crate::record::account;
use crate::units::grouped;

/// Maximum number of evidence lines per broken promise in the account's case. The cases of checks have
/// more.
const FIRST: usize = 3;

/// The file of one run.
///
/// # Errors
///
/// If quick-junit cannot write the XML, which does not happen in practice.
pub fn junit(summary: &Summary) -> Result<Vec<u8>, SerializeError> {
    merge(std::slice::from_ref(summary))
}

/// One file for several runs, with one suite each.
///
/// # Errors
///
/// See [`junit`].
pub fn merge(runs: &[Summary]) -> Result<Vec<u8>, SerializeError> {
    let mut report = Report::new("kaf6");
    let total = runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.duration_ms));
    report.set_time(Duration::from_millis(total));
    let mut suites: Vec<TestSuite> = runs.iter().map(suite).collect();
    tell_apart(&mut suites, runs);
    report.add_test_suites(suites);
    // The schema of Jenkins does not allow `skipped` on the root. kaf6 never skips checks, so removing the
    // attribute hides nothing.
    Ok(report.to_string()?.replacen(" skipped=\"0\"", "", 1).into_bytes())
}

/// Makes names unique. Consumers identify a case by class and name, and drop duplicates.
fn tell_apart(suites: &mut [TestSuite], runs: &[Summary]) {
    let mut known = HashSet::new();
    for (suite, run) in suites.iter_mut().zip(runs) {
        let is_shared = runs.iter().filter(|other| other.name == run.name).count() > 1;
        let path = Path::new(&run.source.path).with_extension("");
        let class = if is_shared { format!("{} ({})", run.name, path.display()) } else { run.name.clone() };
        let class = clean(&class);
        for case in &mut suite.test_cases {
            let own = case.name.as_str().to_owned();
            let mut name = own.clone();
            let mut number = 1;
            while !known.insert((class.clone(), name.clone())) {
                number += 1;
                name = format!("{own} #{number}");
            }
            case.name = name.into();
            case.set_classname(class.clone());
        }
    }
}

fn suite(run: &Summary) -> TestSuite {
    let mut suite = TestSuite::new(clean(&run.source.path));
    suite.set_time(Duration::from_millis(run.duration_ms));
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(&run.started_at) {
        suite.set_timestamp(at);
    }
    let brokers = run.brokers.join(",");
    for (name, value) in [
        ("run_id", run.run_id.as_str()),
        ("run_tag", &run.run_tag),
        ("profile", run.profile.as_deref().unwrap_or_default()),
        ("brokers", &brokers),
        ("kaf6_version", &run.kaf6_version),
        ("status", run.status.name()),
        ("reason", &run.reason),
    ] {
        if !value.is_empty() {
            suite.add_property((clean(name), clean(value)));
        }
    }
    suite.add_test_cases(run.check_results.iter().map(|row| case(run, row)));
    let account = run.accounts.as_ref().map(standing);
    if let Some((accounts, outcome)) = run.accounts.as_ref().zip(account) {
        suite.add_test_case(account_case(run, accounts, outcome));
    }
    let outcomes = run.check_results.iter().map(|row| row.result).chain(account);
    let worst = outcomes.min_by_key(|outcome| outcome.rank());
    let whole = run.status.outcome();
    // The file must not look better than the run.
    if worst.is_none_or(|worst| whole.rank() < worst.rank()) {
        suite.add_test_case(whole_run(run, whole));
    }
    suite.set_system_out(clean(&system_out(run)));
    suite
}

/// A case with the status of the run, if the other cases look better than the run or there are none.
fn whole_run(run: &Summary, outcome: CheckOutcome) -> TestCase {
    let mut case = TestCase::new("run", status(outcome, "run", &run.reason, &run.reason));
    case.set_time(Duration::from_millis(run.duration_ms));
    case
}

/// The case of the account.
fn account_case(run: &Summary, accounts: &AccountsSummary, outcome: CheckOutcome) -> TestCase {
    let sentence = account_sentence(run).unwrap_or_default();
    let mut text = format!("{sentence}\n\n");
    for (name, scenario) in &accounts.scenarios {
        let line = account::line(&scenario.account.to_account(), Markers::default());
        let _ = writeln!(text, "{name}: {line}");
    }
    let advice = account_advice(run, accounts);
    if !advice.is_empty() {
        let _ = writeln!(text, "\nto fix: {}", advice.join("; "));
    }
    links(&mut text, &findings::of_run(accounts));
    let total = accounts.total.to_account();
    for anomaly in broken_anomalies(&total) {
        let Some(found) = run.anomalies.get(anomaly.name()) else { continue };
        let _ = writeln!(text, "\n{}: {}", anomaly.name(), meaning(anomaly));
        for piece in found.evidence.iter().take(FIRST) {
            let _ = writeln!(text, "  {}", evidence(piece));
        }
    }
    let _ = writeln!(text, "\nrun       {} (tag {})", run.run_id, run.run_tag);
    let mut case = TestCase::new("account", status(outcome, "account", &sentence, &text));
    case.set_time(Duration::from_millis(run.duration_ms));
    case
}

/// The anomalies that the account counts as broken promises.
fn broken_anomalies(total: &Account) -> impl Iterator<Item = Anomaly> {
    let broken = Account::BROKEN.iter().filter(|(_, count)| count(total) > 0);
    broken.filter_map(|(name, _)| Anomaly::from_name(name))
}

fn case(run: &Summary, row: &CheckRow) -> TestCase {
    let several = run.check_results.iter().filter(|other| other.name == row.name).count() > 1;
    let name = match &row.scenario {
        Some(scenario) if several => format!("{} [{scenario}]", row.name),
        _ => row.name.clone(),
    };
    let message = check_words(row);
    let mut case = TestCase::new(clean(&name), status(row.result, &row.kind, &message, &details(run, row)));
    case.set_time(row.scenario.as_ref().map_or(Duration::ZERO, |name| time_of(run, name)));
    case
}

/// How long the check's scenario ran, as an approximation of the check's own time.
fn time_of(run: &Summary, scenario: &str) -> Duration {
    let times = run.scenarios.get(scenario).and_then(|s| s.started_ms.zip(s.ended_ms));
    Duration::from_millis(times.map_or(0, |(start, end)| end.saturating_sub(start)))
}

fn status(outcome: CheckOutcome, kind: &str, message: &str, details: &str) -> TestCaseStatus {
    let wrong = match outcome {
        CheckOutcome::Pass => return TestCaseStatus::success(),
        CheckOutcome::Fail => NonSuccessKind::Failure,
        CheckOutcome::Inconclusive => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(wrong);
    status.set_type(clean(kind)).set_message(clean(message)).set_description(clean(details));
    status
}

/// The text of a failed case, with everything needed to understand it without the page.
fn details(run: &Summary, row: &CheckRow) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{label:<10}{value}");
        }
    };
    line("check", &format!("{} ({})", row.name, row.kind));
    line("scenario", row.scenario.as_deref().unwrap_or_default());
    line("result", row.result.name());
    line("expected", &grouped(&row.expected));
    line("actual", &grouped(&row.actual));
    line("message", &row.message);
    line("covers", &row.covers);
    line("at", &format!("{}:{}:{}", row.position.file, row.position.line, row.position.column));
    line("run", &format!("{} (tag {})", run.run_id, run.run_tag));
    links(&mut text, &findings::unacked(run, row));
    for anomaly in anomalies_of(row) {
        let Some(found) = run.anomalies.get(anomaly.name()) else { continue };
        let total = all_of(found);
        if total == 0 {
            continue;
        }
        let _ =
            write!(text, "\n{} {}: {}", count(found.count.unwrap_or(0)), anomaly.name(), meaning(anomaly));
        let beside = beside_count(found);
        if !beside.is_empty() {
            let _ = write!(text, "; {beside}");
        }
        let _ = writeln!(text, "\n  causes and next steps: {}", findings::link(anomaly.name()));
        for piece in &found.evidence {
            let _ = writeln!(text, "  {}", evidence(piece));
        }
        let more = total.saturating_sub(shown(&found.evidence));
        if more > 0 {
            let _ = writeln!(text, "  and {} more", count(more));
        }
    }
    if !run.faults.is_empty() {
        text.push_str("\nfaults\n");
    }
    for fault in &run.faults {
        let _ = writeln!(text, "  {}", fault_line(fault));
    }
    text
}

/// Adds the links to the docs of these findings.
fn links(text: &mut String, names: &[&str]) {
    if !names.is_empty() {
        text.push_str("\ncauses and next steps\n");
    }
    for name in names {
        let _ = writeln!(text, "  {}", findings::link(name));
    }
}

/// One piece of evidence as a line.
pub(super) fn evidence(piece: &EvidenceRow) -> String {
    let mut text = format!("{}[{}]", piece.topic, piece.partition);
    if let Some(offsets) = offsets(piece) {
        let _ = write!(text, " {offsets}");
    }
    if let Some(other) = piece.other_offset {
        let others = range(other, piece.to_other_offset, piece.messages());
        let noun = if others.contains(' ') { "offsets" } else { "offset" };
        let _ = write!(text, " (other {noun} {others})");
    }
    if piece.count.is_some() {
        let _ = write!(text, ", {}", how_many(piece));
    } else if let Some(identity) = &piece.identity {
        let _ = write!(text, " {identity}");
    }
    if let Some(producer) = &piece.producer {
        let _ = write!(text, " by {producer}");
    }
    if let Some(seq) = piece.seq {
        let _ = write!(text, " seq {seq}");
        if let Some(to) = piece.to_seq {
            let _ = write!(text, " to {to}");
        }
    }
    if let Some(at) = piece.at_ms {
        let to = piece.to_ms.filter(|to| *to != at).map_or_else(String::new, |to| format!(" to {to}"));
        let _ = write!(text, " at {at}{to} ms");
    }
    if piece.explained == Some(true) {
        text.push_str(" (explained)");
    }
    if let Some(observer) = &piece.consumer {
        let _ = write!(text, ", seen by {}", observer_words(observer));
    }
    if !piece.detail.is_empty() {
        let _ = write!(text, ": {}", piece.detail);
    }
    text
}

fn system_out(run: &Summary) -> String {
    let mut text = format!("{}: {}\n", run.status.name(), run.reason);
    if let Some(line) = account_line(run) {
        let _ = writeln!(text, "{line}");
    }
    for (name, s) in &run.scenarios {
        let kind = if s.implicit { READBACK } else { &s.kind };
        let _ = write!(text, "{name} ({kind}): {}", ended_words(&s.ended));
        for (label, value) in
            [("acked", s.acked), ("received", s.received), ("failed", s.failed), ("unknown", s.unknown)]
        {
            if let Some(value) = value.filter(|&v| v > 0 || label == "acked" || label == "received") {
                let _ = write!(text, ", {} {label}", count(value));
            }
        }
        if s.errors > 0 {
            let _ = write!(text, ", {} errors", count(s.errors));
        }
        if let Some(p95) = &s.p95_ms {
            let _ = write!(text, ", p95 {} ms", p95.0);
        }
        text.push_str(ending(s).strip_prefix(ended_words(&s.ended)).unwrap_or_default());
        text.push('\n');
    }
    for fault in &run.faults {
        let _ = writeln!(text, "fault {}", fault_line(fault));
    }
    for container in run.containers.iter().filter(|c| !c.last_lines.is_empty()) {
        let _ = writeln!(text, "last log lines of {}.{}:", container.service, container.replica);
        for line in &container.last_lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    for note in &run.notes {
        let _ = writeln!(text, "note: {}", note.text);
    }
    text
}

/// Removes characters that XML 1.0 cannot contain. quick-junit removes control characters below 0x20 and
/// terminal escapes; U+FFFE, U+FFFF and the C1 controls remain.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{7f}'..='\u{9f}')).collect()
}
