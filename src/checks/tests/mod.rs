//! Tests of checks on faults, metadata and gaps, with synthetic observations.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

mod domains;
mod loads;
mod rates;
mod stalls;

use loads::{Message, counted, counts};
use proptest::prelude::ProptestConfig;

use super::case::CheckedScenario;
use super::evaluate::evaluate_one;
use super::{Answer, CheckOutcome, CheckResult, evaluate};
use crate::anomaly::Anomaly;
use crate::ledger::{Counts, Judgement};
use crate::metrics::Snapshot;
use crate::observe::{
    FaultSeen, JudgedReading, LogReversal, LogSeen, LogSide, MetadataChange, Observations, OffsetsSeen,
    ReversalProof, ScenarioEnd, ScenarioSeen, Silence, TypeSeen, WatchSeen, WatchedBroker,
};
use crate::plan::cluster::Link;
use crate::plan::{
    self, ActionPlan, Aspect, CheckPlan, CheckSettings, FaultKind, FaultPart, FaultPlan, Metric, Op, Plan,
    ScenarioKind, Start, ThresholdExpr,
};
use crate::record::{RunRecord, RunStatus};
use crate::scenario::{LoadOptions, Position};

/// How many random cases a property is tried with: few, so that unit tests take seconds, or many with `KAF6_LONG=1`, as in CI.
fn cases(few: u32, many: u32) -> ProptestConfig {
    let long = std::env::var_os("KAF6_LONG").is_some_and(|long| long == "1");
    ProptestConfig::with_cases(if long { many } else { few })
}

const FILE: &str = "
brokers: [a:1]
scenarios:
  write: {type: produce, topic: t, duration: 30s, rate: 100/s}
  read: {type: consume, topic: t}
  ask: {type: connect}
";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn position() -> Position {
    Position { file: "x.yaml".into(), line: 1, column: 1 }
}

/// The plan of [`FILE`] with these checks and a fault `slow`, which the file does not contain.
fn plan(asks: &[(&str, CheckSettings, Option<&str>)]) -> Plan {
    let mut plan = plan::load_text(Path::new("x.yaml"), FILE, &LoadOptions::new(&|_| None)).unwrap();
    plan.faults = vec![FaultPlan {
        name: "slow".to_owned(),
        start: Start::default(),
        length: Some(ms(10_000)),
        timeout: ms(60_000),
        action: ActionPlan::Throttle {
            link: Link { from: "broker".to_owned(), to: "store".to_owned() },
            latency: ms(200),
            jitter: ms(0),
            bandwidth: None,
        },
        position: position(),
    }];
    let checks = asks.iter().map(|(name, ask, scenario)| CheckPlan {
        name: (*name).to_owned(),
        ask: ask.clone(),
        scenario: scenario.map(str::to_owned),
        implicit: false,
        position: position(),
    });
    plan.checks = checks.collect();
    plan
}

fn scenario(name: &str, kind: &str, counts: Snapshot, span: (u64, u64)) -> ScenarioSeen {
    ScenarioSeen {
        name: name.to_owned(),
        kind: ScenarioKind::from_name(kind).expect("a kind"),
        ended: ScenarioEnd::Done,
        message: None,
        counts,
        planned: None,
        open_loop: None,
        target_rate: None,
        span: Some((ms(span.0), ms(span.1))),
        of_type: TypeSeen::default(),
    }
}

/// 30 s of load at 100/s, with `slow` from 10 s to 20 s, during which each bucket has `during` messages.
fn world(during: u64) -> Observations {
    let rate = move |bucket| if (100..200).contains(&bucket) { during } else { 10 };
    Observations {
        scenarios: vec![
            scenario("write", "produce", counts(rate, 300, 3000), (0, 30_000)),
            scenario("read", "consume", counts(rate, 300, 3000), (0, 30_010)),
            scenario("ask", "connect", Snapshot::default(), (0, 10)),
        ],
        faults: vec![FaultSeen {
            name: "slow".to_owned(),
            kind: FaultKind::Throttle,
            target: "broker -> store".to_owned(),
            span: Some((ms(10_000), ms(20_000))),
            effect: None,
            effective: true,
            settled: Some(ms(20_000)),
            proof: "the relay delayed 3,000 bytes".to_owned(),
        }],
        ..Observations::default()
    }
}

fn ask(ask: CheckSettings, scenario: Option<&str>, seen: &Observations) -> CheckResult {
    let results = evaluate(&plan(&[("it", ask, scenario)]), seen);
    assert_eq!(results.len(), 1, "{results:#?}");
    results.into_iter().next().unwrap()
}

fn answer(of: CheckSettings, seen: &Observations) -> Answer {
    ask(of, Some("write"), seen).answer
}

fn drops(at_least: f64) -> CheckSettings {
    CheckSettings::ThroughputDrops { during: "slow".to_owned(), at_least }
}

fn recovers(within: u64, tolerance: f64) -> CheckSettings {
    CheckSettings::Recovers { after: "slow".to_owned(), within: ms(within), tolerance }
}

fn threshold(metric: Metric, op: Op, value: f64, span: Option<FaultPart>) -> CheckSettings {
    let expr = ThresholdExpr { metric, op, value, text: "it".to_owned() };
    CheckSettings::Threshold { expr, abort: false, delay: ms(0), span }
}

fn during() -> Option<FaultPart> {
    Some(FaultPart::During("slow".to_owned()))
}

fn after() -> Option<FaultPart> {
    Some(FaultPart::After("slow".to_owned()))
}

#[test]
fn throughput_drops_compares_the_rates_before_and_during() {
    let seen = world(4);
    let good = answer(drops(0.5), &seen);
    assert_eq!(good.outcome(), CheckOutcome::Pass);
    assert_eq!(good.expected(), "at least 50 % less");
    assert_eq!(good.actual(), "60 % less (100/s before, 40/s during)");
    assert_eq!(answer(drops(0.61), &seen).outcome(), CheckOutcome::Fail);
    assert_eq!(answer(drops(0.6), &seen).outcome(), CheckOutcome::Pass);
    assert_eq!(answer(drops(0.1), &world(12)).actual(), "20 % more (100/s before, 120/s during)");
    assert_eq!(ask(drops(0.5), None, &seen).scenario.as_deref(), Some("write"), "producers are asked first");
}

#[test]
fn throughput_drops_needs_load_before_and_during() {
    let mut seen = world(4);
    seen.faults[0].span = Some((ms(0), ms(5000)));
    let none = answer(drops(0.5), &seen);
    assert_eq!((none.outcome(), none.actual()), (CheckOutcome::Inconclusive, "not measured"));
    // The load ended before the fault, so the fault does not explain that nothing arrived.
    let mut seen = world(0);
    seen.scenarios[0].span = Some((ms(0), ms(10_000)));
    let done = answer(drops(0.5), &seen);
    assert_eq!(done.outcome(), CheckOutcome::Inconclusive);
    assert_eq!(done.message(), "scenario `write` ended before `slow`; run `write` longer");
    // The load ended during the fault. Only the time before that counts.
    let rate = |bucket| if bucket < 120 { 10 } else { 0 };
    seen.scenarios[0] = scenario("write", "produce", counts(rate, 300, 3000), (0, 12_000));
    assert_eq!(answer(drops(0.5), &seen).actual(), "0 % less (100/s before, 100/s during)");
    seen.faults[0].span = Some((ms(10_010), ms(10_050)));
    assert_eq!(answer(drops(0.5), &seen).outcome(), CheckOutcome::Inconclusive);
}

#[test]
fn a_rate_during_a_fault_is_that_of_its_full_effect() {
    // The time that Docker needs to freeze and resume does not count.
    let mut seen = world(1);
    seen.faults[0].span = Some((ms(7000), ms(22_000)));
    let during = || Some(FaultPart::During("slow".to_owned()));
    assert_eq!(answer(drops(0.9), &seen).outcome(), CheckOutcome::Fail);
    assert_eq!(
        answer(threshold(Metric::Rate, Op::Less, 11.0, during()), &seen).outcome(),
        CheckOutcome::Fail
    );
    seen.faults[0].effect = Some((ms(10_000), ms(20_000)));
    assert_eq!(answer(drops(0.9), &seen).actual(), "90 % less (100/s before, 10/s during)");
    assert_eq!(
        answer(threshold(Metric::Rate, Op::Less, 11.0, during()), &seen).outcome(),
        CheckOutcome::Pass
    );
    assert_eq!(answer(recovers(1000, 0.2), &seen).actual(), "100/s after 0 ms (100/s before)");
}

#[test]
fn a_reader_is_at_work_until_its_producers_end() {
    let mut seen = world(0);
    seen.scenarios[0].span = Some((ms(0), ms(10_000)));
    let reader = ask(drops(0.5), Some("read"), &seen).answer;
    assert_eq!(reader.outcome(), CheckOutcome::Inconclusive, "{reader:?}");
}

#[test]
fn throughput_drops_says_nothing_without_proof_of_the_fault() {
    let mut seen = world(10);
    seen.faults[0].effective = false;
    let open = answer(drops(0.5), &seen);
    assert_eq!(open.outcome(), CheckOutcome::Inconclusive);
    assert_eq!(
        open.message(),
        "fault `slow` has no proof that it took effect; see the proof of `slow` and change the fault"
    );
    seen.faults.clear();
    assert_eq!(answer(drops(0.5), &seen).message(), "fault `slow` never started; start `slow` earlier");
}

#[test]
fn recovers_finds_the_first_second_at_the_old_rate() {
    let late = |bucket| if (100..224).contains(&bucket) { 4 } else { 10 };
    let mut seen = world(4);
    seen.scenarios[0] = scenario("write", "produce", counts(late, 300, 3000), (0, 30_000));
    let good = answer(recovers(3000, 0.0), &seen);
    assert_eq!((good.outcome(), good.actual()), (CheckOutcome::Pass, "100/s after 2.4 s (100/s before)"));
    assert_eq!(good.expected(), "100 % of the rate within 3 s");
    assert_eq!(answer(recovers(2400, 0.0), &seen).outcome(), CheckOutcome::Pass);
    assert_eq!(answer(recovers(2300, 0.0), &seen).outcome(), CheckOutcome::Fail);
    // A second of which a tenth is slow is within 10 %.
    let near = answer(recovers(3000, 0.1), &seen);
    assert_eq!((near.outcome(), near.actual()), (CheckOutcome::Pass, "94/s after 2.3 s (100/s before)"));
}

/// 50 minutes of load at 100/s, with buckets of 6.4 s. `slow` lasts from 1003 s to 1013 s, and the rate
/// recovers after it.
fn long_world(during: u64, after: u64) -> Observations {
    let rate = move |bucket| match bucket {
        0..10_030 => 10,
        10_030..10_130 => during,
        _ => after,
    };
    let mut seen = world(10);
    seen.scenarios[0] = scenario("write", "produce", counts(rate, 30_000, 3000), (0, 3_000_000));
    seen.faults[0].span = Some((ms(1_003_000), ms(1_013_000)));
    seen
}

#[test]
fn recovers_does_not_blame_the_broker_for_wide_buckets() {
    let stopped = long_world(0, 10);
    assert_eq!(stopped.scenarios[0].counts.timeline.width_ms(), 6400);
    // The bucket in which the fault ended contains enough messages from after the fault.
    let mild = answer(recovers(1000, 0.2), &long_world(9, 10));
    assert_eq!((mild.outcome(), mild.actual()), (CheckOutcome::Pass, "99.1/s after 0 ms (100/s before)"));
    // It does not, so the rate recovers in the next bucket, which begins 4.6 s after the fault.
    let open = answer(recovers(1000, 0.05), &stopped);
    assert_eq!(
        (open.outcome(), open.actual()),
        (CheckOutcome::Inconclusive, "100/s after 4.6 s (100/s before)")
    );
    assert_eq!(answer(recovers(4600, 0.05), &stopped).outcome(), CheckOutcome::Pass);
    let bad = answer(recovers(1000, 0.05), &long_world(0, 8));
    assert_eq!(bad.outcome(), CheckOutcome::Fail, "{bad:?}");
}

/// `read` read 3,000 messages in partition 0 of topic 0, to its end, and found nothing wrong.
fn complete_reading() -> JudgedReading {
    let counts = Anomaly::ALL.into_iter().map(|anomaly| (anomaly, Counts::default())).collect();
    JudgedReading {
        scenario: 1,
        topic: 0,
        partition: 0,
        received: 3000,
        foreign: 0,
        offsets: (Some(0), Some(2999)),
        reached_end_marker: true,
        resets: 0,
        wanted: 3000,
        unaudited: false,
        complete: true,
        incomplete_why: String::new(),
        judgement: Some(Judgement { counts, evidence: Vec::new() }),
    }
}

/// A reading that found everything but that no audit confirmed.
fn unaudited() -> Observations {
    let readings = vec![JudgedReading { unaudited: true, ..complete_reading() }];
    Observations { readings, ..world(10) }
}

#[test]
fn what_the_audit_decides_is_open_without_it() {
    let seen = unaudited();
    let of = |it: CheckSettings| ask(it, Some("read"), &seen).answer;
    let of_anomaly = |anomaly| of(threshold(Metric::Anomaly(anomaly), Op::Equal, 0.0, None));
    for open in [
        of(CheckSettings::NoLoss),
        of(CheckSettings::NoCorruption),
        of_anomaly(Anomaly::Lost),
        of_anomaly(Anomaly::Corrupt),
        of_anomaly(Anomaly::Rewritten),
        of_anomaly(Anomaly::Misplaced),
    ] {
        assert_eq!(open.outcome(), CheckOutcome::Inconclusive);
        let why = "the audit did not re-read 3,000 acked messages; increase `run.timeout`";
        assert!(open.message().contains(why), "{open:?}");
    }
    assert_eq!(of_anomaly(Anomaly::Duplicate).outcome(), CheckOutcome::Pass, "one pass decides");
    assert_eq!(of(CheckSettings::NoDuplicates { strict: false }).outcome(), CheckOutcome::Pass);
}

#[test]
fn recovers_fails_where_the_rate_stays_low_and_is_open_where_nobody_could_see() {
    let never = |bucket| if bucket < 100 { 10 } else { 6 };
    let mut seen = world(4);
    seen.scenarios[0] = scenario("write", "produce", counts(never, 300, 3000), (0, 30_000));
    let bad = answer(recovers(3000, 0.1), &seen);
    assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "at most 60/s (100/s before)"));
    // The load ends 9.9 s after the fault. The last second to look at begins 8.9 s after it.
    seen.scenarios[0].span = Some((ms(0), ms(29_900)));
    assert_eq!(answer(recovers(8900, 0.1), &seen).outcome(), CheckOutcome::Fail);
    let open = answer(recovers(9000, 0.1), &seen);
    assert_eq!(open.outcome(), CheckOutcome::Inconclusive);
    assert_eq!(
        open.message(),
        "the load of `write` ended 9.9 s after `slow`, too early to see a recovery; run `write` longer"
    );
    seen.scenarios[0].span = Some((ms(0), ms(19_000)));
    let gone = answer(recovers(3000, 0.1), &seen);
    assert_eq!(gone.outcome(), CheckOutcome::Inconclusive);
    assert_eq!(gone.message(), "the load of `write` ended before `slow`; run `write` longer");
    seen.scenarios[0].counts = Snapshot::default();
    assert_eq!(answer(recovers(3000, 0.1), &seen).actual(), "no data");
    seen.faults[0].span = None;
    assert_eq!(
        answer(recovers(3000, 0.1), &seen).message(),
        "fault `slow` never started; start `slow` earlier"
    );
}

#[test]
fn threshold_looks_at_the_part_that_a_fault_cuts_out() {
    let seen = world(4);
    let rate = |op, value, span| answer(threshold(Metric::Rate, op, value, span), &seen);
    assert_eq!(rate(Op::Less, 41.0, during()).actual(), "40/s");
    assert_eq!(rate(Op::Less, 41.0, during()).outcome(), CheckOutcome::Pass);
    assert_eq!(rate(Op::Less, 40.0, during()).outcome(), CheckOutcome::Fail);
    assert_eq!(rate(Op::GreaterOrEqual, 100.0, after()).outcome(), CheckOutcome::Pass);
    let of = |metric| answer(threshold(metric, Op::GreaterOrEqual, 0.0, during()), &seen).actual().to_owned();
    assert_eq!(of(Metric::Acked), "400");
    assert_eq!(of(Metric::Received), "0", "a producer reads nothing");
    assert_eq!(of(Metric::Throughput), "3.91 KiB/s");
    assert_eq!(of(Metric::Errors), "0");
    assert_eq!(of(Metric::ErrorRate), "0 %");
    assert_eq!(of(Metric::Sent), "not measured");
    let p95: f64 = of(Metric::P95).strip_suffix(" ms").unwrap().parse().unwrap();
    assert!((p95 - 3.0).abs() < 0.1, "{p95}");
}

#[test]
fn threshold_on_a_part_without_data_is_no_pass() {
    let p95 = |seen: &Observations, span| answer(threshold(Metric::P95, Op::Less, 1e9, span), seen);
    let still = p95(&world(0), during());
    assert_eq!((still.outcome(), still.actual()), (CheckOutcome::Inconclusive, "no data"));
    let mut seen = world(4);
    seen.scenarios[0].span = Some((ms(0), ms(15_000)));
    assert_eq!(p95(&seen, after()).outcome(), CheckOutcome::Inconclusive);
    seen.faults[0].span = None;
    assert_eq!(p95(&seen, during()).message(), "fault `slow` never started; start `slow` earlier");
}

#[test]
fn continuity_is_the_longest_time_without() {
    let gap = |max| CheckSettings::Continuity { max_gap: ms(max) };
    let mut seen = world(0);
    let bad = answer(gap(9999), &seen);
    assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "10 s without an ack"));
    assert_eq!(bad.message(), "from 10.000 s to 20.000 s, during `slow`");
    assert_eq!(answer(gap(10_000), &seen).outcome(), CheckOutcome::Pass);
    assert_eq!(ask(gap(1), Some("read"), &seen).answer.actual(), "10 s without a read");
    assert_eq!(evaluate(&plan(&[("it", gap(1), None)]), &seen).len(), 2, "each producer and each consumer");
    seen.scenarios[0].counts = Snapshot::default();
    assert_eq!(answer(gap(1), &seen).actual(), "no data");
}

#[test]
fn continuity_counts_a_stall_before_the_first_ack() {
    let gap = |max| CheckSettings::Continuity { max_gap: ms(max) };
    let late = |bucket| if bucket < 30 { 0 } else { 10 };
    let mut seen = world(10);
    seen.scenarios[0].counts = counts(late, 300, 3000);
    seen.scenarios[0].counts.sent = seen.scenarios[0].counts.acked;
    let stalled = answer(gap(1000), &seen);
    assert_eq!(stalled.outcome(), CheckOutcome::Fail, "{stalled:?}");
    assert!(stalled.message().starts_with("from 0.000 s to 3.0"), "{stalled:?}");
}

#[test]
fn continuity_counts_a_stall_at_the_end() {
    let gap = |max| CheckSettings::Continuity { max_gap: ms(max) };
    let mut seen = world(10);
    let acked = |at: u64| Message { due_us: at * 10_000, end_us: Some(at * 10_000 + 3000), failed: false };
    let mut messages: Vec<Message> = (0..2000).map(acked).collect();
    let load = |messages: &[Message]| counted(messages, ms(0), ms(30_000), 3000);
    seen.scenarios[0].counts = load(&messages);
    // All messages are acked. The producer had no more to send.
    assert_eq!(answer(gap(1000), &seen).outcome(), CheckOutcome::Pass);
    messages.push(Message { end_us: None, ..acked(2000) });
    seen.scenarios[0].counts = load(&messages);
    let open = answer(gap(1000), &seen);
    assert_eq!((open.outcome(), open.actual()), (CheckOutcome::Fail, "10 s without an ack"));
    seen.scenarios[1].counts = load(&messages);
    assert_eq!(ask(gap(1000), Some("read"), &seen).answer.actual(), "10.01 s without a read");
    seen.scenarios[0].ended = ScenarioEnd::Interrupted;
    let cut = answer(gap(1000), &seen);
    assert_eq!((cut.outcome(), cut.actual()), (CheckOutcome::Inconclusive, "no gap over 10 ms"));
}

fn watched(changes: Vec<MetadataChange>) -> ScenarioSeen {
    let broker =
        WatchedBroker { broker: "a:1".to_owned(), asked: 9, answered: 9, ..WatchedBroker::default() };
    let mut seen = scenario("steady", "watch", Snapshot::default(), (0, 30_000));
    seen.of_type.watch = Some(WatchSeen { brokers: vec![broker], changes, ..WatchSeen::default() });
    seen
}

fn judge_metadata(scenario: &ScenarioSeen, allow: &[Aspect]) -> Answer {
    let (plan, seen) = (plan(&[]), world(10));
    let case = CheckedScenario { plan: &plan, seen: &seen, index: 0, scenario };
    evaluate_one(&CheckSettings::MetadataStable { allow: allow.to_vec(), max_silence: ms(10_000) }, &case)
}

fn change(aspect: Aspect) -> MetadataChange {
    MetadataChange {
        at: ms(12_345),
        broker: "a:1".to_owned(),
        aspect,
        topic: Some("t".to_owned()),
        partition: Some(2),
        before: "0".to_owned(),
        after: "1".to_owned(),
    }
}

#[test]
fn metadata_stable_names_each_change_that_is_not_allowed() {
    let judge = |seen: &ScenarioSeen, allow: &[Aspect]| judge_metadata(seen, allow);
    assert_eq!(judge(&watched(Vec::new()), &[]).outcome(), CheckOutcome::Pass);
    let seen = watched(vec![change(Aspect::Leaders), change(Aspect::Brokers)]);
    let bad = judge(&seen, &[Aspect::Brokers]);
    assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "1 change"));
    assert_eq!(bad.expected(), "0 changes except brokers, no silence over 10 s");
    assert_eq!(
        bad.message(),
        "leaders of t[2] changed from 0 to 1 at 12.345 s, during `slow`, as reported by a:1"
    );
    let good = judge(&seen, &[Aspect::Brokers, Aspect::Leaders]);
    assert_eq!((good.outcome(), good.actual()), (CheckOutcome::Pass, "0 changes, 2 allowed"));
    let many = watched(vec![change(Aspect::TopicIds); 5]);
    assert!(judge(&many, &[]).message().ends_with("; and 2 more"));
}

#[test]
fn metadata_stable_needs_answers() {
    let judge = |seen: &ScenarioSeen| judge_metadata(seen, &[]);
    let mut seen = watched(Vec::new());
    let watch = seen.of_type.watch.as_mut().unwrap();
    let error = Some("refused".to_owned());
    let mute =
        WatchedBroker { broker: "b:1".to_owned(), asked: 3, last_error: error, ..WatchedBroker::default() };
    watch.brokers.push(mute);
    let one = judge(&seen);
    assert_eq!(
        (one.outcome(), one.message()),
        (
            CheckOutcome::Inconclusive,
            "b:1 never answered: refused; make sure that kaf6 can reach every address that the brokers advertise"
        )
    );
    seen.of_type.watch.as_mut().unwrap().brokers.remove(0);
    let none = judge(&seen);
    assert_eq!((none.outcome(), none.actual()), (CheckOutcome::Inconclusive, "no data"));
    seen.of_type.watch = None;
    assert_eq!(judge(&seen).actual(), "no data");
    let mut more = watched(Vec::new());
    more.of_type.watch.as_mut().unwrap().more_changes = 1;
    assert_eq!(judge(&more).outcome(), CheckOutcome::Inconclusive);
}

/// A watch of 30 s whose broker was silent in these periods, in milliseconds. The last period may last until
/// the end.
fn silent(silences: &[(u64, u64)], to_the_end: bool) -> ScenarioSeen {
    let mut seen = watched(Vec::new());
    let broker = &mut seen.of_type.watch.as_mut().unwrap().brokers[0];
    broker.last_error = Some("tcp: refused".to_owned());
    let silence = |(from, to): &(u64, u64)| Silence { from: ms(*from), to: ms(*to), to_the_end: false };
    broker.silences = silences.iter().map(silence).collect();
    broker.silences.last_mut().unwrap().to_the_end = to_the_end;
    seen
}

#[test]
fn metadata_stable_fails_for_a_broker_that_stops_answering() {
    let judge = |silences: &[(u64, u64)], to_the_end| judge_metadata(&silent(silences, to_the_end), &[]);
    // The fault lasts from 10 s to 20 s.
    let dead = judge(&[(19_000, 30_001)], true);
    assert_eq!((dead.outcome(), dead.actual()), (CheckOutcome::Fail, "silent for 10.001 s"));
    assert_eq!(dead.expected(), "0 changes, no silence over 10 s");
    let words = "a:1 did not answer from 19.000 s to 30.001 s, during `slow` (tcp: refused)";
    assert_eq!(dead.message(), words);
    let back = judge(&[(20_500, 30_501)], false);
    assert_eq!((back.outcome(), back.actual()), (CheckOutcome::Fail, "silent for 10.001 s"), "back too late");
    let mut both = silent(&[(20_500, 30_501)], false);
    both.of_type.watch.as_mut().unwrap().changes = vec![change(Aspect::Leaders)];
    let both = judge_metadata(&both, &[]);
    assert_eq!((both.outcome(), both.actual()), (CheckOutcome::Fail, "1 change, silent for 10.001 s"));
    assert!(both.message().starts_with("leaders of t[2]") && both.message().contains("; a:1 did not answer"));
}

#[test]
fn metadata_stable_lets_faults_silence_a_broker() {
    let judge = |silences: &[(u64, u64)], to_the_end| judge_metadata(&silent(silences, to_the_end), &[]);
    // Ten seconds before the fault, all of the fault, and ten seconds after it.
    let planned = judge(&[(1, 30_000)], false);
    assert_eq!((planned.outcome(), planned.actual()), (CheckOutcome::Pass, "0 changes"), "{planned:?}");
    assert!(planned.message().starts_with("a:1 did not answer from 0.001 s to 30.000 s"), "{planned:?}");
    let within = judge(&[(10_500, 19_000)], false);
    assert_eq!((within.outcome(), within.message()), (CheckOutcome::Pass, ""));
    let short = judge(&[(5000, 8000)], false);
    assert_eq!(short.outcome(), CheckOutcome::Pass);
    assert!(short.message().starts_with("a:1 did not answer from 5.000 s to 8.000 s"), "{short:?}");
    // The time to become ready again does not count either.
    let (plan, mut seen) = (plan(&[]), world(10));
    let scenario = silent(&[(11_000, 34_000)], false);
    let judge = |seen: &Observations| {
        let case = CheckedScenario { plan: &plan, seen, index: 0, scenario: &scenario };
        evaluate_one(&CheckSettings::MetadataStable { allow: Vec::new(), max_silence: ms(10_000) }, &case)
            .outcome()
    };
    assert_eq!(judge(&seen), CheckOutcome::Fail);
    seen.faults[0].settled = Some(ms(24_000));
    assert_eq!(judge(&seen), CheckOutcome::Pass);
}

#[test]
fn metadata_stable_is_never_green_over_a_broker_that_does_not_answer_at_the_end() {
    let judge = |silences: &[(u64, u64)], to_the_end| judge_metadata(&silent(silences, to_the_end), &[]);
    let open = judge(&[(25_000, 30_000)], true);
    assert_eq!(open.outcome(), CheckOutcome::Inconclusive);
    assert_eq!(
        open.message(),
        "a:1 did not answer from 25.000 s to 30.000 s (tcp: refused), until the watch ended: kaf6 cannot tell whether the broker would have answered within 10 s; run the watch longer"
    );
    assert_eq!(judge(&[(15_000, 20_100)], true).outcome(), CheckOutcome::Inconclusive, "the fault is over");
    // A fault that is not undone before the end, such as a `stop` without `for`.
    assert_eq!(
        judge(&[(9_900, 20_000)], true).outcome(),
        CheckOutcome::Pass,
        "it is the fault that holds it"
    );
}

#[test]
fn metadata_stable_needs_more_than_one_answer() {
    let mut seen = watched(Vec::new());
    seen.of_type.watch.as_mut().unwrap().brokers[0].answered = 1;
    let once = judge_metadata(&seen, &[]);
    assert_eq!(once.outcome(), CheckOutcome::Inconclusive);
    assert_eq!(
        once.message(),
        "a:1 answered only once, so there is nothing to compare; run the watch longer"
    );
    // The broker answered once and never again.
    let mut seen = silent(&[(2000, 30_000)], true);
    seen.of_type.watch.as_mut().unwrap().brokers[0].answered = 1;
    assert_eq!(judge_metadata(&seen, &[]).outcome(), CheckOutcome::Inconclusive);
    seen.of_type.watch.as_mut().unwrap().brokers[0].silences[0].to = ms(31_000);
    assert_eq!(judge_metadata(&seen, &[]).outcome(), CheckOutcome::Fail);
}

/// Like [`world`], with another fault `first` before `slow`. The rate is 100/s, except for `dip` from the
/// start of `first` to this bucket.
fn two_faults(first: (u64, u64), dip: (u64, u64)) -> Observations {
    let rate = move |bucket| if (first.0 / 100..dip.0).contains(&bucket) { dip.1 } else { 10 };
    let mut seen = world(10);
    seen.scenarios[0] = scenario("write", "produce", counts(rate, 600, 3000), (0, 60_000));
    seen.faults[0].span = Some((ms(40_000), ms(50_000)));
    seen.faults[0].settled = Some(ms(50_000));
    let first = FaultSeen {
        name: "first".to_owned(),
        span: Some((ms(first.0), ms(first.1))),
        settled: Some(ms(first.1)),
        ..seen.faults[0].clone()
    };
    seen.faults.push(first);
    seen
}

#[test]
fn a_rate_before_a_fault_leaves_out_the_faults_before_it() {
    // The rate is low from 5 s to 20 s. The mean until 40 s would be 66/s.
    let seen = two_faults((5000, 15_000), (200, 1));
    assert_eq!(answer(drops(0.1), &seen).actual(), "0 % less (100/s before, 100/s during)");
    let back = answer(recovers(3000, 0.0), &seen);
    assert_eq!((back.outcome(), back.actual()), (CheckOutcome::Pass, "100/s after 0 ms (100/s before)"));
    // A rate that is low for longer than a fault's effects last counts as normal.
    let slow = two_faults((5000, 15_000), (300, 1));
    assert_eq!(answer(drops(0.1), &slow).actual(), "29 % more (77.5/s before, 100/s during)");
    // The file says that the effects last longer.
    let mut plan = plan(&[("it", drops(0.1), Some("write"))]);
    let mut check = plan.checks[0].clone();
    check.ask = CheckSettings::Recovers { after: "first".to_owned(), within: ms(15_000), tolerance: 0.2 };
    plan.checks.push(check);
    assert_eq!(evaluate(&plan, &slow)[0].answer.actual(), "0 % less (100/s before, 100/s during)");
    // A fault is not over until its targets are ready.
    let mut slow = slow;
    slow.faults[1].settled = Some(ms(20_000));
    assert_eq!(answer(drops(0.1), &slow).actual(), "0 % less (100/s before, 100/s during)");
}

#[test]
fn without_a_clean_rate_before_it_a_fault_is_not_compared() {
    for first in [(0, 30_000), (0, 60_000), (900, 32_000)] {
        let seen = two_faults(first, (300, 1));
        for ask in [drops(0.1), recovers(3000, 0.2)] {
            let open = answer(ask, &seen);
            assert_eq!((open.outcome(), open.actual()), (CheckOutcome::Inconclusive, "not measured"));
            assert_eq!(
                open.message(),
                "`write` ran too briefly before `slow` for a comparison, not counting `first` and the 10 s after it; space the faults further apart"
            );
        }
    }
    assert_eq!(
        answer(drops(0.0), &two_faults((1000, 32_000), (300, 1))).outcome(),
        CheckOutcome::Pass,
        "a second is left"
    );
    // A later fault does not matter.
    assert_eq!(answer(drops(0.0), &two_faults((41_000, 45_000), (300, 1))).outcome(), CheckOutcome::Pass);
}

#[test]
fn a_fault_without_proof_leaves_open_what_rests_on_it() {
    let asks = [
        ("acked", CheckSettings::CountAtLeast { expected: 1, metric: None }, Some("write")),
        ("short", CheckSettings::CountAtLeast { expected: 1_000_000, metric: None }, Some("write")),
        ("fast", threshold(Metric::P95, Op::Less, 100.0, after()), Some("write")),
        ("slow", threshold(Metric::P95, Op::Less, 1.0, after()), Some("write")),
        ("even", CheckSettings::Continuity { max_gap: ms(1000) }, Some("write")),
        ("there", CheckSettings::Metadata, Some("ask")),
    ];
    let mut plan = plan(&asks);
    let mut seen = world(10);
    seen.scenarios[2].of_type.brokers =
        vec![crate::observe::BrokerSeen { reachable: true, ..crate::observe::BrokerSeen::default() }];
    let outcomes = |plan: &Plan, seen: &Observations| -> Vec<(String, CheckOutcome)> {
        evaluate(plan, seen).into_iter().map(|r| (r.check.name, r.answer.outcome())).collect()
    };
    use CheckOutcome::{Fail, Inconclusive, Pass};
    let all = |list: [CheckOutcome; 6]| -> Vec<(String, CheckOutcome)> {
        asks.iter().map(|(name, ..)| (*name).to_owned()).zip(list).collect()
    };
    assert_eq!(outcomes(&plan, &seen), all([Pass, Fail, Pass, Fail, Pass, Pass]));
    seen.faults[0].effective = false;
    let open = all([Inconclusive, Fail, Inconclusive, Fail, Inconclusive, Pass]);
    assert_eq!(outcomes(&plan, &seen), open);
    // A scenario that waits for the fault tests whether brokers answer after it.
    plan.scenarios[2].start.after = Some("read".to_owned());
    plan.scenarios[1].start.after = Some("slow".to_owned());
    let last = outcomes(&plan, &seen).pop().unwrap();
    assert_eq!(last.1, Inconclusive);

    plan.checks.retain(|check| matches!(check.name.as_str(), "acked" | "even" | "there"));
    plan.scenarios[2].start.after = None;
    let record = |plan: &Plan, seen: Observations| {
        let tag = crate::ids::RunTag::from_bits(1);
        RunRecord::new("r".to_owned(), tag, String::new(), Arc::new(plan.clone()), seen)
    };
    seen.faults[0].proof = "the relay delayed nothing".to_owned();
    let judged = record(&plan, seen.clone());
    assert_eq!(judged.status, RunStatus::Error);
    assert_eq!(
        judged.reason,
        "fault `slow` has no proof that it took effect: the relay delayed nothing; 2 of 3 checks are inconclusive"
    );
    seen.faults[0].effective = true;
    assert_eq!(record(&plan, seen.clone()).status, RunStatus::Pass);
    seen.faults[0].span = None;
    seen.faults[0].proof = "it never started: all was over".to_owned();
    let never = record(&plan, seen).reason;
    assert!(never.starts_with("fault `slow` never started: all was over; 2 of 3"), "{never}");
}

#[test]
fn a_check_names_the_scenario_that_says_why_its_own_could_not_work() {
    let idle = |message: &str| {
        let mut seen = world(10);
        for scenario in &mut seen.scenarios {
            (scenario.ended, scenario.message) = (ScenarioEnd::Skipped, Some(message.to_owned()));
        }
        seen
    };
    let rate = || CheckSettings::Continuity { max_gap: ms(5_000) };
    let told = |plan: &Plan, seen: &Observations| evaluate(plan, seen).remove(0).answer.message().to_owned();
    let mut plan = plan(&[("it", rate(), Some("read"))]);
    // No scenario started. The verdict explains the first one.
    let one = "scenario `read` could not run; see why `write` could not run";
    assert_eq!(told(&plan, &idle("the cluster did not come up")), one);
    // It waited for a scenario that itself waited.
    plan.scenarios[1].start.after = Some("ask".to_owned());
    let mut seen = idle("");
    for (scenario, why) in seen.scenarios.iter_mut().zip(["x", "it waits for `ask`", "no broker"]) {
        scenario.message = Some(why.to_owned());
    }
    let other = "scenario `read` could not run; see why `ask` could not run";
    assert_eq!(told(&plan, &seen), other);
    // A scenario that started has its own reason.
    seen.scenarios[1].ended = ScenarioEnd::Failed;
    let own = "scenario `read` could not run: it waits for `ask`";
    assert_eq!(told(&plan, &seen), own);
}

#[test]
fn a_latency_that_is_too_high_only_by_what_kaf6_itself_was_late_says_nothing_of_the_broker() {
    let late_by = |ms: u64, value| {
        let mut seen = world(10);
        let counts = &mut seen.scenarios[0].counts;
        (counts.latency, counts.late) = Default::default();
        counts.latency.record_n_us(400_000, 1000);
        counts.late.record_n_us(ms * 1000, 1000);
        answer(threshold(Metric::P99, Op::Less, value, None), &seen)
    };
    let own = late_by(160, 250.0);
    assert_eq!(own.outcome(), CheckOutcome::Inconclusive, "{own:?}");
    assert!(own.message().starts_with("kaf6 itself sent messages up to 160 ms late"), "{own:?}");
    assert_eq!(late_by(140, 250.0).outcome(), CheckOutcome::Fail, "too high without that, too");
    assert_eq!(late_by(160, 500.0).outcome(), CheckOutcome::Pass);
    // A reader's latency starts when the message was due, so it includes the producer's delay.
    let mut seen = world(10);
    seen.scenarios[1].counts.latency.record_n_us(400_000, 100_000);
    seen.scenarios[0].counts.late.record_n_us(390_000, 1000);
    let read = ask(threshold(Metric::P50, Op::LessOrEqual, 50.0, None), Some("read"), &seen).answer;
    assert_eq!(read.outcome(), CheckOutcome::Inconclusive, "{read:?}");
}

#[test]
fn a_rate_of_messages_that_came_at_once_names_the_time_between_them() {
    let mut seen = world(10);
    seen.scenarios[0].counts.span_us = Some((1_000, 1_000));
    let expr =
        ThresholdExpr { metric: Metric::Rate, op: Op::Greater, value: 1.0, text: "rate > 1/s".to_owned() };
    let found = answer(CheckSettings::Threshold { expr, abort: false, delay: ms(0), span: None }, &seen);
    assert_eq!(
        found.message(),
        "a rate needs at least 200 ms from the first ack to the last, but `write` has only 0 ms; run `write` longer"
    );
}

/// An `offsets` scenario with two partitions that answered 9 times.
fn bounds(change: impl FnOnce(&mut OffsetsSeen)) -> Answer {
    let log = |partition| LogSeen {
        topic: "t".to_owned(),
        partition,
        asked: 9,
        answered: 9,
        first: Some((0, 0)),
        last: Some((0, 90)),
        ..LogSeen::default()
    };
    let mut offsets = OffsetsSeen { logs: vec![log(0), log(1)], ..OffsetsSeen::default() };
    change(&mut offsets);
    let mut scenario = scenario("ends", "offsets", Snapshot::default(), (0, 30_000));
    scenario.of_type.offsets = Some(offsets);
    let (plan, seen) = (plan(&[]), world(10));
    let case = CheckedScenario { plan: &plan, seen: &seen, index: 0, scenario: &scenario };
    evaluate_one(&CheckSettings::LogOffsetsMonotonic, &case)
}

fn reversal(side: LogSide, proof: ReversalProof) -> LogReversal {
    LogReversal { at: ms(3200), side, from: 90, to: 40, proof }
}

#[test]
fn log_offsets_monotonic_fails_with_each_offset_that_is_proven_to_have_gone_back() {
    let good = bounds(|_| {});
    assert_eq!((good.outcome(), good.message()), (CheckOutcome::Pass, ""), "{good:?}");
    assert_eq!(good.covers(), "18 responses from 2 partitions to `ends`, 0.000 s to 30.000 s");
    for (side, name) in [(LogSide::Start, "start"), (LogSide::End, "end")] {
        // Evidence is enough, even if not everything was observed.
        let bad = bounds(|seen| {
            seen.logs[1].reversals = vec![reversal(side, ReversalProof::SameTopic)];
            seen.logs[0].silent = true;
        });
        assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "1 reversal"), "{bad:?}");
        assert_eq!(bad.message(), format!("the reported {name} of t[1] went back from 90 to 40 at 3.200 s"));
    }
    let many = bounds(|seen| {
        seen.logs[1].reversals = vec![reversal(LogSide::End, ReversalProof::SameTopic); 5];
        seen.more_reversals = 2;
    });
    assert!(many.actual() == "5 reversals" && many.message().ends_with("; and 4 more"), "{many:?}");
}

#[test]
fn log_offsets_monotonic_says_what_is_unknown() {
    let open = |change: &dyn Fn(&mut OffsetsSeen)| {
        let answer = bounds(|seen| change(seen));
        assert_eq!(answer.outcome(), CheckOutcome::Inconclusive, "{answer:?}");
        answer.message().to_owned()
    };
    let of = |proof| open(&|seen| seen.logs[1].reversals = vec![reversal(LogSide::End, proof)]);
    assert!(of(ReversalProof::NoTopicId).contains("reports no topic ids"));
    assert!(of(ReversalProof::NoLaterAnswer).contains("no later response had the topic id"));
    assert!(open(&|seen| seen.logs[1].answered = 1).starts_with("the log of t[1] was reported only once"));
    assert!(open(&|seen| seen.logs[1].answered = 0).starts_with("the log of t[1] was never reported"));
    let silent = open(&|seen| {
        seen.logs[1].silent = true;
        seen.logs[1].last_error = Some("connection refused".to_owned());
    });
    let why = "the start and end of t[1] were not reported at the last request (connection refused)";
    assert!(silent.starts_with(why), "{silent}");
    let missing = open(&|seen| seen.unreported.push(("u".to_owned(), "no".to_owned())));
    assert!(missing.starts_with("no broker reported partitions of u: no"), "{missing}");
    assert!(open(&|seen| seen.logs.clear()).starts_with("no topic was requested"));
    let refused = open(&|seen| {
        seen.logs.clear();
        seen.last_error = Some("refused".to_owned());
    });
    assert!(refused.starts_with("no broker answered: refused"), "{refused}");
}

#[test]
fn a_start_that_goes_back_with_another_leader_passes_and_is_named() {
    let answer =
        bounds(|seen| seen.logs[1].reversals = vec![reversal(LogSide::Start, ReversalProof::OtherLeader)]);
    assert_eq!(answer.outcome(), CheckOutcome::Pass);
    assert!(answer.message().ends_with("at 3.200 s, with another leader"), "{answer:?}");
}
