//! The defaults section: the values that the run used for fields that the scenario file does not set.

use askama::Template;

use super::super::format::{count, plural};
use super::super::summary::{DefaultTaken, Summary};

/// Maximum number of rows. The others are only in summary.json.
const MAX_ROWS: usize = 200;

#[derive(Template)]
#[template(path = "report/defaults.html")]
pub(super) struct DefaultsSection {
    rows: Vec<DefaultTaken>,
    total: String,
    hidden: String,
}

pub(super) fn defaults(run: &Summary) -> Option<DefaultsSection> {
    if run.defaults.is_empty() {
        return None;
    }
    let hidden = run.defaults.len().saturating_sub(MAX_ROWS);
    Some(DefaultsSection {
        rows: run.defaults.iter().take(MAX_ROWS).cloned().collect(),
        total: plural(run.defaults.len() as u64, "field", "fields"),
        hidden: if hidden > 0 { count(hidden as u64) } else { String::new() },
    })
}
