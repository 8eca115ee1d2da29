//! Tests bytes that the broker or its storage altered, with and without a matching CRC.

use super::log::{GATHER, Lake, with_checksum};
use super::run::{Done, File, Run, topic};
use super::wire;
use crate::lab::{Gate, Kafka, Relay};

/// Runs with some batches of the bucket altered between writing and reading; gives the records in them.
fn altered(write: &str, alter: impl Fn(&[u8]) -> Vec<u8>) -> Option<(Done, u64)> {
    altered_in(|file| file.write(write).read("after: gate, timeout: 3m"), alter)
}

fn altered_in(fields: impl FnOnce(File) -> File, alter: impl Fn(&[u8]) -> Vec<u8>) -> Option<(Done, u64)> {
    let lake = Lake::start()?;
    let (topic, gate) = (topic("corrupt"), Gate::new());
    let broker = lake.tansu.address();
    let file = fields(File::new(&broker, &topic).properties(GATHER)).more(&gate.scenario("after: write"));
    let run = Run::start(&file.text());
    let held = gate.reached(|| run.output());
    let batches = lake.batches(&topic, 0);
    let mut count = 0;
    for batch in [&batches[1], &batches[batches.len() / 2]] {
        lake.overwrite(batch, &alter(&batch.bytes));
        count += batch.records as u64;
    }
    drop(held);
    Some((run.done(), count))
}

/// Sets one bit in the value of each record of a batch of values of one letter.
fn in_each_value(batch: &[u8]) -> Vec<u8> {
    let text = "zzzzzzzz";
    let mut out = batch.to_vec();
    let mut at = 0;
    while let Some(found) = out[at..].windows(text.len()).position(|window| window == text.as_bytes()) {
        at += found;
        out[at] ^= 1;
        at += out[at + 1..].iter().take_while(|byte| **byte == b'z').count() + 1;
    }
    out
}

const LETTERS: &str = "messages: 200, rate: 400/s, value: {text: \"zzzzzzzzzzzzzzzz\"}";

#[test]
fn corrupt_when_bytes_change_and_the_checksum_of_the_batch_fits() {
    let Some((done, count)) = altered(LETTERS, |batch| with_checksum(in_each_value(batch))) else { return };
    done.has(&[("corrupt", count, 0)]).is("fail").checks(&[("no_corruption", "fail")]);
    assert_eq!((done.of("read", "received"), done.of("read", "records")), (200 - count, 200));
    done.is_told_of("corrupt");
}

#[test]
fn corrupt_when_bytes_change_and_no_checksum_fits() {
    // The client stops at the batch. kaf6's own checksum shows which of its messages differ.
    let Some((done, count)) = altered(LETTERS, in_each_value) else { return };
    done.has(&[("corrupt", count, 0)]).is("fail").checks(&[("no_corruption", "fail")]);
}

#[test]
fn corrupt_where_the_value_begins_with_the_identity() {
    // The last bytes of the envelope before its checksum: the due time.
    let write = "messages: 200, rate: 400/s, value: {size: 100B, content: zeros}";
    let change = |batch: &[u8]| {
        let mut out = batch.to_vec();
        let mut at = 0;
        while let Some(found) = out[at..].windows(5).position(|window| window == b"kaf6\x04") {
            at += found + 5;
            out[at + 20] ^= 0x10;
        }
        with_checksum(out)
    };
    let Some((done, count)) = altered(write, change) else { return };
    done.has(&[("corrupt", count, 0)]).is("fail").checks(&[("no_corruption", "fail")]);
}

#[test]
fn corrupt_when_compressed_bytes_change() {
    let write =
        "messages: 200, rate: 400/s, compression: zstd, value: {text: \"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\"}";
    let Some((done, count)) = altered(write, |batch| {
        let mut out = batch.to_vec();
        assert_eq!(out[22] & 7, 4, "zstd");
        out[63] ^= 0xff;
        with_checksum(out)
    }) else {
        return;
    };
    // The batch cannot be read. Its header has the number of records, and the reader continues after it.
    done.has(&[("corrupt", count, 0)]).is("fail").checks(&[("no_corruption", "fail")]);
    assert_eq!(done.of("read", "received"), 200 - count, "{}", done.told());
    done.is_told_of("corrupt");
}

#[test]
fn corrupt_so_that_no_record_comes_out_is_never_green() {
    // Alter the length of the first record: no later record can be found, and librdkafka reports no error.
    let framed = |batch: &[u8]| {
        let mut out = batch.to_vec();
        out[61] = 0x7f;
        with_checksum(out)
    };
    // Alter the length of the batch: Tansu closes the connection.
    let cut = |batch: &[u8]| batch[..batch.len() - 9].to_vec();
    for harm in [&framed as &dyn Fn(&[u8]) -> Vec<u8>, &cut] {
        // Without the audit, which reads less in the available time.
        let fields = |file: File| file.write(LETTERS).read("after: gate, timeout: 8s").audit(false);
        let Some((done, _)) = altered_in(fields, harm) else { return };
        done.is("error");
        assert_eq!(done.check("no_loss"), "inconclusive", "{}", done.told());
        assert_eq!(done.counts("unread"), Some((200 - done.of("read", "received"), 0)), "{}", done.told());
    }
}

#[test]
fn corrupt_once_no_client_got_a_record_of_a_batch_for_long_enough() {
    let framed = |batch: &[u8]| {
        let mut out = batch.to_vec();
        out[61] = 0x7f;
        with_checksum(out)
    };
    // Without the audit, which needs additional time for each such batch.
    let fields = |file: File| {
        let file = file.write(LETTERS).read("after: gate, timeout: 3m");
        file.run("unreadable_after: 10s").audit(false)
    };
    let Some((done, count)) = altered_in(fields, framed) else { return };
    done.has(&[("corrupt", count, 0)]).is("fail").checks(&[("no_corruption", "fail")]);
    assert_eq!(done.of("read", "received"), 200 - count, "{}", done.told());
}

#[test]
fn corrupt_when_values_swap_their_uuids() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    // Swap the values of two records. Their keys and headers, and so their identities, stay.
    wire::on_fetched(&relay, |_, records| {
        let Some(at) = records.iter().position(|record| record.offset == 20) else { return false };
        let Some([one, next]) = records.get_disjoint_mut([at, at + 1]).ok() else { return false };
        std::mem::swap(&mut one.value, &mut next.value);
        true
    });
    let topic = topic("corrupt");
    let file = File::new(&broker, &topic)
        .reader(&relay.address())
        .write("messages: 200, rate: 400/s, value: {json: {uuid: \"{{uuid}}\"}}")
        .checks("{name: uuid_match, type: uuid_match, scenario: read}");
    let done = super::run::run(&file.text());
    done.has(&[("corrupt", 2, 0)]).is("fail").checks(&[("no_corruption", "fail")]);
    assert_eq!(done.check("uuid_match"), "fail", "{}", done.told());
    done.is_told_of("corrupt");
}
