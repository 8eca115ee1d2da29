//! The scenarios section: counts, percentiles and distribution of each scenario, and all errors by code.
//!
//! Selects the counts that a scenario shows.

use askama::Template;

use super::super::chart::bar::bar;
use super::super::chart::histogram::{Histogram, histogram};
use super::super::chart::prose;
use super::super::format::{bytes, count, float, instant, latency, millis, number, optional};
use super::super::summary::{Num, ScenarioSummary, Summary};
use super::super::words::{READBACK, READBACK_WHY, done, ended_words};
use crate::kafka::code_words;
use crate::plan::ScenarioKind;

#[derive(Template)]
#[template(path = "report/scenarios.html")]
pub(super) struct ScenariosSection {
    pub rows: Vec<ComparisonRow>,
    pub cards: Vec<Card>,
    pub has_latency: bool,
}

/// A row of the table that compares all scenarios.
pub(super) struct ComparisonRow {
    pub name: String,
    pub kind: String,
    pub done: String,
    pub planned: String,
    pub rate: String,
    pub target: String,
    pub errors: String,
    pub has_errors: bool,
    pub latencies: [String; 7],
}

pub(super) struct Card {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub ended: String,
    pub class: &'static str,
    pub message: String,
    pub facts: Vec<(&'static str, String)>,
    pub remark: &'static str,
    /// Why kaf6 added it. Empty if it is in the file.
    pub added: String,
    pub histogram: Option<Histogram>,
    pub unmeasured: bool,
}

#[derive(Template)]
#[template(path = "report/errors.html")]
pub(super) struct ErrorsSection {
    errors: Vec<ErrorRow>,
}

pub(super) struct ErrorRow {
    pub scenario: String,
    pub code: String,
    pub count: String,
    pub bar: String,
}

pub(super) fn scenarios(run: &Summary) -> Option<ScenariosSection> {
    if run.scenarios.is_empty() {
        return None;
    }
    let rows: Vec<ComparisonRow> = run.scenarios.iter().map(|(name, s)| row(name, s)).collect();
    let cards = run.scenarios.iter().enumerate().map(|(i, (name, s))| card(run, i, name, s)).collect();
    Some(ScenariosSection { has_latency: run.scenarios.values().any(|s| s.p50_ms.is_some()), rows, cards })
}

fn row(name: &str, s: &ScenarioSummary) -> ComparisonRow {
    let all = [&s.p50_ms, &s.p90_ms, &s.p95_ms, &s.p99_ms, &s.p999_ms, &s.max_ms, &s.mean_ms];
    let rate = |r: &Option<Num>| r.as_ref().map(|r| number(r.get()));
    ComparisonRow {
        name: name.to_owned(),
        kind: kind(s),
        done: optional(done(s)),
        planned: s.planned.map_or_else(String::new, count),
        rate: rate(&s.rate_per_s).map_or_else(|| "–".to_owned(), |r| format!("{r}/s")),
        target: rate(&s.target_rate_per_s).unwrap_or_default(),
        errors: count(s.errors),
        has_errors: s.errors > 0,
        latencies: all.map(|p| latency(p.as_ref())),
    }
}

/// The scenario's type. A readback consumer is marked, because it is not in the file.
fn kind(s: &ScenarioSummary) -> String {
    if s.implicit { READBACK.to_owned() } else { s.kind.clone() }
}

fn card(run: &Summary, i: usize, name: &str, s: &ScenarioSummary) -> Card {
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    let sent = s.scenario_kind().map_or("Sent", ScenarioKind::sent_label);
    for (label, value, when_zero) in [
        (sent, s.sent, true),
        ("Acknowledged", s.acked, true),
        ("Failed", s.failed, false),
        ("Unknown", s.unknown, false),
        ("Received", s.received, true),
        ("Records", s.records, true),
        ("Foreign", s.foreign, false),
    ] {
        if let Some(value) = value.filter(|v| when_zero || *v > 0) {
            facts.push((label, count(value)));
        }
    }
    if s.bytes > 0 {
        facts.push(("Bytes", bytes(s.bytes)));
    }
    facts.extend(s.http_status.map(|status| ("Last HTTP status", status.to_string())));
    if let Some((start, end)) = s.started_ms.zip(s.ended_ms) {
        let took = millis(float(end.saturating_sub(start)));
        facts.push(("Ran", format!("{took}, from {}", instant(Some(start)))));
    }
    if s.measured > 0 {
        facts.push(("Latencies", count(s.measured)));
    }
    if let Some(late) = &s.late_p99_ms {
        facts.push(("Lateness, p99", millis(late.get())));
    }
    let marks: Vec<(&str, f64)> = [("p50", &s.p50_ms), ("p95", &s.p95_ms), ("p99", &s.p99_ms)]
        .into_iter()
        .filter_map(|(label, p)| Some((label, p.as_ref()?.get())))
        .collect();
    let title = format!("Distribution of the latency of {name}");
    Card {
        id: format!("s{i}"),
        name: name.to_owned(),
        kind: kind(s),
        ended: ended_words(&s.ended).to_owned(),
        class: match s.ended.as_str() {
            "done" | "idle" => "",
            "failed" | "fatal" => "fail",
            _ => "inconclusive",
        },
        message: prose(s.message.as_deref().unwrap_or_default()),
        facts,
        remark: match s.open_loop {
            Some(true) => "Latency counts from the time at which each message was due.",
            Some(false) => "Latency counts from the send and includes kaf6's own queue.",
            None => "",
        },
        added: if s.implicit { prose(READBACK_WHY) } else { String::new() },
        unmeasured: s.measured == 0 && s.scenario_kind().is_some_and(|kind| kind.writes() || kind.reads()),
        histogram: run.histograms.get(name).and_then(|h| histogram(&format!("h{i}"), &title, h, &marks)),
    }
}

/// All errors, the most frequent first.
pub(super) fn errors(run: &Summary) -> Option<ErrorsSection> {
    let mut all: Vec<(&str, String, u64)> = run
        .scenarios
        .iter()
        .flat_map(|(name, s)| {
            let retries =
                s.retries_by_code.iter().map(|(code, n)| (format!("{} (retried)", code_words(code)), *n));
            let errors = s.errors_by_code.iter().map(|(code, n)| (code_words(code), *n)).chain(retries);
            errors.map(move |(code, n)| (name.as_str(), code, n))
        })
        .filter(|(.., n)| *n > 0)
        .collect();
    all.sort_by_key(|(.., n)| std::cmp::Reverse(*n));
    let most = all.first().map_or(1.0, |(.., n)| float(*n));
    let row = |(scenario, code, n): (&str, String, u64)| ErrorRow {
        scenario: scenario.to_owned(),
        code,
        count: count(n),
        bar: bar(0.0, float(n) / most, "err"),
    };
    let errors: Vec<ErrorRow> = all.into_iter().map(row).collect();
    (!errors.is_empty()).then_some(ErrorsSection { errors })
}
