//! Tests anomalies that are visible in acks alone, and the effect of a new leader on `acks: 1`.

use kaf6_liar::Action::*;
use kaf6_liar::Api::{Fetch, ListOffsets, Produce};
use kaf6_liar::{Behaviour, Phase, Rule};

use crate::pair::{self, Done};
use crate::rows::{BATCHES, READ, SOON, file, run, with};

#[tokio::test(flavor = "multi_thread")]
async fn row_07_one_offset_is_acked_to_two_messages() {
    let done =
        run(&file(BATCHES, READ, ""), [Rule::new(Produce, AckUnwritten { gap: false }).from(3).times(1)])
            .await;
    let twice = done.of_batches("ack_unwritten");
    done.is("fail").has("collided", twice).counts(&[("lost", twice), ("verified", 100 - twice)]);
    assert_eq!(done.check("no_corruption"), "fail", "{}", done.shown());
    // Who lies there is the first message of the next batch.
    let unwritten = done.log.produced.iter().find(|batch| batch.stored.is_empty()).map(|it| it.base_offset);
    let there = format!("message {}", unwritten.unwrap_or(-1) + i64::try_from(twice).unwrap_or(0));
    for anomaly in ["lost", "collided"] {
        let detail = done.summary["anomalies"][anomaly]["evidence"][0]["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(&there), "{detail}: {}", done.shown());
    }
}

/// A leader that has lost its tail, and writes other messages there.
async fn rewritten(run: &str) -> Done {
    let rules = [Rule::new(Produce, Truncate { to: 40 }).from(12).times(1)];
    pair::run(&file("messages: 200, rate: 400/s, value: {size: 100B}", READ, run), Behaviour::of(rules)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn row_08_offsets_are_rewritten_under_load() {
    let asked = rewritten("audit: true").await;
    let unasked = rewritten("").await;
    for done in [asked, unasked] {
        let (lost, rewritten) = (done.did("truncate").is("fail").account("lost"), done.account("rewritten"));
        done.counts(&[("lost", lost), ("rewritten", rewritten), ("verified", 200 - lost - rewritten)]);
        assert!(rewritten > 0 && done.anomaly("collided") >= rewritten, "{}", done.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_acks_alone_show_needs_no_reader() {
    let write = "write: {type: produce, messages: 200, rate: 400/s, value: {size: 100B}}";
    let rules = [Rule::new(Produce, Truncate { to: 40 }).from(12).times(1)];
    let done = run(&with(1, write, "", "audit: false"), rules).await;
    done.did("truncate").is("fail").counts(&[("unassigned", 200)]);
    assert!(done.anomaly("collided") > 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_overtaken() {
    // Each batch is one message, which is handed over after the ack of the one before it.
    let write = "messages: 20, rate: 20/s, value: {size: 100B}";
    let file = file(write, READ, "").replace("linger.ms: 20", "linger.ms: 0");
    let done = run(&file, [Rule::new(Produce, SwapAfterAck).from(8).times(1)]).await;
    done.did("swap_after_ack").is("fail").counts(&[("verified", 20)]);
    done.has("overtaken", 1).has("reordered", 1);
    assert_eq!(done.check("in_order"), "fail", "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_overtaken_by_what_was_sent_again() {
    let rules = [
        Rule::new(Produce, Error { code: 7, written: false }).from(2).times(2),
        Rule::new(Produce, Drop { written: true }).from(6).times(1),
        Rule::new(Produce, Delay { ms: 100 }).from(9).times(2),
    ];
    let done = run(&file(BATCHES, READ, ""), rules).await;
    assert_ne!(done.did("error").status(), "fail", "{}", done.shown());
    assert_eq!(done.anomaly("overtaken") + done.anomaly("collided"), 0, "{}", done.shown());
}

/// Three batches are missing after a change of leader.
async fn without_a_tail(acks: &str) -> Done {
    let rules = [Rule::new(Produce, LoseTail { batches: 3 }).from(8).times(1)];
    let write = format!("{BATCHES}, acks: {acks}");
    let behaviour = Behaviour { brokers: 2, ..Behaviour::of(rules) };
    // Who reads later has not seen what went.
    let read = format!("after: write, {READ}");
    pair::run(&file(&write, &read, SOON), behaviour).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_may_lack_what_it_alone_did_not_ack() {
    let done = without_a_tail("1").await;
    let missing = done.log.removed.iter().filter(|removed| removed.why == "lose_tail").count() as u64;
    done.did("lose_tail").is("error").counts(&[("verified", 100 - missing)]);
    let odd = ["lost", "collided", "overtaken"];
    assert!(odd.iter().all(|name| done.anomaly(name) == 0), "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_must_not_lack_what_all_have_acked() {
    let done = without_a_tail("all").await;
    let missing = done.log.removed.iter().filter(|removed| removed.why == "lose_tail").count() as u64;
    done.did("lose_tail").is("fail").has("lost", missing);
    assert!(done.anomaly("collided") > 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_ack_and_the_same_leader_what_is_missing_is_lost() {
    let rules = [Rule::new(Produce, AckUnwritten { gap: true }).from(3).times(1)];
    let done = run(&file(&format!("{BATCHES}, acks: 1"), READ, ""), rules).await;
    let lost = done.of_batches("ack_unwritten");
    done.is("fail").has("lost", lost).counts(&[("lost", lost), ("verified", 100 - lost)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_makes_progress_has_the_whole_time_of_the_run() {
    // One batch per response, each of them late: more than `recheck`, less than the timeout of the run.
    let slow = Rule::new(Fetch, Delay { ms: 400 }).phase(Phase::AfterMarker);
    let file = file(BATCHES, READ, "audit: true")
        .replace("linger.ms: 20", "linger.ms: 20, max.partition.fetch.bytes: 1");
    let done = run(&file, [slow]).await;
    done.did("delay").is("pass").counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_end_is_a_note() {
    let rule = Rule::new(ListOffsets, EndAt { offset: 40, hide: false }).phase(Phase::AfterMarker);
    let done = run(&file(BATCHES, READ, "audit: true"), [rule]).await;
    done.did("end_at").is("pass").counts(&[("verified", 100)]);
    assert!(done.anomaly("stale_end") > 0, "{}", done.shown());
}

/// A run with the check `no_stale_end` and the threshold that says the same.
async fn no_stale_end(partitions: u32, rules: impl IntoIterator<Item = Rule>) -> Done {
    let scenarios = format!("write: {{type: produce, {BATCHES}}}\n  read: {{type: consume, {READ}}}");
    let checks = "{type: no_stale_end}, {type: threshold, scenario: read, expr: \"stale_end == 0\"}";
    run(&with(partitions, &scenarios, checks, "audit: false"), rules).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_end_fails_the_check_for_it() {
    let both = |done: &Done| ["no_stale_end", "threshold"].map(|name| done.check(name).to_owned());
    let healthy = no_stale_end(2, []).await;
    assert_eq!(both(healthy.is("pass").counts(&[("verified", 100)])), ["pass"; 2], "{}", healthy.shown());
    let rule = Rule::new(ListOffsets, EndAt { offset: 40, hide: false }).phase(Phase::AfterMarker);
    let stale = no_stale_end(1, [rule]).await;
    stale.did("end_at").is("fail").counts(&[("verified", 100)]);
    assert_eq!(both(&stale), ["fail"; 2], "{}", stale.shown());
    // Nobody knows the end of one of two partitions.
    let rule = Rule::new(ListOffsets, Error { code: 29, written: false }).phase(Phase::AfterMarker);
    let unknown = no_stale_end(2, [rule.partition(1)]).await;
    unknown.did("error").is("error").counts(&[("verified", 100)]);
    assert_eq!(both(&unknown), ["inconclusive"; 2], "{}", unknown.shown());
}
