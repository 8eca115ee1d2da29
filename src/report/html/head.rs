//! The head of the page: the run, and its verdict with key figures.
//!
//! Selects the key figures.

use crate::anomaly::Anomaly;

use super::super::chart::prose;
use super::super::findings;
use super::super::format::{count, float, millis, plural, status_words};
use super::super::summary::{CheckOutcome, Summary};
use super::super::words::anomaly_count;

pub(super) struct PageHead {
    pub title: String,
    pub name: String,
    pub description: Option<String>,
    pub status: &'static str,
    pub words: &'static str,
    pub reason: String,
    pub interrupted: Option<String>,
    pub run_id: String,
    pub started: String,
    pub duration: String,
    pub profile: Option<String>,
    pub brokers: Vec<String>,
    /// The scenario file.
    pub file: String,
    pub version: String,
    pub run_tag: String,
    pub figures: Vec<Figure>,
}

/// One key figure.
pub(super) struct Figure {
    pub label: String,
    pub value: String,
    pub note: String,
    pub class: &'static str,
    /// Link to the docs. Usually empty.
    pub link: String,
}

pub(super) fn head(run: &Summary) -> PageHead {
    let words = status_words(run.status);
    let setup = if run.setup_ms > 0 {
        format!(", after {} of setup", millis(float(run.setup_ms)))
    } else {
        String::new()
    };
    PageHead {
        title: format!("{words}: {}", run.name),
        name: run.name.clone(),
        description: run.description.clone().filter(|d| !d.is_empty()),
        status: run.status.name(),
        words,
        reason: prose(&sentence(&run.reason)),
        interrupted: run.interrupted.clone(),
        run_id: run.run_id.clone(),
        started: readable(&run.started_at),
        duration: format!("{}{setup}", millis(float(run.duration_ms))),
        profile: run.profile.clone(),
        brokers: run.brokers.clone(),
        file: run.source.path.clone(),
        version: run.kaf6_version.clone(),
        run_tag: run.run_tag.clone(),
        figures: figures(run),
    }
}

/// Capitalizes a text and adds a period.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let mut out: String = first.to_uppercase().chain(chars).collect();
    if !out.ends_with(['.', '!', '?', ':']) {
        out.push('.');
    }
    out
}

/// Formats `2026-01-16T14:54:02.113Z` as `2026-01-16 14:54:02 UTC`. Other texts do not change.
fn readable(at: &str) -> String {
    match at.split_once('T') {
        Some((day, time)) if at.ends_with('Z') && at.is_ascii() => {
            let time = time.trim_end_matches('Z');
            format!("{day} {} UTC", time.split('.').next().unwrap_or(time))
        }
        _ => at.to_owned(),
    }
}

/// The anomalies with their own key figure.
const FOUND: [(Anomaly, &str); 2] = [(Anomaly::Lost, "lost"), (Anomaly::Duplicate, "duplicates")];

fn figures(run: &Summary) -> Vec<Figure> {
    let mut out = Vec::<Figure>::new();
    let mut add = |label: &str, value: String, note: String, class| {
        out.push(Figure { label: label.to_owned(), value, note, class, link: String::new() });
    };
    let all = run.check_results.len();
    if all > 0 {
        let passed = run.check_results.iter().filter(|r| r.result == CheckOutcome::Pass).count();
        add(
            "checks passed",
            format!("{passed} of {all}"),
            String::new(),
            if passed == all { "" } else { "bad" },
        );
    }
    if let Some(accounts) = &run.accounts {
        let total = accounts.total.to_account();
        let closed = total.verified + total.excluded + total.permitted;
        let class = if accounts.closed { "" } else { "bad" };
        let value = format!("{} of {}", count(closed), count(total.planned));
        add("messages accounted for", value, String::new(), class);
    }
    let sum = |of: fn(&super::super::summary::ScenarioSummary) -> Option<u64>| {
        let parts: Vec<u64> = run.scenarios.values().filter_map(of).collect();
        (!parts.is_empty()).then(|| parts.iter().fold(0_u64, |a, b| a.saturating_add(*b)))
    };
    let sent = sum(|s| if s.acked.is_some() { s.sent } else { None });
    if let Some(acked) = sum(|s| s.acked) {
        let note = sent.filter(|s| *s != acked).map_or_else(String::new, |s| format!("of {} sent", count(s)));
        add("acknowledged", count(acked), note, "");
    }
    if let Some(received) = sum(|s| s.received) {
        let readers = run.scenarios.values().filter(|s| s.received.is_some()).count();
        let note = if readers > 1 { format!("by {readers} scenarios") } else { String::new() };
        add("read back", count(received), note, "");
    }
    if sent.is_some() {
        for (anomaly, label) in FOUND {
            let explained = run.anomalies.get(anomaly.name()).and_then(|a| a.explained).unwrap_or(0);
            let note =
                if explained > 0 { format!("and {} explained", count(explained)) } else { String::new() };
            match anomaly_count(run, anomaly) {
                Some(n) => add(label, count(n), note, if n > 0 { "bad" } else { "" }),
                None => add(label, "–".to_owned(), "not measured".to_owned(), ""),
            }
        }
    }
    // The recovery time: the longest one over all faults.
    let slowest = run.faults.iter().filter_map(|f| Some((f.first_ack_ms?, f))).max_by_key(|(ms, _)| *ms);
    if let Some((ms, fault)) = slowest.filter(|(_, fault)| fault.effective) {
        add("first ack after the fault", millis(float(ms)), fault.name.clone(), "");
    }
    let brokers: Vec<_> = run.connect.values().flatten().collect();
    if !brokers.is_empty() {
        let reached = brokers.iter().filter(|b| b.reachable).count();
        let class = if reached == brokers.len() { "" } else { "bad" };
        add("brokers reached", format!("{reached} of {}", brokers.len()), String::new(), class);
    }
    let errors = run.scenarios.values().fold(0_u64, |a, s| a.saturating_add(s.errors));
    let kinds = run.scenarios.values().map(|s| s.errors_by_code.len()).sum::<usize>();
    let note = if kinds > 1 { plural(kinds as u64, "kind", "kinds") } else { String::new() };
    add("errors", count(errors), note, "");
    for (anomaly, label) in FOUND {
        let figure = out.iter_mut().find(|figure| figure.label == label && figure.class == "bad");
        if let Some(figure) = figure {
            figure.link = findings::link(anomaly.name());
        }
    }
    out
}
