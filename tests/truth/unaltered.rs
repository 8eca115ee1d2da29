//! Tests what "unaltered" covers: key, value, headers, timestamps, and the CRCs of batches.

use kaf6_liar::Action::*;
use kaf6_liar::Api::{Fetch, Produce};
use kaf6_liar::{Action, Part, Phase, Rule};

use crate::kept::keeping;
use crate::rows::{BATCHES, READ, file, run};

/// Each message has a batch of its own.
fn one_by_one(write: &str, run: &str) -> String {
    file(write, READ, run).replace("batch.num.messages: 10", "batch.num.messages: 1")
}

const HEADERS: &str = "messages: 60, rate: 500/s, value: {size: 100B}, headers: {source: here, other: there}";

#[tokio::test(flavor = "multi_thread")]
async fn row_01_all_header_values_are_replaced_or_all_headers_stripped() {
    let flip = FlipOnWrite { index: 0, part: Part::Header, byte: 0, fix_crc: true };
    let strip = StripHeader { index: 0 };
    for actions in [vec![flip], vec![strip.clone(), strip]] {
        let rules = actions.into_iter().map(|action| Rule::new(Produce, action));
        let done = run(&one_by_one(HEADERS, ""), rules).await;
        done.is("fail").has("corrupt", 60).counts(&[("corrupt", 60), ("verified", 0)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_02_each_batch_is_stored_with_a_wrong_checksum() {
    for audit in ["", "audit: true"] {
        let done = run(&file(BATCHES, READ, audit), [Rule::new(Produce, BadCrc)]).await;
        done.did("bad_crc").is("fail").has("corrupt", 100).counts(&[("corrupt", 100), ("verified", 0)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_batch_has_a_wrong_checksum_and_all_others_are_read() {
    let done = run(&file(BATCHES, READ, ""), [Rule::new(Produce, BadCrc).from(3).times(1)]).await;
    let bad = done.of_batches("bad_crc");
    done.is("fail").has("corrupt", bad).counts(&[("corrupt", bad), ("verified", 100 - bad)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_checksum_of_a_batch_that_was_acked_without_an_offset() {
    for audit in ["", "audit: true"] {
        let rules = [BadCrc, AckWithoutOffset { written: true }];
        let rules = rules.map(|action| Rule::new(Produce, action).from(3).times(1));
        let done = run(&file(BATCHES, READ, audit), rules).await;
        let bad = done.of_batches("bad_crc");
        done.did("ack_without_offset").is("fail").has("corrupt", bad);
        done.counts(&[("corrupt", bad), ("verified", 100 - bad)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_a_wrong_checksum_at_the_audit_alone() {
    let rules = [Rule::new(Fetch, BadCrcOnRead { offset: 35 }).phase(Phase::AfterMarker)];
    let done = run(&file(BATCHES, READ, "audit: true"), rules).await;
    done.did("bad_crc_on_read").is("fail");
    // As many as the producer's batch had.
    let bad = done.account("corrupt");
    assert!((1..=10).contains(&bad), "{}", done.shown());
    done.counts(&[("corrupt", bad), ("verified", 100 - bad)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_with_a_wrong_checksum_only_the_altered_record_is_corrupt() {
    let flip = FlipOnWrite { index: 1, part: Part::Value, byte: 0, fix_crc: false };
    for audit in ["", "audit: true"] {
        let rules = [Rule::new(Produce, flip.clone()).from(3).times(1)];
        let done = run(&file(BATCHES, READ, audit), rules).await;
        done.is("fail").has("corrupt", 1).counts(&[("corrupt", 1), ("verified", 99)]);
    }
}

/// One message of these is altered.
async fn one_is_corrupt(write: &str, action: Action) {
    let write = format!("messages: 60, rate: 500/s, {write}");
    let done = run(&file(&write, READ, ""), [Rule::new(Produce, action).from(2).times(1)]).await;
    done.is("fail").has("corrupt", 1).counts(&[("corrupt", 1), ("verified", 59)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_is_added() {
    for headers in ["", ", headers: {source: here}"] {
        one_is_corrupt(&format!("value: {{size: 100B}}{headers}"), AddHeader { index: 1 }).await;
        one_is_corrupt(&format!("value: {{text: x}}{headers}"), AddHeader { index: 1 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_headers_are_swapped() {
    for value in ["{size: 100B}", "{text: x}"] {
        let write = format!("value: {value}, headers: {{source: here, other: there}}");
        one_is_corrupt(&write, SwapHeaders { index: 1 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_value_of_a_header_becomes_null() {
    for value in ["here", "\"\""] {
        let write = format!("value: {{text: x}}, headers: {{source: {value}}}");
        one_is_corrupt(&write, NullHeader { index: 1 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_value_becomes_null() {
    one_is_corrupt("value: {text: \"\"}", NullValue { index: 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_key_becomes_empty() {
    for value in ["{size: 100B}", "{text: x}"] {
        one_is_corrupt(&format!("value: {value}"), EmptyKey { index: 1 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_are_shifted() {
    for by_ms in [-3_600_000, -5000, 20_000, 3_600_000] {
        let rules = [Rule::new(Produce, ShiftTime { by_ms }).from(3).times(1)];
        let done = run(&file(BATCHES, READ, ""), rules).await;
        let shifted = done.of_batches("shift_time");
        let rest = 100 - shifted;
        done.is("fail").has("corrupt", shifted).counts(&[("corrupt", shifted), ("verified", rest)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_within_a_second_and_those_of_the_broker_are_no_harm() {
    let rules = [Rule::new(Produce, ShiftTime { by_ms: -400 }), Rule::new(Produce, ShiftTime { by_ms: 800 })];
    let done = run(&file(BATCHES, READ, "audit: true"), rules).await;
    done.did("shift_time").is("pass").counts(&[("verified", 100)]);
    let file = file(BATCHES, READ, "audit: true")
        .replace("partitions: 1", "partitions: 1, config: {message.timestamp.type: LogAppendTime}");
    // The broker's own time takes the place of the shifted one.
    let done = run(&file, [Rule::new(Produce, ShiftTime { by_ms: -3_600_000 })]).await;
    done.did("shift_time").is("pass").counts(&[("verified", 100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_batch_with_a_wrong_checksum_is_passed_in_one_step() {
    // Of a batch of a hundred, one record a key is left; the audit has no time to ask for each offset.
    let write =
        "write: {type: produce, messages: 400, clients: 2, key: \"k{{client}}\", value: {size: 100B}}";
    let scenarios = format!("{write}\n  read: {{type: consume, {READ}}}");
    let text = keeping("cleanup.policy: compact", &scenarios, "audit: true")
        .replace("linger.ms: 20, batch.num.messages: 10", "linger.ms: 50, batch.num.messages: 1000");
    let rules =
        (0..40).map(|nth| Rule::new(Fetch, BadCrcOnRead { offset: nth * 10 }).phase(Phase::AfterMarker));
    let done = run(&text, rules).await;
    done.did("bad_crc_on_read").is("fail");
    assert!(!done.notes("did not end"), "{}", done.shown());
    assert_eq!(done.account("unread"), 0, "{}", done.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acked_without_a_place_is_corrupt_where_it_was_read() {
    // The live reader has it intact, and so knows where it lies.
    let rules = [
        Rule::new(Produce, AckWithoutOffset { written: true }).from(10).times(1),
        Rule::new(Fetch, FlipOnRead { offset: 10, sights: 1, fix_crc: true }),
    ];
    let done = run(&one_by_one(BATCHES, "audit: true"), rules).await;
    done.did("flip_on_read").is("fail").has("corrupt", 1).counts(&[("corrupt", 1), ("verified", 99)]);
}
