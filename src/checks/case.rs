//! One scenario before the checks, with what is needed to judge it under faults: the plan, and all that was seen.
//!
//! Owns when a fault was, whether it can be relied on, and how long a scenario was at work.

use std::time::Duration;

use super::answer::{Answer, Outcome};
use crate::observe::{FaultSeen, Observations, ScenarioSeen};
use crate::plan::{Ask, FaultPlan, Plan, Work};

/// A fault is felt so long behind its end, at least.
const RECOVERY: Duration = Duration::from_secs(10);
/// Between and around other faults, a rate is taken over so long and so many buckets at least.
const LEAST_MS: u64 = 1000;
const LEAST_BUCKETS: u64 = 3;

/// One scenario, put before a check.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) plan: &'a Plan,
    pub(super) seen: &'a Observations,
    /// Its number in the plan.
    pub(super) index: usize,
    pub(super) scenario: &'a ScenarioSeen,
}

/// A fault of the file that was not shown to have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// Its name.
    pub name: String,
    /// That it never began, or was not shown to have taken effect.
    pub what: String,
    /// Why, where that is known.
    pub why: String,
}

impl Unproven {
    /// In words: all that is known of it.
    pub fn reason(&self) -> String {
        if self.why.is_empty() { self.what.clone() } else { format!("{}: {}", self.what, self.why) }
    }
}

/// The faults that nothing can rest on, in the file's order.
pub fn unproven(plan: &Plan, seen: &Observations) -> Vec<Unproven> {
    plan.faults.iter().filter_map(|fault| doubt(fault, fault_seen(seen, &fault.name))).collect()
}

fn doubt(fault: &FaultPlan, seen: Option<&FaultSeen>) -> Option<Unproven> {
    let verb = match seen {
        Some(seen) if seen.effective && seen.span.is_some() => return None,
        Some(FaultSeen { span: Some(_), .. }) => "was not shown to have taken effect",
        _ => "never began",
    };
    Some(Unproven {
        name: fault.name.clone(),
        what: format!("fault `{}` {verb}", fault.name),
        why: seen.map(|seen| reason_of(&seen.proof).to_owned()).unwrap_or_default(),
    })
}

/// What a proof says of a fault that never began, without saying that again.
pub fn reason_of(proof: &str) -> &str {
    let rest = proof.strip_prefix("it never began").unwrap_or(proof);
    rest.strip_prefix(": ").unwrap_or(rest)
}

fn fault_seen<'a>(seen: &'a Observations, name: &str) -> Option<&'a FaultSeen> {
    seen.faults.iter().find(|fault| fault.name == name)
}

impl Case<'_> {
    /// When a fault was; else that it never began.
    pub(super) fn span_of(&self, fault: &str) -> Result<(Duration, Duration), String> {
        let seen = fault_seen(self.seen, fault);
        seen.and_then(|seen| seen.span).ok_or_else(|| format!("fault `{fault}` never began"))
    }

    /// When a fault was that was shown to have taken effect; else why that is not known.
    pub(super) fn proven_span_of(&self, fault: &str) -> Result<(Duration, Duration), String> {
        let span = self.span_of(fault)?;
        match unproven(self.plan, self.seen).into_iter().find(|unproven| unproven.name == fault) {
            Some(unproven) => Err(unproven.what),
            None => Ok(span),
        }
    }

    /// The faults that lasted at a time, in words behind it: `, during `bounce``; nothing where there were none.
    pub(super) fn during(&self, from: Duration, to: Duration) -> String {
        let lasted = |f: &&FaultSeen| f.span.is_some_and(|(start, end)| start <= to && end >= from);
        let names: Vec<String> =
            self.seen.faults.iter().filter(lasted).map(|fault| format!("`{}`", fault.name)).collect();
        if names.is_empty() { String::new() } else { format!(", during {}", names.join(" and ")) }
    }

    /// The parts of a time in which no fault lasted, nor was waited for to be ready behind it.
    pub(super) fn without_faults(&self, from: Duration, to: Duration) -> Vec<(Duration, Duration)> {
        let faults = self.seen.faults.iter().filter_map(|fault| {
            let (start, end) = fault.span?;
            Some((start, fault.settled.map_or(end, |settled| settled.max(end))))
        });
        without((from, to), faults)
    }

    /// What it does is sending, or sending and reading.
    pub(super) fn sends(&self) -> bool {
        self.scenario.kind != "consume"
    }

    /// Until when there was work for it: a reader's ends with that of the producers that it reads from.
    pub(super) fn work_end(&self) -> Duration {
        let own = self.scenario.span.map_or(Duration::ZERO, |(_, end)| end);
        let Work::Consume(consume) = &self.plan.scenarios[self.index].work else { return own };
        let producers = self.seen.scenarios.iter().filter(|s| consume.producers.contains(&s.name));
        producers.filter_map(|s| s.span).map(|(_, end)| end).max().map_or(own, |end| end.min(own))
    }

    /// Messages a second from its first ack or read to the fault's start, in whole buckets, without the times of earlier
    /// faults and their recovery; without any, the answer to a check that holds a later rate against it.
    pub(super) fn rate_before(&self, fault: &str, start: Duration, expected: &str) -> Result<f64, Answer> {
        let counts = &self.scenario.counts;
        let Some(first) = counts.gaps.first() else { return Err(Answer::no_data(expected)) };
        let earlier: Vec<Earlier<'_>> = self.earlier_than(fault, (first, start)).collect();
        let parts = without((first, start), earlier.iter().map(|earlier| earlier.felt));
        let windows = parts.iter().map(|(from, to)| counts.timeline.window(*from, *to));
        let (length, count) = windows.fold((Duration::ZERO, 0), |(length, count), window| {
            (length + window.length, count + window.total.count)
        });
        let name = &self.scenario.name;
        // A sliver between two faults is no measure of what was before them.
        let least = counts.timeline.width_ms().saturating_mul(LEAST_BUCKETS).max(LEAST_MS);
        let unlike = count == 0 || length < Duration::from_millis(least);
        if !earlier.is_empty() && unlike {
            let names: Vec<String> = earlier.iter().map(Earlier::in_words).collect();
            return Err(Answer::new(Outcome::Inconclusive, expected, "not measured").because(format!(
                "too little is left of `{name}` before `{fault}` to compare with, without {}",
                names.join(" and ")
            )));
        }
        if count == 0 || length.is_zero() {
            return Err(Answer::no_data(expected).because(format!(
                "scenario `{name}` got nothing done before `{fault}` that could be compared"
            )));
        }
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        let count = count as f64;
        Ok(count / length.as_secs_f64())
    }

    /// The other faults that were felt in a time.
    fn earlier_than<'b>(
        &'b self,
        fault: &'b str,
        (from, to): (Duration, Duration),
    ) -> impl Iterator<Item = Earlier<'b>> {
        self.seen.faults.iter().filter(move |other| other.name != fault).filter_map(move |other| {
            let (start, end) = other.span?;
            let after = self.recovery_of(&other.name);
            let felt = (start, other.settled.map_or(end, |settled| settled.max(end)) + after);
            (felt.0 < to && felt.1 > from).then_some(Earlier { name: &other.name, felt, after })
        })
    }

    /// How long a fault is felt behind its end: as long as the file lets the rate take to be back.
    fn recovery_of(&self, fault: &str) -> Duration {
        let allowed = self.plan.checks.iter().filter_map(|check| match &check.ask {
            Ask::Recovers { after, within, .. } if after == fault => Some(*within),
            _ => None,
        });
        allowed.max().unwrap_or_default().max(RECOVERY)
    }
}

/// A fault before another one, and when it was felt.
struct Earlier<'a> {
    name: &'a str,
    felt: (Duration, Duration),
    /// So much of it behind the fault's end.
    after: Duration,
}

impl Earlier<'_> {
    /// `` `bounce` and the 10 s behind it``
    fn in_words(&self) -> String {
        format!("`{}` and the {} behind it", self.name, time(self.after))
    }
}

/// What is left of a time without others, in parts that hold something.
fn without(
    whole: (Duration, Duration),
    others: impl Iterator<Item = (Duration, Duration)>,
) -> Vec<(Duration, Duration)> {
    others.fold(vec![whole], |parts, (start, end)| {
        let split = |(from, to): (Duration, Duration)| {
            if end <= from || start >= to {
                return [(from, to), (to, to)];
            }
            [(from, start.max(from)), (end.min(to), to)]
        };
        parts.into_iter().flat_map(split).filter(|(from, to)| from < to).collect()
    })
}

/// A time to the millisecond, so that what is a little too long does not read as if it were not: `350 ms`, `2.35 s`.
pub(super) fn time(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 999.5 { format!("{ms:.0} ms") } else { format!("{} s", trimmed(&format!("{:.3}", ms / 1e3))) }
}

/// A rate as people read it: `98.7/s`.
pub(super) fn per_second(rate: f64) -> String {
    format!("{}/s", digits(rate))
}

/// A share as people read it: `45 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", digits((share * 1e3).round() / 10.0))
}

/// About three digits, none of them an idle zero.
fn digits(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    trimmed(&format!("{value:.places$}"))
}

fn trimmed(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}
