//! Tests the rules, each with a manually written log, file and summary.

use serde_json::{Value, json};

use crate::judge;

const FILE: &str = "topics: [{name: t}]\nscenarios: {w: {type: produce, messages: 3}, r: {type: consume}}\n";

fn record(seq: u8, last: &str) -> Value {
    let value = format!("6b61663601{:010x}{:08x}{seq:012x}{:016x}{:08x}{last}", 1, 2, 0, 0);
    let digest = format!("d{seq}{last}");
    json!({"offset": seq, "time_ms": 5, "key": "6b", "value": value, "headers": [], "digest": digest})
}

/// Three messages in one batch; offsets that were stored, with their digests, and those that were handed out.
fn log(stored: &[u8], handed: &Value, lies: &Value) -> Value {
    json!({
        "topics": {"t": [{"start": 0, "end": 3, "control": [],
            "records": stored.iter().map(|seq| record(*seq, "aa")).collect::<Vec<_>>()}]},
        "produced": [{
            "at_us": 1, "node": 0, "connection": 0, "topic": "t", "partition": 0, "acks": -1, "producer_id": -1,
            "base_sequence": -1, "marker": false, "records": [record(0, "aa"), record(1, "aa"), record(2, "aa")],
            "stored": [[0, 0]], "code": 0, "base_offset": 0, "answered_us": 2, "did": []}],
        "fetched": [{
            "at_us": 3, "node": 0, "connection": 1, "topic": "t", "partition": 0, "offset": 0, "isolation": 0, "code": 0,
            "high_watermark": 3, "last_stable": 3, "records": handed, "bad_crc": [], "bad_offsets": [], "answered": true, "did": []}],
        "fired": lies, "requests": {}, "started_ms": 0, "settings": {}, "describes": true, "created": [], "removed": [],
        "moved": []
    })
}

fn summary(status: &str, verified: u64, lost: u64, corrupt: u64) -> Value {
    let account = json!({"planned": 3, "unsent": 0, "sent": 3, "acked": 3, "verified": verified, "lost": lost, "corrupt": corrupt});
    json!({
        "status": status, "scenarios": {"w": {"ended": "done"}, "r": {"ended": "done"}},
        "accounts": {"total": account, "markers": {"acked": 0, "lost": 0}, "scenarios": {"w": account}}, "anomalies": {}
    })
}

/// A summary with so many of one more class.
fn with(mut summary: Value, class: &str, count: u64) -> Value {
    summary["accounts"]["total"][class] = json!(count);
    summary["accounts"]["scenarios"]["w"][class] = json!(count);
    summary
}

fn removed(offset: u8, why: &str) -> Value {
    let digest = format!("d{offset}aa");
    json!({"at_us": 1_100_000, "topic": "t", "partition": 0, "offset": offset, "key": "6b", "digest": digest, "why": why, "seen": false})
}

fn wrong(log: &Value, summary: &Value) -> Vec<String> {
    judge(&log.to_string(), FILE, &summary.to_string()).expect("all three can be read")
}

#[test]
fn a_healthy_run_passes_and_must_not_fail() {
    let log = log(&[0, 1, 2], &json!([[0, "d0aa", 5], [1, "d1aa", 5], [2, "d2aa", 5]]), &json!([]));
    assert_eq!(wrong(&log, &summary("pass", 3, 0, 0)), Vec::<String>::new());
    assert!(wrong(&log, &summary("fail", 3, 0, 0))[0].contains("told no lie"));
    assert!(wrong(&log, &summary("fail", 2, 1, 0)).iter().any(|why| why.contains("1 lost")));
}

#[test]
fn an_ack_of_what_was_not_stored_is_a_lie_whatever_it_was_made_of() {
    let legal = |action| json!({"at_us": 1, "rule": 0, "action": action, "legal": true, "partition": 0});
    let mut log = log(&[], &json!([]), &json!([legal("error"), legal("ack_without_offset")]));
    log["produced"][0]["stored"] = json!([]);
    log["produced"][0]["base_offset"] = json!(-1);
    assert_eq!(wrong(&log, &summary("fail", 0, 3, 0)), Vec::<String>::new());
    // The same to a producer with an id.
    log["produced"][0]["producer_id"] = json!(7);
    log["produced"][0]["code"] = json!(46);
    assert_eq!(wrong(&log, &summary("fail", 0, 3, 0)), Vec::<String>::new());
}

#[test]
fn a_lost_message_must_be_red_by_its_class() {
    let lie = json!([{"at_us": 1, "rule": 0, "action": "drop_record", "legal": false, "partition": 0}]);
    let log = log(&[0, 2], &json!([[0, "d0aa", 5], [2, "d2aa", 5]]), &lie);
    assert_eq!(wrong(&log, &summary("fail", 2, 1, 0)), Vec::<String>::new());
    assert!(wrong(&log, &summary("pass", 3, 0, 0)).iter().any(|why| why.contains("never handed out")));
    assert!(wrong(&log, &summary("fail", 2, 0, 1)).iter().any(|why| why.contains("0 lost")));
}

#[test]
fn an_altered_message_must_be_red_though_one_reader_got_it_intact() {
    let lie = json!([{"at_us": 1, "rule": 0, "action": "flip_on_read", "legal": false, "partition": 0}]);
    let log = log(&[0, 1, 2], &json!([[0, "d0aa", 5], [1, "d1bb", 5], [2, "d2aa", 5]]), &lie);
    assert!(wrong(&log, &summary("pass", 3, 0, 0)).iter().any(|why| why.contains("only handed out altered")));
    assert_eq!(wrong(&log, &summary("fail", 2, 0, 1)), Vec::<String>::new());
}

#[test]
fn sums_must_add_up() {
    let log = log(&[0, 1, 2], &json!([[0, "d0aa", 5], [1, "d1aa", 5], [2, "d2aa", 5]]), &json!([]));
    assert!(wrong(&log, &summary("pass", 2, 0, 0)).iter().any(|why| why.contains("does not add up")));
    assert!(judge("{", FILE, "{}").is_err());
}

#[test]
fn what_retention_took_is_expired_and_neither_green_nor_red() {
    let mut log = log(&[1, 2], &json!([[1, "d1aa", 5], [2, "d2aa", 5]]), &json!([]));
    log["topics"]["t"][0]["start"] = json!(1);
    log["settings"] = json!({"t": {"retention.ms": "1000"}});
    log["removed"] = json!([removed(0, "retention")]);
    assert_eq!(wrong(&log, &with(summary("error", 2, 0, 0), "expired", 1)), Vec::<String>::new());
    assert!(wrong(&log, &summary("fail", 2, 1, 0)).iter().any(|why| why.contains("removed it rightly")));
    assert!(wrong(&log, &summary("pass", 3, 0, 0)).iter().any(|why| why.contains("never handed out")));
    // It was not yet too old.
    log["removed"][0]["at_us"] = json!(500_000);
    log["fired"] = json!([{"action": "shift_time", "legal": false}]);
    log["settings"] = json!({"t": {"retention.ms": "3000"}});
    assert_eq!(wrong(&log, &summary("fail", 2, 1, 0)), Vec::<String>::new());
    // The same, and nothing explains it.
    log["removed"] = json!([removed(0, "delete_early")]);
    log["settings"] = json!({"t": {"retention.ms": "60000"}});
    log["fired"] = json!([{"action": "delete_early", "legal": false}]);
    assert_eq!(wrong(&log, &summary("fail", 2, 1, 0)), Vec::<String>::new());
    assert!(!wrong(&log, &with(summary("error", 2, 0, 0), "expired", 1)).is_empty());
}

#[test]
fn what_a_segment_of_unknown_size_may_explain_is_unclear() {
    let all = json!([[0, "d0aa", 5], [1, "d1aa", 5], [2, "d2aa", 5]]);
    let mut log = log(&[1, 2], &all, &json!([{"action": "delete_early", "legal": false}]));
    log["topics"]["t"][0]["start"] = json!(1);
    log["removed"] = json!([removed(0, "delete_early")]);
    log["settings"] = json!({"t": {"retention.bytes": "500"}});
    let unclear = with(summary("error", 2, 0, 0), "expired", 1);
    assert_eq!(wrong(&log, &unclear), Vec::<String>::new());
    // All that was sent is less than that.
    log["settings"] = json!({"t": {"retention.bytes": "5000"}});
    assert!(wrong(&log, &unclear).iter().any(|why| why.contains("1 expired, and it must be 0")));
}

#[test]
fn what_was_handed_out_before_it_was_removed_stays_verified() {
    let all = json!([[0, "d0aa", 5], [1, "d1aa", 5], [2, "d2aa", 5]]);
    let mut log = log(&[1, 2], &all, &json!([]));
    log["topics"]["t"][0]["start"] = json!(1);
    log["settings"] = json!({"t": {"retention.ms": "1000"}});
    log["removed"] = json!([removed(0, "retention")]);
    assert_eq!(wrong(&log, &summary("pass", 3, 0, 0)), Vec::<String>::new());
    assert!(!wrong(&log, &summary("fail", 2, 1, 0)).is_empty());
    // A topic that kaf6 made itself without such a setting, of a broker that tells none.
    log["describes"] = json!(false);
    log["created"] = json!([{"topic": "t", "old": 0}]);
    assert_eq!(wrong(&log, &summary("fail", 2, 1, 0)), Vec::<String>::new());
}

#[test]
fn of_a_retry_one_copy_is_misplaced_where_nobody_tells_that_the_acked_one_expired() {
    let handed = json!([[1, "d1aa", 5], [2, "d2aa", 5], [5, "d0aa", 5]]);
    let mut log = log(&[1, 2], &handed, &json!([]));
    log["topics"]["t"][0]["start"] = json!(1);
    log["settings"] = json!({"t": {"retention.ms": "1000"}});
    log["removed"] = json!([removed(0, "retention")]);
    let mut red = with(summary("fail", 2, 0, 0), "misplaced", 1);
    red["anomalies"] = json!({"misplaced": {"count": 1}});
    assert!(wrong(&log, &red).iter().any(|why| why.contains("1 misplaced, and the broker told no lie")));
    log["describes"] = json!(false);
    log["created"] = json!([{"topic": "t", "old": 0}]);
    assert_eq!(wrong(&log, &red), Vec::<String>::new());
}

#[test]
fn an_end_marker_that_another_one_supersedes_is_not_missed() {
    let all = json!([[0, "d0aa", 5], [1, "d1aa", 5], [2, "d2aa", 5], [4, "m1", 5]]);
    let mut log = log(&[0, 1, 2], &all, &json!([{"action": "ack_unwritten", "legal": false}]));
    let marker = |number: u8, stored: &Value| {
        let mut record = record(number, "aa");
        let value = record["value"].as_str().expect("text").replacen("6b61663601", "6b61663603", 1);
        (record["value"], record["digest"]) = (json!(value), json!(format!("m{number}")));
        let mut batch = log["produced"][0].clone();
        batch["records"] = json!([record.clone()]);
        (batch["stored"], batch["base_offset"]) = (stored.clone(), json!(3 + number));
        record["offset"] = json!(3 + number);
        (batch, record)
    };
    let (lost, (there, record)) = (marker(0, &json!([])).0, marker(1, &json!([[0, 4]])));
    let produced = log["produced"].as_array_mut().expect("a list");
    produced.extend([lost, there]);
    log["topics"]["t"][0]["records"].as_array_mut().expect("a list").push(record);
    assert!(wrong(&log, &summary("pass", 3, 0, 0)).iter().any(|why| why.contains("end marker")));
    log["settings"] = json!({"t": {"cleanup.policy": "compact"}});
    assert_eq!(wrong(&log, &summary("pass", 3, 0, 0)), Vec::<String>::new());
}

#[test]
fn what_a_later_record_of_its_key_replaced_is_superseded() {
    let mut log = log(&[2], &json!([[2, "d2aa", 5]]), &json!([]));
    log["settings"] = json!({"t": {"cleanup.policy": "compact"}});
    log["removed"] = json!([removed(0, "compaction"), removed(1, "compaction")]);
    assert_eq!(wrong(&log, &with(summary("error", 1, 0, 0), "superseded", 2)), Vec::<String>::new());
    assert!(!wrong(&log, &summary("fail", 1, 2, 0)).is_empty());
    // The one that did is not given, so that nobody can tell.
    log["fired"] = json!([{"action": "empty", "legal": false}]);
    log["fetched"][0]["records"] = json!([]);
    let hidden = with(with(summary("fail", 0, 0, 0), "unreadable", 1), "expired", 2);
    assert_eq!(wrong(&log, &hidden), Vec::<String>::new());
    // The same of what is there, while another log is given in its place, and not to its end.
    let mut other = log.clone();
    (other["removed"], other["topics"]["t"][0]["records"]) =
        (json!([]), json!([record(0, "aa"), record(1, "aa"), record(2, "aa")]));
    for (lies, unclear) in [(["from_partition", "last_stable"], true), (["swap", "last_stable"], false)] {
        other["fired"] = json!(lies.map(|action| json!({"action": action, "legal": false})));
        let wrong = wrong(&other, &with(with(summary("fail", 0, 0, 0), "unreadable", 2), "expired", 1));
        assert_eq!(wrong.is_empty(), unclear, "{wrong:?}");
    }
    // The last one is gone, too.
    log["removed"].as_array_mut().expect("a list").push(removed(2, "compact_last"));
    log["topics"]["t"][0]["records"] = json!([]);
    log["fetched"][0]["records"] = json!([[3, "somebody's", 5]]);
    log["fired"] = json!([{"action": "compact_last", "legal": false}]);
    assert_eq!(wrong(&log, &with(summary("fail", 0, 1, 0), "superseded", 2)), Vec::<String>::new());
    assert!(!wrong(&log, &with(summary("error", 0, 0, 0), "superseded", 3)).is_empty());
    // Then nothing tells those that it superseded from what is lost, whoever had read them.
    for at in 0..2 {
        log["removed"][at]["seen"] = json!(true);
    }
    assert_eq!(wrong(&log, &summary("fail", 0, 3, 0)), Vec::<String>::new());
}

#[test]
fn what_was_superseded_stays_so_when_the_later_record_expires() {
    // The first was stored in another state, and nobody read it.
    let mut log = log(&[], &json!([[2, "d2aa", 5]]), &json!([{"action": "null_header", "legal": false}]));
    log["topics"]["t"][0]["start"] = json!(3);
    log["settings"] = json!({"t": {"cleanup.policy": "compact,delete", "retention.ms": "60000"}});
    let (mut altered, mut last) = (removed(0, "compaction"), removed(2, "retention"));
    (altered["digest"], last["seen"]) = (json!("d0bb"), json!(true));
    log["removed"] = json!([altered, removed(1, "compaction"), last]);
    let superseded = with(summary("error", 1, 0, 0), "superseded", 2);
    assert_eq!(wrong(&log, &superseded), Vec::<String>::new());
    // Nobody came in time, and nothing tells what it superseded from what is lost.
    assert_eq!(wrong(&log, &summary("fail", 1, 2, 0)), Vec::<String>::new());
    // It was never stored: the last one is there for a while, for whoever looks.
    log["removed"] = json!([removed(1, "compaction"), log["removed"][2].clone()]);
    log["fired"] = json!([{"action": "ack_unwritten", "legal": false}]);
    assert_eq!(wrong(&log, &superseded), Vec::<String>::new());
    // Nobody was given it.
    log["removed"][1]["seen"] = json!(false);
    assert!(wrong(&log, &superseded).iter().any(|why| why.contains("2 superseded, and it must be")));
    // It was altered, and the last one is taken against the settings.
    log["removed"] = json!([altered, removed(1, "compaction"), removed(2, "compact_last")]);
    log["fired"] =
        json!([{"action": "null_header", "legal": false}, {"action": "compact_last", "legal": false}]);
    assert_eq!(wrong(&log, &superseded), Vec::<String>::new());
}

#[test]
fn of_a_batch_with_a_wrong_crc_those_are_corrupt_that_differ_or_else_all() {
    let lie = json!([{"action": "bad_crc", "legal": false}]);
    let mut log = log(&[0, 1, 2], &json!([[0, "d0aa", 5], [1, "d1aa", 5], [2, "d2aa", 5]]), &lie);
    log["fetched"][0]["bad_crc"] = json!([[[0, "d0aa"], [1, "d1aa"]]]);
    log["fetched"][0]["bad_offsets"] = json!([[0, 2]]);
    assert_eq!(wrong(&log, &summary("fail", 1, 0, 2)), Vec::<String>::new());
    assert!(!wrong(&log, &summary("fail", 1, 1, 1)).is_empty());
    let mut gone = log.clone();
    gone["topics"]["t"][0]["records"].as_array_mut().expect("a list").remove(1);
    gone["removed"] = json!([removed(1, "delete_early")]);
    assert_eq!(wrong(&gone, &summary("fail", 1, 1, 1)), Vec::<String>::new());
    log["fetched"][0]["bad_crc"] = json!([[[0, "d0aa"], [1, "d1bb"]]]);
    log["fetched"][0]["records"][1][1] = json!("d1bb");
    assert_eq!(wrong(&log, &summary("fail", 2, 0, 1)), Vec::<String>::new());
}

#[test]
fn a_timestamp_is_off_by_more_than_a_second_unless_it_is_that_of_the_storing() {
    let lie = json!([{"action": "shift_time", "legal": false}]);
    let sent = |time: i64| json!([[0, "d0aa", time], [1, "d1aa", 5], [2, "d2aa", 5]]);
    for (time, verified, corrupt) in [(-5000, 2, 1), (90_000, 2, 1), (500, 3, 0)] {
        let log = log(&[0, 1, 2], &sent(time), &lie);
        let status = if corrupt > 0 { "fail" } else { "pass" };
        assert_eq!(wrong(&log, &summary(status, verified, 0, corrupt)), Vec::<String>::new());
    }
    let mut log = log(&[0, 1, 2], &sent(90_000), &json!([]));
    log["settings"] = json!({"t": {"message.timestamp.type": "LogAppendTime"}});
    assert_eq!(wrong(&log, &summary("pass", 3, 0, 0)), Vec::<String>::new());
}

/// Two batches of one message each, acked at these offsets, at these times.
fn acked(acks: i16, offsets: [i64; 2], at_us: [u64; 2]) -> Value {
    let mut log = log(&[0], &json!([[0, "d0aa", 5]]), &json!([{"action": "ack_offset", "legal": false}]));
    let first = log["produced"][0].clone();
    let batch = |seq: u8| {
        let (mut batch, nth) = (first.clone(), usize::from(seq));
        batch["acks"] = json!(acks);
        batch["base_offset"] = json!(offsets[nth]);
        batch["at_us"] = json!(at_us[nth]);
        batch["answered_us"] = json!(at_us[nth] + 1);
        batch["records"] = json!([record(seq, "aa")]);
        batch["records"][0]["time_ms"] = json!(at_us[nth] / 1000);
        batch
    };
    log["produced"] = json!([batch(0), batch(1)]);
    log
}

#[test]
fn acks_collide_and_are_overtaken() {
    let says = |log: &Value, name: &str, count: u64, range: &str| {
        let mut summary = summary("fail", 1, 1, 0);
        summary["anomalies"] = json!({name: {"count": count}});
        let sentence = format!("{count} {name}, and it must be {range}");
        wrong(log, &summary).contains(&sentence)
    };
    let log = acked(-1, [0, 0], [0, 10]);
    assert!(says(&log, "collided", 0, "1 to 1") && says(&log, "overtaken", 1, "0 to 0"));
    let log = acked(-1, [5, 0], [0, 900_000]);
    assert!(says(&log, "overtaken", 0, "1 to 1") && says(&log, "collided", 1, "0 to 0"));
    // The second one came while the answer to the first was being sent.
    let mut log = acked(-1, [5, 0], [0, 10]);
    assert!(says(&log, "overtaken", 2, "0 to 1"));
    log["produced"][0]["answered_us"] = json!(20);
    assert!(says(&log, "overtaken", 1, "0 to 0"));
    log["produced"][0]["answering_us"] = json!(9);
    assert!(says(&log, "overtaken", 2, "0 to 1"));
    // An ack without a place, whose offsets librdkafka counts from -1 on, and one that seems to go on there.
    let log = acked(-1, [-1, 0], [0, 10]);
    assert!(says(&log, "collided", 1, "0 to 0"));
    let mut log = acked(-1, [5, 0], [0, 900_000]);
    let mut nowhere = log["produced"][0].clone();
    nowhere["base_offset"] = json!(-1);
    nowhere["records"] = json!([record(0, "aa")]);
    log["produced"][0]["records"] = json!([record(7, "aa")]);
    log["produced"].as_array_mut().expect("a list").insert(0, nowhere);
    assert!(says(&log, "overtaken", 2, "0 to 1"));
    // With acks 1 and a new leader, neither.
    let mut log = acked(1, [0, 0], [0, 10]);
    log["moved"] = json!([{"at_us": 5, "topic": "t", "partition": 0}]);
    assert!(says(&log, "collided", 1, "0 to 0"));
}

#[test]
fn what_a_new_leader_lacks_is_not_lost_where_one_ack_was_enough() {
    for (acks, legal) in [(1, true), (-1, false)] {
        let lie = json!([{"action": "lose_tail", "legal": false}]);
        let mut log = log(&[0, 1], &json!([[0, "d0aa", 5], [1, "d1aa", 5]]), &lie);
        log["produced"][0]["acks"] = json!(acks);
        log["moved"] = json!([{"at_us": 5, "topic": "t", "partition": 0}]);
        log["removed"] = json!([removed(2, "lose_tail")]);
        let unread = wrong(&log, &with(summary("error", 2, 0, 0), "unread", 1));
        let lost = wrong(&log, &summary("fail", 2, 1, 0));
        assert_eq!((unread.is_empty(), lost.is_empty()), (true, !legal), "{unread:?} {lost:?}");
    }
}

#[test]
fn old_records_of_a_new_topic_are_resurrected() {
    let handed = json!([[0, "d0aa", 5], [1, "d1aa", 5], [2, "d2aa", 5], [3, "old", 5]]);
    let mut log = log(&[0, 1, 2], &handed, &json!([{"action": "resurrect", "legal": false}]));
    let mut old = record(3, "aa");
    let value = old["value"].as_str().expect("text").replacen("0000000001", "0000000009", 1);
    (old["digest"], old["value"]) = (json!("old"), json!(value));
    log["topics"]["t"][0]["records"].as_array_mut().expect("a list").push(old);
    log["created"] = json!([{"topic": "t", "old": 1}]);
    assert!(wrong(&log, &summary("pass", 3, 0, 0)).iter().any(|why| why.contains("1 resurrected at least")));
    let mut red = summary("fail", 3, 0, 0);
    red["anomalies"] = json!({"resurrected": {"count": 1}});
    assert_eq!(wrong(&log, &red), Vec::<String>::new());
}
