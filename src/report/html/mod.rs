//! `report.html`: the whole result in one file. It needs no network and no JavaScript.
//!
//! Combines the sections. Each section's values are in their own file, and the templates are in `templates/`.

mod account;
mod anomalies;
mod checks;
mod cluster;
mod connect;
mod head;
mod partitions;
mod pictures;
mod scenarios;
mod source;
mod timeline;

use askama::Template;

use super::notes::merged;
use super::sections::Section;
use super::summary::{NoteLevel, Summary};

/// Hash of `templates/report/readout.js` for the page's content security policy. A test checks it.
pub const SCRIPT_HASH: &str = "sha256-1G2xosqZkxEGwqgCfmk9TsSO6KabCn6VYx8COJxpoSE=";

/// Renders the page.
///
/// # Errors
///
/// If the template cannot be rendered, which does not happen in practice.
pub fn html(summary: &Summary) -> Result<String, askama::Error> {
    let mut page = Page {
        script_hash: SCRIPT_HASH,
        head: head::head(summary),
        checks: checks::checks(summary),
        account: account::account(summary),
        anomalies: anomalies::anomalies(summary),
        pictures: pictures::pictures(summary),
        notes: merged(&summary.notes).into_iter().map(|(n, times)| note(n.level, &n.text, times)).collect(),
        timeline: timeline::timeline(summary),
        faults: cluster::faults(summary),
        containers: cluster::containers(summary),
        scenarios: scenarios::scenarios(summary),
        errors: scenarios::errors(summary),
        partitions: partitions::partitions(summary),
        connect: connect::connect(summary),
        metadata: cluster::metadata(summary),
        source: source::source(summary),
        files: source::files(summary),
        nav: Vec::new(),
    };
    page.nav = page.sections();
    page.render().map(visible)
}

/// Removes invisible characters: controls that HTML forbids, and those that change the direction of the
/// following text.
fn visible(page: String) -> String {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    if page.contains(steers) { page.replace(steers, "\u{fffd}") } else { page }
}

#[derive(Template)]
#[template(path = "report/page.html")]
struct Page {
    script_hash: &'static str,
    head: head::PageHead,
    nav: Vec<(&'static str, &'static str)>,
    checks: Vec<checks::CheckView>,
    account: Option<account::AccountTable>,
    anomalies: anomalies::Anomalies,
    pictures: pictures::Pictures,
    notes: Vec<NoteRow>,
    timeline: Option<timeline::TimelineSection>,
    faults: Vec<cluster::FaultView>,
    containers: cluster::Containers,
    scenarios: scenarios::Scenarios,
    errors: Vec<scenarios::ErrorRow>,
    partitions: Option<partitions::PartitionsSection>,
    connect: Vec<connect::Connect>,
    metadata: Option<cluster::MetadataSection>,
    source: source::SourceView,
    files: Vec<source::SourceFile>,
}

impl Page {
    /// The ids and labels of the sections that the page has.
    fn sections(&self) -> Vec<(&'static str, &'static str)> {
        let has = |section: &Section| match section {
            Section::Checks | Section::Anomalies | Section::Source | Section::Files => true,
            Section::Account => self.account.is_some(),
            Section::Notes => !self.notes.is_empty(),
            Section::Timeline => self.timeline.is_some(),
            Section::Faults => !self.faults.is_empty(),
            Section::Metadata => self.metadata.is_some(),
            Section::Containers => !self.containers.rows.is_empty(),
            Section::Scenarios => !self.scenarios.rows.is_empty(),
            Section::Errors => !self.errors.is_empty(),
            Section::Connections => !self.connect.is_empty(),
            Section::Partitions => self.partitions.is_some(),
        };
        Section::ORDER.into_iter().filter(has).map(|section| (section.id(), section.label())).collect()
    }
}

struct NoteRow {
    class: &'static str,
    level: &'static str,
    text: String,
    times: u64,
}

fn note(level: NoteLevel, text: &str, times: u64) -> NoteRow {
    let (class, level) = match level {
        NoteLevel::Error => ("fail", "Error"),
        NoteLevel::Warning => ("inconclusive", "Warning"),
        NoteLevel::Hint => ("hint", "Hint"),
    };
    NoteRow { class, level, text: super::chart::prose(text), times }
}
