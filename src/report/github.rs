//! Output for GitHub: the step summary in Markdown, annotations on lines of the scenario file, and step
//! outputs.
//!
//! Defines these formats, their limits and their escaping. `cli::github` writes them.

use std::fmt::Write as _;
use std::path::Path;

use super::findings;
use super::format::{count, float, latency, millis, number};
use super::html::Section;
use super::index::worst;
use super::summary::{
    CheckOutcome, CheckRow, NoteLevel, PositionSummary, RunStatus, ScenarioSummary, Summary,
};
use super::words::{
    READBACK, account_line, all_of, beside_count, check_words, class_meaning, ending, is_embedded, offsets,
};
use super::{INDEX_JSON, JUNIT_XML, REPORT_HTML, SUMMARY_JSON};
use crate::anomaly::Anomaly;
use crate::ledger::{Account, Markers};
use crate::record::account;
use crate::scenario::{Diagnostic, Diagnostics};
use crate::units::grouped;

/// Maximum size of a step summary. GitHub rejects more than 1 MiB.
const MARKDOWN_MOST: usize = 512 << 10;
/// Maximum number of rows in a table.
const ROWS: usize = 50;
/// GitHub shows this many annotations of each level per step.
const ANNOTATIONS: usize = 10;
/// Maximum size of the summary as a step output. If it is larger, the output is empty, but the file exists.
/// Linux starts no process with a variable of more than 128 KiB, and steps usually use outputs as variables.
pub const OUTPUT_MOST: usize = 120 << 10;

/// The step summary of these runs, whose folders are in `report_dir`.
pub fn markdown(runs: &[Summary], report_dir: &Path) -> String {
    let mut out = String::new();
    for run in runs {
        let section = section(run, report_dir);
        if out.len() + section.len() > MARKDOWN_MOST {
            let _ = writeln!(
                out,
                "\n_More runs than fit here; see {}._",
                code(&report_dir.display().to_string())
            );
            break;
        }
        out.push_str(&section);
    }
    out
}

fn section(run: &Summary, report_dir: &Path) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "## {} {}: {}\n", mark(run.status.outcome()), text(&run.name), run.status.name());
    // The reason ends with what to change.
    let _ = writeln!(out, "{}\n", text_of(&run.reason, 3000));
    for section in Section::ORDER {
        match section {
            Section::Checks => checks(run, &mut out),
            Section::Account => messages(run, &mut out),
            Section::Anomalies => anomalies(run, &mut out),
            Section::Notes => notes(run, &mut out),
            Section::Faults => faults(run, &mut out),
            Section::Scenarios => scenarios(run, &mut out),
            _ => {}
        }
    }
    let folder = report_dir.join(&run.run_id);
    let _ = writeln!(
        out,
        "Run {} of {} took {}. The report is {} (next to {SUMMARY_JSON} and {JUNIT_XML}).\n",
        code(&run.run_id),
        code(&run.source.path),
        millis(float(run.duration_ms)),
        code(&folder.join(REPORT_HTML).display().to_string()),
    );
    out
}

/// The classes of all messages.
fn messages(run: &Summary, out: &mut String) {
    if let Some(line) = account_line(run) {
        let _ = writeln!(out, "{}\n", text(&line));
    }
    let links: Vec<String> = run.accounts.iter().flat_map(findings::of_run).map(finding).collect();
    if !links.is_empty() {
        let _ = writeln!(out, "Causes and next steps: {}\n", links.join(", "));
    }
}

fn checks(run: &Summary, out: &mut String) {
    let mut rows: Vec<&CheckRow> = run.check_results.iter().collect();
    rows.sort_by_key(|row| row.result.rank());
    let cells = rows.iter().map(|row| {
        let name = match &row.scenario {
            Some(scenario) => format!("{} ({})", text(&row.name), text(scenario)),
            None => text(&row.name),
        };
        let message =
            if row.message.is_empty() { String::new() } else { format!("<br>{}", text(&row.message)) };
        let result = format!("{} {}", mark(row.result), row.result.name());
        let links: Vec<String> = findings::of_check(run, row).into_iter().map(finding).collect();
        let links = if links.is_empty() { String::new() } else { format!("<br>see {}", links.join(", ")) };
        vec![
            result,
            name,
            text(&grouped(&row.expected)),
            format!("{}{message}{links}", text(&grouped(&row.actual))),
        ]
    });
    table(out, &["", "check", "expected", "actual"], cells);
}

fn scenarios(run: &Summary, out: &mut String) {
    let cells = run.scenarios.iter().map(|(name, it)| {
        vec![
            text(name),
            text(if it.implicit { READBACK } else { &it.kind }),
            done(it),
            it.rate_per_s.as_ref().map_or_else(|| "–".to_owned(), |rate| format!("{}/s", number(rate.get()))),
            latency(it.p50_ms.as_ref()),
            latency(it.p95_ms.as_ref()),
            latency(it.p99_ms.as_ref()),
            count(it.errors),
            text(&ending(it)),
        ]
    });
    table(out, &["scenario", "type", "done", "rate", "p50", "p95", "p99", "errors", "ended"], cells);
}

/// What a scenario did, with the counts of its type.
fn done(it: &ScenarioSummary) -> String {
    match (it.acked, it.received, it.sent) {
        (Some(acked), Some(received), _) => format!("{} acked, {} read", count(acked), count(received)),
        (Some(acked), None, _) => format!("{} acked", count(acked)),
        (None, Some(received), _) => format!("{} read", count(received)),
        (None, None, _) => super::words::done(it).map_or_else(|| "–".to_owned(), count),
    }
}

fn anomalies(run: &Summary, out: &mut String) {
    let found = run.anomalies.iter().filter(|(name, it)| name.as_str() != "foreign" && all_of(it) > 0);
    let cells = found.map(|(name, it)| {
        let first = it.evidence.first().map_or_else(String::new, |piece| {
            let at = offsets(piece).map_or_else(String::new, |offsets| format!(" at {offsets}"));
            format!("{} partition {}{at}: {}", text(&piece.topic), piece.partition, text(&piece.detail))
        });
        let name = Anomaly::from_name(name).map_or_else(|| text(name), |known| finding(known.name()));
        vec![name, it.count.map_or_else(|| "–".to_owned(), count), beside_count(it), first]
    });
    table(out, &["anomaly", "count", "more", "first"], cells);
}

/// The name of an anomaly or class as a link to the docs.
fn finding(name: &str) -> String {
    format!("[{}]({})", text(name), findings::link(name))
}

fn faults(run: &Summary, out: &mut String) {
    let cells = run.faults.iter().map(|it| {
        let ms = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |ms| millis(float(ms)));
        let took_effect = if it.effective { "✅" } else { "⚠️ no proven effect:" };
        vec![
            text(&it.name),
            format!("{} {}", text(&it.kind), text(&it.target)),
            ms(it.started_ms),
            ms(it.first_ack_ms),
            ms(it.first_read_ms),
            format!("{took_effect} {}", text(&it.proof)),
        ]
    });
    table(out, &["fault", "what", "at", "first ack after", "first read after", "proof"], cells);
}

fn notes(run: &Summary, out: &mut String) {
    if run.notes.is_empty() {
        return;
    }
    let notes = match run.notes.len() {
        1 => "1 note".to_owned(),
        count => format!("{count} notes"),
    };
    let _ = writeln!(out, "<details><summary>{notes}</summary>\n");
    for note in run.notes.iter().take(ROWS) {
        let _ = writeln!(out, "- {}", text(&note.text));
    }
    let _ = writeln!(out, "\n</details>\n");
}

/// A table. Empty if it has no rows.
fn table(out: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "| {} |", head.join(" | "));
    let _ = writeln!(out, "|{}", " --- |".repeat(head.len()));
    for row in rows.iter().take(ROWS) {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    if rows.len() > ROWS {
        let _ = writeln!(out, "\n_and {} more_", rows.len() - ROWS);
    }
    out.push('\n');
}

const fn mark(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Pass => "✅",
        CheckOutcome::Fail => "❌",
        CheckOutcome::Inconclusive => "⚠️",
    }
}

/// Escapes text for a Markdown table, so that it contains no markup, links or mentions and does not end the
/// cell.
fn text(raw: &str) -> String {
    text_of(raw, 300)
}

fn text_of(raw: &str, most: usize) -> String {
    let mut out = String::new();
    for c in raw.chars().take(most) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            // Otherwise GitHub would notify the user with this name.
            '@' => out.push_str("&#64;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    if raw.chars().count() > most {
        out.push('…');
    }
    out
}

/// Formats text as code. Backticks in it are replaced.
fn code(raw: &str) -> String {
    let clean: String =
        raw.chars().map(|c| if c.is_control() || c == '`' { '\u{fffd}' } else { c }).collect();
    format!("`{clean}`")
}

/// Workflow commands for these runs: an error on the line of each failed check and of each scenario with
/// broken promises, a warning for each inconclusive check and scenario, and a notice for each important
/// note. Paths are relative to `workspace`.
pub fn annotations(runs: &[Summary], workspace: Option<&Path>) -> String {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let mut notices = Vec::new();
    for run in runs {
        for row in &run.check_results {
            let message = check_words(row);
            let title = match &row.scenario {
                Some(scenario) => format!("{} failed for {scenario}", row.name),
                None => format!("{} failed", row.name),
            };
            match row.result {
                CheckOutcome::Fail => errors.push(place("error", &row.position, workspace, &title, &message)),
                CheckOutcome::Inconclusive => {
                    let title = title.replace("failed", "is inconclusive");
                    warnings.push(place("warning", &row.position, workspace, &title, &message));
                }
                CheckOutcome::Pass => {}
            }
        }
        for (name, scenario) in run.accounts.iter().flat_map(|accounts| &accounts.scenarios) {
            let account = scenario.account.to_account();
            match broken_account(run, name, &account, workspace) {
                Some(line) => errors.push(line),
                None if run.status == RunStatus::Error => {
                    warnings.extend(open_account(run, name, &account, workspace));
                }
                None => {}
            }
        }
        if run.status == RunStatus::Error && run.check_results.is_empty() {
            warnings.push(command(
                "warning",
                &[("file", &path(&run.source.path, workspace)), ("title", "inconclusive run")],
                &run.reason,
            ));
        }
        for note in &run.notes {
            let level = if note.level == NoteLevel::Error { &mut warnings } else { &mut notices };
            let kind = if note.level == NoteLevel::Error { "warning" } else { "notice" };
            let file = path(&run.source.path, workspace);
            level.push(command(kind, &[("file", &file), ("title", &run.name)], &note.text));
        }
    }
    let mut out = String::new();
    for level in [errors, warnings, notices] {
        for line in level.iter().take(ANNOTATIONS) {
            out.push_str(line);
        }
    }
    out
}

/// An error at the scenario whose messages show a broken promise. `None` if there is none.
fn broken_account(run: &Summary, name: &str, account: &Account, workspace: Option<&Path>) -> Option<String> {
    let broken = Account::BROKEN.iter().map(|(class, of)| (*class, of(account))).filter(|(_, n)| *n > 0);
    let broken: Vec<String> =
        broken.map(|(class, n)| format!("{} {class}: {}", count(n), class_meaning(class))).collect();
    if broken.is_empty() {
        return None;
    }
    let title = format!("messages of {name}: promise broken");
    Some(place("error", &position_of(run, name), workspace, &title, &broken.join(" ")))
}

/// A warning at the scenario whose messages are not accounted for, with what to change. `None` if all are.
fn open_account(run: &Summary, name: &str, own: &Account, workspace: Option<&Path>) -> Option<String> {
    let advice = account::advice([(name, own)], is_embedded(run));
    if advice.is_empty() {
        return None;
    }
    let title = format!("messages of {name} are not accounted for");
    let sentence = account::sentence(own, Markers::default());
    let message = format!("{sentence} ({})", advice.join("; "));
    Some(place("warning", &position_of(run, name), workspace, &title, &message))
}

/// The scenario's position in the file. Summaries of earlier versions do not have it.
fn position_of(run: &Summary, scenario: &str) -> PositionSummary {
    let position = run.scenarios.get(scenario).and_then(|it| it.position.clone());
    position.unwrap_or_else(|| PositionSummary { file: run.source.path.clone(), line: 1, column: 1 })
}

fn place(kind: &str, at: &PositionSummary, workspace: Option<&Path>, title: &str, message: &str) -> String {
    let (line, column) = (at.line.to_string(), at.column.to_string());
    let file = path(&at.file, workspace);
    command(kind, &[("file", &file), ("line", &line), ("col", &column), ("title", title)], message)
}

/// Workflow commands for invalid scenario files.
pub fn wrong_files(files: &[Diagnostics], workspace: Option<&Path>) -> String {
    let problems = files.iter().flat_map(Diagnostics::problems).take(ANNOTATIONS);
    let line = |problem: &Diagnostic| {
        let at = problem.position();
        let file = at.file.display().to_string();
        let at = PositionSummary { file, line: at.line, column: at.column };
        let message = match &problem.hint {
            Some(hint) => format!("{} ({hint})", problem.message),
            None => problem.message.clone(),
        };
        place("error", &at, workspace, "invalid scenario file", &message)
    };
    problems.map(line).collect()
}

/// A path relative to the workspace.
fn path(raw: &str, workspace: Option<&Path>) -> String {
    let inside = workspace.and_then(|workspace| Path::new(raw).strip_prefix(workspace).ok());
    let path = inside.map_or_else(|| raw.to_owned(), |path| path.display().to_string());
    path.strip_prefix("./").map_or(path.clone(), str::to_owned)
}

/// One workflow command. Characters that end a property or a line are escaped.
fn command(kind: &str, properties: &[(&str, &str)], message: &str) -> String {
    let escape = |raw: &str| raw.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let properties: Vec<String> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value).replace(':', "%3A").replace(',', "%2C")))
        .collect();
    format!("::{kind} {}::{}\n", properties.join(","), escape(message))
}

/// The step outputs of these runs: names and values. With several runs, they cover all of them.
pub fn outputs(runs: &[Summary], report_dir: &Path) -> Vec<(&'static str, String)> {
    let status = worst(runs.iter().map(|run| run.status));
    let checks = || runs.iter().flat_map(|run| &run.check_results);
    let failed = checks().filter(|row| row.result == CheckOutcome::Fail).count();
    let folder = match runs {
        [one] => report_dir.join(&one.run_id),
        _ => report_dir.to_owned(),
    };
    let file = |name: &str| folder.join(name).display().to_string();
    let several = runs.len() != 1;
    let json = match runs {
        [one] => serde_json::to_string(one),
        several => serde_json::to_string(several),
    };
    let json = json.ok().filter(|json| json.len() <= OUTPUT_MOST).unwrap_or_default();
    let ids: Vec<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
    vec![
        ("status", status.name().to_owned()),
        ("run-id", ids.join(",")),
        ("report-dir", folder.display().to_string()),
        ("summary", file(if several { INDEX_JSON } else { SUMMARY_JSON })),
        ("html", if several { String::new() } else { file(REPORT_HTML) }),
        ("junit", file(JUNIT_XML)),
        ("checks-total", checks().count().to_string()),
        ("checks-failed", failed.to_string()),
        ("json", json),
    ]
}

/// Outputs in the format of the runner's file. No value may contain `delimiter`.
pub fn output_lines(outputs: &[(&'static str, String)], delimiter: &str) -> String {
    let mut out = String::new();
    for (name, value) in outputs {
        let _ = write!(out, "{name}<<{delimiter}\n{value}\n{delimiter}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(text("a|b <img> @me [x](y)\n#1"), r"a\|b &lt;img&gt; &#64;me \[x\](y) \#1");
        assert_eq!(text(&"x".repeat(400)).chars().count(), 301);
    }

    #[test]
    fn a_command_stays_one_line() {
        let row = CheckRow {
            name: "n".into(),
            kind: "no_loss".into(),
            result: CheckOutcome::Fail,
            expected: "0 lost".into(),
            actual: "3 lost".into(),
            message: "100%\n::error::x".into(),
            covers: String::new(),
            scenario: Some("read".into()),
            implicit: false,
            position: PositionSummary { file: "/w/a,b:c.yaml".into(), line: 7, column: 5 },
        };
        assert_eq!(
            place("error", &row.position, Some(Path::new("/w")), "n failed for read", &row.message),
            "::error file=a%2Cb%3Ac.yaml,line=7,col=5,title=n failed for read::100%25%0A::error::x\n"
        );
    }

    #[test]
    fn paths_are_counted_from_the_workspace() {
        assert_eq!(path("/github/workspace/x/a.yaml", Some(Path::new("/github/workspace"))), "x/a.yaml");
        assert_eq!(path("./x/a.yaml", None), "x/a.yaml");
        assert_eq!(path("/elsewhere/a.yaml", Some(Path::new("/github/workspace"))), "/elsewhere/a.yaml");
    }
}
