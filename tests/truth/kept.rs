//! Tests what retention and compaction remove, with and without permission, and recreated topics.

use kaf6_liar::Action::*;
use kaf6_liar::Api::{CreateTopics, Fetch, Produce};
use kaf6_liar::{Behaviour, Phase, Rule};

use crate::pair::{self, Done};
use crate::rows::{BATCHES, READ, SOON, run, with};

/// The topic has these settings.
pub(crate) fn keeping(config: &str, scenarios: &str, run: &str) -> String {
    with(1, scenarios, "", run).replace("partitions: 1", &format!("partitions: 1, config: {{{config}}}"))
}

/// Over a second.
const SLOW: &str = "write: {type: produce, messages: 120, rate: 100/s, value: {size: 100B}}";
const AFTER: &str = "read: {type: consume, after: write, idle_timeout: 30s, timeout: 60s}";

/// Some expired, however late the reader comes; the others are verified, and the reason names the setting.
fn expired(done: &Done, setting: &str) {
    let expired = done.is("error").account("expired");
    assert!((10..=120).contains(&expired), "{}", done.shown());
    done.counts(&[("expired", expired), ("verified", 120 - expired)]);
    assert_eq!(done.anomaly("lost"), 0, "{}", done.shown());
    assert!(done.summary.to_string().contains(setting), "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_04_retention_behind_a_live_reader() {
    let scenarios = format!("{SLOW}\n  read: {{type: consume, {READ}}}");
    for config in ["retention.ms: 500", "retention.bytes: 5000"] {
        let done = run(&keeping(config, &scenarios, "audit: true"), []).await;
        assert!(done.log.topics["t"][0].start > 0, "{}", done.shown());
        assert!(done.notes("retention"), "{}", done.shown());
        // Some expire before a busy machine's reader gets there.
        let expired = done.account("expired");
        done.is(if expired == 0 { "pass" } else { "error" });
        done.counts(&[("expired", expired), ("verified", 120 - expired)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_05_retention_before_a_reader_that_comes_late() {
    for config in ["retention.ms: 500", "retention.bytes: 5000"] {
        let scenarios = format!("{SLOW}\n  {AFTER}");
        let done = run(&keeping(config, &scenarios, ""), []).await;
        expired(&done, &config[..config.len() - 5]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_05_the_same_where_the_client_does_not_notice_that_its_offset_was_refused() {
    // With null records, librdkafka overlooks OFFSET_OUT_OF_RANGE. Readers, the audit and re-reads all begin below the log's start.
    let behaviour = Behaviour { null_when_empty: true, ..Behaviour::default() };
    let file = keeping("retention.ms: 500", &format!("{SLOW}\n  {AFTER}"), "audit: true");
    expired(&pair::run(&file, behaviour).await, "retention.ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_05_the_same_where_only_the_broker_knows() {
    let behaviour =
        Behaviour { defaults: [("retention.ms".into(), "500".into())].into(), ..Behaviour::default() };
    let done = pair::run(&with(1, &format!("{SLOW}\n  {AFTER}"), "", ""), behaviour).await;
    expired(&done, "retention.ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_of_a_topic_whose_settings_nobody_tells() {
    // The topic is there already, so kaf6 cannot know. By size, something is left however late a reader comes.
    let scenarios = format!("{SLOW}\n  {AFTER}");
    let first = keeping("retention.bytes: 5000", "write: {type: produce, messages: 5}", "");
    let behaviour = Behaviour { no_describe: true, ..Behaviour::default() };
    let [_, done] = pair::run_both(&first, &with(1, &scenarios, "", ""), behaviour).await;
    done.is("error").counts(&[]);
    assert!(done.account("verified") < 110, "{}", done.shown());
    assert!(done.notes("the settings of `t` are unknown"), "{}", done.shown());
    // A live reader has it all; what went since may have had to stay.
    let live = format!("{SLOW}\n  read: {{type: consume, {READ}}}");
    let behaviour = Behaviour { no_describe: true, ..Behaviour::default() };
    let [_, done] = pair::run_both(&first, &with(1, &live, "", "audit: true"), behaviour).await;
    done.is("error").counts(&[]);
    assert!(done.account("expired") > 0, "{}", done.shown());
    assert!(done.summary.to_string().contains("settings are unknown"), "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_early_is_lost_whatever_the_settings() {
    for config in ["", "retention.ms: 60000", "retention.bytes: 1000000", "cleanup.policy: compact"] {
        let write = format!("write: {{type: produce, {BATCHES}, key: \"{{{{seq}}}}\"}}");
        let scenarios = format!("{write}\n  {AFTER}");
        let rules = [Rule::new(Produce, DeleteEarly { batches: 3 }).from(6).times(1)];
        let done = run(&keeping(config, &scenarios, ""), rules).await;
        let lost = u64::try_from(done.log.topics["t"][0].start).expect("not below 0");
        done.is("fail").has("lost", lost).counts(&[("lost", lost), ("verified", 100 - lost)]);
    }
}

const KEYED: &str = "write: {type: produce, messages: 200, rate: 1000/s, clients: 5, key: \"k{{client}}\", value: {size: 100B}}";
const COMPACT: &str = "cleanup.policy: compact";

#[tokio::test(flavor = "multi_thread")]
async fn row_06_a_compacted_topic_with_two_readers() {
    let scenarios =
        format!("{KEYED}\n  one: {{type: consume, {READ}}}\n  two: {{type: consume, after: write, {READ}}}");
    for audit in ["", "audit: true"] {
        let done = run(&keeping(COMPACT, &scenarios, audit), []).await;
        let superseded = done.account("superseded");
        done.counts(&[("superseded", superseded), ("verified", 200 - superseded)]);
        // What the live reader was too late for is in no other's reach.
        assert!(done.status() == "error" || (superseded == 0 && done.status() == "pass"), "{}", done.shown());
        for reader in ["one", "two"] {
            assert_eq!(done.summary["scenarios"][reader]["ended"], "done", "{}", done.shown());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_06_a_compacted_topic_whose_reader_comes_late() {
    for config in [COMPACT, "cleanup.policy: \"compact,delete\""] {
        let done = run(&keeping(config, &format!("{KEYED}\n  {AFTER}"), ""), []).await;
        let superseded = done.is("error").account("superseded");
        assert!((100..200).contains(&superseded), "{}", done.shown());
        done.counts(&[("superseded", superseded), ("verified", 200 - superseded)]);
        assert!(done.summary.to_string().contains("cleanup.policy"), "{}", done.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_with_keys_of_their_own_keeps_all() {
    let write = format!("write: {{type: produce, {BATCHES}, key: \"{{{{seq}}}}\"}}");
    let done = run(&keeping(COMPACT, &format!("{write}\n  {AFTER}"), "audit: true"), []).await;
    done.is("pass").counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_record_of_a_key_is_lost() {
    // When its reader comes.
    let rules = [Rule::new(Fetch, CompactLast { index: 2 }).times(1)];
    let done = run(&keeping(COMPACT, &format!("{KEYED}\n  {AFTER}"), ""), rules).await;
    done.did("compact_last").is("fail");
    // Without it, nothing tells those that it superseded from what was lost.
    let (lost, superseded) = (done.account("lost"), done.account("superseded"));
    assert!((1..=40).contains(&lost) && superseded >= 100, "{}", done.shown());
    done.counts(&[("lost", lost), ("superseded", superseded), ("verified", 200 - lost - superseded)]);
}

/// The topic is made anew by each run.
fn anew() -> String {
    let scenarios = format!("write: {{type: produce, {BATCHES}}}\n  read: {{type: consume, {READ}}}");
    with(1, &scenarios, "", SOON).replace("partitions: 1", "partitions: 1, recreate: true")
}

#[tokio::test(flavor = "multi_thread")]
async fn row_03_the_records_of_a_deleted_topic_are_there_again() {
    let rules = [Rule::new(CreateTopics, Resurrect)];
    let [first, second] = pair::run_both(&anew(), &anew(), Behaviour::of(rules)).await;
    first.is("pass");
    second.did("resurrect").is("fail").counts(&[("verified", 100)]);
    // And maybe the end marker.
    assert!((100..=101).contains(&second.anomaly("resurrected")), "{}", second.shown());
    assert_eq!(second.check("no_corruption"), "fail", "{}", second.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_anew_is_empty() {
    for done in pair::run_both(&anew(), &anew(), Behaviour::default()).await {
        done.is("pass").counts(&[("verified", 100)]);
        assert_eq!(done.anomaly("resurrected") + done.anomaly("foreign"), 0, "{}", done.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_records_of_a_topic_that_was_there_are_foreign() {
    let file = anew().replace(", recreate: true", "");
    let [_, done] = pair::run_both(&file, &file, Behaviour::default()).await;
    done.is("pass").counts(&[("verified", 100)]);
    assert_eq!(done.anomaly("resurrected"), 0, "{}", done.shown());
    assert!(done.anomaly("foreign") >= 100, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_observer_read_before_it_went_early_is_not_green_by_the_settings() {
    // The live reader has it all, and the audit finds the log's start moved without a reason.
    let scenarios = format!("write: {{type: produce, {BATCHES}}}\n  read: {{type: consume, {READ}}}");
    let rules = [Rule::new(Fetch, DeleteEarly { batches: 3 }).phase(Phase::AfterMarker).times(1)];
    let done = run(&keeping("retention.ms: 60000", &scenarios, "audit: true"), rules).await;
    done.did("delete_early").is("fail");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_record_of_somebody_else_makes_room_for_nothing() {
    // All of the run's own messages are less than the limit.
    let odd = OddRecords { count: 1, bytes: 60_000, age_ms: 0 };
    let rules = [Rule::new(Produce, odd).from(6).times(1)];
    let done = run(&keeping("retention.bytes: 50000", &format!("{SLOW}\n  {AFTER}"), ""), rules).await;
    expired(done.did("odd_records"), "retention");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_marker_that_goes_early_is_lost() {
    let scenarios = format!("write: {{type: produce, {BATCHES}}}\n  read: {{type: consume, {READ}}}");
    // The live reader has the marker; the audit finds nothing. Which of the requests is the audit's first differs, and where the audit
    // had read all before, nothing is wrong.
    for from in [3, 2, 3, 2, 3, 2] {
        let early = Rule::new(Fetch, DeleteEarly { batches: 1000 }).phase(Phase::AfterMarker);
        let done =
            run(&keeping("retention.ms: 60000", &scenarios, "audit: true"), [early.from(from).times(1)])
                .await;
        if done.log.fired.is_empty() || done.summary["status"] == "pass" {
            continue;
        }
        done.did("delete_early").is("fail");
        assert_eq!(done.summary["accounts"]["markers"]["lost"], 1, "{}", done.shown());
        return;
    }
    panic!("the log was never emptied in time, or nobody missed the end marker");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_others_in_a_new_log_that_does_not_begin_at_0() {
    let odd = OddRecords { count: 5, bytes: 10, age_ms: 3_600_000 };
    let old = |begins: bool| {
        let early = Rule::new(Produce, DeleteEarly { batches: 1 }).from(6).times(1);
        let early = Some(early).filter(|_| begins);
        let rules = [Rule::new(Produce, odd.clone()).from(4).times(1), Rule::new(CreateTopics, Resurrect)];
        Behaviour::of(rules.into_iter().chain(early))
    };
    let write = format!("write: {{type: produce, {BATCHES}}}");
    let anew = |scenarios: &str| {
        with(1, scenarios, "", SOON).replace("partitions: 1", "partitions: 1, recreate: true")
    };
    // Whoever reads, and even where nobody does.
    for (scenarios, begins) in [
        (format!("{write}\n  {AFTER}"), true),
        (write.clone(), true),
        (format!("{write}\n  read: {{type: consume, offset: latest, {READ}}}"), true),
        ("ping: {type: roundtrip, iterations: 5, warmup: 0}".to_owned(), true),
        (write.clone(), false),
    ] {
        let first = format!("{write}\n  read: {{type: consume, {READ}}}");
        let [_, second] = pair::run_both(&anew(&first), &anew(&scenarios), old(begins)).await;
        second.did("resurrect").is("fail");
        // In a log that begins at 0, they may have been written since.
        assert_eq!(second.anomaly("foreign"), if begins { 0 } else { 5 }, "{}", second.shown());
        assert!(second.anomaly("resurrected") > 80, "{}", second.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_supersedes_behind_the_end_marker() {
    // The reader that kaf6 adds does not wait for the load, whose records have the same keys.
    let write = "messages: 60, rate: 400/s, clients: 3, key: \"k{{client}}\"";
    let scenarios = format!(
        "write: {{type: produce, {write}, headers: {{by: write}}}}\n  \
         load: {{type: produce, after: write, at: 300ms, messages: 30, rate: 100/s, clients: 3, key: \"k{{{{client}}}}\", verify: false, \
         headers: {{by: load}}}}"
    );
    let done = run(&keeping(COMPACT, &scenarios, "audit: true"), []).await;
    let superseded = done.account("superseded");
    done.counts(&[("superseded", superseded), ("verified", 60 - superseded)]);
    assert_eq!(done.anomaly("lost"), 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_record_behind_a_gap_of_compaction_is_no_bad_batch() {
    // All but the last message are superseded, and what lies behind the control record is refused: nothing but that is given.
    let write = "write: {type: produce, messages: 59, rate: 1000/s, key: k, value: {size: 64B}}";
    let scenarios = format!("{write}\n  late: {{type: consume, after: write, {READ}}}");
    let file = keeping(COMPACT, &scenarios, &format!("audit: true, {SOON}"));
    let rules = [
        Rule::new(Produce, ControlRecord).from(20).times(1),
        Rule::new(Fetch, OutOfRange { from: 27, to: 37 }),
    ];
    let behaviour = Behaviour { null_when_empty: true, ..Behaviour::of(rules) };
    let file = file.replace("batch.num.messages: 10", "batch.num.messages: 1");
    let done = pair::run(&file, behaviour).await;
    let unreadable = done.did("control_record").is("fail").account("unreadable");
    done.counts(&[("unreadable", unreadable), ("unread", 0)]);
    assert!(unreadable > 0 && done.anomaly("corrupt") == 0, "{}", done.shown());
    assert!(!done.notes("has a wrong checksum"), "{}", done.shown());
}

/// Batches of keyed messages that are there and are acked without an offset.
async fn without_places(more: Option<Rule>) -> Done {
    let rule = Rule::new(Produce, AckWithoutOffset { written: true }).from(2).times(8);
    let scenarios = format!("{KEYED}\n  {AFTER}");
    run(&keeping(COMPACT, &scenarios, "audit: true"), [rule].into_iter().chain(more)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_its_key_explains_that_it_is_gone() {
    let done = without_places(None).await;
    let (unclear, superseded) = (done.is("error").account("expired"), done.account("superseded"));
    assert!(unclear > 10, "{}", done.shown());
    let gone = unclear + superseded;
    done.counts(&[("expired", unclear), ("superseded", superseded), ("verified", 200 - gone)]);
    // A key of which no record is left explains nothing.
    let last = Rule::new(Fetch, CompactLast { index: 2 }).times(1);
    let done = without_places(Some(last)).await;
    let lost = done.did("compact_last").is("fail").account("lost");
    assert!((1..=40).contains(&lost), "{}", done.shown());
}
