//! The connect section: how each broker was reached, stage by stage, and the API versions that it supports.
//!
//! Groups brokers with the same versions.

use askama::Template;

use super::super::chart::bar::bar;
use super::super::format::millis;
use super::super::summary::{ApiSummary, BrokerConnect, Summary};

/// If there are more brokers than this, the stages of reached brokers are collapsed.
const IN_VIEW: usize = 3;

#[derive(Template)]
#[template(path = "report/connect.html")]
pub(super) struct ConnectSection {
    scenarios: Vec<Connect>,
}

pub(super) struct Connect {
    pub scenario: String,
    pub brokers: Vec<ConnectRow>,
    pub apis: Vec<Apis>,
}

pub(super) struct ConnectRow {
    pub name: String,
    pub reachable: bool,
    pub attempts: u64,
    /// Whether its stages are collapsed: it is one of many, and was reached.
    pub folded: bool,
    pub total: String,
    pub stages: Vec<StageRow>,
}

pub(super) struct StageRow {
    pub name: &'static str,
    pub other: String,
    pub time: String,
    pub bar: String,
    pub error: Option<String>,
}

/// A list of versions, and the brokers that support it.
pub(super) struct Apis {
    pub who: String,
    pub rows: Vec<ApiSummary>,
}

pub(super) fn connect(run: &Summary) -> Option<ConnectSection> {
    let of = |(scenario, brokers): (&String, &Vec<BrokerConnect>)| Connect {
        scenario: scenario.clone(),
        brokers: brokers.iter().map(|b| broker(b, brokers.len() > IN_VIEW)).collect(),
        apis: apis(brokers),
    };
    let scenarios: Vec<Connect> = run.connect.iter().map(of).collect();
    (!scenarios.is_empty()).then_some(ConnectSection { scenarios })
}

fn broker(b: &BrokerConnect, many: bool) -> ConnectRow {
    let total: f64 = b.stages.iter().map(|s| s.ms.get().max(0.0)).sum();
    let mut before = 0.0;
    let stages = b
        .stages
        .iter()
        .map(|s| {
            let ms = s.ms.get().max(0.0);
            let class = if s.error.is_some() { "err" } else { "stage" };
            let stage = StageRow {
                name: stage_words(&s.name),
                other: s.name.clone(),
                time: millis(ms),
                bar: if total > 0.0 { bar(before / total, ms / total, class) } else { String::new() },
                error: s.error.clone(),
            };
            before += ms;
            stage
        })
        .collect();
    ConnectRow {
        name: b.broker.clone(),
        reachable: b.reachable,
        attempts: b.attempts,
        folded: many && b.reachable,
        total: millis(total),
        stages,
    }
}

fn stage_words(name: &str) -> &'static str {
    match name {
        "resolve" => "Resolve the host name",
        "tcp" => "Connect (TCP)",
        "tls" => "TLS handshake",
        "api_versions" => "ApiVersions",
        "metadata" => "Metadata",
        _ => "",
    }
}

fn apis(brokers: &[BrokerConnect]) -> Vec<Apis> {
    let mut groups: Vec<(&Vec<ApiSummary>, Vec<&str>)> = Vec::new();
    for b in brokers.iter().filter(|b| !b.apis.is_empty()) {
        match groups.iter_mut().find(|(apis, _)| **apis == b.apis) {
            Some((_, who)) => who.push(&b.broker),
            None => groups.push((&b.apis, vec![&b.broker])),
        }
    }
    groups
        .into_iter()
        .map(|(rows, who)| Apis {
            who: if who.len() == brokers.len() && who.len() > 1 {
                format!("all {} brokers", who.len())
            } else {
                who.join(", ")
            },
            rows: rows.clone(),
        })
        .collect()
}
