//! Tests messages with an unknown outcome: counted and reported, but neither lost nor phantom, whether they are in the log or not.

use kafka_protocol::ResponseError;

use super::run::{Done, File, run, topic};
use super::wire::Load;
use crate::lab::{Kafka, Relay, Verdict};

/// So that a message in flight is given up in the test's time.
const IMPATIENT: &str = "message.timeout.ms: 6000, retries: 0, batch.num.messages: 3";

/// What the advice says to write.
const ALLOW: &str = "{type: all_acked, allow: {unknown: 100%}}";

fn is_shown(done: &Done, unknown: u64, found: u64) {
    assert_eq!((done.of("write", "unknown"), done.of("write", "failed")), (unknown, 0), "{}", done.told());
    assert_eq!(done.of("write", "acked"), 200 - unknown);
    assert_eq!(done.of("read", "received"), 200 - unknown + found, "{}", done.told());
    let account = ["planned", "unknown", "found", "absent", "unchecked"].map(|class| done.account(class));
    assert_eq!(account, [200, unknown, found, unknown - found, 0], "{}", done.told());
    let told = match done.check("all_acked") {
        "absent" => format!("`acks: 0`; of {unknown} sent, {found} were found"),
        _ => format!("{unknown} are unknown"),
    };
    assert!(done.notes().contains(&told), "{}", done.notes());
    assert!(done.page().contains("unknown"));
}

/// A file is inconclusive over unknown messages, of which all are in the log or none, and passes where it allows them.
fn is_inconclusive_or_allowed(file: impl Fn() -> (File, Relay, Load), found: bool, least: u64) -> [Done; 2] {
    [false, true].map(|allowed| {
        let (file, _relay, load) = file();
        let done = run(&if allowed { file.checks(ALLOW) } else { file }.text());
        let unknown = load.touched();
        assert!(unknown > least, "{unknown}");
        done.is_sound(0);
        is_shown(&done, unknown, if found { unknown } else { 0 });
        if allowed {
            done.is("pass");
            assert_eq!(
                (done.check("all_acked"), done.account("permitted")),
                ("pass", unknown),
                "{}",
                done.told()
            );
        } else {
            done.is("error");
            assert_eq!(
                (done.check("all_acked"), done.account("permitted")),
                ("inconclusive", 0),
                "{}",
                done.told()
            );
            let share = (unknown * 100).div_ceil(200);
            let advice = format!("{unknown} unknown (set `allow: {{unknown: {share}%}}` in `all_acked`)");
            assert!(done.reason().contains(&advice), "{advice}: {}", done.reason());
        }
        done
    })
}

#[test]
fn unknown_when_acks_get_lost() {
    let Some(broker) = Kafka::shared() else { return };
    let file = || {
        let relay = Relay::start(&broker);
        let load =
            Load::on_answers(&relay, |number, _| if number > 20 { Verdict::Drop } else { Verdict::Pass });
        (File::new(&relay.address(), &topic("unknown")).reader(&broker).properties(IMPATIENT), relay, load)
    };
    is_inconclusive_or_allowed(file, true, 50);
}

#[test]
fn unknown_when_requests_get_lost() {
    let Some(broker) = Kafka::shared() else { return };
    let file = || {
        let relay = Relay::start(&broker);
        let load =
            Load::on_requests(&relay, |number, _| if number > 20 { Verdict::Drop } else { Verdict::Pass });
        (File::new(&relay.address(), &topic("unknown")).reader(&broker).properties(IMPATIENT), relay, load)
    };
    is_inconclusive_or_allowed(file, false, 50);
}

#[test]
fn unknown_when_the_broker_does_not_say_what_went_wrong() {
    let Some(broker) = Kafka::shared() else { return };
    // KafScale returns -1 both after a write and before one.
    for written in [true, false] {
        let file = || {
            let relay = Relay::start(&broker);
            let wrong = ResponseError::UnknownServerError;
            let load = if written {
                Load::on_answers(
                    &relay,
                    move |number, answer| if number % 25 == 9 { answer.deny(wrong) } else { Verdict::Pass },
                )
            } else {
                Load::on_requests(&relay, move |number, request| {
                    if number % 25 == 9 { request.refuse(wrong) } else { Verdict::Pass }
                })
            };
            (File::new(&relay.address(), &topic("unknown")).reader(&broker), relay, load)
        };
        for done in is_inconclusive_or_allowed(file, written, 2) {
            let codes = &done.summary["scenarios"]["write"]["errors_by_code"];
            assert_eq!(codes.as_object().map(serde_json::Map::len), Some(1), "{codes}");
        }
    }
}

#[test]
fn unknown_without_acks() {
    let Some(broker) = Kafka::shared() else { return };
    let topic = topic("unknown");
    let write = "messages: 200, rate: 400/s, acks: 0, value: {size: 100B}";
    let done = run(&File::new(&broker, &topic).write(write).text());
    assert_eq!((done.check("no_loss"), done.check("all_acked")), ("absent", "absent"), "{}", done.told());
    done.has(&[]).is("pass");
    is_shown(&done, 200, 200);
    assert_eq!((done.account("acked"), done.account("permitted")), (0, 200), "{}", done.told());
}
