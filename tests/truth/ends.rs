//! Tests logs whose ends differ from what their brokers report.

use kaf6_liar::Action::*;
use kaf6_liar::Api::{Fetch, ListOffsets};
use kaf6_liar::{Action, Behaviour, Phase, Rule};

use tokio::task::JoinSet;

use crate::pair;
use crate::rows::{BATCHES, READ, SOON, file, with};

/// What a broker hides in its answers to fetches, while it reports an end before that.
async fn hidden(hide: Action, end: i64, run: &str) -> pair::Done {
    let rules = [Rule::new(Fetch, hide), Rule::new(ListOffsets, EndAt { offset: end, hide: false })];
    pair::run(&file(BATCHES, READ, run), Behaviour::of(rules)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_unreadable_whatever_end_is_reported() {
    // Two ends that differ; the same end twice, and yet no refusal of what lies behind it; no record and no end at all.
    let lies = [
        (EndAt { offset: 60, hide: true }, 40, ""),
        (EndAt { offset: 60, hide: true }, 40, ", audit: true"),
        (EndAt { offset: 60, hide: true }, 60, ", audit: true"),
        (Empty, 0, ", audit: true"),
        (Error { code: -1, written: false }, 0, ", audit: true"),
    ];
    let mut running = JoinSet::new();
    for (hide, end, audit) in lies {
        running.spawn(async move { hidden(hide, end, &format!("{SOON}{audit}")).await });
    }
    for done in running.join_all().await {
        let beyond = done.is("fail").account("unreadable");
        done.counts(&[("unreadable", beyond), ("verified", 100 - beyond)]);
        assert!((15..=100).contains(&beyond), "{}", done.shown());
    }
}

/// A run with an `offsets` scenario and its check.
async fn observed(rules: impl IntoIterator<Item = Rule>) -> pair::Done {
    let scenarios = format!(
        "write: {{type: produce, messages: 100, rate: 50/s}}\n  read: {{type: consume, {READ}}}\n  \
         ends: {{type: offsets, every: 20ms}}"
    );
    pair::run(&with(2, &scenarios, "{type: log_offsets_monotonic}", ""), Behaviour::of(rules)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_end_that_goes_back_fails() {
    let healthy = observed([]).await;
    healthy.is("pass").counts(&[("verified", 100)]);
    assert_eq!(healthy.check("log_offsets_monotonic"), "pass", "{}", healthy.shown());
    // Of four requests in a row, two are answered with an end of 0.
    let back =
        |at| Rule::new(ListOffsets, EndAt { offset: 0, hide: false }).partition(1).from(4 * at).times(2);
    let lied = observed((0..1000_u32).map(back)).await;
    lied.did("end_at").is("fail").counts(&[("verified", 100)]);
    assert_eq!(lied.check("log_offsets_monotonic"), "fail", "{}", lied.shown());
    assert!(lied.notes("the reported end of t[1] went back from "), "{}", lied.shown());
    // Nobody knows the end of one of two partitions.
    let error = Rule::new(ListOffsets, Error { code: 29, written: false }).phase(Phase::AfterMarker);
    let unknown = observed([error.partition(1)]).await;
    unknown.did("error").is("error").counts(&[("verified", 100)]);
    assert_eq!(unknown.check("log_offsets_monotonic"), "inconclusive", "{}", unknown.shown());
}
