//! Logs whose ends are not what their brokers say.

use kaf6_liar::Action::*;
use kaf6_liar::Api::{Fetch, ListOffsets};
use kaf6_liar::{Action, Behaviour, Rule};

use tokio::task::JoinSet;

use crate::pair;
use crate::rows::{BATCHES, READ, SOON, file};

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
