//! The rules, each over a log, a file and a summary made by hand.

use serde_json::{Value, json};

use crate::judge;

const FILE: &str = "topics: [{name: t}]\nscenarios: {w: {type: produce, messages: 3}, r: {type: consume}}\n";

fn record(seq: u8, last: &str) -> Value {
    let value = format!("6b61663601{:010x}{:08x}{seq:012x}{:016x}{:08x}{last}", 1, 2, 0, 0);
    json!({"offset": seq, "key": null, "value": value, "headers": [], "digest": format!("d{seq}{last}")})
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
            "high_watermark": 3, "last_stable": 3, "records": handed, "bad_crc": [], "answered": true, "did": []}],
        "fired": lies, "requests": {}
    })
}

fn summary(status: &str, verified: u64, lost: u64, corrupt: u64) -> Value {
    let account = json!({"planned": 3, "unsent": 0, "sent": 3, "acked": 3, "verified": verified, "lost": lost, "corrupt": corrupt});
    json!({
        "status": status, "scenarios": {"w": {"ended": "done"}, "r": {"ended": "done"}},
        "accounts": {"total": account, "markers": {"acked": 0, "lost": 0}, "scenarios": {"w": account}}, "anomalies": {}
    })
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
