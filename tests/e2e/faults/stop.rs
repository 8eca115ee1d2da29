//! Tests a `stop` without `for`: it lasts until another fault starts its target, or until the end of the run.

use super::cluster::{fault, of_fault, over_s3, run};

#[test]
fn a_stop_lasts_until_a_start_and_silences_its_broker_for_so_long() {
    let Some(cluster) = over_s3() else { return };
    let text = format!(
        "topics: [{{name: \"t-{{{{run_id}}}}\"}}]
scenarios:
  write: {{type: produce, duration: 30s, rate: 3/s, value: {{size: 50B}}, timeout: 3m}}
  read: {{type: consume, idle_timeout: 1m}}
  steady: {{type: watch, every: 200ms}}
faults:
  down: {{type: stop, target: broker, at: 3s}}
  up: {{type: start, target: broker, after: down, at: 12s}}
checks:
  - {{type: metadata_stable, max_silence: 11s}}
{cluster}"
    );
    let ran = run(&text).expect("pass");
    let (down, up) = (of_fault(&ran, "down", "ended_ms"), of_fault(&ran, "up", "started_ms"));
    assert!(down >= up && down <= of_fault(&ran, "up", "ended_ms"), "{ran}");
    assert!(down - of_fault(&ran, "down", "started_ms") >= 12_000, "{ran}");
    // The recovery time is measured from there to the first bucket with acks.
    let first_ack = down + of_fault(&ran, "down", "first_ack_ms");
    let width = ran.summary["timeline"]["bucket_ms"].as_u64().expect("it is a number");
    let rates = ran.summary["timeline"]["series"]["write"]["rate"].as_array().expect("it is a list").clone();
    let acked = (0_u64..).zip(&rates).skip_while(|(bucket, _)| (bucket + 1) * width <= down);
    let bucket = acked.filter(|(_, rate)| rate.as_f64() > Some(0.0)).map(|(bucket, _)| bucket).next();
    assert_eq!(bucket, Some(first_ack / width), "{first_ack}, by {width}: {rates:?}");
    let steady = &ran.summary["watch"]["steady"]["brokers"][0];
    let unanswered = steady["asked"].as_u64().zip(steady["answered"].as_u64()).map(|(all, some)| all - some);
    assert!(unanswered >= Some(5), "it was silent meanwhile: {steady}");
}

#[test]
fn a_stop_that_nothing_ends_lasts_to_the_end_of_the_run() {
    let Some(cluster) = over_s3() else { return };
    let text = format!(
        "topics: [{{name: \"t-{{{{run_id}}}}\"}}]
scenarios:
  write: {{type: produce, messages: 50, value: {{size: 50B}}}}
  read: {{type: consume}}
  late: {{type: produce, after: read, at: 12s, messages: 1, timeout: 2s}}
faults:
  down: {{type: stop, target: broker, after: read, at: 1s}}
  up: {{type: start, target: broker, when: \"late.acked >= 1\"}}
run: {{unreadable_after: 5s}}
{cluster}"
    );
    let ran = run(&text).expect("error");
    assert!(fault(&ran, "up")["started_ms"].is_null(), "{ran}");
    let (start, end) = (of_fault(&ran, "down", "started_ms"), of_fault(&ran, "down", "ended_ms"));
    // The fault ends with the last scenario: kaf6 restores the service before the audit, which is part of the run.
    let last = ["write", "read", "late", "verify:t-{{run_id}}"].map(|name| ran.count(name, "ended_ms"));
    let last = last.into_iter().max().expect("there are some");
    assert!(end >= last && Some(end) <= ran.summary["duration_ms"].as_u64(), "{last}: {ran}");
    assert!(end - start >= 3_000, "{ran}");
    // Messages that were due in this time were not sent. Messages acked before were read.
    assert_eq!(
        (ran.account("planned"), ran.account("acked"), ran.account("verified")),
        (51, 50, 50),
        "{ran}"
    );
    assert!(ran.reason().contains("scenario `late` timed out"), "{ran}");
    // The timeout of a reader that kaf6 added cannot be set.
    assert!(
        ran.answer("no_loss:verify:t-{{run_id}}").contains("set `verify: false` in its producers"),
        "{ran}"
    );
}
