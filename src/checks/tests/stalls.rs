//! Tests of checks on periods in which kaf6 itself made no progress.

use super::*;

/// A message is due and acked every 10 ms for 30 s, except in these periods. Acks of messages due then come at
/// their end.
fn stopped(periods: &[(u64, u64)]) -> Snapshot {
    let message = |at: u64| {
        let due_us = at * 10_000;
        let stop = periods.iter().find(|(from, to)| (from * 1000..to * 1000).contains(&due_us));
        Message { due_us, end_us: Some(stop.map_or(due_us, |(_, to)| to * 1000)), failed: false }
    };
    let messages: Vec<Message> = (0..3000).map(message).collect();
    let mut counts = counted(&messages, ms(0), ms(30_000), 1000);
    counts.latency = crate::metrics::Latency::new();
    counts.timeline = crate::metrics::Timeline::new();
    for message in &messages {
        let end = message.end_us.unwrap();
        let latency = 1000 + end - message.due_us;
        counts.latency.record_us(latency);
        let latency = [(u32::try_from(latency).unwrap(), 1)];
        counts.timeline.record(crate::metrics::Timeline::grid(end), (1, 0), 0, &latency);
    }
    counts
}

/// The messages stop in these periods, and kaf6 makes no progress in those.
fn seen(messages: &[(u64, u64)], own: &[(u64, u64)]) -> Observations {
    let mut seen = world(10);
    seen.scenarios[0].counts = stopped(messages);
    seen.faults.clear();
    seen.own_stalls = own.iter().map(|(from, to)| (ms(*from), ms(*to))).collect();
    seen
}

fn outcome(of: CheckSettings, seen: &Observations) -> CheckOutcome {
    let mut plan = plan(&[("it", of, Some("write"))]);
    plan.faults.clear();
    evaluate(&plan, seen)[0].answer.outcome()
}

#[test]
fn a_gap_counts_without_the_time_in_which_kaf6_made_no_progress() {
    let continuity = || CheckSettings::Continuity { max_gap: ms(2000) };
    let stop = seen(&[(3000, 11_000)], &[(2990, 11_000)]);
    let answer = answer(continuity(), &stop);
    assert_eq!(answer.outcome(), CheckOutcome::Inconclusive, "{answer:?}");
    assert_eq!(
        answer.message(),
        "from 3.000 s to 11.000 s; kaf6 itself made no progress for 8.01 s, from 2.990 s to 11.000 s; use a machine \
        that has less load and is not suspended"
    );
    for (messages, own, expected) in [
        (&[(3000, 11_000)][..], &[][..], CheckOutcome::Fail),
        (&[(3000, 11_000)], &[(20_000, 28_000)], CheckOutcome::Fail),
        (&[(3000, 11_000)], &[(4000, 9000)], CheckOutcome::Fail),
        (&[(3000, 11_000)], &[(4000, 10_500)], CheckOutcome::Inconclusive),
        (&[(3000, 11_000), (15_000, 18_000)], &[(3000, 11_000)], CheckOutcome::Fail),
        (&[(3000, 4500)], &[(3000, 4500)], CheckOutcome::Pass),
        // Messages that are acked as soon as kaf6 sends them leave no gap, but kaf6 observed nothing before.
        (&[], &[(3000, 11_000)], CheckOutcome::Inconclusive),
        (&[], &[(40_000, 48_000)], CheckOutcome::Pass),
    ] {
        assert_eq!(outcome(continuity(), &seen(messages, own)), expected, "{messages:?} {own:?}");
    }
}

#[test]
fn a_latency_is_too_high_only_if_the_messages_that_no_stall_delayed_are_slow() {
    let below = |metric, limit| threshold(metric, Op::Less, limit, None);
    let stop = [(3000, 7000)];
    assert_eq!(outcome(below(Metric::Max, 3000.0), &seen(&stop, &stop)), CheckOutcome::Inconclusive);
    assert_eq!(outcome(below(Metric::P95, 1000.0), &seen(&stop, &stop)), CheckOutcome::Inconclusive);
    assert_eq!(outcome(below(Metric::Mean, 100.0), &seen(&stop, &stop)), CheckOutcome::Inconclusive);
    for metric in [Metric::Max, Metric::P95, Metric::Mean] {
        assert_eq!(outcome(below(metric, 10.0), &seen(&stop, &[])), CheckOutcome::Fail, "{metric:?}");
    }
    // A brief stall does not explain a slow median, nor a maximum that is much longer than it.
    assert_eq!(outcome(below(Metric::P50, 0.5), &seen(&stop, &stop)), CheckOutcome::Fail);
    assert_eq!(outcome(below(Metric::Max, 3000.0), &seen(&stop, &[(3000, 3500)])), CheckOutcome::Fail);
    let two = [(3000, 7000), (15_000, 19_000)];
    assert_eq!(outcome(below(Metric::Max, 3000.0), &seen(&two, &stop)), CheckOutcome::Fail);
    assert_eq!(outcome(below(Metric::Max, 5000.0), &seen(&stop, &stop)), CheckOutcome::Pass);
}

#[test]
fn a_rate_is_too_low_only_if_it_is_too_low_without_the_stalls() {
    let above = |limit| threshold(Metric::Rate, Op::Greater, limit, None);
    let mut seen = seen(&[], &[(10_000, 20_000)]);
    assert_eq!(outcome(above(120.0), &seen), CheckOutcome::Inconclusive, "150/s without the stall");
    assert_eq!(outcome(above(160.0), &seen), CheckOutcome::Fail);
    seen.own_stalls.clear();
    assert_eq!(outcome(above(120.0), &seen), CheckOutcome::Fail);
}

#[test]
fn a_round_trip_is_late_because_of_a_long_stall_only() {
    let file = "
brokers: [a:1]
scenarios: {ping: {type: roundtrip, topic: t, iterations: 100, iteration_timeout: 4s, clients: 2}}
checks:
  - {type: roundtrip_ok}
  - {type: threshold, expr: errors == 0}
  - {type: count_equals, expected: 100}
";
    let plan = plan::load_text(Path::new("x.yaml"), file, &LoadOptions::new(&|_| None)).unwrap();
    let outcomes = |late: u64, wrong: u64, own: &[(u64, u64)]| {
        let counts = Snapshot {
            sent: 100,
            acked: 100,
            received: 100 - late - wrong,
            errors: late,
            errors_by_code: [("TIMED_OUT".to_owned(), late)].into(),
            ..counts(|_| 10, 300, 1000)
        };
        let mut ping = scenario("ping", "roundtrip", counts, (0, 30_000));
        ping.planned = Some(100);
        ping.of_type.uuids = Some((100, wrong));
        let own_stalls = own.iter().map(|(from, to)| (ms(*from), ms(*to))).collect();
        let seen = Observations { scenarios: vec![ping], own_stalls, ..Observations::default() };
        let answers = evaluate(&plan, &seen);
        answers.iter().filter(|it| !it.check.implicit).map(|it| it.answer.outcome()).collect::<Vec<_>>()
    };
    use CheckOutcome::{Fail, Inconclusive};
    assert_eq!(outcomes(2, 0, &[(3000, 5000)]), [Inconclusive; 3]);
    assert_eq!(outcomes(2, 0, &[]), [Fail; 3]);
    assert_eq!(outcomes(2, 0, &[(3000, 4900)]), [Fail; 3], "too short");
    assert_eq!(outcomes(3, 0, &[(3000, 7000)]), [Fail; 3], "two clients, one stall");
    assert_eq!(outcomes(1, 1, &[(3000, 7000)])[0], Fail, "altered");
}

#[test]
fn a_count_of_a_reader_fails_in_spite_of_a_stall() {
    let count = || CheckSettings::CountAtLeast { expected: 1000, metric: None };
    let mut seen = seen(&[], &[(3000, 7000)]);
    let read = seen.scenarios.iter().position(|it| it.kind == ScenarioKind::Consume).unwrap();
    let reader = &mut seen.scenarios[read];
    (reader.planned, reader.span) = (None, Some((ms(0), ms(30_000))));
    reader.counts = Snapshot { received: 900, ..counts(|_| 3, 300, 1000) };
    (reader.counts.sent, reader.counts.acked) = (0, 0);
    let plan = plan(&[("it", count(), Some("read"))]);
    let with = evaluate(&plan, &seen)[0].answer.outcome();
    seen.own_stalls.clear();
    assert_eq!((with, evaluate(&plan, &seen)[0].answer.outcome()), (CheckOutcome::Fail, CheckOutcome::Fail));
}

#[test]
fn a_silence_counts_without_the_time_in_which_kaf6_made_no_progress() {
    let seen = |own: &[(Duration, Duration)], changes: bool| {
        let silence = Silence { from: ms(3000), to: ms(9000), to_the_end: false };
        let broker = WatchedBroker {
            broker: "a:1".to_owned(),
            asked: 10,
            answered: 9,
            silences: vec![silence],
            ..WatchedBroker::default()
        };
        let change = MetadataChange {
            at: ms(100),
            broker: "a:1".to_owned(),
            aspect: Aspect::Leaders,
            topic: None,
            partition: None,
            before: "0".to_owned(),
            after: "1".to_owned(),
        };
        let changes = if changes { vec![change] } else { Vec::new() };
        let watch = WatchSeen { brokers: vec![broker], changes, ..WatchSeen::default() };
        let mut seen = world(10);
        seen.faults.clear();
        seen.scenarios[0].of_type.watch = Some(watch);
        seen.own_stalls = own.to_vec();
        seen
    };
    let stable = || CheckSettings::MetadataStable { allow: Vec::new(), max_silence: ms(2000) };
    let own = [(ms(4000), ms(8500))];
    assert_eq!(outcome(stable(), &seen(&own, false)), CheckOutcome::Inconclusive);
    assert_eq!(outcome(stable(), &seen(&[], false)), CheckOutcome::Fail);
    assert_eq!(outcome(stable(), &seen(&[(ms(4000), ms(7000))], false)), CheckOutcome::Fail);
    assert_eq!(outcome(stable(), &seen(&own, true)), CheckOutcome::Fail, "a change is no silence");
}

#[test]
fn a_rate_stays_down_only_if_it_does_so_without_the_stalls() {
    // The rate is 10 per bucket. After the fault, from 20 s, it is this.
    let with = |after: fn(u64) -> u64, own: &[(u64, u64)]| {
        let mut seen = world(10);
        seen.scenarios[0].counts = counts(|bucket| if bucket < 200 { 10 } else { after(bucket) }, 400, 1000);
        seen.scenarios[0].span = Some((ms(0), ms(40_000)));
        seen.own_stalls = own.iter().map(|(from, to)| (ms(*from), ms(*to))).collect();
        answer(recovers(2000, 0.1), &seen).outcome()
    };
    let stopped = |bucket| if (200..280).contains(&bucket) { 0 } else { 10 };
    assert_eq!(with(stopped, &[]), CheckOutcome::Fail);
    assert_eq!(with(stopped, &[(20_000, 28_000)]), CheckOutcome::Inconclusive);
    assert_eq!(with(|_| 3, &[(20_000, 21_000)]), CheckOutcome::Fail, "it stays down afterwards");
    assert_eq!(with(|_| 10, &[(20_000, 21_000)]), CheckOutcome::Pass);
    // It is down for 12 s, and two short stalls excuse neither the time between them nor a recovery 9 s late.
    let late = |bucket| if (200..320).contains(&bucket) { 0 } else { 10 };
    assert_eq!(with(late, &[(20_500, 20_800), (31_000, 31_300)]), CheckOutcome::Fail);
    let late = |bucket| if (200..240).contains(&bucket) { 0 } else { 10 };
    assert_eq!(with(late, &[(21_900, 22_200)]), CheckOutcome::Fail, "3.7 s without the stall");
    // A rate that a stall lowered before the fault proves no recovery.
    let before = |own: &[(u64, u64)]| {
        let mut seen = world(10);
        let rate = |bucket| match bucket {
            20..70 => 0,
            0..200 => 10,
            _ => 5,
        };
        seen.scenarios[0].counts = counts(rate, 400, 1000);
        seen.scenarios[0].span = Some((ms(0), ms(40_000)));
        seen.own_stalls = own.iter().map(|(from, to)| (ms(*from), ms(*to))).collect();
        answer(recovers(2000, 0.4), &seen).outcome()
    };
    assert_eq!(before(&[]), CheckOutcome::Pass);
    assert_eq!(before(&[(2000, 7000)]), CheckOutcome::Inconclusive);
}

#[test]
fn a_drop_is_missing_only_if_no_stall_hides_it() {
    // Half the rate during the fault. For 3 s before it, kaf6 made no progress.
    let mut seen = world(5);
    let rate = |bucket| match bucket {
        30..60 => 0,
        100..200 => 5,
        _ => 10,
    };
    seen.scenarios[0].counts = counts(rate, 300, 1000);
    let outcome = |at_least, seen: &Observations| {
        let mut plan = plan(&[("it", drops(at_least), Some("write"))]);
        // Without a rate, it always has work.
        if let plan::Work::Produce(produce) = &mut plan.scenarios[0].work {
            produce.schedule = None;
        }
        evaluate(&plan, seen)[0].answer.outcome()
    };
    seen.scenarios[0].counts.timeline = crate::metrics::Timeline::new();
    for bucket in 0..300 {
        seen.scenarios[0].counts.timeline.record(bucket, (rate(bucket), 0), 0, &[]);
    }
    assert_eq!(outcome(0.4, &seen), CheckOutcome::Fail);
    seen.own_stalls = vec![(ms(3000), ms(6000))];
    assert_eq!(outcome(0.4, &seen), CheckOutcome::Inconclusive);
    assert_eq!(outcome(0.95, &seen), CheckOutcome::Fail);
    // A stall during the fault lowers the rate as well, so it proves no drop.
    seen.own_stalls = Vec::new();
    assert_eq!(outcome(0.2, &seen), CheckOutcome::Pass);
    seen.own_stalls = vec![(ms(12_000), ms(17_000))];
    assert_eq!(outcome(0.2, &seen), CheckOutcome::Inconclusive);
}

#[test]
fn no_threshold_aborts_a_run_because_kaf6_itself_was_late() {
    let aborts = |messages: &[(u64, u64)], own: &[(u64, u64)], late: u32| {
        let expr = ThresholdExpr { metric: Metric::Max, op: Op::Less, value: 3000.0, text: "it".to_owned() };
        let of = CheckSettings::Threshold { expr, abort: true, delay: ms(0), span: None };
        let plan = plan(&[("it", of, Some("write"))]);
        let seen = seen(messages, own);
        let mut counts = seen.scenarios[0].counts.clone();
        counts.late.record_n_us(3_990_000, late);
        let own = || (ms(30_000), seen.own_stalls.clone());
        crate::checks::to_abort(&plan, |_| Some(counts.clone()), own).is_some()
    };
    let stop = [(3000, 7000)];
    assert!(aborts(&stop, &[], 0));
    assert!(!aborts(&stop, &stop, 0), "it made no progress");
    assert!(!aborts(&stop, &[], 1), "it sent late");
    assert!(aborts(&[(3000, 7000), (15_000, 19_000)], &stop, 0));
}
