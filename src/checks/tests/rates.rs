//! Tests `recovers`, `throughput_drops` and `continuity` against a slow, literal implementation of
//! docs/checks.md.

use proptest::prelude::*;

use super::loads::{Message, counted};
use super::*;
use crate::plan::{FaultKind, Work};

/// Width of a timeline bucket in microseconds. No load here is long enough for wider ones.
const BUCKET: u64 = 100_000;
const SECOND: u64 = 1_000_000;

/// Everything that the docs refer to.
#[derive(Debug, Clone)]
struct Load {
    messages: Vec<Message>,
    /// When messages were due, acked and ended, each list in order.
    dues: Vec<u64>,
    acks: Vec<u64>,
    ends: Vec<u64>,
    /// The scenario's start and end.
    span: (u64, u64),
    fault: (u64, u64),
    /// Without a rate: when all messages were sent.
    sent_all: Option<u64>,
    /// It is a reader, whose messages are due when they are acked.
    reads: bool,
}

/// How many of these times are in a period that includes its start but not its end.
fn within(times: &[u64], from: u64, to: u64) -> f64 {
    times.partition_point(|at| *at < to).saturating_sub(times.partition_point(|at| *at < from)) as f64
}

impl Load {
    fn new(messages: Vec<Message>, end: u64, fault: (u64, u64)) -> Self {
        let sorted = |times: Vec<u64>| {
            let mut times = times;
            times.sort_unstable();
            times
        };
        Self {
            dues: sorted(messages.iter().map(|it| it.due_us).collect()),
            acks: sorted(messages.iter().filter(|it| !it.failed).filter_map(|it| it.end_us).collect()),
            ends: sorted(messages.iter().filter_map(|it| it.end_us).collect()),
            messages,
            span: (0, end),
            fault,
            sent_all: None,
            reads: false,
        }
    }

    /// The observations of the run.
    fn seen(&self) -> Observations {
        let micros = Duration::from_micros;
        let counts = counted(&self.messages, micros(self.span.0), micros(self.span.1), 1000);
        let counts = Snapshot { sent_all: self.sent_all.map(micros), ..counts };
        let mut seen = world(10);
        let at = usize::from(self.reads);
        let (name, kind) = [("write", "produce"), ("read", "consume")][at];
        seen.scenarios[at] = ScenarioSeen {
            span: Some((micros(self.span.0), micros(self.span.1))),
            ..scenario(name, kind, counts, (0, 0))
        };
        if self.reads {
            // Its producer runs longer.
            seen.scenarios[0].span = Some((ms(0), micros(self.span.1)));
        }
        seen.faults[0].span = Some((micros(self.fault.0), micros(self.fault.1)));
        seen.faults[0].settled = seen.faults[0].span.map(|(_, end)| end);
        seen
    }

    fn answer(&self, ask: CheckSettings) -> Answer {
        let seen = self.seen();
        let name = if self.reads { "read" } else { "write" };
        let mut plan = plan(&[("it", ask, Some(name))]);
        if self.sent_all.is_some() {
            let Work::Produce(produce) = &mut plan.scenarios[0].work else { unreachable!() };
            produce.schedule = None;
        }
        evaluate(&plan, &seen).remove(0).answer
    }

    /// Acked or read in this period.
    fn done(&self, from: u64, to: u64) -> f64 {
        within(&self.acks, from, to)
    }

    fn ended(&self, from: u64, to: u64) -> f64 {
        within(&self.ends, from, to)
    }

    fn due(&self, from: u64, to: u64) -> f64 {
        within(&self.dues, from, to)
    }

    /// Due before this time, and not ended before it.
    fn open(&self, at: u64) -> f64 {
        self.due(0, at) - self.ended(0, at)
    }

    /// "The largest of three numbers of messages: those that were open at its start, those that became due in it, and those that
    /// ended in it." Without a rate, "the next message at once, until a client has sent all of its own".
    fn target(&self, before: f64, from: u64, to: u64) -> f64 {
        let at_rate = before * (to - from) as f64 / 1e6;
        if self.sent_all.is_some_and(|at| to <= at.min(self.span.1)) {
            return at_rate;
        }
        at_rate.min(self.open(from).max(self.due(from, to)).max(self.ended(from, to)))
    }

    /// "The rate from the scenario's first ack to the fault's start", in whole buckets; none where less than a second is left.
    fn before(&self) -> Option<f64> {
        let first = self.acks.first()?;
        let (from, to) = (first.div_ceil(BUCKET) * BUCKET, self.fault.0 / BUCKET * BUCKET);
        let done = self.done(from, to.max(from));
        (to >= from + SECOND && done > 0.0).then(|| done / ((to - from) as f64 / 1e6))
    }

    /// "From its start until what it touched was ready again, with the buckets of the timeline that it touches."
    fn busy(&self) -> bool {
        let (start, end) = self.fault;
        if self.sent_all.is_some_and(|at| self.span.0 <= end && at.min(self.span.1) > start) {
            return true;
        }
        let from = start / BUCKET * BUCKET;
        let to = end.div_ceil(BUCKET).max(from / BUCKET + 1) * BUCKET;
        self.ended(from, to)
            + self.open(from)
            + (from..to).step_by(BUCKET as usize).map(|at| self.open(at + BUCKET)).sum::<f64>()
            > 0.0
    }

    /// "Whole spans", "each counts for at most its target": what they held, and their targets.
    fn spans(&self, before: f64, over: u64, from: u64, to: u64) -> (f64, f64) {
        let (mut from, mut kept, mut wanted) = (from, 0.0, 0.0);
        while from + over <= to {
            let target = self.target(before, from, from + over);
            kept += self.done(from, from + over).min(target);
            wanted += target;
            from += over;
        }
        (kept, wanted)
    }

    /// "The first of 1, 2, 4 and 8 s by which the time before the fault keeps to half the `tolerance`", "else the first by which it
    /// keeps to the `tolerance`", "else a second", "if two of them fit into what can be looked at"; and what the time before keeps to.
    fn span_of(&self, before: f64, tolerance: f64) -> (u64, f64) {
        let (from, to) = (self.acks[0].div_ceil(BUCKET) * BUCKET, self.fault.0 / BUCKET * BUCKET);
        let kept = |over: u64| {
            let (kept, wanted) = self.spans(before, over, from, to);
            if wanted > 0.0 { kept / wanted } else { 1.0 }
        };
        let after = (self.fault.1.div_ceil(BUCKET) * BUCKET, self.span.1 / BUCKET * BUCKET);
        for least in [1.0 - tolerance / 2.0, 1.0 - tolerance] {
            for over in [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND] {
                if (over == SECOND || after.0 + 2 * over <= after.1) && kept(over) >= least - 1e-9 {
                    return (over, kept(over));
                }
            }
        }
        (SECOND, kept(SECOND))
    }

    fn recovers(&self, within: u64, tolerance: f64) -> CheckOutcome {
        let outcome = self.recovers_from_even(within, tolerance);
        let even =
            self.before().is_none_or(|before| self.span_of(before, tolerance).1 >= 1.0 - tolerance - 1e-9);
        if outcome == CheckOutcome::Fail && !even { CheckOutcome::Inconclusive } else { outcome }
    }

    fn recovers_from_even(&self, within: u64, tolerance: f64) -> CheckOutcome {
        let (Some(before), end) = (self.before(), self.fault.1) else { return CheckOutcome::Inconclusive };
        let load_end = self.span.1;
        if !self.busy() && load_end > end {
            return CheckOutcome::Inconclusive;
        }
        let near = |done: f64, target: f64| done >= (1.0 - tolerance) * target - 1e-9;
        let last = load_end / BUCKET * BUCKET;
        let (over, _) = self.span_of(before, tolerance);
        let (mut looked, mut missed) = (None, false);
        // Starting with the bucket in which the fault ended.
        let mut at = end / BUCKET * BUCKET;
        while at + over <= last {
            let most = within.max(10 * SECOND).div_ceil(BUCKET) * BUCKET;
            let (kept, wanted) = self.spans(before, over, at, (at + most.max(2 * over)).min(last));
            let (done, target) = (self.done(at, at + over), self.target(before, at, at + over));
            if wanted > 0.0 && near(done, target) && near(kept, wanted) {
                let took = at.saturating_sub(end);
                let first = at == end.div_ceil(BUCKET) * BUCKET;
                return match (took <= within, first) {
                    (true, _) => CheckOutcome::Pass,
                    (false, true) => CheckOutcome::Inconclusive,
                    (false, false) => CheckOutcome::Fail,
                };
            }
            if at >= end {
                looked = Some(at - end);
                missed |= wanted > 0.0;
            }
            at += BUCKET;
        }
        match looked {
            Some(looked) if missed && looked + BUCKET > within => CheckOutcome::Fail,
            _ => CheckOutcome::Inconclusive,
        }
    }

    fn throughput_drops(&self, at_least: f64) -> CheckOutcome {
        let Some(before) = self.before() else { return CheckOutcome::Inconclusive };
        let until = self.fault.1.min(self.span.1);
        let (from, to) = (self.fault.0.div_ceil(BUCKET) * BUCKET, until / BUCKET * BUCKET);
        if to <= from {
            return CheckOutcome::Inconclusive;
        }
        let seconds = (to - from) as f64 / 1e6;
        let during = self.done(from, to);
        let target = if self.sent_all.is_some_and(|at| until <= at.min(self.span.1)) {
            before * seconds
        } else {
            let load = Self { sent_all: None, ..self.clone() };
            load.target(before, from, to)
        };
        if target == 0.0 {
            return CheckOutcome::Inconclusive;
        }
        let fell = |from: f64| 1.0 - (during / seconds) / (from / seconds) >= at_least;
        let due = self.due(from, to);
        match fell(target) {
            true => CheckOutcome::Pass,
            false if due / seconds > before && fell(due) => CheckOutcome::Inconclusive,
            false => CheckOutcome::Fail,
        }
    }

    /// "It begins with an ack that leaves something open; otherwise, when the next message is due." "It ends with the next ack."
    /// "Before the first ack, a gap begins with the scenario." "At the end, a gap that has begun lasts until the scenario ends."
    fn gaps(&self) -> Vec<u64> {
        let acks = &self.acks;
        let Some(first) = acks.first() else { return vec![self.span.1 - self.span.0] };
        let begins = |ack: u64, next: Option<u64>| {
            let open = |it: &&Message| it.due_us <= ack && it.end_us.is_none_or(|end| end > ack);
            if self.messages.iter().any(|it| open(&it)) || next == Some(ack) {
                return Some(ack);
            }
            self.messages.iter().map(|it| it.due_us).filter(|due| *due > ack).min()
        };
        let mut gaps = vec![first - self.span.0];
        for pair in acks.windows(2) {
            gaps.extend(begins(pair[0], Some(pair[1])).map(|from| pair[1].saturating_sub(from)));
        }
        let last = *acks.last().unwrap();
        gaps.extend(begins(last, None).map(|from| self.span.1.saturating_sub(from)));
        gaps
    }

    fn continuity(&self, max_gap: u64) -> CheckOutcome {
        if self.gaps().into_iter().any(|gap| gap > max_gap.max(10_000)) {
            return CheckOutcome::Fail;
        }
        // The other scenarios of the run are active all the time.
        CheckOutcome::Pass
    }
}

/// A phase: its length, the number of messages due per second, and how the broker behaves.
#[derive(Debug, Clone, Copy)]
struct Phase {
    ms: u64,
    rate: u64,
    broker: Broker,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Broker {
    /// It answers this many per second, one after the other.
    Acks(u64),
    /// It rejects them immediately.
    Refuses,
    Stalls,
}

/// The messages of these phases and their results. In a closed loop, each message is due when the previous
/// one has ended.
fn play(phases: &[Phase], closed: bool) -> (Vec<Message>, u64) {
    let starts: Vec<u64> = phases
        .iter()
        .scan(0, |at, phase| {
            let start = *at;
            *at += phase.ms * 1000;
            Some(start)
        })
        .collect();
    let end: u64 = phases.iter().map(|phase| phase.ms * 1000).sum();
    let at = |time: u64| starts.partition_point(|start| *start <= time) - 1;
    let mut free = 0;
    let mut end_of = |due: u64| {
        let mut now = due.max(free);
        while now < end {
            match phases[at(now)].broker {
                Broker::Stalls => now = starts.get(at(now) + 1).copied().unwrap_or(end),
                Broker::Acks(rate) => {
                    free = now + SECOND / rate;
                    return (free < end).then_some((free, false));
                }
                Broker::Refuses => return Some((now + 300, true)).filter(|(at, _)| *at < end),
            }
        }
        None
    };
    let mut messages = Vec::new();
    if closed {
        let mut due = 0;
        while due < end && messages.len() < 3000 {
            let ended = end_of(due);
            let end_us = ended.map(|(at, _)| at);
            messages.push(Message { due_us: due, end_us, failed: ended.is_some_and(|(_, failed)| failed) });
            let Some(at) = end_us else { break };
            // A rejected message is not retried immediately.
            due = if ended.is_some_and(|(_, failed)| failed) { at + 20_000 } else { at };
        }
    } else {
        for (start, phase) in starts.iter().zip(phases) {
            for number in 0..phase.ms * phase.rate / 1000 {
                let due_us = start + number * SECOND / phase.rate;
                let ended = end_of(due_us);
                let failed = ended.is_some_and(|(_, failed)| failed);
                messages.push(Message { due_us, end_us: ended.map(|(at, _)| at), failed });
            }
        }
    }
    (messages, end)
}

fn phases() -> impl Strategy<Value = Vec<Phase>> {
    let broker = prop_oneof![
        4 => Just(Broker::Acks(1000)),
        3 => (1_u64..60).prop_map(Broker::Acks),
        1 => Just(Broker::Refuses),
        2 => Just(Broker::Stalls),
    ];
    let rate = prop_oneof![Just(0_u64), Just(1), 2_u64..10, Just(40), Just(40), 40_u64..90];
    let phase = (5_u64..60, rate, broker).prop_map(|(tenths, rate, broker)| Phase {
        ms: tenths * 100 + 30,
        rate,
        broker,
    });
    // Most loads start well.
    let first = prop_oneof![
        3 => Just(Phase { ms: 4000, rate: 40, broker: Broker::Acks(1000) }),
        1 => phase.clone(),
    ];
    (first, proptest::collection::vec(phase, 1..6)).prop_map(|(first, rest)| {
        let mut all = vec![first];
        all.extend(rest);
        all
    })
}

fn load() -> impl Strategy<Value = Load> {
    (phases(), 0_u64..9000, 0_u64..6000, prop_oneof![2 => Just(0), 1 => Just(1), 1 => Just(2)], 0_u64..100)
        .prop_filter_map("a load has messages", |(phases, start, length, kind, all)| {
            let (messages, end) = play(&phases, kind == 1);
            let start = if start % 3 == 0 { start } else { 4000 + start % 500 };
            (!messages.is_empty()).then(|| Load {
                sent_all: (kind == 1).then_some(end * all / 100),
                reads: kind == 2,
                ..Load::new(messages, end, (start * 1000, (start + length) * 1000))
            })
        })
}

proptest! {
    #![proptest_config(cases(16, 256))]

    #[test]
    fn recovers_is_what_the_docs_say(load in load(), within in 0_u64..8000, tenths in 0_u32..6) {
        let tolerance = f64::from(tenths) / 10.0;
        let found = load.answer(recovers(within, tolerance));
        prop_assert_eq!(found.outcome(), load.recovers(within * 1000, tolerance), "{:?}", found);
    }

    #[test]
    fn throughput_drops_is_what_the_docs_say(load in load(), tenths in 1_u32..10) {
        let at_least = f64::from(tenths) / 10.0;
        let found = load.answer(drops(at_least));
        prop_assert_eq!(found.outcome(), load.throughput_drops(at_least), "{:?}", found);
    }

    #[test]
    fn continuity_is_what_the_docs_say(load in load(), max_gap in 1_u64..5000) {
        let found = load.answer(CheckSettings::Continuity { max_gap: ms(max_gap) });
        prop_assert_eq!(found.outcome(), load.continuity(max_gap * 1000), "{:?}, {:?}", found, load.gaps());
    }
}

/// A load of these phases. `slow` lasts for the second phase.
fn of(phases: &[(u64, u64, Broker)]) -> Load {
    let phases: Vec<Phase> =
        phases.iter().map(|(ms, rate, broker)| Phase { ms: *ms, rate: *rate, broker: *broker }).collect();
    let (messages, end) = play(&phases, false);
    let from = phases[0].ms * 1000;
    let fault = (from, from + phases[1].ms * 1000);
    Load::new(messages, end, fault)
}

const FAST: Broker = Broker::Acks(1000);

#[test]
fn the_burst_of_a_backlog_does_not_make_up_for_what_follows() {
    let burst = of(&[
        (10_000, 40, FAST),
        (10_000, 40, Broker::Stalls),
        (500, 40, FAST),
        (15_000, 40, Broker::Acks(10)),
    ]);
    let bad = burst.answer(recovers(5000, 0.2));
    assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "at most 13/s (40/s before)"));
    assert_eq!(
        bad.message(),
        "424/s after 0 ms (40/s before), but the recovery did not last: 13/s afterwards"
    );
    // The rate after the fault equals the rate before it.
    let good = of(&[(10_000, 40, FAST), (10_000, 40, Broker::Stalls), (15_500, 40, FAST)]);
    assert_eq!(good.answer(recovers(5000, 0.2)).actual(), "440/s after 0 ms (40/s before)");
    // The rate recovers only for a while. What happens later is not part of this check.
    let later = of(&[
        (10_000, 40, FAST),
        (10_000, 40, Broker::Stalls),
        (12_000, 40, FAST),
        (9000, 40, Broker::Stalls),
    ]);
    assert_eq!(later.answer(recovers(5000, 0.2)).outcome(), CheckOutcome::Pass);
}

#[test]
fn a_stage_that_goes_down_by_plan_is_no_fault() {
    let down = of(&[(10_000, 40, FAST), (4000, 40, Broker::Acks(30)), (15_000, 4, FAST)]);
    let good = down.answer(recovers(5000, 0.2));
    assert_eq!(good.outcome(), CheckOutcome::Pass, "{good:?}");
    let idle = of(&[(10_000, 40, FAST), (4000, 4, FAST), (15_000, 4, FAST)]);
    let still = idle.answer(recovers(5000, 0.2));
    assert_eq!(
        (still.outcome(), still.actual()),
        (CheckOutcome::Pass, "4/s after 0 ms (40/s before, 4/s due)")
    );
    // It is not a drop either.
    let drop = idle.answer(drops(0.5));
    assert_eq!(
        (drop.outcome(), drop.actual()),
        (CheckOutcome::Fail, "0 % less (40/s before, 4/s during, 4/s due)")
    );
    // A broker that rejects the few due messages has not recovered.
    let refused = of(&[(10_000, 40, FAST), (4000, 4, FAST), (15_000, 4, Broker::Refuses)]);
    assert_eq!(refused.answer(recovers(5000, 0.2)).outcome(), CheckOutcome::Fail);
}

#[test]
fn more_that_is_asked_for_during_a_fault_is_not_compared_with_less_before_it() {
    let up = of(&[(10_000, 10, FAST), (10_000, 40, Broker::Acks(10)), (5000, 10, FAST)]);
    let open = up.answer(drops(0.5));
    assert_eq!(
        (open.outcome(), open.actual()),
        (CheckOutcome::Inconclusive, "1 % less (10/s before, 9.9/s during)")
    );
    assert!(open.message().starts_with("40/s became due during `slow`, more than before it"), "{open:?}");
    let fast = of(&[(10_000, 10, FAST), (10_000, 40, FAST), (5000, 10, FAST)]);
    assert_eq!(fast.answer(drops(0.5)).outcome(), CheckOutcome::Fail);
}

#[test]
fn pauses_by_plan_are_no_gaps() {
    let gap = |max| CheckSettings::Continuity { max_gap: ms(max) };
    // Stages that are slower than `max_gap`.
    let slow = of(&[(3000, 40, FAST), (20_000, 1, FAST), (8000, 0, FAST), (3000, 40, FAST)]);
    assert_eq!(slow.answer(gap(500)).outcome(), CheckOutcome::Pass);
    // Two producers, 4 s apart, for one reader.
    let apart = of(&[(3000, 40, FAST), (4000, 0, FAST), (3000, 40, FAST)]);
    let apart = Load { reads: true, ..apart };
    assert_eq!(apart.answer(gap(500)).outcome(), CheckOutcome::Pass);
    // A message that is due and not acked is a gap, rejected or not.
    for broker in [Broker::Refuses, Broker::Stalls] {
        let bad = of(&[(3000, 40, FAST), (10_000, 1, broker), (3000, 40, FAST)]).answer(gap(5000));
        assert_eq!(bad.outcome(), CheckOutcome::Fail);
        assert!(bad.message().starts_with("from 3.000 s to 13.0"), "{bad:?}");
    }
}

#[test]
fn a_fault_over_nothing_to_do_leaves_three_checks_open_and_no_other() {
    let idle = of(&[(10_000, 40, FAST), (4000, 0, FAST), (15_000, 40, FAST)]);
    for ask in [drops(0.5), recovers(5000, 0.2)] {
        let open = idle.answer(ask);
        assert_eq!((open.outcome(), open.actual()), (CheckOutcome::Inconclusive, "no work due"));
        assert_eq!(
            open.message(),
            "`write` had no work during `slow` (no message due, unacked or unread); keep `write` running during `slow`"
        );
    }
    let evaluate = |seen: &Observations| {
        let gap = CheckSettings::Continuity { max_gap: ms(5000) };
        let acked = CheckSettings::CountAtLeast { expected: 1, metric: None };
        let plan = plan(&[("gap", gap, Some("write")), ("acked", acked, Some("write"))]);
        evaluate(&plan, seen).into_iter().map(|result| result.answer).collect::<Vec<_>>()
    };
    // Another scenario was active then.
    let mut seen = idle.seen();
    assert_eq!(evaluate(&seen)[0].outcome(), CheckOutcome::Pass);
    seen.scenarios[1].counts = seen.scenarios[0].counts.clone();
    let answers = evaluate(&seen);
    assert_eq!(answers[0].outcome(), CheckOutcome::Inconclusive);
    assert_eq!(
        answers[0].message(),
        "no scenario had work during `slow` (no message due, unacked or unread); keep the load running during `slow`"
    );
    assert_eq!(answers[1].outcome(), CheckOutcome::Pass);
    // One message that waits the whole time counts as work.
    let open = of(&[(10_000, 40, FAST), (4000, 0, Broker::Stalls), (15_000, 40, FAST)]);
    let mut seen = open.seen();
    seen.scenarios[1].counts = seen.scenarios[0].counts.clone();
    assert_eq!(evaluate(&seen)[0].outcome(), CheckOutcome::Inconclusive);
    let late = of(&[(10_000, 40, Broker::Acks(39)), (4000, 0, Broker::Stalls), (15_000, 40, FAST)]);
    let mut seen = late.seen();
    seen.scenarios[1].counts = seen.scenarios[0].counts.clone();
    assert_eq!(evaluate(&seen)[0].outcome(), CheckOutcome::Pass);
}

#[test]
fn another_fault_ends_what_can_be_seen_of_the_first() {
    let mut seen = of(&[(10_000, 40, FAST), (4000, 40, Broker::Stalls), (15_000, 40, Broker::Stalls)]).seen();
    let other = FaultSeen {
        name: "other".to_owned(),
        span: Some((ms(17_000), ms(20_000))),
        ..seen.faults[0].clone()
    };
    seen.faults.push(other);
    let open = answer(recovers(5000, 0.2), &seen);
    assert_eq!(open.outcome(), CheckOutcome::Inconclusive);
    assert_eq!(
        open.message(),
        "fault `other` began 3 s after `slow`, too early to see a recovery; space the faults further apart"
    );
    assert_eq!(answer(recovers(1000, 0.2), &seen).outcome(), CheckOutcome::Fail);
}

#[test]
fn bursts_are_compared_with_bursts() {
    // Acks arrive every 2.5 s, before and after the fault. With a low rate, every 2 s.
    let bursts = |every: u64, rate: u64, stalls: bool| {
        let messages = (0..50 * rate / 10).map(|number| {
            let due_us = number * 10 * SECOND / rate;
            let until = if stalls && due_us > 20 * SECOND { 3 * every } else { every };
            let end_us = Some((due_us / until + 1) * until + 40_000).filter(|at| *at < 50 * SECOND);
            Message { due_us, end_us, failed: false }
        });
        Load::new(messages.collect(), 50 * SECOND, (17 * SECOND, 20 * SECOND))
    };
    for (every, rate, tolerance) in [(2_500_000, 200, 0.2), (700_000, 200, 0.1), (2_000_000, 5, 0.2)] {
        let even = bursts(every, rate, false).answer(recovers(10_000, tolerance));
        assert_eq!(even.outcome(), CheckOutcome::Pass, "{every}, {rate}: {even:?}");
    }
    // Less frequent bursts are distinguished from that. A rate that was uneven before the fault is not
    // comparable.
    let seldom = bursts(2_500_000, 200, true).answer(recovers(2000, 0.2));
    assert_ne!(seldom.outcome(), CheckOutcome::Pass, "{seldom:?}");
    let uneven = |rest: Broker| {
        let load = of(&[(2000, 40, FAST), (8000, 40, Broker::Stalls), (2000, 40, FAST), (20_000, 40, rest)]);
        Load { fault: (11_000_000, 12_000_000), ..load }.answer(recovers(5000, 0.2))
    };
    let open = uneven(Broker::Acks(10));
    assert_eq!(open.outcome(), CheckOutcome::Inconclusive);
    assert!(open.message().contains("also varied too much before `slow`"), "{open:?}");
    assert_eq!(uneven(FAST).outcome(), CheckOutcome::Pass, "it was slow at the beginning only");
}

/// `other` began during `slow`, and its targets were ready again at this time.
fn with_other(load: &Load, kind: FaultKind, (end, settled): (u64, u64)) -> Answer {
    let mut seen = load.seen();
    let other = FaultSeen {
        name: "other".to_owned(),
        kind,
        span: Some((ms(11_000), ms(end))),
        settled: Some(ms(settled)),
        ..seen.faults[0].clone()
    };
    seen.faults.push(other);
    answer(recovers(5000, 0.2), &seen)
}

#[test]
fn a_fault_that_still_lasts_excuses_a_rate_that_is_back_when_it_is_over() {
    let held =
        of(&[(10_000, 40, FAST), (4000, 40, Broker::Stalls), (9000, 40, Broker::Stalls), (20_000, 40, FAST)]);
    assert_eq!(held.answer(recovers(5000, 0.2)).outcome(), CheckOutcome::Fail);
    for (end, settled) in [(23_000, 23_000), (13_000, 23_000)] {
        let open = with_other(&held, FaultKind::Throttle, (end, settled));
        assert_eq!(open.outcome(), CheckOutcome::Inconclusive, "{open:?}");
        assert_eq!(
            open.message(),
            "fault `other` was still active when `slow` ended; space the faults further apart"
        );
    }
    // It was over before, too early to be an excuse, or so late that there is nothing left to look at.
    for (end, outcome) in
        [(13_500, CheckOutcome::Fail), (16_000, CheckOutcome::Fail), (50_000, CheckOutcome::Inconclusive)]
    {
        assert_eq!(with_other(&held, FaultKind::Throttle, (end, end)).outcome(), outcome, "{end}");
    }
    // A fault that starts a service again is no excuse.
    assert_eq!(with_other(&held, FaultKind::Start, (23_000, 23_000)).outcome(), CheckOutcome::Fail);
    // A fault that ended long ago is no excuse either. A rate that recovered anyway did recover.
    let never = of(&[(10_000, 40, FAST), (4000, 40, Broker::Stalls), (29_000, 40, Broker::Stalls)]);
    assert_eq!(with_other(&never, FaultKind::Throttle, (23_000, 23_000)).outcome(), CheckOutcome::Fail);
    let back = of(&[(10_000, 40, FAST), (4000, 40, Broker::Stalls), (29_000, 40, FAST)]);
    assert_eq!(with_other(&back, FaultKind::Throttle, (23_000, 23_000)).outcome(), CheckOutcome::Pass);
}

#[test]
fn a_fault_between_two_paced_round_trips_is_over_nothing_to_do() {
    let idle = of(&[(10_000, 40, FAST), (4000, 0, FAST), (15_000, 40, FAST)]).seen();
    let gap = CheckSettings::Continuity { max_gap: ms(5000) };
    let mut plan = plan(&[("gap", gap, Some("write"))]);
    for (every, outcome) in [("", CheckOutcome::Pass), (", every: 1s", CheckOutcome::Inconclusive)] {
        let text = format!(
            "brokers: embedded\ntopics: [{{name: t}}]\nscenarios: {{ping: {{type: roundtrip{every}}}}}\n"
        );
        let none = |_: &str| None;
        let options = LoadOptions::new(&none);
        let pings = plan::load_text(Path::new("f.yaml"), &text, &options).expect("a good file");
        plan.scenarios[0].work = pings.scenarios[0].work.clone();
        let mut seen = idle.clone();
        seen.scenarios[0].kind = ScenarioKind::Roundtrip;
        seen.scenarios[1].counts = seen.scenarios[0].counts.clone();
        let gap = &evaluate(&plan, &seen)[0].answer;
        assert_eq!(gap.outcome(), outcome, "{every}");
        assert!(gap.covers().ends_with(", except its warm-up"), "{}", gap.covers());
    }
}
