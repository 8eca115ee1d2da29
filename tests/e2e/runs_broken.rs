//! Tests brokers that are unreachable, refuse requests, lose data or lack features: a run never passes or hangs, and has a clear
//! message.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

use crate::lab::{Gate, Kafka, Relay, Storage, Tansu, Verdict};
use crate::runs::{Kaf6, Ran, write};

/// One producer and one consumer on a topic of this run's own, with these fields of theirs.
fn written_and_read(topic: &str, write: &str, read: &str) -> String {
    format!(
        "name: pair\n\
         topics: [{{name: 'pair-{{{{run_id}}}}', {topic}}}]\n\
         scenarios:\n  write: {{type: produce, {write}}}\n  read: {{type: consume, {read}}}\n\
         checks: [{{type: count_equals, scenario: read, expected: 1000}}]\n"
    )
}

#[test]
fn a_broker_that_is_away_is_said_once() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let broker = tansu.address();
    tansu.kill();
    let draft = Kaf6::example("smoke.yaml").brokers(&broker).start();
    let s1 = Kaf6::example("connectivity.yaml").brokers(&broker).start();
    let nowhere = Kaf6::example("single.yaml").brokers("nowhere.invalid:9092").start();

    let ran = draft.end().expect("error");
    assert!(ran.told().contains("connection refused"), "the cause is named: {ran}");
    assert_eq!(ran.told().matches("no broker could be reached").count(), 1, "one clear message: {ran}");
    assert!(!ran.stderr.contains("refused"), "and not another one: {ran}");
    for check in ["delivered_all", "no_loss", "no_duplicates"] {
        assert_eq!(ran.check(check), "inconclusive", "{ran}");
    }
    assert!(ran.junit.contains("<error"), "{}", ran.junit);

    let ran = s1.end().expect("fail");
    assert!(ran.took >= Duration::from_secs(10), "its 10 s are its own: {ran}");
    assert_eq!((ran.check("reachable"), ran.check("metadata")), ("fail", "fail"));
    assert!(ran.answer("reachable").contains("refused"), "{ran}");

    let ran = nowhere.end().expect("error");
    assert!(ran.told().contains("nowhere.invalid"), "{ran}");
}

#[test]
fn a_thousand_messages_refused_as_too_large_are_no_pass() {
    let hold = |ran: &Ran| {
        let counts = ["sent", "acked", "failed", "unknown"].map(|field| ran.count("write", field));
        assert_eq!(counts, [1000, 0, 1000, 0], "{ran}");
        assert_eq!(ran.count("read", "received"), 0);
        assert_eq!((ran.account("planned"), ran.account("failed")), (1000, 1000), "{ran}");
        // The broker promised nothing, so no promise is broken, but the run cannot pass either.
        assert_eq!(
            (ran.check("count_equals"), ran.check("all_acked")),
            ("inconclusive", "inconclusive"),
            "{ran}"
        );
        assert!(ran.answer("count_equals").contains("no data"), "{ran}");
        assert_eq!(ran.check("no_loss"), "pass", "{ran}");
        assert!(ran.answer("no_loss").contains("nothing was written to these partitions"), "{ran}");
        assert!(ran.reason().contains("1,000 failed (set `allow: {failed: 100%}` in `all_acked`)"), "{ran}");
        let codes = ran.summary["scenarios"]["write"]["errors_by_code"].to_string();
        assert!(codes.contains("SIZE_TOO_LARGE") || codes.contains("MESSAGE_TOO_LARGE"), "{codes}");
    };
    if let Some(kafka) = Kafka::shared() {
        let file = written_and_read(
            "config: {max.message.bytes: '1000'}",
            "messages: 1000, value: {size: 4KiB}",
            "limit: 1000",
        );
        hold(&Kaf6::file(&file).brokers(&kafka).run().expect("error"));
    }
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    relay.refuse(ApiKey::Produce, ResponseError::MessageTooLarge);
    let file = written_and_read("partitions: 2", "messages: 1000", "limit: 1000");
    hold(&Kaf6::file(&file).brokers(&relay.address()).run().expect("error"));
    // A file without a reader does not pass either.
    let alone = "topics: [{name: 'alone-{{run_id}}'}]\n\
                 scenarios: {write: {type: produce, messages: 1000}}\n\
                 checks: [{type: count_at_least, expected: 1}, {type: threshold, expr: error_rate < 1%}]\n";
    let ran = Kaf6::file(alone).brokers(&relay.address()).run().expect("fail");
    assert_eq!(ran.check("threshold"), "fail", "{ran}");
    assert_ne!(ran.check("count_at_least"), "pass", "{ran}");
    // A file that expects failures says so with `allow`.
    let expected = alone.split("checks:").next().expect("it has checks").to_owned()
        + "checks: [{type: all_acked, allow: {failed: 100%}}]\n";
    let ran = Kaf6::file(&expected).brokers(&relay.address()).run().expect("pass");
    assert_eq!((ran.account("failed"), ran.account("permitted")), (1000, 1000), "{ran}");
    Kaf6::file(&expected.replace("100%", "99%")).brokers(&relay.address()).run().expect("error");
}

/// [`written_and_read`] with a gate between writer and reader.
fn gated(topic: &str, gate: &Gate) -> String {
    let gate = gate.scenario("after: write");
    written_and_read(topic, "messages: 1000", "after: gate")
        .replace("\n  read:", &format!("\n  {gate}\n  read:"))
}

/// All that was acked is lost, to the last message.
fn hold_all_lost(ran: &Ran) {
    assert_eq!((ran.count("write", "acked"), ran.count("read", "received")), (1000, 0), "{ran}");
    assert_eq!((ran.anomaly("lost"), ran.anomaly("unread")), (Some(1000), Some(0)), "{ran}");
    assert_eq!((ran.check("no_loss"), ran.check("count_equals")), ("fail", "fail"));
    assert!(ran.answer("no_loss").contains("1000 lost"), "{ran}");
    let evidence = ran.summary["anomalies"]["lost"]["evidence"].as_array().expect("it is a list");
    let messages: u64 = evidence.iter().map(|piece| piece["count"].as_u64().unwrap_or(1)).sum();
    assert!((1..=20).contains(&evidence.len()) && messages >= 20, "{ran}");
}

#[test]
fn a_broker_that_forgets_the_topic_has_lost_all_that_it_acked() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let gate = Gate::new();
    let run = Kaf6::file(&gated("partitions: 3", &gate)).brokers(&tansu.address()).start();
    let held = gate.reached(|| run.said());
    tansu.restart();
    drop(held);
    let ran = run.end().expect("fail");
    hold_all_lost(&ran);
    assert!(ran.notes().contains("did not know it"), "{}", ran.notes());
}

#[test]
fn a_topic_that_is_there_again_hides_no_loss() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let broker = tansu.address();
    let gate = Gate::new();
    let file = gated("partitions: 2", &gate);
    let run = Kaf6::file(&file).brokers(&broker).arg("--run-id").arg("again").start();
    let held = gate.reached(|| run.said());
    tansu.restart();
    // Another run recreates the topic and writes to the offsets of the lost messages.
    let other = "topics: [{name: pair-again, partitions: 2}]\n\
                 scenarios: {write: {type: produce, messages: 300}}\n\
                 checks: [{type: count_equals, expected: 300}]\n";
    Kaf6::file(other).brokers(&broker).run().expect("pass");
    drop(held);
    let ran = run.end().expect("fail");
    hold_all_lost(&ran);
    assert_eq!(ran.count("read", "foreign"), 300, "{ran}");
}

#[test]
fn a_topic_that_is_there_again_and_empty_hides_no_loss() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let broker = tansu.address();
    let gate = Gate::new();
    let file = gated("partitions: 2", &gate);
    let run = Kaf6::file(&file).brokers(&broker).arg("--run-id").arg("again").start();
    let held = gate.reached(|| run.said());
    tansu.restart();
    let other = "topics: [{name: pair-again, partitions: 2}]\nscenarios: {reach: {type: connect}}\n\
                 checks: [{type: metadata}]\n";
    Kaf6::file(other).brokers(&broker).run().expect("pass");
    drop(held);
    hold_all_lost(&run.end().expect("fail"));
}

#[test]
fn a_log_that_begins_anew_under_the_reader_has_lost_what_was_acked() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    let gate = Gate::new();
    let stands = gate.scenario("after: write");
    let file = format!(
        "topics: [{{name: 'under-{{{{run_id}}}}', partitions: 2}}]\n\
         scenarios:\n  write: {{type: produce, messages: 1000}}\n  read: {{type: consume, idle_timeout: 1m}}\n  {stands}\n  \
         hold: {{type: produce, topic: 'under-{{{{run_id}}}}', messages: 4, rate: 1/s, after: gate}}\n\
         checks: [{{type: no_loss}}]\n"
    );
    let run = Kaf6::file(&file).brokers(&tansu.address()).start();
    let held = gate.reached(|| run.said());
    run.wait_for("read: 1,000,");
    tansu.restart();
    drop(held);
    // The reader read the whole log, but messages acked before are gone, and their offsets have other messages.
    let ran = run.end().expect("fail");
    assert_eq!((ran.check("no_corruption"), ran.check("no_loss")), ("fail", "fail"), "{ran}");
    let (lost, rewritten) = (ran.account("lost"), ran.account("rewritten"));
    assert!(rewritten > 0 && (1000..1004).contains(&(lost + rewritten)), "{ran}");
    assert_eq!((ran.anomaly("lost"), ran.anomaly("rewritten")), (Some(lost), Some(rewritten)), "{ran}");
    assert_eq!(ran.count("read", "received"), 1000 + ran.count("hold", "acked"), "{ran}");
    assert!(ran.notes().contains("the log was truncated or recreated"), "{}", ran.notes());
    assert_eq!(ran.anomaly("stale_end"), None, "the end of the new log says nothing of the old one: {ran}");
}

#[test]
fn a_topic_that_cannot_be_created_is_no_pass_and_is_named() {
    let Some(kafka) = Kafka::shared() else { return };
    let file = written_and_read("partitions: 1, replication_factor: 3", "messages: 1000", "limit: 1000");
    let ran = Kaf6::file(&file).brokers(&kafka).run().expect("error");
    assert!(ran.told().contains("pair-") && ran.told().contains("replication_factor"), "{ran}");
    assert_eq!((ran.ended("write"), ran.ended("read")), ("failed", "failed"));
}

#[test]
fn an_existing_topic_with_other_partitions_is_left_as_it_is_and_noted() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let file = |partitions: u32| {
        format!(
            "topics: [{{name: kept, partitions: {partitions}}}]\n\
             scenarios: {{write: {{type: produce, messages: 40}}, read: {{type: consume}}}}\n\
             checks: [{{type: count_equals, expected: 40}}]\n"
        )
    };
    Kaf6::file(&file(4)).brokers(&tansu.address()).run().expect("pass");
    let ran = Kaf6::file(&file(6)).brokers(&tansu.address()).run().expect("pass");
    assert!(ran.notes().contains("`kept` exists with 4 partitions; the file says 6, but"), "{}", ran.notes());
    assert_eq!(ran.summary["partitions"].as_array().map(Vec::len), Some(4));
}

#[test]
fn an_idempotent_producer_works_where_the_broker_can_and_ends_clearly_where_not() {
    let Some(kafka) = Kafka::shared() else { return };
    let file = written_and_read("partitions: 2", "messages: 1000, idempotence: true", "limit: 1000");
    let ran = Kaf6::file(&file).brokers(&kafka).run().expect("pass");
    assert_eq!((ran.count("write", "acked"), ran.check("no_loss")), (1000, "pass"));

    let relay = Relay::start(&kafka);
    relay.limit_api(ApiKey::InitProducerId, None);
    let ran = Kaf6::file(&file).brokers(&relay.address()).run().expect("error");
    assert_eq!(
        (ran.ended("write"), ran.count("write", "acked")),
        ("failed", 0),
        "{} {ran}",
        ran.summary["scenarios"]["write"]["errors_by_code"]
    );
    assert_eq!(ran.count("read", "received"), 0, "{ran}");
    assert!(ran.told().contains("could not run: its producer stopped after a fatal error: "), "{ran}");
    assert!(ran.told().contains("Idempotent producer not supported"), "{ran}");
    assert!(ran.reason().contains("set `idempotence: false`"), "{ran}");
    for check in ["count_equals", "no_loss", "no_duplicates", "no_corruption", "in_order", "all_acked"] {
        assert_eq!(ran.check(check), "inconclusive", "{check}: {ran}");
    }
    let without = file.replace(", idempotence: true", "");
    Kaf6::file(&without).brokers(&relay.address()).run().expect("pass");
    // This load is fast and long: a producer with a fatal error must not continue.
    let file = "topics: [{name: 'given-{{run_id}}'}]\n\
                scenarios: {reach: {type: connect}, write: {type: produce, duration: 10m, idempotence: true}}\n\
                checks: [{type: reachable}, {type: count_at_least, scenario: write, expected: 1}]\n";
    let ran = Kaf6::file(file).brokers(&relay.address()).run().expect("error");
    assert_eq!((ran.check("reachable"), ran.check("count_at_least")), ("pass", "inconclusive"), "{ran}");
    assert!(ran.notes().contains("no InitProducerId: idempotence is off"), "{}", ran.notes());
}

#[test]
fn a_broker_that_hangs_ends_with_the_time_bounds() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    // It hangs before this request reaches it, and most of those before it were answered: each of the three clients sends at most
    // five at a time.
    let (requests, process) = (AtomicU32::new(0), tansu.process().id());
    relay.on_request(move |request| {
        if request.api == ApiKey::Produce && requests.fetch_add(1, Ordering::SeqCst) == 20 {
            let stopped = Command::new("kill").args(["-STOP", &process.to_string()]).status();
            assert!(stopped.is_ok_and(|status| status.success()), "the broker is stopped");
        }
        Verdict::Pass
    });
    let file = "topics: [{name: hung, partitions: 2}]\n\
                client: {properties: {max.in.flight.requests.per.connection: 5, batch.num.messages: 5}}\n\
                scenarios:\n  write: {type: produce, clients: 3, rate: 200/s, messages: 100000, timeout: 14s}\n  \
                read: {type: consume, timeout: 17s}\n  \
                ping: {type: roundtrip, iterations: 1000000, timeout: 15s, when: 'write.acked >= 1'}\n\
                checks: [{type: count_equals, scenario: read, expected: 100000}, {type: roundtrip_ok}]\n\
                run: {timeout: 22s}\n";
    let ran = Kaf6::file(file).brokers(&relay.address()).run();
    tansu.process().signal("CONT");
    assert_ne!(ran.status(), "pass", "{ran}");
    assert!(ran.count("write", "acked") > 0, "{ran}");
    // Messages in flight may be in the log, so they are neither failed nor lost.
    assert_eq!(ran.anomaly("lost"), Some(0), "{ran}");
    assert!(ran.count("write", "unknown") > 0, "{ran}");
}

#[test]
fn brokers_that_come_up_late_are_waited_for_by_connect() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    tansu.kill();
    let file = "topics: [{name: 'late-{{run_id}}', partitions: 2}]\n\
                scenarios:\n  reach: {type: connect, timeout: 4m}\n  \
                write: {type: produce, messages: 100, after: reach}\n  read: {type: consume, after: reach}\n\
                checks: [{type: reachable}, {type: metadata}, {type: count_equals, expected: 100}]\n";
    let run = Kaf6::file(file).brokers(&tansu.address()).start();
    std::thread::sleep(Duration::from_secs(3));
    tansu.restart();
    let ran = run.end().expect("pass");
    assert_eq!(
        (ran.check("reachable"), ran.check("metadata"), ran.check("no_loss")),
        ("pass", "pass", "pass")
    );
}

#[test]
fn topics_that_take_long_do_not_make_a_broker_unreachable_that_came_up_in_time() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    let early = AtomicU32::new(0);
    relay.on_request(move |request| match request.api {
        ApiKey::CreateTopics => Verdict::Delay(Duration::from_secs(7)),
        // To clients it is not up before.
        ApiKey::ApiVersions if early.fetch_add(1, Ordering::SeqCst) < 2 => Verdict::Cut(0),
        _ => Verdict::Pass,
    });
    let file = "topics: [{name: 'late-{{run_id}}', partitions: 2}]\n\
                scenarios: {reach: {type: connect, timeout: 7s}}\n\
                checks: [{type: reachable}, {type: metadata}]\n";
    let ran = Kaf6::file(file).brokers(&relay.address()).run().expect("pass");
    assert_eq!((ran.check("reachable"), ran.check("metadata")), ("pass", "pass"), "{ran}");
    assert!(ran.took > Duration::from_secs(7), "creating took longer than connecting may: {ran}");
}

#[test]
fn a_reader_that_kaf6_adds_waits_for_the_brokers_as_its_producer_does() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    tansu.kill();
    // The second file has a reader that starts immediately, before there is anything to read.
    for more in ["", "  read: {type: consume}\n"] {
        let file = format!(
            "topics: [{{name: 'late-{{{{run_id}}}}'}}]\n\
             scenarios:\n  reach: {{type: connect, timeout: 4m}}\n  write: {{type: produce, messages: 20, after: reach}}\n{more}\
             checks: [{{type: reachable}}]\n"
        );
        let run = Kaf6::file(&file).brokers(&tansu.address()).start();
        // Longer than kaf6 tries to reach brokers before a scenario that needs them.
        std::thread::sleep(Duration::from_secs(14));
        tansu.restart();
        let ran = run.end().expect("pass");
        assert_eq!((ran.check("reachable"), ran.check("no_loss")), ("pass", "pass"), "{ran}");
        tansu.kill();
    }
}

#[test]
fn a_connect_has_its_own_timeout_and_not_the_time_of_what_starts_with_it() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    tansu.kill();
    let write = "  write: {type: produce, messages: 20, after: reach}\n";
    let beside = "  write: {type: produce, messages: 20}\n  look: {type: watch}\n";
    for more in [write, beside] {
        let file = format!(
            "topics: [{{name: 'late-{{{{run_id}}}}'}}]\n\
             scenarios:\n  reach: {{type: connect, timeout: 2s}}\n{more}checks: [{{type: reachable}}]\n"
        );
        let run = Kaf6::file(&file).brokers(&tansu.address()).start();
        run.wait_for_end("reach");
        tansu.restart();
        let ran = run.end().expect("fail");
        assert_eq!((ran.check("reachable"), ran.check("no_loss")), ("fail", "pass"), "{ran}");
        tansu.kill();
    }
}

#[test]
fn a_connect_that_gave_up_names_the_brokers_that_it_did_not_reach() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let (up, down) = (tansu.address(), format!("127.0.0.1:{}", crate::lab::free_port()));
    let file = "scenarios: {reach: {type: connect, timeout: 4s}}\n";
    let ran = Kaf6::file(file).brokers(&format!("{up},{down}")).run().expect("error");
    let told = ran.told();
    assert!(told.contains(&format!("{down}: tcp: ")) && told.contains("connection refused"), "{ran}");
    assert!(!told.contains(&format!("{up}: tcp")), "{ran}");
    assert!(!ran.notes().contains(&format!("`{up}`")), "{}", ran.notes());
    // kaf6 reached one broker, and tried the other one until the timeout.
    assert!(ran.count("reach", "sent") > 2, "{ran}");
    let span = ["started_ms", "ended_ms"].map(|name| ran.figure("reach", name).expect("it ran"));
    assert!(span[1] - span[0] >= 3900.0, "{span:?}: {ran}");
}

#[test]
fn a_silent_broker_takes_no_time_from_the_others() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    // The kernel accepts connections, but nothing responds.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().map(|address| (silent, address.to_string())).expect("bound");
    let file = "scenarios: {reach: {type: connect, timeout: 12s}}\nchecks: [{type: reachable}]\n";
    let ran = Kaf6::file(file).brokers(&format!("{},{}", silent.1, tansu.address())).run().expect("fail");
    let answer = ran.answer("reachable");
    assert!(answer.contains("1 of 2 brokers") && !answer.contains(&tansu.address()), "{answer}");
}

#[test]
fn what_others_wrote_before_is_foreign_to_a_run() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let broker = tansu.address();
    let file = "topics: [{name: mixed, partitions: 2}]\n\
                scenarios: {write: {type: produce, messages: 200}, read: {type: consume}}\n\
                checks: [{type: count_equals, expected: 200}]\n";
    Kaf6::file(file).brokers(&broker).run().expect("pass");
    write(&broker, "mixed", 0, (0..50).map(|n| format!("stranger {n}")));
    let ran = Kaf6::file(file).brokers(&broker).run().expect("pass");
    assert_eq!((ran.count("read", "received"), ran.count("read", "foreign")), (200, 250), "{ran}");
    // End markers of both runs do not count as records.
    let any = "scenarios: {read: {type: consume, topic: mixed, from: any}}\n\
               checks: [{type: count_equals, expected: 450}]\n";
    Kaf6::file(any).brokers(&broker).run().expect("pass");
}
