//! Whole runs against an embedded broker of the test, which sets its answers.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::{self, Options, RunProgress};
use crate::ids::RunTag;
use crate::kafka::{Code, Embedded, Waits};
use crate::metrics::RESOLUTION;
use crate::observe::{Observations, ScenarioEnd};
use crate::plan;
use crate::scenario::LoadOptions;

const FETCH: i16 = 1;

/// Runs these scenarios against the broker, with short waits.
async fn run(embedded: &Embedded, scenarios: &str, unreadable_after: Duration) -> Observations {
    let brokers = embedded.bootstrap().join("', '");
    let text = format!("brokers: ['{brokers}']\n{scenarios}");
    let mut plan = plan::load_text(Path::new("x.yaml"), &text, &LoadOptions::new(&|_| None)).unwrap();
    plan.unreadable_after = unreadable_after;
    let plan = Arc::new(plan);
    let live = Arc::new(RunProgress::new(&plan));
    let options = Options { run_tag: RunTag::random(), ..Options::for_tests(Waits::short()) };
    engine::run(plan, options, live).await
}

fn notes(seen: &Observations) -> String {
    seen.notes.iter().map(|note| format!("{}\n", note.text)).collect()
}

const PAIR: &str = "
topics: [{name: t, partitions: 2}]
scenarios:
  write: {type: produce, topic: t, messages: 40}
  read: {type: consume, topic: t, idle_timeout: 200ms, timeout: 2m}
";

fn broker() -> Embedded {
    Embedded::start(1, &[("t".into(), 2, 1)]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_gives_all_back_is_no_news() {
    let embedded = broker();
    let seen = run(&embedded, PAIR, Duration::from_millis(300)).await;
    assert!(!notes(&seen).contains("partition"), "{}", notes(&seen));
    assert_eq!(seen.scenarios[1].ended, ScenarioEnd::Done);
    assert_eq!(seen.scenarios[1].counts.received, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reachable_broker_that_refuses_every_fetch_makes_its_partitions_unreadable() {
    let embedded = broker();
    embedded.push_errors(FETCH, &[Code(-1); 5000]);
    let (start, after) = (Instant::now(), Duration::from_millis(400));
    let seen = run(&embedded, PAIR, after).await;
    let notes = notes(&seen);
    for partition in 0..2 {
        let gave =
            format!("partition {partition} of `t`: a reachable broker returned no record from offset 0 on");
        assert!(notes.contains(&gave), "{notes}");
    }
    // The idle timeout passes long before this.
    assert!(notes.contains("UNKNOWN_SERVER_ERROR "), "{notes}");
    assert!(
        start.elapsed() > after && seen.scenarios[1].ended != ScenarioEnd::Timeout,
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_for_a_while_is_read_to_the_end() {
    let embedded = broker();
    embedded.push_errors(FETCH, &[Code(-1); 20]);
    let seen = run(&embedded, PAIR, Duration::from_secs(20)).await;
    assert_eq!(seen.scenarios[1].counts.received, 40, "{}", notes(&seen));
    assert_eq!(seen.scenarios[1].ended, ScenarioEnd::Done);
    assert!(!notes(&seen).contains("returned no record"), "{}", notes(&seen));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_inside_the_log_is_refused_and_nothing_is_jumped_over() {
    let embedded = broker();
    embedded.push_errors(FETCH, &[Code(1); 8]);
    let seen = run(&embedded, PAIR, Duration::from_secs(20)).await;
    assert_eq!(seen.scenarios[1].counts.received, 40, "{}", notes(&seen));
    assert!(
        notes(&seen).contains("the broker refused offset 0 although its log ranges from 0"),
        "{}",
        notes(&seen)
    );
    assert!(seen.readings.iter().all(|reading| reading.resets == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_says_unknown_for_a_while_is_read_to_the_end() {
    let embedded = broker();
    embedded.push_errors(FETCH, &[Code(3); 20]);
    let seen = run(&embedded, PAIR, Duration::from_secs(20)).await;
    assert_eq!(seen.scenarios[1].counts.received, 40, "{}", notes(&seen));
    assert!(!notes(&seen).contains("returned no record"), "{}", notes(&seen));
}

/// What the automatically added reader read from a topic with this number of partitions and no other reader.
async fn read_back(partitions: i32) -> (u64, ScenarioEnd, usize) {
    let embedded = Embedded::start(1, &[("t".into(), partitions, 1)]).unwrap();
    let file = format!(
        "
topics: [{{name: t, partitions: {partitions}}}]
scenarios:
  write: {{type: produce, topic: t, messages: 400}}
"
    );
    let seen = run(&embedded, &file, Duration::from_secs(20)).await;
    let added = seen.scenarios.iter().find(|scenario| scenario.name.starts_with("verify:")).unwrap();
    let complete = seen.readings.iter().filter(|reading| reading.complete).count();
    (added.counts.received, added.ended, complete)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_is_read_back() {
    assert_eq!(read_back(3).await, (400, ScenarioEnd::Done, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_partitions_are_read_back_in_groups_afterwards() {
    assert_eq!(read_back(70).await, (400, ScenarioEnd::Done, 70));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_between_two_producers_is_no_stall_of_their_reader() {
    let embedded = broker();
    let file = "
topics: [{name: t, partitions: 2}]
scenarios:
  first: {type: produce, topic: t, messages: 20, rate: 100/s}
  second: {type: produce, topic: t, messages: 20, rate: 100/s, after: first, at: 1500ms}
  read: {type: consume, topic: t, idle_timeout: 1m, timeout: 2m}
";
    let seen = run(&embedded, file, Duration::from_secs(60)).await;
    let counts = &seen.scenarios[2].counts;
    assert_eq!(counts.received, 40);
    let stall = counts.gaps.longest_within(Duration::ZERO, Duration::MAX, None);
    // A busy machine delays messages, but no stall is longer than the latency of the message that ended it.
    let latency = Duration::from_secs_f64(counts.latency.max_ms().unwrap() / 1000.0);
    assert!(stall.is_none_or(|(from, to)| to - from <= latency + RESOLUTION), "{stall:?} {latency:?}");
    let second = seen.scenarios[1].counts.gaps.first().unwrap();
    let before = counts.gaps.first_after(second - Duration::from_millis(700)).unwrap();
    assert!(before + Duration::from_millis(10) >= second, "nothing was read in the pause: {before:?}");
    assert_eq!(counts.gaps.waiting(), None);
}
