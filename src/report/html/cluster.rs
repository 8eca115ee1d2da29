//! The cluster section: faults, metadata changes and container logs.
//!
//! Selects which changes and lines are visible, and which fault is shown next to a change.

use askama::Template;

use super::super::chart::prose;
use super::super::format::{count, float, instant, millis, plural};
use super::super::summary::{ContainerSummary, FaultSummary, MetadataChangeSummary, RunStatus, Summary};
use super::source::is_plain;
use crate::checks::reason_of;

/// Maximum number of changes shown. The others are only in summary.json.
const MAX_CHANGES: usize = 200;
/// Maximum number of log lines over all containers. Beyond it, only a few lines of each are shown.
const MAX_LINES: usize = 200;
const MOST_OF_ONE: usize = 40;
const LEAST_OF_ONE: usize = 5;
/// Maximum length of a line. Only the start of a longer line is shown.
const MAX_CHARS: usize = 300;
/// If there are more lines than this over all containers, they are collapsed.
const IN_VIEW: usize = 60;

#[derive(Template)]
#[template(path = "report/faults.html")]
pub(super) struct FaultsSection {
    faults: Vec<FaultView>,
}

pub(super) struct FaultView {
    pub name: String,
    pub kind: String,
    pub target: String,
    pub from: String,
    pub until: String,
    pub effective: bool,
    pub ran: bool,
    pub proof: String,
    pub first_ack: String,
    pub first_read: String,
    pub longest_gap: String,
    pub lost: String,
    pub is_lossy: bool,
}

pub(super) fn faults(run: &Summary) -> Option<FaultsSection> {
    let time = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), |ms| millis(float(ms)));
    let of = |f: &FaultSummary| FaultView {
        name: f.name.clone(),
        kind: f.kind.clone(),
        target: f.target.clone(),
        from: instant(f.started_ms),
        until: instant(f.ended_ms),
        effective: f.effective,
        ran: f.started_ms.is_some(),
        proof: prose(reason_of(&f.proof)),
        first_ack: time(f.first_ack_ms),
        first_read: time(f.first_read_ms),
        longest_gap: time(f.longest_gap_ms),
        lost: f.lost.map_or_else(|| "–".to_owned(), count),
        is_lossy: f.lost.is_some_and(|lost| lost > 0),
    };
    let faults: Vec<FaultView> = run.faults.iter().map(of).collect();
    (!faults.is_empty()).then_some(FaultsSection { faults })
}

#[derive(Template)]
#[template(path = "report/containers.html")]
pub(super) struct ContainersSection {
    pub rows: Vec<Container>,
    pub logs: Vec<LogSection>,
    /// Whether the lines are expanded: there are few, and something went wrong.
    pub open: bool,
}

pub(super) struct Container {
    pub name: String,
    pub image: String,
    pub container: String,
    pub ready: String,
    pub was_ready: bool,
    pub log: Option<String>,
    pub link: bool,
}

pub(super) struct LogSection {
    pub name: String,
    pub text: String,
    pub about: String,
    lines: usize,
}

pub(super) fn containers(run: &Summary) -> Option<ContainersSection> {
    if run.containers.is_empty() {
        return None;
    }
    let name = |c: &ContainerSummary| format!("{}.{}", c.service, c.replica);
    let row = |c: &ContainerSummary| Container {
        name: name(c),
        image: c.image.clone(),
        container: c.container.clone(),
        ready: c.ready_ms.map_or_else(|| "never".to_owned(), |ms| millis(float(ms))),
        was_ready: c.ready_ms.is_some(),
        log: c.log.clone(),
        link: c.log.as_deref().is_some_and(is_plain),
    };
    let each = (MAX_LINES / run.containers.len().max(1)).clamp(LEAST_OF_ONE, MOST_OF_ONE);
    let log = |c: &ContainerSummary| {
        let hidden = c.last_lines.len().saturating_sub(each);
        let lines: Vec<String> = c.last_lines[hidden..].iter().map(|line| shortened(line)).collect();
        let about = plural(lines.len() as u64, "line", "lines");
        LogSection { name: name(c), text: lines.join("\n"), about, lines: lines.len() }
    };
    let logs: Vec<LogSection> = run.containers.iter().filter(|c| !c.last_lines.is_empty()).map(log).collect();
    Some(ContainersSection {
        rows: run.containers.iter().map(row).collect(),
        open: run.status != RunStatus::Pass && logs.iter().map(|log| log.lines).sum::<usize>() <= IN_VIEW,
        logs,
    })
}

fn shortened(line: &str) -> String {
    let mut chars = line.chars();
    let mut out: String = chars.by_ref().take(MAX_CHARS).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// The metadata that clients received.
#[derive(Template)]
#[template(path = "report/metadata.html")]
pub(super) struct MetadataSection {
    pub brokers: Vec<WatchedBrokerRow>,
    pub changes: Vec<Change>,
    pub hidden: String,
    pub has_faults: bool,
}

pub(super) struct WatchedBrokerRow {
    pub scenario: String,
    pub broker: String,
    pub answered: String,
    pub asked: String,
    pub first: String,
    pub last: String,
    pub silent: bool,
    pub error: String,
}

pub(super) struct Change {
    pub at: String,
    pub aspect: String,
    pub place: String,
    pub before: String,
    pub after: String,
    pub broker: String,
    pub beside: String,
}

pub(super) fn metadata(run: &Summary) -> Option<MetadataSection> {
    if run.watch.is_empty() && run.metadata_changes.is_empty() {
        return None;
    }
    let brokers = run.watch.iter().flat_map(|(scenario, watch)| {
        watch.brokers.iter().map(|b| WatchedBrokerRow {
            scenario: scenario.clone(),
            broker: b.broker.clone(),
            answered: count(b.answered),
            asked: count(b.asked),
            first: instant(b.first_ms),
            last: instant(b.last_ms),
            silent: b.answered == 0,
            error: b.error.clone().unwrap_or_default(),
        })
    });
    let unkept = run.watch.values().fold(0_u64, |sum, w| sum.saturating_add(w.more_changes));
    let hidden = unkept.saturating_add(run.metadata_changes.len().saturating_sub(MAX_CHANGES) as u64);
    Some(MetadataSection {
        brokers: brokers.collect(),
        changes: run.metadata_changes.iter().take(MAX_CHANGES).map(|c| change(run, c)).collect(),
        hidden: if hidden > 0 { count(hidden) } else { String::new() },
        has_faults: run.faults.iter().any(|f| f.started_ms.is_some()),
    })
}

fn change(run: &Summary, c: &MetadataChangeSummary) -> Change {
    let place = match (&c.topic, c.partition) {
        (Some(topic), Some(partition)) => format!("{topic}[{partition}]"),
        (Some(topic), None) => topic.clone(),
        (None, _) => String::new(),
    };
    Change {
        at: instant(Some(c.at_ms)),
        aspect: c.aspect.replace('_', " "),
        place,
        before: c.before.clone(),
        after: c.after.clone(),
        broker: c.broker.clone(),
        beside: beside(run, c.at_ms),
    }
}

/// The fault that was active at a time, or else the last one before it.
fn beside(run: &Summary, at: u64) -> String {
    let begun = |f: &&FaultSummary| f.started_ms.is_some_and(|start| start <= at);
    let Some(fault) = run.faults.iter().filter(begun).max_by_key(|f| f.started_ms) else {
        return String::new();
    };
    match fault.ended_ms.filter(|end| *end < at) {
        None => format!("during {}", fault.name),
        Some(end) => format!("{} after {}", millis(float(at - end)), fault.name),
    }
}
