//! Messages of which nobody knows whether they are in the log: counted, shown, and neither lost nor phantom,
//! whether they are there or not.

use kafka_protocol::ResponseError;

use super::run::{Done, File, run, topic};
use super::wire::Load;
use crate::lab::{Kafka, Relay, Verdict};

/// So that a message in flight is given up in the test's time.
const IMPATIENT: &str = "message.timeout.ms: 1500, retries: 0";

fn is_shown(done: &Done, unknown: u64) {
    assert_eq!((done.of("write", "unknown"), done.of("write", "failed")), (unknown, 0), "{}", done.told());
    assert_eq!(done.of("write", "acked"), 200 - unknown);
    assert!(done.notes().contains(&format!("{unknown} are unknown")), "{}", done.notes());
    assert!(done.page().contains("unknown"));
}

#[test]
fn unknown_when_acks_get_lost() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    let load = Load::on_answers(&relay, |number, _| if number > 20 { Verdict::Drop } else { Verdict::Pass });
    let topic = topic("unknown");
    let file = File::new(&relay.address(), &topic).reader(&broker).properties(IMPATIENT);
    let done = run(&file.text());
    let unknown = load.touched();
    assert!(unknown > 50, "{unknown}");
    done.is_healthy(0);
    is_shown(&done, unknown);
    assert_eq!(done.of("read", "received"), 200, "they are in the log");
}

#[test]
fn unknown_when_requests_get_lost() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    let load = Load::on_requests(&relay, |number, _| if number > 20 { Verdict::Drop } else { Verdict::Pass });
    let topic = topic("unknown");
    let file = File::new(&relay.address(), &topic).reader(&broker).properties(IMPATIENT);
    let done = run(&file.text());
    let unknown = load.touched();
    assert!(unknown > 50, "{unknown}");
    done.is_healthy(0);
    is_shown(&done, unknown);
    assert_eq!(done.of("read", "received"), 200 - unknown, "they are not in the log");
}

#[test]
fn unknown_when_the_broker_does_not_say_what_went_wrong() {
    let Some(broker) = Kafka::shared() else { return };
    // KafScale says -1 after a write as well as before one.
    for written in [true, false] {
        let relay = Relay::start(&broker);
        let wrong = ResponseError::UnknownServerError;
        let load = if written {
            Load::on_answers(
                &relay,
                move |number, answer| if number % 25 == 9 { answer.deny(wrong) } else { Verdict::Pass },
            )
        } else {
            Load::on_requests(
                &relay,
                move |number, request| if number % 25 == 9 { request.refuse(wrong) } else { Verdict::Pass },
            )
        };
        let topic = topic("unknown");
        let file = File::new(&relay.address(), &topic).reader(&broker);
        let done = run(&file.text());
        let unknown = load.touched();
        assert!(unknown > 2, "{unknown}");
        done.is_healthy(0);
        is_shown(&done, unknown);
        assert_eq!(done.of("read", "received"), if written { 200 } else { 200 - unknown });
        assert_eq!(
            done.summary["scenarios"]["write"]["errors_by_code"].as_object().map(serde_json::Map::len),
            Some(1)
        );
    }
}

#[test]
fn unknown_without_acks() {
    let Some(broker) = Kafka::shared() else { return };
    let topic = topic("unknown");
    let write = "messages: 200, rate: 400/s, acks: 0, value: {size: 100B}";
    let done = run(&File::new(&broker, &topic).write(write).text());
    assert_eq!(done.check("no_loss"), "absent", "{}", done.told());
    done.has(&[]).is("pass");
    is_shown(&done, 200);
    assert_eq!(done.of("read", "received"), 200);
}
