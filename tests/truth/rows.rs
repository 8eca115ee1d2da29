//! Tests known kinds of misbehavior, one test each, and each anomaly alone.

use kaf6_liar::Action::*;
use kaf6_liar::Api::{EpochEnd, Fetch, ListOffsets, Metadata, Produce, ProduceMarker};
use kaf6_liar::{Behaviour, Part, Phase, Rule};

use serde_json::Value;

use crate::pair::{self, Done};

/// A file with these fields of its producer `write`, its reader `read`, and of `run`; batches are of few messages.
pub(crate) fn file(write: &str, read: &str, run: &str) -> String {
    with(1, &format!("write: {{type: produce, {write}}}\n  read: {{type: consume, {read}}}"), "", run)
}

pub(crate) fn with(partitions: u32, scenarios: &str, checks: &str, run: &str) -> String {
    format!(
        "brokers: BROKERS\n\
         client: {{properties: {{socket.timeout.ms: 2000, retry.backoff.ms: 50, linger.ms: 20, batch.num.messages: 10}}}}\n\
         topics: [{{name: t, partitions: {partitions}}}]\n\
         scenarios:\n  {scenarios}\n\
         checks: [{checks}]\n\
         run: {{timeout: 2m, {run}}}\n"
    )
}

/// About ten messages a batch.
pub(crate) const BATCHES: &str = "messages: 100, rate: 500/s, clients: 1, value: {size: 100B}";
pub(crate) const READ: &str = "idle_timeout: 30s, timeout: 60s";
pub(crate) const SOON: &str = "unreadable_after: 1s";

pub(crate) async fn run(file: &str, rules: impl IntoIterator<Item = Rule>) -> Done {
    pair::run(file, Behaviour::of(rules)).await
}

impl Done {
    #[track_caller]
    pub(crate) fn is(&self, status: &str) -> &Self {
        assert_eq!(self.status(), status, "{}", self.shown());
        self
    }

    /// These counts of anomalies.
    #[track_caller]
    pub(crate) fn has(&self, anomaly: &str, count: u64) -> &Self {
        assert!(count > 0, "the broker did it: {}", self.shown());
        assert_eq!(self.anomaly(anomaly), count, "{anomaly}: {}", self.shown());
        self
    }

    /// These classes of the account; all other broken promises are none.
    #[track_caller]
    pub(crate) fn counts(&self, classes: &[(&str, u64)]) -> &Self {
        let broken = ["lost", "unreadable", "skipped", "corrupt", "misplaced", "rewritten"];
        for (class, count) in classes {
            assert_eq!(self.account(class), *count, "{class}: {}", self.shown());
        }
        for class in broken.iter().filter(|class| classes.iter().all(|(named, _)| named != *class)) {
            assert_eq!(self.account(class), 0, "{class}: {}", self.shown());
        }
        self
    }

    #[track_caller]
    pub(crate) fn did(&self, action: &str) -> &Self {
        assert!(self.log.fired.iter().any(|fired| fired.action == action), "{action}: {}", self.shown());
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_broker_passes() {
    let done = run(&file(BATCHES, READ, "audit: true"), []).await;
    done.is("pass");
    let came = done.log.produced.iter().filter(|batch| !batch.marker);
    assert_eq!(came.map(|batch| batch.records.len()).sum::<usize>(), 100);
    done.counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_01_a_bit_flipped_only_at_the_audit() {
    for fix_crc in [true, false] {
        let rule = Rule::new(Fetch, FlipOnRead { offset: 10, sights: 1, fix_crc });
        let done = run(&file(BATCHES, READ, "audit: true"), [rule]).await;
        done.did("flip_on_read").is("fail").has("corrupt", 1).counts(&[("corrupt", 1), ("verified", 99)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_02_batches_that_were_never_sent_again_are_there_twice() {
    let mut rules = vec![Rule::new(Produce, Error { code: 7, written: false }).from(1).times(1)];
    rules.extend([4, 6, 8].map(|nth| Rule::new(Produce, Twice).from(nth).times(1)));
    let done = run(&file("messages: 300, rate: 500/s, value: {size: 100B}", READ, ""), rules).await;
    done.did("twice").is("fail");
    assert!(done.anomaly("duplicate") > 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_02_batches_that_were_never_sent_again_are_swapped() {
    let mut rules = vec![Rule::new(Produce, Error { code: 7, written: false }).from(1).times(1)];
    rules.extend([6, 9, 12].map(|nth| Rule::new(Produce, Swap).from(nth).times(1)));
    let done = run(&file("messages: 300, rate: 500/s, value: {size: 100B}", READ, ""), rules).await;
    done.did("swap").is("fail");
    assert!(done.anomaly("reordered") > 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_03_an_idempotent_batch_that_was_sent_again_is_written_again() {
    let rules =
        [Rule::new(Produce, Drop { written: true }).from(3).times(1), Rule::new(Produce, WriteRetries)];
    let write = format!("{BATCHES}, idempotence: true");
    let done = run(&file(&write, READ, ""), rules).await;
    let twice = done.of_batches("write_retries");
    done.is("fail").has("duplicate", twice);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_03_idempotent_batches_are_swapped() {
    let rules = [Rule::new(Produce, SwapAfterAck).from(6).times(1)];
    // Ten messages in each batch: batches of different lengths are misplaced, too.
    let text = file("messages: 300, rate: 500/s, idempotence: true, value: {size: 100B}", READ, "")
        .replace("linger.ms: 20", "linger.ms: 5000");
    let done = run(&text, rules).await;
    done.did("swap_after_ack").is("fail").counts(&[("verified", 300)]);
    assert!(done.anomaly("reordered") > 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_04_a_reader_that_begins_or_ends_elsewhere_is_cut_short() {
    for read in ["offset: 20", "limit: 90", "offset: latest"] {
        let read = format!("{read}, idle_timeout: 1s, timeout: 1s");
        let scenarios = format!("write: {{type: produce, {BATCHES}}}\n  read: {{type: consume, {read}}}");
        let checks = "{type: threshold, scenario: read, expr: \"lost == 0\"}";
        let file = with(1, &scenarios, checks, "timeout: 6s, audit: false").replacen("timeout: 2m, ", "", 1);
        let done = run(&file, [Rule::new(Fetch, NoAnswer { written: false }).from(2)]).await;
        done.did("no_answer").is("error");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_04_a_limited_reader_that_began_beyond_the_log_has_skipped_nothing() {
    // Its log seems to have begun anew, since the end of it is known before the reader gets there; behind the limit its position goes
    // past the end marker.
    let read = "read: {type: consume, offset: 12, limit: 1, idle_timeout: 2s, timeout: 8s}";
    let scenarios = format!("write: {{type: produce, messages: 10, value: {{size: 64B}}}}\n  {read}");
    let rules = [Rule::new(Fetch, Error { code: 5, written: false }).for_ms(50)];
    for _ in 0..5 {
        run(&with(1, &scenarios, "", ""), rules.clone()).await.is("pass").counts(&[("verified", 10)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_04_a_limited_reader_covers_what_it_read() {
    let read = format!("limit: 10, {READ}");
    let done = run(&file(BATCHES, &read, ""), []).await;
    let summary = done.is("pass").counts(&[("verified", 100)]).summary.to_string();
    assert!(summary.contains("10 messages in 1 partition"), "{}", done.shown());
    assert!(summary.contains("100 acked messages in 1 partition"), "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_05_a_producer_that_was_cut_short_by_its_timeout() {
    let rules = [Rule::new(Produce, NoAnswer { written: false }).from(1)];
    let done = run(&file("messages: 1000, rate: 500/s, timeout: 2s", READ, ""), rules).await;
    done.is("error");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_05_most_sends_have_an_unknown_outcome() {
    let rules = [Rule::new(Produce, Error { code: -1, written: false }).from(1)];
    let done = run(&file("messages: 200, rate: 500/s, timeout: 5s", READ, ""), rules).await;
    done.is("error").counts(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_05_a_producer_that_died_of_a_fatal_error() {
    for code in [45, 59] {
        let rules = [Rule::new(Produce, Error { code, written: false }).from(4)];
        let write = "messages: 300, rate: 500/s, idempotence: true, timeout: 4s";
        let done = run(&file(write, READ, ""), rules).await;
        done.is("error").counts(&[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_06_what_nobody_reads_is_read_back() {
    let write = format!("write: {{type: produce, {BATCHES}}}");
    let files = [
        with(2, &format!("{write}\n  read: {{type: consume, partition: 0, {READ}}}"), "", ""),
        with(2, &write, "", ""),
        with(1, &format!("{write}\n  read: {{type: consume, limit: 10, {READ}}}"), "", ""),
        with(1, &format!("{write}\n  read: {{type: consume, offset: 30, {READ}}}"), "", ""),
    ];
    for file in files {
        run(&file, []).await.is("pass").counts(&[("verified", 100)]);
    }
    let write = format!("write: {{type: produce, {BATCHES}, headers: {{by: write}}}}");
    let later = format!(
        "{write}\n  read: {{type: consume, after: write, limit: 50, {READ}}}\n  \
         later: {{type: produce, after: read, {BATCHES}, headers: {{by: later}}}}"
    );
    run(&with(1, &later, "", ""), []).await.is("pass").counts(&[("verified", 200)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_06_and_found_to_be_lost() {
    let write = format!("write: {{type: produce, {BATCHES}}}");
    let rules = [Rule::new(Produce, AckUnwritten { gap: true }).from(2).times(1).partition(1)];
    let done =
        run(&with(2, &format!("{write}\n  read: {{type: consume, partition: 0, {READ}}}"), "", ""), rules)
            .await;
    let lost = done.of_batches("ack_unwritten");
    done.is("fail").has("lost", lost).counts(&[("lost", lost), ("verified", 100 - lost)]);
}

const PINGS: &str = "ping: {type: roundtrip, iterations: 20, warmup: 0, iteration_timeout: 1s}";

#[tokio::test(flavor = "multi_thread")]
async fn row_07_a_round_trip_whose_produce_is_never_answered() {
    let rules = [Rule::new(Produce, NoAnswer { written: true }).from(5).times(1)];
    run(&with(1, PINGS, "", ""), rules).await.did("no_answer").is("error");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_07_a_round_trip_that_is_in_the_log_twice() {
    let rules = [Rule::new(Produce, Twice).from(5).times(1)];
    run(&with(1, PINGS, "", ""), rules).await.did("twice").is("fail").has("duplicate", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_07_a_round_trip_that_is_in_the_log_twice_and_that_nobody_else_reads() {
    let rules = [Rule::new(Produce, Twice).from(5).times(1)];
    let done = run(&with(1, PINGS, "", "audit: false"), rules).await;
    done.did("twice").is("fail").has("duplicate", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_08_acks_without_an_offset_whose_messages_are_thrown_away() {
    let rules = [Rule::new(Produce, AckWithoutOffset { written: false }).from(3).times(1)];
    let done = run(&file(BATCHES, READ, ""), rules).await;
    let lost = done.of_batches("ack_without_offset");
    done.is("fail").has("lost", lost).counts(&[("lost", lost), ("verified", 100 - lost)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_08_acks_without_an_offset_whose_messages_are_there() {
    let rules = [Rule::new(Produce, AckWithoutOffset { written: true }).from(3).times(1)];
    let done = run(&file(BATCHES, READ, ""), rules).await;
    done.did("ack_without_offset").is("pass").counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_09_the_end_marker_is_acked_and_lost() {
    for gap in [true, false] {
        let rules = [Rule::new(ProduceMarker, AckUnwritten { gap }).times(1)];
        let done = run(&file(BATCHES, READ, SOON), rules).await;
        done.did("ack_unwritten").is("fail").counts(&[("verified", 100)]);
        assert_eq!(done.summary["accounts"]["markers"]["lost"], 1, "{}", done.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_09_the_end_marker_of_a_reader_that_has_ended() {
    // It is written once the slow one has ended, and whoever reads has ended before.
    let scenarios = format!(
        "write: {{type: produce, {BATCHES}, headers: {{by: write}}}}\n  \
         slow: {{type: produce, messages: 60, rate: 100/s, acks: 0, verify: false, headers: {{by: slow}}}}\n  \
         read: {{type: consume, limit: 10, {READ}}}"
    );
    let honest = run(&with(1, &scenarios, "", "audit: true"), []).await;
    honest.is("pass").counts(&[("verified", 100)]);
    assert_eq!(honest.summary["accounts"]["markers"]["acked"], 2, "{}", honest.shown());
    // The one that kaf6 adds does not wait for it, so what it sent last was not looked for.
    assert_eq!((honest.account("absent"), honest.account("found") + honest.account("unchecked")), (0, 60));
    let rules = [Rule::new(ProduceMarker, AckUnwritten { gap: true }).from(1).times(1)];
    let done = run(&with(1, &scenarios, "", "audit: true"), rules).await;
    // Nothing lies behind it, and only its own reader would write another one.
    done.did("ack_unwritten").is("error").counts(&[("verified", 100)]);
    assert_eq!(done.summary["accounts"]["markers"]["unread"], 1, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_10_a_reader_stands_still_after_its_producers_ended() {
    let scenarios =
        format!("write: {{type: produce, {BATCHES}}}\n  read: {{type: consume, idle_timeout: 30s}}");
    let checks = "{type: continuity, scenario: read, max_gap: 500ms}";
    let rules = [Rule::new(Fetch, Empty).from(4).for_ms(1500)];
    let done = run(&with(1, &scenarios, checks, ""), rules).await;
    done.did("empty").is("fail");
    assert_eq!(done.check("continuity"), "fail", "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_11_a_threshold_over_no_data() {
    for expr in ["errors == 0", "error_rate == 0"] {
        let read = "read: {type: consume, from: any, timeout: 1s, idle_timeout: 500ms}";
        let checks = format!("{{type: threshold, scenario: read, expr: \"{expr}\"}}");
        run(&with(1, read, &checks, ""), []).await.is("error");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_12_a_broker_that_does_not_know_its_topic_for_a_while() {
    let rules = [
        Rule::new(Fetch, Error { code: 3, written: false }).from(3).for_ms(1500),
        Rule::new(Metadata, UnknownTopic).phase(Phase::AfterMarker).for_ms(1200),
        Rule::new(Metadata, UnknownTopic).from(6).for_ms(1000).phase(Phase::BeforeMarker),
    ];
    let done = run(&file(BATCHES, READ, SOON), rules).await;
    done.did("error").is("pass").counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_13_a_batch_that_was_sent_again_is_answered_as_a_duplicate() {
    let rules =
        [Rule::new(Produce, Drop { written: true }).from(3).times(1), Rule::new(Produce, DuplicateToRetries)];
    let write = format!("{BATCHES}, idempotence: true");
    let done = run(&file(&write, READ, ""), rules).await;
    done.did("duplicate_to_retries").is("pass").counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_15_an_open_transaction_of_somebody_else() {
    let rules = [Rule::new(Fetch, LastStable { offset: 50 })];
    let file = file(BATCHES, "idle_timeout: 1s, timeout: 4s", "audit: true, unreadable_after: 1s");
    let done =
        run(&file.replace("{properties: {", "{properties: {isolation.level: read_committed, "), rules).await;
    // A batch may lie across it.
    let unread = done.did("last_stable").is("error").account("unread");
    assert!((25..=50).contains(&unread), "{}", done.shown());
    done.counts(&[("unread", unread), ("verified", 100 - unread)]);
    let summary = done.summary.to_string();
    assert!(summary.contains("last stable offset"), "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_16_a_reader_of_a_partition_to_which_nothing_was_written() {
    let scenarios = format!(
        "write: {{type: produce, partition: 0, {BATCHES}}}\n  read: {{type: consume, partition: 1, {READ}}}"
    );
    let done = run(&with(2, &scenarios, "", ""), []).await;
    done.is("pass").counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_17_each_fetch_is_answered_with_an_error() {
    let rules = [Rule::new(Fetch, Error { code: -1, written: false })];
    let done = run(&file(BATCHES, READ, SOON), rules).await;
    done.is("fail").has("unreadable", 100).counts(&[("unreadable", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_17_the_log_is_said_to_end_below_what_was_acked() {
    let rules = [Rule::new(Fetch, EndAt { offset: 60, hide: true })];
    let done = run(&file(BATCHES, READ, SOON), rules).await;
    // A batch may lie across it.
    let beyond = done.is("fail").account("unreadable");
    assert!((15..=65).contains(&beyond), "{}", done.shown());
    done.has("unreadable", beyond).counts(&[("unreadable", beyond), ("verified", 100 - beyond)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_17_empty_or_null_answers_for_ever() {
    for action in [Empty, NullRecords] {
        let done = run(&file(BATCHES, READ, SOON), [Rule::new(Fetch, action)]).await;
        done.is("fail").has("unreadable", 100).counts(&[("unreadable", 100)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_18_an_offset_inside_of_the_log_is_refused() {
    let rules = [Rule::new(Fetch, OutOfRange { from: 10, to: 100 })];
    let done = run(&file(BATCHES, READ, SOON), rules).await;
    // A batch may lie across it.
    let refused = done.did("out_of_range").is("fail").account("unreadable");
    assert!((65..=90).contains(&refused), "{}", done.shown());
    done.has("unreadable", refused).counts(&[("unreadable", refused), ("verified", 100 - refused)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_19_one_of_two_readers_has_a_dead_broker() {
    let scenarios = format!(
        "write: {{type: produce, {BATCHES}}}\n  live: {{type: consume, {READ}}}\n  \
         dead: {{type: consume, brokers: [\"127.0.0.1:1\"], timeout: 2s}}"
    );
    let rules = [Rule::new(Produce, AckUnwritten { gap: true }).from(3).times(1)];
    let done = run(&with(1, &scenarios, "", ""), rules).await;
    let lost = done.of_batches("ack_unwritten");
    done.is("fail").has("lost", lost).counts(&[("lost", lost), ("verified", 100 - lost)]);
    assert_eq!(done.check("no_loss:live"), "fail", "{}", done.shown());
    assert_eq!(done.check("no_loss:dead"), "inconclusive", "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_20_records_of_another_partition_in_an_answer() {
    let scenarios = format!("write: {{type: produce, {BATCHES}}}\n  read: {{type: consume, {READ}}}");
    let rules = [Rule::new(Fetch, FromPartition { partition: 0 }).partition(1)];
    let done = run(&with(2, &scenarios, "", SOON), rules).await;
    done.is("fail").counts(&[("lost", 50), ("verified", 50)]);
    assert!(done.anomaly("misplaced") > 0, "{}", done.shown());
    assert!(done.summary.to_string().contains("belongs to partition 0"), "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_21_a_leader_epoch_ends_too_low() {
    for times in [1, 20] {
        let behaviour = Behaviour {
            brokers: 2,
            ..Behaviour::of([
                Rule::new(Fetch, MoveLeader).from(5).times(1),
                Rule::new(EpochEnd, EndTooLow { by: 15 }).times(times),
            ])
        };
        let done = pair::run(&file(BATCHES, READ, SOON), behaviour).await;
        done.did("end_too_low").is("pass").counts(&[("verified", 100)]);
    }
}

// Each anomaly by itself.

#[tokio::test(flavor = "multi_thread")]
async fn lost() {
    for gap in [true, false] {
        let rules = [Rule::new(Produce, AckUnwritten { gap }).from(3).times(1)];
        let done = run(&file(BATCHES, READ, ""), rules).await;
        let lost = done.of_batches("ack_unwritten");
        done.is("fail").has("lost", lost).counts(&[("lost", lost), ("verified", 100 - lost)]);
        // One batch is one piece of evidence.
        let rows = &done.summary["anomalies"]["lost"]["evidence"];
        assert_eq!((rows[0]["count"].as_u64(), &rows[1]), (Some(lost), &Value::Null), "{}", done.shown());
        let spots = rows[0]["spots"].as_array().into_iter().flatten();
        let found: Vec<&Value> = spots.map(|spot| &spot["found"]).collect();
        assert!(found[0] == "acked" && found[1..].iter().all(|it| *it == "missing"), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_is_a_single_record_of_a_batch() {
    let rules = [Rule::new(Produce, DropRecord { index: 1 }).from(3).times(1)];
    run(&file(BATCHES, READ, ""), rules)
        .await
        .is("fail")
        .has("lost", 1)
        .counts(&[("lost", 1), ("verified", 99)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn skipped() {
    let rules = [Rule::new(Fetch, SkipBatch).times(1)];
    let done = run(&file(BATCHES, &format!("after: write, {READ}"), ""), rules).await;
    done.did("skip_batch").is("fail");
    assert!(done.anomaly("skipped") > 0 && done.account("lost") == 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate() {
    let done = run(&file(BATCHES, READ, ""), [Rule::new(Produce, Twice).from(3).times(1)]).await;
    let twice = done.of_batches("twice");
    done.is("fail").has("duplicate", twice);
}

#[tokio::test(flavor = "multi_thread")]
async fn reordered() {
    let done = run(&file(BATCHES, READ, ""), [Rule::new(Produce, Swap).from(3).times(1)]).await;
    done.did("swap").is("fail").counts(&[("verified", 100)]);
    assert!(done.anomaly("reordered") > 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt() {
    for part in [Part::Key, Part::Value, Part::Header] {
        for fix_crc in [true, false] {
            let rules =
                [Rule::new(Produce, FlipOnWrite { index: 1, part, byte: 0, fix_crc }).from(3).times(1)];
            let write = format!("{BATCHES}, key: \"{{{{client}}}}-{{{{seq}}}}\", headers: {{source: here}}");
            let done = run(&file(&write, READ, "audit: true"), rules).await;
            done.is("fail").has("corrupt", 1).counts(&[("corrupt", 1), ("verified", 99)]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_is_a_record_that_lost_a_header() {
    let rules = [Rule::new(Produce, StripHeader { index: 1 }).from(3).times(1)];
    let write = format!("{BATCHES}, headers: {{source: here}}");
    let done = run(&file(&write, READ, ""), rules).await;
    done.is("fail").has("corrupt", 1).counts(&[("corrupt", 1), ("verified", 99)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn misplaced_is_what_lies_beside_its_acked_offset() {
    let rules = [Rule::new(Produce, AckOffset { by: 1000 }).from(3).times(1)];
    let done = run(&file(BATCHES, READ, SOON), rules).await;
    let wrong = done.of_batches("ack_offset");
    done.is("fail").has("misplaced", wrong).counts(&[("misplaced", wrong), ("verified", 100 - wrong)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn misplaced_is_what_lies_in_another_partition() {
    let scenarios = format!("write: {{type: produce, {BATCHES}}}\n  read: {{type: consume, {READ}}}");
    let rules = [Rule::new(Produce, OtherPartition { to: 1 }).from(2).times(1).partition(0)];
    let done = run(&with(2, &scenarios, "", SOON), rules).await;
    done.did("other_partition").is("fail");
    assert_eq!(done.anomaly("misplaced"), done.of_batches("other_partition"), "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten() {
    // The reader has read 20 to 30 by then, and other messages come to lie there.
    let rules = [Rule::new(Produce, Truncate { to: 20 }).from(15).times(1)];
    let done = run(&file("messages: 200, rate: 200/s, value: {size: 100B}", READ, SOON), rules).await;
    done.did("truncate").is("fail");
    assert!(done.anomaly("rewritten") > 0 && done.account("rewritten") > 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_once_its_reader_has_ended() {
    // The reader ends at the marker; the end of the log that kaf6 asks for then shows that there is less.
    let rules = [Rule::new(ListOffsets, Truncate { to: 50 }).phase(Phase::AfterMarker).times(1)];
    let done = run(&file(BATCHES, READ, SOON), rules).await;
    // A batch may lie across it, however large the producer's batches were.
    let lost = done.did("truncate").is("fail").account("lost");
    assert!((1..=99).contains(&lost), "{}", done.shown());
    done.counts(&[("lost", lost), ("verified", 100 - lost)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn phantom() {
    // INVALID_RECORD: refused, and yet there.
    let rules = [Rule::new(Produce, Error { code: 87, written: true }).from(3).times(1)];
    let done = run(&file(BATCHES, READ, ""), rules).await;
    let there = done.of_batches("error");
    done.is("fail").has("phantom", there);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_control_records_are_no_harm() {
    let rules = [
        Rule::new(Produce, ControlRecord).from(2).times(2),
        Rule::new(Produce, ForeignRecords { count: 7 }).from(5).times(1),
    ];
    let done = run(&file(BATCHES, READ, "audit: true"), rules).await;
    done.did("control_record").is("pass").has("foreign", 7).counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn collided() {
    let rules = [Rule::new(Produce, AckUnwritten { gap: false }).from(3).times(1)];
    let done = run(&file(BATCHES, READ, ""), rules).await;
    let twice = done.of_batches("ack_unwritten");
    done.is("fail").has("collided", twice);
}

#[tokio::test(flavor = "multi_thread")]
async fn skipped_is_what_an_observer_got_no_more_than_a_second_copy_of() {
    let rules = [
        Rule::new(Produce, Twice).times(1),
        // The whole log is there when it asks for the first time.
        Rule::new(Fetch, SkipBatch).times(1),
    ];
    let done = run(&file(BATCHES, &format!("after: write, {READ}"), ""), rules).await;
    let twice = done.of_batches("twice");
    done.did("skip_batch").is("fail").counts(&[("skipped", twice), ("verified", 100 - twice)]);
    assert_eq!(done.anomaly("misplaced"), 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_looks_for_what_nobody_confirms() {
    let scenarios = "write: {type: produce, messages: 60, rate: 400/s, acks: 0, value: {size: 100B}}\n  \
                     read: {type: consume, limit: 20, after: write}";
    let done = run(&with(1, scenarios, "", "audit: true"), []).await;
    done.is("pass");
    assert_eq!((done.account("found"), done.account("unchecked")), (60, 0), "{}", done.shown());
    let rules = [Rule::new(ProduceMarker, AckUnwritten { gap: false }).times(1)];
    let done = run(&with(1, scenarios, "", "audit: true"), rules).await;
    assert_ne!(done.did("ack_unwritten").status(), "pass", "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_marker_before_acked_messages_is_no_end() {
    // That of `read` is written. What comes after it needs no more than the leader, and the marker behind it is refused:
    // NOT_ENOUGH_REPLICAS.
    let scenarios = format!(
        "write: {{type: produce, {BATCHES}, headers: {{by: write}}}}\n  \
         read: {{type: consume, {READ}}}\n  \
         late: {{type: produce, after: read, messages: 3000, acks: 1, value: {{size: 1KiB}}, headers: {{by: late}}}}"
    );
    let rules = [Rule::new(ProduceMarker, Error { code: 19, written: false }).from(1)];
    let done = run(&with(1, &scenarios, "", "audit: true"), rules).await;
    done.did("error").counts(&[("verified", 3100)]);
    assert_ne!(done.status(), "fail", "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_end_markers_in_reverse_order() {
    // The first is refused, and sent again behind the second; a reader gets one of them at a time.
    let scenarios = format!(
        "write: {{type: produce, {BATCHES}}}\n  one: {{type: consume, {READ}}}\n  two: {{type: consume, {READ}}}"
    );
    let rules = [
        Rule::new(ProduceMarker, Error { code: 7, written: false }).times(1),
        Rule::new(Fetch, OneBatch).phase(Phase::AfterMarker),
    ];
    for audit in [true, false] {
        let done = run(&with(1, &scenarios, "", &format!("audit: {audit}")), rules.clone()).await;
        done.did("error").did("one_batch").is("pass").counts(&[("verified", 100)]);
        assert_eq!(done.summary["accounts"]["markers"]["acked"], 2, "{}", done.shown());
    }
}
