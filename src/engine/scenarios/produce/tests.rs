//! Producers and round trips against the embedded broker, whose answers are set by the test.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::context::findings::RunFindings;
use crate::engine::context::run_context::RunContext;
use crate::engine::messages::keys::{KeyRule, Keys, NoKeys, Sender};
use crate::engine::messages::sight;
use crate::engine::scenarios::{produce, roundtrip};
use crate::engine::scheduling::setup::Setup;
use crate::engine::verdict::same_topic::TopicComparison;
use crate::engine::verdict::saved;
use crate::engine::{Options, RunProgress};
use crate::ids::{Partition, StreamId};
use crate::kafka::{Code, Embedded, Range, ReadEvent, Waits, read_range};
use crate::ledger::envelope::Opened;
use crate::ledger::{Bound, Saved, SentLog};
use crate::metrics::{Counters, RESOLUTION, Snapshot};
use crate::observe::ScenarioEnd;
use crate::plan::{self, Work};
use crate::scenario::LoadOptions;

const PRODUCE: i16 = 0;

/// The result of one scenario with one client.
struct Came {
    ended: ScenarioEnd,
    message: String,
    /// sent, acked, failed, unknown, received
    counts: [u64; 5],
    log: SentLog,
}

/// The context of a run with these lines of a scenario file against this broker.
fn context(embedded: &Embedded, lines: &str) -> Arc<RunContext> {
    let file = format!("brokers: ['{}']\n{lines}\n", embedded.bootstrap()[0]);
    let plan = plan::load_text(Path::new("x.yaml"), &file, &LoadOptions::new(&|_| None)).unwrap();
    let live = Arc::new(RunProgress::new(&plan));
    let options = Options::for_tests(Waits::short());
    Arc::new(RunContext::new(Arc::new(plan), options, live, None).unwrap())
}

/// Runs this scenario, with each message in its own batch, against a broker that answers Produce requests
/// with these codes in order. A transport error occurs after the broker has received the request.
async fn run(scenario: &str, codes: &[i32]) -> Came {
    let embedded = Embedded::start(1, &[("t".into(), 1, 1)]).unwrap();
    let lines = format!(
        "client: {{properties: {{batch.num.messages: 1}}}}\ntopics: [{{name: t, partitions: 1}}]\nscenarios:\n  it: {{topic: t, {scenario}}}"
    );
    let context = context(&embedded, &lines);
    embedded.push_errors(PRODUCE, &codes.iter().map(|code| Code(*code)).collect::<Vec<_>>());
    let outcome = match scenario.contains("roundtrip") {
        true => roundtrip::run(&context, &Setup::new(&context), 0).await,
        false => produce::run(&context, &Setup::new(&context), 0).await,
    };
    let counters = &context.live.metrics(0).counters;
    let counts = [&counters.sent, &counters.acked, &counters.failed, &counters.unknown, &counters.received];
    let mut logs: Vec<SentLog> = outcome.sent.into_values().collect();
    assert_eq!(logs.len(), 1);
    Came {
        ended: outcome.ended.unwrap(),
        message: outcome.message.unwrap_or_default(),
        counts: counts.map(Counters::get),
        log: logs.remove(0),
    }
}

/// Batches of one message, so that some are in flight while others are rejected.
const ONE_BY_ONE: &str = "type: produce, messages: 8, rate: 10/s";

#[tokio::test]
async fn what_goes_back_bounds_what_it_explains() {
    let came = run(ONE_BY_ONE, &[0, 7, 3, 0]).await;
    assert_eq!((came.ended, came.counts), (ScenarioEnd::Done, [8, 8, 0, 0, 0]));
    let (twice, all) = (came.log.repeats(), came.log.reorders());
    assert_eq!((twice.batches, twice.messages), (1, 1), "{twice:?}");
    assert!(all.batches == 2 && all.messages > twice.messages, "{all:?}");
    assert!((twice.messages..8).contains(&came.log.maybe_twice().len()), "{:?}", came.log.maybe_twice());
}

#[tokio::test]
async fn what_goes_back_of_an_idempotent_producer_under_one_identity_explains_nothing() {
    let came = run(&format!("{ONE_BY_ONE}, idempotence: true"), &[0, 7, 0]).await;
    assert_eq!((came.ended, came.counts), (ScenarioEnd::Done, [8, 8, 0, 0, 0]));
    assert_eq!((came.log.reorders(), came.log.maybe_out_of_order().len()), (Bound::default(), 0));
}

#[tokio::test]
async fn a_producer_that_is_given_up_ends_as_fatal_with_what_to_do() {
    let came = run("type: produce, messages: 300, rate: 10/s, idempotence: true", &[0, 45]).await;
    assert_eq!(came.ended, ScenarioEnd::Fatal, "{}", came.message);
    assert!(came.counts[1] >= 1 && came.counts[0] < 300, "{:?}", came.counts);
    assert_eq!(came.log.sent(), came.counts[0]);
    for part in ["OUT_OF_ORDER_SEQUENCE_NUMBER", "idempotence: false"] {
        assert!(came.message.contains(part), "{}", came.message);
    }
}

#[tokio::test]
async fn acks_without_a_place_are_counted_as_acks() {
    let came = run(&format!("{ONE_BY_ONE}, idempotence: true"), &[0, 46, 0]).await;
    assert_eq!((came.ended, came.counts), (ScenarioEnd::Done, [8, 8, 0, 0, 0]));
    let (placeless, placed) = (came.log.placeless().len(), came.log.acks().len());
    assert_eq!((placeless, placed), (1, 7));
}

#[tokio::test]
async fn a_round_trip_is_booked_like_any_other_message_and_its_warm_up_counts_for_nothing() {
    let came =
        run("type: roundtrip, iterations: 5, warmup: 2, iteration_timeout: 30s", &[0, 0, 0, 7, 0]).await;
    assert_eq!((came.ended, came.counts), (ScenarioEnd::Done, [5, 5, 0, 0, 5]), "{}", came.message);
    assert_eq!((came.log.sent(), came.log.acks().len()), (7, 7));
    assert_eq!(came.log.repeats(), Bound { messages: 1, batches: 1, lines_lost: false });
}

#[tokio::test]
async fn a_round_trip_that_is_refused_or_left_open_is_not_acked() {
    let came = run("type: roundtrip, iterations: 3, warmup: 0, iteration_timeout: 6s", &[10, 0, -1]).await;
    assert_eq!((came.ended, came.counts), (ScenarioEnd::Done, [3, 1, 1, 1, 1]), "{}", came.message);
    assert_eq!((came.log.acks().len(), came.log.failures().len(), came.log.unknowns()), (1, 1, 1));
}

#[tokio::test]
async fn a_producer_that_has_no_time_left_says_so() {
    let refused_for_ever = vec![19; 1000];
    let came = tokio::time::timeout(
        Duration::from_secs(120),
        run("type: produce, messages: 3, timeout: 500ms", &refused_for_ever),
    );
    let came = came.await.unwrap();
    assert_eq!((came.ended, came.counts[1]), (ScenarioEnd::Timeout, 0));
    assert!(came.message.contains("within 500ms"), "{}", came.message);
}

/// Reads the keys of a partition by stream and sequence, and compares each with the key that is rendered
/// again: from the plan, and from the saved ledger.
fn compare_keys(context: &RunContext, partition: Partition, found: &RunFindings) -> usize {
    let (topology, sent) = (found.topology.as_ref().unwrap(), &found.sent);
    let topics = TopicComparison::new(context, topology);
    let bytes = serde_json::to_vec(&saved::save(context, topology, found, &topics)).unwrap();
    let saved = Saved::read(&bytes).unwrap();
    let (streams, restored) = saved.restore();
    let (mut keys, mut of_saved) = (HashMap::new(), HashMap::new());
    for ((scenario, client), first) in &topology.first {
        let mine = (0..3).filter_map(|p| sent.get(&StreamId(first.0 + p)));
        let sender = Sender {
            run: context.run_tag,
            run_id: &context.run_id,
            scenario: *scenario,
            client: *client,
            stream: StreamId(first.0 + partition.unsigned_abs()),
            partitions: 3,
            sent: mine.map(SentLog::sent).sum(),
        };
        let found = match &context.plan.scenarios[*scenario].work {
            Work::Produce(plan) => Keys::of_producer(&KeyRule::of(plan), &sender, partition),
            Work::Roundtrip(plan) => Keys::of_trips(plan.message.key.as_ref(), &sender, partition),
            _ => Err(NoKeys::None),
        };
        keys.extend(found.map(|found| (sender.stream, found)));
        let info = streams.get(sender.stream).filter(|_| restored.contains_key(&sender.stream));
        let found = info.and_then(|info| saved::keys_of(&saved, sender.stream, info, sender.sent).ok());
        of_saved.extend(found.map(|found| (sender.stream, found)));
    }
    let range = Range {
        topic: "t",
        partition,
        from: 0,
        to: i64::MAX,
        is_mark: None,
        is_over: &|| false,
        progress: &|_| {},
    };
    let mut compared = 0;
    read_range(&context.client, &range, Duration::from_secs(10), &mut |event| {
        let ReadEvent::Record(record) = event else { return };
        let opened = sight::open(&record);
        let Opened::Kaf6 { envelope, intact: true } = opened else { panic!("{opened:?}") };
        let identity = envelope.identity;
        let again = keys.get_mut(&identity.stream).and_then(|keys| keys.key(identity.seq));
        assert_eq!(again, record.key, "{identity:?}");
        let again = of_saved.get_mut(&identity.stream).and_then(|keys| keys.key(identity.seq));
        assert_eq!(again, record.key, "by the saved ledger: {identity:?}");
        assert!(record.key.is_some_and(|key| key.len() > 40));
        compared += 1;
    })
    .unwrap();
    compared
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rendered_again_are_those_in_the_log() {
    // All at once, since most of their time is waiting.
    futures_util::future::join_all([
        keys_are_rendered_again("type: produce, messages: 300, clients: 2"),
        keys_are_rendered_again("type: produce, messages: 300, clients: 2, partition: by_key"),
        keys_are_rendered_again("type: produce, messages: 300, clients: 3, partition: 2, headers: {a: b}"),
        keys_are_rendered_again(
            "type: produce, messages: 300, clients: 3, partition: by_key, value: {text: x}",
        ),
        keys_are_rendered_again("type: roundtrip, iterations: 10, partition: 1, clients: 2"),
    ])
    .await;
}

async fn keys_are_rendered_again(scenario: &str) {
    let key = "'{{uuid}} {{seq}} {{client}} {{run_id}} {{partition}}'";
    let embedded = Embedded::start(1, &[("t".into(), 3, 1)]).unwrap();
    let file = format!(
        "topics: [{{name: t, partitions: 3}}]\nscenarios:\n  first: {{type: connect}}\n  it: {{topic: t, key: {key}, {scenario}}}"
    );
    let context = context(&embedded, &file);
    let is_trips = scenario.contains("roundtrip");
    let setup = Setup::new(&context);
    let outcome = match is_trips {
        true => roundtrip::run(&context, &setup, 1).await,
        false => produce::run(&context, &setup, 1).await,
    };
    assert_eq!(outcome.ended, Some(ScenarioEnd::Done));
    let topology = setup.topology().cloned();
    let found = RunFindings { topology, sent: outcome.sent, ..RunFindings::default() };
    let all: u64 = found.sent.values().map(SentLog::sent).sum();
    let compared = tokio::task::spawn_blocking(move || {
        (0..3).map(|partition| compare_keys(&context, partition, &found)).sum::<usize>()
    });
    assert_eq!(compared.await.unwrap() as u64, all, "{scenario}");
}

#[tokio::test]
async fn a_slow_stage_is_no_stall() {
    let embedded = Embedded::start(1, &[("t".into(), 1, 1)]).unwrap();
    let stages = "stages: [{rate: 100/s, duration: 500ms}, {rate: 2/s, duration: 1s}]";
    let lines = format!(
        "topics: [{{name: t, partitions: 1}}]\nscenarios:\n  it: {{type: produce, topic: t, {stages}}}"
    );
    let context = context(&embedded, &lines);
    assert_eq!(produce::run(&context, &Setup::new(&context), 0).await.ended, Some(ScenarioEnd::Done));
    let counts = context.live.metrics(0).snapshot();
    assert_eq!((counts.acked, counts.gaps.waiting()), (52, None));
    // No stall is longer than the latency of the message that ended it, so none contains a pause of the schedule.
    let stall = counts.gaps.longest_within(counts.gaps.first().unwrap(), Duration::MAX, None);
    let latency = Duration::from_secs_f64(counts.latency.max_ms().unwrap() / 1000.0);
    assert!(stall.is_none_or(|(from, to)| to - from <= latency + RESOLUTION), "{stall:?} {latency:?}");
    assert!(counts.sent_all.is_some());
}

#[tokio::test]
async fn messages_that_wait_for_their_acks_are_open() {
    // Each message is rejected three times, so it waits for some tenths of a second.
    let embedded = Embedded::start(1, &[("t".into(), 1, 1)]).unwrap();
    let lines = "topics: [{name: t, partitions: 1}]\nscenarios:\n  it: {type: produce, topic: t, messages: 10, rate: 20/s}";
    let context = context(&embedded, lines);
    embedded.push_errors(PRODUCE, &[Code(7); 3]);
    assert_eq!(produce::run(&context, &Setup::new(&context), 0).await.ended, Some(ScenarioEnd::Done));
    let counts = context.live.metrics(0).snapshot();
    let cells = counts.timeline.cells();
    assert!(cells.iter().any(|cell| cell.open > 0), "{cells:?}");
    let whole = counts.timeline.buckets(0, cells.len());
    assert_eq!((whole.total.count, whole.total.open, whole.due()), (10, 0, 10));
}

/// Runs paced round trips with these codes of Produce answers, and returns what was counted.
async fn paced(lines: &str, codes: &[i32]) -> Snapshot {
    let embedded = Embedded::start(1, &[("t".into(), 1, 1)]).unwrap();
    let file = format!(
        "topics: [{{name: t, partitions: 1}}]\nscenarios:\n  it: {{type: roundtrip, topic: t, warmup: 0, {lines}}}"
    );
    let context = context(&embedded, &file);
    embedded.push_errors(PRODUCE, &codes.iter().map(|code| Code(*code)).collect::<Vec<_>>());
    roundtrip::run(&context, &Setup::new(&context), 0).await;
    context.live.metrics(0).snapshot()
}

#[tokio::test]
async fn a_gap_continues_over_the_pauses_between_refused_round_trips() {
    let counts = paced("iterations: 5, every: 150ms", &[0, 10, 10, 10, 0]).await;
    assert_eq!((counts.received, counts.failed), (2, 3));
    let stall = counts.gaps.longest_within(Duration::ZERO, Duration::MAX, None);
    // The first and the last refused round trip start 300 ms apart, and the next one 150 ms later.
    assert!(stall.is_some_and(|(from, to)| to - from >= Duration::from_millis(400)), "{stall:?}");
}

#[tokio::test]
async fn no_round_trip_is_open_in_a_pause() {
    let counts = paced("iterations: 2, every: 1s", &[]).await;
    assert_eq!(counts.received, 2);
    let first = counts.gaps.first().unwrap();
    let idle = (0..10).map(|step| first + Duration::from_millis(100 * step));
    let idle = idle.filter(|from| !counts.timeline.is_busy(*from, *from + Duration::from_millis(300)));
    assert!(idle.count() > 0, "{:?}", counts.timeline);
}
