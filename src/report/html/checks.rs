//! The checks section: failed checks first, then inconclusive ones.
//!
//! Defines their order, and the line of the file that each check links to.

use askama::Template;

use super::super::chart::prose;
use super::super::findings;
use super::super::summary::{CheckOutcome, CheckRow, Summary};
use super::account::AccountFinding;
use super::source::shown_lines;
use crate::units::grouped;

#[derive(Template)]
#[template(path = "report/checks.html")]
pub(super) struct ChecksSection {
    checks: Vec<CheckView>,
}

pub(super) struct CheckView {
    pub class: &'static str,
    pub words: &'static str,
    pub name: String,
    pub kind: String,
    pub implicit: bool,
    /// What the answer covers.
    pub covers: String,
    pub scenario: Option<String>,
    pub expected: String,
    pub actual: String,
    pub message: String,
    pub findings: Vec<AccountFinding>,
    pub place: String,
    /// The line to link to, if the page shows it.
    pub line: Option<usize>,
}

/// Never omitted: for a file without checks, the section states that there are none.
pub(super) fn checks(run: &Summary) -> Option<ChecksSection> {
    let lines = shown_lines(run);
    let mut rows: Vec<&CheckRow> = run.check_results.iter().collect();
    rows.sort_by_key(|row| row.result.rank());
    let view = |row: &CheckRow| CheckView {
        class: row.result.name(),
        words: words(row.result),
        name: row.name.clone(),
        kind: row.kind.clone(),
        implicit: row.implicit,
        covers: prose(&row.covers),
        scenario: row.scenario.clone(),
        expected: grouped(&row.expected),
        actual: grouped(&row.actual),
        message: prose(&row.message),
        findings: findings::of_check(run, row).into_iter().map(AccountFinding::of).collect(),
        place: format!("line {}", row.position.line),
        line: (row.position.file == run.source.path && (1..=lines).contains(&row.position.line))
            .then_some(row.position.line),
    };
    Some(ChecksSection { checks: rows.into_iter().map(view).collect() })
}

const fn words(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Pass => "pass",
        CheckOutcome::Fail => "fail",
        CheckOutcome::Inconclusive => "inconclusive",
    }
}
