//! The partitions section: what was acked in each partition, and how far each consumer read.
//!
//! Selects the visible rows: all rows if there are few, otherwise those with a problem.

use askama::Template;

use super::super::format::{count, optional, plural};
use super::super::summary::{PartitionSummary, ReaderSummary, Summary};

/// If there are more partitions than this, they are collapsed.
const IN_VIEW: usize = 50;
/// Maximum number of rows. The others are only in summary.json.
const MAX_ROWS: usize = 1200;

#[derive(Template)]
#[template(path = "report/partitions.html")]
pub(super) struct PartitionsSection {
    pub summary: String,
    pub in_view: Vec<PartitionRow>,
    pub folded: Vec<PartitionRow>,
    pub hidden: usize,
}

pub(super) struct PartitionRow {
    pub topic: String,
    pub partition: i32,
    pub acked: String,
    pub offsets: String,
    pub fence: String,
    pub reader: String,
    pub received: String,
    pub missing: String,
    pub foreign: String,
    pub read: String,
    pub reached: &'static str,
    pub resets: String,
    pub odd: bool,
}

pub(super) fn partitions(run: &Summary) -> Option<PartitionsSection> {
    if run.partitions.is_empty() {
        return None;
    }
    let mut rows: Vec<PartitionRow> = run
        .partitions
        .iter()
        .flat_map(|p| {
            let alone = p.readers.is_empty().then(|| row(p, None));
            p.readers.iter().map(|r| row(p, Some(r))).chain(alone)
        })
        .collect();
    let odd = rows.iter().filter(|r| r.odd).count();
    let acked = run.partitions.iter().map(|p| p.acked);
    let (least, most) = (acked.clone().min().unwrap_or(0), acked.max().unwrap_or(0));
    let each = if run.partitions.len() == 1 {
        format!("{} acknowledged", count(least))
    } else if least == most {
        format!("{} acknowledged in each", count(least))
    } else {
        format!("from {} to {} acknowledged in each", count(least), count(most))
    };
    let all = plural(run.partitions.len() as u64, "partition", "partitions");
    let oddly = match odd {
        0 => "every reader reached the end".to_owned(),
        n => format!("{} with findings", plural(n as u64, "row", "rows")),
    };
    let hidden = rows.len().saturating_sub(MAX_ROWS);
    if hidden > 0 {
        rows.sort_by_key(|r| !r.odd);
        rows.truncate(MAX_ROWS);
    }
    let (in_view, folded) = if run.partitions.len() <= IN_VIEW {
        (rows, Vec::new())
    } else {
        rows.into_iter().partition(|r| r.odd)
    };
    Some(PartitionsSection { summary: format!("{all}, {each}; {oddly}."), in_view, folded, hidden })
}

fn row(p: &PartitionSummary, reader: Option<&ReaderSummary>) -> PartitionRow {
    let missing = reader.map_or(0, |r| p.acked.saturating_sub(r.received));
    let short = reader.is_some_and(|r| p.fence_offset.is_some() && !r.reached_fence);
    let resets = reader.map_or(0, |r| r.resets);
    PartitionRow {
        topic: p.topic.clone(),
        partition: p.partition,
        acked: count(p.acked),
        offsets: span(p.first_acked_offset, p.last_acked_offset),
        fence: p.fence_offset.map_or_else(|| "–".to_owned(), |o| o.to_string()),
        reader: reader.map_or_else(|| "–".to_owned(), |r| r.scenario.clone()),
        received: optional(reader.map(|r| r.received)),
        missing: if missing > 0 { count(missing) } else { String::new() },
        foreign: optional(reader.map(|r| r.foreign)),
        read: reader.map_or_else(|| "–".to_owned(), |r| span(r.first_offset, r.last_offset)),
        reached: match reader {
            None => "–",
            Some(r) if r.reached_fence => "yes",
            Some(_) => "no",
        },
        resets: optional(reader.map(|r| r.resets)),
        odd: missing > 0 || short || resets > 0,
    }
}

fn span(first: Option<i64>, last: Option<i64>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!("{first} – {last}"),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (None, None) => "–".to_owned(),
    }
}
