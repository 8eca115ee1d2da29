//! Where every message went: the account of each scenario that sends messages, and of the run.
//!
//! Selects the columns, and which partitions are visible.

use askama::Template;

use super::super::chart::prose;
use super::super::findings;
use super::super::format::{count, plural};
use super::super::summary::{AccountSummary, AccountsSummary, PartitionAccountSummary, Summary};
use super::super::words::{account_advice, account_sentence, class_meaning, standing};
use crate::ledger::Account;
use crate::record::account::{UNACKED, UNJUDGED, count_of};

/// Maximum number of partitions shown per scenario. The others are only in summary.json.
const MAX_ROWS: usize = 100;
/// Columns that are shown even if they are 0.
const ALWAYS: [&str; 4] = ["planned", "sent", "acked", "verified"];
/// The fate of unknown messages. These counts are shown below the number of unknown messages.
const OF_UNKNOWN: [&str; 3] = ["found", "absent", "unchecked"];

#[derive(Template)]
#[template(path = "report/account.html")]
pub(super) struct AccountSection {
    pub sentence: String,
    /// The CSS class of the sentence.
    pub class: &'static str,
    pub advice: String,
    /// The findings that the sentence is about.
    pub findings: Vec<AccountFinding>,
    pub groups: Vec<ColumnGroup>,
    pub columns: Vec<Column>,
    pub rows: Vec<AccountRow>,
    pub partitions: Vec<AccountPartitions>,
}

/// A class with a section in the docs.
pub(super) struct AccountFinding {
    pub name: &'static str,
    pub link: String,
}

impl AccountFinding {
    pub(super) fn of(name: &'static str) -> Self {
        Self { name, link: findings::link(name) }
    }
}

pub(super) struct ColumnGroup {
    pub label: &'static str,
    pub span: usize,
}

pub(super) struct Column {
    pub name: &'static str,
    pub meaning: String,
    /// Link to the docs. Empty if messages of the class are not a finding.
    pub link: String,
    /// Whether it is the first of its group.
    pub first: bool,
}

pub(super) struct AccountRow {
    pub name: String,
    pub is_total: bool,
    pub cells: Vec<AccountCell>,
}

pub(super) struct AccountCell {
    pub label: &'static str,
    pub value: String,
    pub note: String,
    /// `fail` for a broken promise, `inconclusive` for open messages, `zero` for none.
    pub class: &'static str,
    pub first: bool,
}

/// The partitions of one scenario.
pub(super) struct AccountPartitions {
    pub label: String,
    pub open: bool,
    pub columns: Vec<Column>,
    pub rows: Vec<AccountRow>,
    pub hidden: String,
}

/// The groups of columns, in order.
fn groups() -> [(&'static str, Vec<&'static str>); 5] {
    let broken = Account::BROKEN.iter().map(|(name, _)| *name).collect();
    [
        ("Sent", vec!["planned", "sent", "acked"]),
        ("Not acked", UNACKED.to_vec()),
        ("Accounted for", vec!["verified", "excluded", "permitted"]),
        ("Promise broken", broken),
        ("Not judged", UNJUDGED.to_vec()),
    ]
}

pub(super) fn account(run: &Summary) -> Option<AccountSection> {
    let accounts = run.accounts.as_ref()?;
    let total = accounts.total.to_account();
    let (groups, columns) = columns(&[total], &ALWAYS);
    let mut rows: Vec<AccountRow> = accounts
        .scenarios
        .iter()
        .map(|(name, it)| row(name.clone(), &it.account.to_account(), &columns))
        .collect();
    if rows.len() > 1 {
        rows.push(AccountRow { is_total: true, ..row("All".to_owned(), &total, &columns) });
    }
    Some(AccountSection {
        sentence: format!("{}.", account_sentence(run).unwrap_or_default()),
        class: standing(accounts).name(),
        advice: advice(run, accounts),
        findings: findings::of_run(accounts).into_iter().map(AccountFinding::of).collect(),
        groups,
        columns,
        rows,
        partitions: accounts
            .scenarios
            .iter()
            .filter_map(|(name, it)| partitions(name, &it.partitions))
            .collect(),
    })
}

/// What to change about messages for which kaf6 cannot tell.
fn advice(run: &Summary, accounts: &AccountsSummary) -> String {
    let advice = account_advice(run, accounts);
    if advice.is_empty() {
        return String::new();
    }
    prose(&format!("To account for them, {}.", advice.join("; ")))
}

/// The columns in which any account has messages, and their groups.
fn columns(accounts: &[Account], always: &[&str]) -> (Vec<ColumnGroup>, Vec<Column>) {
    let (mut labels, mut out) = (Vec::new(), Vec::new());
    for (label, names) in groups() {
        let shown = |name: &&str| always.contains(name) || accounts.iter().any(|a| count_of(a, name) > 0);
        let names: Vec<&'static str> = names.into_iter().filter(shown).collect();
        if names.is_empty() {
            continue;
        }
        labels.push(ColumnGroup { label, span: names.len() });
        for (i, name) in names.into_iter().enumerate() {
            // Tooltips do not render backticks.
            let meaning = class_meaning(name).replace('`', "\"");
            let is_finding = accounts.iter().any(|a| findings::of_account(a).any(|found| found == name));
            let link = if is_finding { findings::link(name) } else { String::new() };
            out.push(Column { name, meaning, link, first: i == 0 });
        }
    }
    (labels, out)
}

fn row(name: String, account: &Account, columns: &[Column]) -> AccountRow {
    AccountRow { name, is_total: false, cells: columns.iter().map(|column| cell(account, column)).collect() }
}

fn cell(account: &Account, column: &Column) -> AccountCell {
    let n = count_of(account, column.name);
    let is_broken = Account::BROKEN.iter().any(|(name, _)| *name == column.name);
    let is_open =
        UNJUDGED.contains(&column.name) || (UNACKED.contains(&column.name) && account.unacked() > 0);
    let class = match n {
        0 => "zero",
        _ if is_broken => "fail",
        _ if is_open => "inconclusive",
        _ => "",
    };
    let note = if column.name == "unknown" && n > 0 { of_unknown(account) } else { String::new() };
    AccountCell { label: column.name, value: count(n), note, class, first: column.first }
}

fn of_unknown(account: &Account) -> String {
    let parts = OF_UNKNOWN.iter().map(|name| (name, count_of(account, name))).filter(|(_, n)| *n > 0);
    parts.map(|(name, n)| format!("{} {name}", count(n))).collect::<Vec<_>>().join(", ")
}

/// The partitions of a scenario. Those with broken or open messages are first.
fn partitions(name: &str, partitions: &[PartitionAccountSummary]) -> Option<AccountPartitions> {
    if partitions.is_empty() {
        return None;
    }
    let accounts: Vec<Account> =
        partitions.iter().map(|it| AccountSummary::to_account(&it.account)).collect();
    // Planned messages are known only per scenario.
    let (_, columns) = columns(&accounts, &ALWAYS[1..]);
    let mut rows: Vec<(bool, AccountRow)> = partitions
        .iter()
        .zip(&accounts)
        .map(|(it, account)| {
            let odd = account.broken() + account.unjudged() + account.failed + account.unknown > 0;
            (odd, row(format!("{}[{}]", it.topic, it.partition), account, &columns))
        })
        .collect();
    rows.sort_by_key(|(odd, _)| !odd);
    let odd = rows.iter().filter(|(odd, _)| *odd).count();
    let hidden = rows.len().saturating_sub(MAX_ROWS);
    let all = plural(rows.len() as u64, "partition", "partitions");
    let label = match odd {
        0 => format!("{all} of {name}"),
        odd => format!("{all} of {name}, {} with findings", count(odd as u64)),
    };
    Some(AccountPartitions {
        label,
        open: odd > 0 && rows.len() <= 12,
        rows: rows.into_iter().take(MAX_ROWS).map(|(_, row)| row).collect(),
        columns,
        hidden: if hidden > 0 { count(hidden as u64) } else { String::new() },
    })
}
