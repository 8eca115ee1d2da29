//! Tests S4: a broker is killed and restarted. With a store nothing is lost. In memory all acked messages are lost.

use super::cluster::{example, fault, kafka, of_fault, on_memory, over_s3, run, start};
use crate::lab::TansuContainer;
use crate::runs::{Ran, left, unique};

/// The restart happened, and the load met it.
fn restarted(ran: &Ran, name: &str) {
    let bounce = fault(ran, name);
    assert_eq!(bounce["effective"], true, "{ran}");
    let proof = bounce["proof"].as_str().expect("it is a text");
    assert!(proof.contains("137"), "the signal killed it: {proof}");
    assert!(of_fault(ran, name, "started_ms") < of_fault(ran, name, "ended_ms"), "{ran}");
}

/// The example where nobody goes on after the restart, or where the machine says how soon.
fn without_recovery(text: &str) -> String {
    let recovers = "type: recovers\n    after: bounce\n    within: 60s\n    tolerance: 60%";
    assert!(text.contains(recovers), "{text}");
    text.replace(recovers, "type: continuity\n    max_gap: 4m")
}

#[test]
fn s4_over_a_store_loses_nothing() {
    let Some(cluster) = over_s3() else { return };
    let ran = run(&example("durability.yaml", &cluster)).expect("pass");
    restarted(&ran, "bounce");
    assert_eq!(ran.anomaly("lost"), Some(0));
    assert_eq!(ran.count("read", "received"), ran.count("write", "acked"));
    assert!(fault(&ran, "bounce")["first_read_ms"].is_u64(), "{ran}");
}

#[test]
fn s4_live_over_a_store_loses_nothing() {
    let Some(cluster) = over_s3() else { return };
    let ran = run(&example("durability-live.yaml", &cluster)).expect("pass");
    restarted(&ran, "bounce");
    assert_eq!((ran.anomaly("lost"), ran.anomaly("rewritten")), (Some(0), Some(0)), "{ran}");
    for field in ["first_ack_ms", "first_read_ms", "longest_gap_ms"] {
        assert!(fault(&ran, "bounce")[field].is_u64(), "{field}: {ran}");
    }
}

#[test]
fn s4_on_memory_loses_exactly_what_was_acked() {
    let Some(cluster) = on_memory() else { return };
    let text = example("durability.yaml", &cluster).replace("when: \"write.acked >= 20\"", "after: write");
    let ran = run(&text).expect("fail");
    restarted(&ran, "bounce");
    assert_eq!((ran.check("no_loss"), ran.count("read", "received")), ("fail", 0), "{ran}");
    let acked = ran.count("write", "acked");
    assert_eq!(acked, 60, "{ran}");
    assert_eq!(ran.anomaly("lost"), Some(acked), "{ran}");
    assert_eq!(fault(&ran, "bounce")["lost"], acked, "{ran}");
}

#[test]
fn s4_live_on_memory_loses_what_the_reader_had_seen_too() {
    let Some(cluster) = on_memory() else { return };
    let text = without_recovery(&example("durability-live.yaml", &cluster))
        .replace("when: \"write.acked >= 20\"", "after: write\n    at: 8s")
        .replace("duration: 24s", "duration: 8s");
    let ran = run(&text).expect("fail");
    restarted(&ran, "bounce");
    let acked = ran.count("write", "acked");
    assert_eq!((acked, ran.count("read", "received")), (32, 32), "the reader had seen all of it: {ran}");
    assert_eq!((ran.check("no_loss"), ran.anomaly("lost")), ("fail", Some(acked)), "{ran}");
    let evidence = ran.summary["anomalies"]["lost"]["evidence"][0]["detail"].as_str().expect("it is a text");
    assert!(evidence.contains("read ") && evidence.contains("gone after `bounce`"), "{evidence}");
}

/// Tansu goes on with a topic that it has forgotten, and acks what nobody finds again: so another client's reading
/// of what is left says what was lost.
#[test]
fn s4_going_on_on_memory_loses_what_another_client_does_not_find() {
    let Some(container) = TansuContainer::start() else { return };
    let topic = unique("s4");
    let cluster = format!(
        "cluster: {{attach: {{broker: {}}}}}\nbrokers: [\"{}\"]\n",
        container.name(),
        container.address()
    );
    let text = example("durability-live.yaml", &cluster).replace("kaf6-durability-live-{{run_id}}", &topic);
    let (kaf6, _) = start(&text);
    let ran = kaf6.run().expect("fail");
    restarted(&ran, "bounce");
    let mut found: Vec<String> = left(&container.address(), &topic)
        .iter()
        .filter_map(|value| {
            serde_json::from_slice::<serde_json::Value>(value).ok()?["uuid"].as_str().map(str::to_owned)
        })
        .collect();
    found.sort();
    found.dedup();
    let (acked, found) = (ran.count("write", "acked"), found.len() as u64);
    // A message whose offset has another message now is rewritten, and a message that is nowhere is lost. Their numbers
    // depend on how many offsets the broker assigns twice after its restart.
    let (lost, rewritten) = (ran.account("lost"), ran.account("rewritten"));
    let gone = lost + rewritten;
    assert!(gone >= acked - found && ran.account("verified") <= found, "{found} are left: {ran}");
    // More may be gone: the broker acks several batches at one offset, and a client that starts to read there does not
    // find all messages that another client finds from the start.
    assert!(gone >= 20, "{ran}");
    let failed = |check: &str| ran.check(check) == "fail";
    assert_eq!((failed("no_loss"), failed("no_corruption")), (lost > 0, rewritten > 0), "{ran}");
}

/// Deletes each batch in the store, and says how many.
const WIPE: &str = "
import re, urllib.request as web
signed = dict(Authorization='AWS4-HMAC-SHA256 Credential=lab/20260101/us-east-1/s3/aws4_request')
def call(method, path):
    return web.urlopen(web.Request('http://127.0.0.1:9000/tansu' + path, headers=signed, method=method)).read().decode()
batches = re.findall('<Key>([^<]*[.]batch)</Key>', call('GET', '?list-type=2&prefix=clusters/'))
for batch in batches:
    call('DELETE', '/' + batch)
print(len(batches), 'batches deleted')
";

/// Its log goes on under the reader, which has read everything and sees nothing of it: only the audit does, and
/// nobody has to ask for it where a fault ran.
#[test]
fn what_is_gone_behind_the_reader_is_found_by_the_audit() {
    let Some(cluster) = over_s3() else { return };
    let command = serde_json::json!(["python3", "-c", WIPE]);
    let text = format!(
        "topics: [{{name: \"wiped-{{{{run_id}}}}\", partitions: 2}}]
scenarios:
  write: {{type: produce, messages: 40, rate: 4/s, value: {{size: 100B}}}}
  read: {{type: consume}}
faults:
  wipe: {{type: exec, target: store, after: write, at: 10s, command: {command}}}
{cluster}"
    );
    let ran = run(&text).expect("fail");
    assert_eq!(fault(&ran, "wipe")["effective"], true, "{ran}");
    assert_eq!((ran.count("write", "acked"), ran.count("read", "received")), (40, 40), "all was read: {ran}");
    assert_eq!((ran.check("no_loss"), ran.anomaly("lost")), ("fail", Some(40)), "{ran}");
    let detail = ran.summary["anomalies"]["lost"]["evidence"][0]["detail"].as_str().expect("it is a text");
    // The time is a single time or an interval.
    assert!(detail.contains(", read ") && detail.contains("gone after `wipe`"), "{detail}");
}

#[test]
fn s4_on_apache_kafka_loses_nothing() {
    let Some(cluster) = kafka() else { return };
    // A Java broker needs more than a minute to restart on a busy machine.
    let text =
        without_recovery(&example("durability-live.yaml", &cluster)).replace("timeout: 2m", "timeout: 4m");
    let ran = run(&text).expect("pass");
    restarted(&ran, "bounce");
    assert_eq!(ran.anomaly("lost"), Some(0));
}
