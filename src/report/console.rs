//! The result on a terminal: verdict, scenarios, checks, findings, and where the reports are.
//!
//! Defines the layout. Explanations come from `words`, and the terminal's capabilities from `terminal`.

use std::fmt::Write as _;
use std::path::Path;

use crate::anomaly::Anomaly;

use super::findings;
use super::format::{count, latency, millis, number, status_words};
use super::html::Section;
use super::junit::evidence;
use super::summary::{CheckOutcome, CheckRow, NoteLevel, RunStatus, ScenarioSummary, Summary};
use super::terminal::{Style, Tone, cut, no_commands, paint, safe, wrap};
use super::words::{
    READBACK, account_line, all_of, beside_count, done, ended_words, ending, expected_actual, fault_line,
    is_suspect, meaning, shown, standing,
};

/// Maximum number of evidence lines per anomaly. The page has all of them.
const EVIDENCE: usize = 3;
/// Maximum number of a container's last lines.
const LOG_LINES: usize = 5;

/// The result as text, with a line feed at the end. `folder` is where the reports were written, if they were.
pub fn render(run: &Summary, style: Style, folder: Option<&Path>) -> String {
    let mut out = Out { text: String::new(), style };
    out.verdict(run);
    for section in Section::ORDER {
        match section {
            Section::Checks => out.checks(run),
            Section::Account => out.account(run),
            Section::Anomalies => out.anomalies(run),
            Section::Notes => out.notes(run),
            Section::Faults => out.faults(run),
            Section::Containers => out.containers(run),
            Section::Scenarios => out.scenarios(run),
            _ => {}
        }
    }
    if let Some(folder) = folder {
        out.text.push('\n');
        for name in super::FILES {
            let path = folder.join(name).display().to_string();
            out.line(2, Tone::Quiet, &safe(&path));
        }
    }
    // Applied to the whole text, so that no part is missed.
    let text = no_commands(&out.text);
    if style.unicode { text } else { ascii(&text) }
}

/// Replaces kaf6's own symbols with ASCII. Other text stays as it is.
fn ascii(text: &str) -> String {
    text.replace(['–', '−'], "-").replace('…', "~")
}

struct Out {
    text: String,
    style: Style,
}

impl Out {
    fn line(&mut self, indent: usize, tone: Tone, text: &str) {
        let _ = writeln!(self.text, "{:indent$}{}", "", paint(self.style, tone, text));
    }

    fn wrapped(&mut self, indent: usize, tone: Tone, text: &str) {
        for line in wrap(&safe(text), self.style.width.saturating_sub(indent).max(20)) {
            self.line(indent, tone, &line);
        }
    }

    fn heading(&mut self, text: &str) {
        self.text.push('\n');
        self.line(2, Tone::Strong, text);
    }

    fn mark(&self, outcome: CheckOutcome) -> (&'static str, Tone) {
        match (outcome, self.style.unicode) {
            (CheckOutcome::Pass, true) => ("✓", Tone::Good),
            (CheckOutcome::Pass, false) => ("ok", Tone::Good),
            (CheckOutcome::Fail, true) => ("✗", Tone::Bad),
            (CheckOutcome::Fail, false) => ("XX", Tone::Bad),
            (CheckOutcome::Inconclusive, true) => ("?", Tone::Doubt),
            (CheckOutcome::Inconclusive, false) => ("??", Tone::Doubt),
        }
    }

    fn dot(&self) -> &'static str {
        if self.style.unicode { " · " } else { " | " }
    }

    fn verdict(&mut self, run: &Summary) {
        let (mark, tone) = self.mark(run.status.outcome());
        let words = format!("{mark} {}", status_words(run.status).to_uppercase());
        let name = paint(self.style, Tone::Strong, &safe(&run.name));
        let _ = writeln!(self.text, "{}  {name}", paint(self.style, tone, &words));
        if !run.reason.is_empty() {
            self.wrapped(2, Tone::Strong, &run.reason);
        }
        #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
        let took = (run.duration_ms > 0).then(|| millis(run.duration_ms as f64));
        let mut facts: Vec<String> = [run.run_id.clone()].into_iter().chain(took).collect();
        facts.extend(run.profile.clone());
        facts.push(run.brokers.join(", "));
        if let Some(signal) = &run.interrupted {
            facts.push(format!("stopped by {signal}"));
        }
        let facts = facts.join(self.dot());
        self.wrapped(2, Tone::Quiet, &facts);
    }

    fn scenarios(&mut self, run: &Summary) {
        if run.scenarios.is_empty() {
            return;
        }
        let head = ["scenario", "type", "done", "rate", "p50", "p95", "p99", "max", "errors"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(run.scenarios.iter().map(|(name, s)| scenario_row(name, s)));
        // On a narrow terminal, the least important columns are omitted first.
        for drop in ["p50", "max", "p99", "type", "p95"] {
            if table_width(&rows) + 2 > self.style.width
                && let Some(at) = rows[0].iter().position(|cell| cell == drop)
            {
                for row in &mut rows {
                    row.remove(at);
                }
            }
        }
        let widths = column_widths(&rows);
        self.text.push('\n');
        for (i, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let pad = width.saturating_sub(cell.chars().count());
                // Names are left-aligned, numbers right-aligned.
                if column == 0 || rows[0][column] == "type" {
                    let _ = write!(line, "{cell}{:pad$}  ", "");
                } else {
                    let _ = write!(line, "{:pad$}{cell}  ", "");
                }
            }
            let line = line.trim_end();
            let line = if i == 0 { paint(self.style, Tone::Quiet, line) } else { line.to_owned() };
            let _ = writeln!(self.text, "  {line}");
        }
        for (name, s) in &run.scenarios {
            if s.ended != "done" || s.message.is_some() {
                // What the verdict says is not repeated for each scenario.
                let (words, ending) = (ended_words(&s.ended), without_repeats(run, &ending(s)));
                let news = s.message.as_deref().filter(|it| ending == words && !run.reason.contains(*it));
                let why = news.map_or_else(String::new, |message| format!(": {message}"));
                let text = format!("{name}: {ending}{why}");
                self.wrapped(2, Tone::Doubt, &text);
            }
            if s.implicit {
                self.wrapped(
                    2,
                    Tone::Quiet,
                    &format!("{name}: {READBACK} because no reader in the file reads all of it"),
                );
            }
        }
    }

    /// Where the messages went, in one line.
    fn account(&mut self, run: &Summary) {
        let (Some(accounts), Some(line)) = (&run.accounts, account_line(run)) else { return };
        let tone = match standing(accounts) {
            CheckOutcome::Pass => Tone::Strong,
            CheckOutcome::Inconclusive => Tone::Doubt,
            CheckOutcome::Fail => Tone::Bad,
        };
        self.text.push('\n');
        self.wrapped(2, tone, &line);
        for name in findings::of_run(accounts) {
            self.link(4, name);
        }
    }

    /// The link to the docs of a finding. It is never wrapped, so that terminals recognize it.
    fn link(&mut self, indent: usize, name: &str) {
        self.line(indent, Tone::Quiet, &findings::link(name));
    }

    fn checks(&mut self, run: &Summary) {
        let all = run.check_results.len();
        if all == 0 {
            return;
        }
        let passed = run.check_results.iter().filter(|r| r.result == CheckOutcome::Pass).count();
        self.heading(&format!("checks{}{passed} of {all} passed", self.dot()));
        let name_width =
            run.check_results.iter().map(|r| label(r).chars().count()).max().unwrap_or(0).min(40);
        for wanted in CheckOutcome::WORST_FIRST {
            for row in run.check_results.iter().filter(|r| r.result == wanted) {
                self.check(run, row, name_width);
            }
        }
    }

    fn check(&mut self, run: &Summary, row: &CheckRow, name_width: usize) {
        let (mark, tone) = self.mark(row.result);
        let name = cut(&label(row), name_width);
        let numbers = safe(&expected_actual(row));
        let pad = name_width.saturating_sub(name.chars().count());
        let line = format!("{} {name}{:pad$}  {numbers}", paint(self.style, tone, mark), "");
        let _ = writeln!(self.text, "  {}", line.trim_end());
        if row.result != CheckOutcome::Pass {
            if !row.message.is_empty() {
                self.wrapped(6, Tone::Strong, &without_repeats(run, &row.message));
            }
            let at = format!("{}:{}:{}", row.position.file, row.position.line, row.position.column);
            self.line(6, Tone::Quiet, &safe(&at));
        }
    }

    fn faults(&mut self, run: &Summary) {
        if run.faults.is_empty() {
            return;
        }
        self.heading("faults");
        for fault in &run.faults {
            let tone = if fault.effective { Tone::Quiet } else { Tone::Doubt };
            self.wrapped(2, tone, &fault_line(fault));
        }
    }

    /// The last log lines of containers, if something went wrong.
    fn containers(&mut self, run: &Summary) {
        let talking: Vec<_> = run.containers.iter().filter(|c| !c.last_lines.is_empty()).collect();
        if talking.is_empty() || run.status == RunStatus::Pass {
            return;
        }
        self.heading("last log lines of the containers");
        for container in talking {
            let log = container.log.as_ref().map_or_else(String::new, |path| format!(" ({path})"));
            self.wrapped(2, Tone::Strong, &format!("{}.{}{log}", container.service, container.replica));
            let skipped = container.last_lines.len().saturating_sub(LOG_LINES);
            for line in &container.last_lines[skipped..] {
                let room = self.style.width.saturating_sub(4).max(20);
                self.line(4, Tone::Quiet, &cut(&safe(line), room));
            }
        }
    }

    fn anomalies(&mut self, run: &Summary) {
        let mut first = true;
        for anomaly in Anomaly::ALL {
            let Some(found) = run.anomalies.get(anomaly.name()) else { continue };
            let (bad, all) = (found.count.unwrap_or(0), all_of(found));
            if all == 0 {
                continue;
            }
            if first {
                self.heading("found in the log");
                first = false;
            }
            let mut text = format!("{} {}: {}", count(bad), anomaly.name(), meaning(anomaly));
            let beside = beside_count(found);
            if !beside.is_empty() {
                let _ = write!(text, " ({beside})");
            }
            let tone = if bad > 0 && is_suspect(anomaly) { Tone::Bad } else { Tone::Quiet };
            self.wrapped(2, tone, &text);
            let told = run.accounts.iter().any(|it| findings::of_run(it).contains(&anomaly.name()));
            if !told {
                self.link(6, anomaly.name());
            }
            if is_suspect(anomaly) {
                for piece in found.evidence.iter().take(EVIDENCE) {
                    self.wrapped(6, Tone::Quiet, &evidence(piece));
                }
                let more = all.saturating_sub(shown(found.evidence.iter().take(EVIDENCE)));
                if more > 0 {
                    self.line(6, Tone::Quiet, &format!("and {} more", count(more)));
                }
            }
        }
    }

    fn notes(&mut self, run: &Summary) {
        let merged = super::notes::merged(&run.notes);
        if merged.is_empty() {
            return;
        }
        self.heading("notes");
        for (note, times) in merged {
            let (mark, tone) = match note.level {
                NoteLevel::Error => ("!!", Tone::Bad),
                NoteLevel::Warning => ("! ", Tone::Doubt),
                NoteLevel::Hint => ("- ", Tone::Quiet),
            };
            let again = if times > 1 { format!(" ({times} times)") } else { String::new() };
            let width = self.style.width.saturating_sub(5).max(20);
            for (i, line) in wrap(&safe(&format!("{}{again}", note.text)), width).iter().enumerate() {
                let mark = if i == 0 { mark } else { "  " };
                let _ = writeln!(self.text, "  {} {line}", paint(self.style, tone, mark));
            }
        }
    }
}

/// A check's name, with its scenario unless the name already ends with it.
fn label(row: &CheckRow) -> String {
    let scenario = row.scenario.as_ref().filter(|scenario| !row.name.ends_with(&format!(":{scenario}")));
    safe(&scenario.map_or_else(|| row.name.clone(), |scenario| format!("{} ({scenario})", row.name)))
}

fn scenario_row(name: &str, s: &ScenarioSummary) -> Vec<String> {
    let done = match (done(s), s.planned) {
        (Some(done), Some(planned)) => format!("{}/{}", count(done), count(planned)),
        (Some(done), None) => count(done),
        (None, _) => "–".to_owned(),
    };
    let rate = s.rate_per_s.as_ref().map_or_else(|| "–".to_owned(), |r| format!("{}/s", number(r.get())));
    vec![
        cut(&safe(name), 24),
        safe(&s.kind),
        done,
        rate,
        latency(s.p50_ms.as_ref()),
        latency(s.p95_ms.as_ref()),
        latency(s.p99_ms.as_ref()),
        latency(s.max_ms.as_ref()),
        count(s.errors),
    ]
}

fn column_widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns)
        .map(|c| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect()
}

fn table_width(rows: &[Vec<String>]) -> usize {
    column_widths(rows).iter().map(|w| w + 2).sum::<usize>().saturating_sub(2)
}
/// A text that ends with the reason of a scenario, without this reason if the verdict states it.
fn without_repeats(run: &Summary, text: &str) -> String {
    let reasons = run.scenarios.values().filter_map(|it| it.message.as_deref());
    let mut stated = reasons.filter(|reason| run.reason.contains(*reason));
    let short = stated.find_map(|reason| text.strip_suffix(reason)?.strip_suffix(": "));
    short.map_or_else(|| text.to_owned(), |short| format!("{short} (see the reason above)"))
}
