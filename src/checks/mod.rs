//! Questions put to what a run saw, each answered with pass, fail or inconclusive.
//!
//! Pure functions of observations, one file per kind; this one puts each check to its scenarios.

mod answer;
mod case;
mod connectivity;
mod continuity;
mod counts;
mod endpoint;
mod integrity;
mod metadata_stable;
mod recovers;
#[cfg(test)]
mod tests;
mod threshold;
mod throughput_drops;

pub use answer::{Answer, Outcome};
pub use case::{Unproven, reason_of, unproven};

use case::Case;

use crate::observe::{Ended, Observations, ScenarioSeen};
use crate::plan::{Ask, CheckPlan, Plan, Work};

/// One check, put to one scenario.
#[derive(Debug, Clone)]
pub struct CheckResult {
    /// The check.
    pub check: CheckPlan,
    /// The scenario that was asked; none where there is none of its kind.
    pub scenario: Option<String>,
    /// The answer.
    pub answer: Answer,
}

impl Ask {
    /// Being out of reach is this check's own answer.
    const fn answers_for_the_unreachable(&self) -> bool {
        matches!(self, Self::Reachable | Self::Metadata | Self::HttpOk)
    }

    /// The fault that it names.
    fn fault(&self) -> Option<&str> {
        match self {
            Self::ThroughputDrops { during: fault, .. } | Self::Recovers { after: fault, .. } => Some(fault),
            Self::Threshold { span, .. } => span.as_ref().map(crate::plan::Span::fault),
            _ => None,
        }
    }
}

/// Puts each check to each scenario that it is for.
pub fn evaluate(plan: &Plan, seen: &Observations) -> Vec<CheckResult> {
    let mut results = Vec::new();
    let unproven = unproven(plan, seen);
    for check in &plan.checks {
        let asked = asked(plan, check);
        if asked.is_empty() {
            let answer = Answer::new(Outcome::Inconclusive, "a scenario to ask", "none")
                .because("the file has no scenario of a type that this check is for");
            results.push(CheckResult { check: check.clone(), scenario: None, answer });
        }
        for index in asked {
            let answer = seen.scenarios.get(index).map_or_else(
                || Answer::new(Outcome::Inconclusive, "", "").because("the scenario was not run"),
                |scenario| {
                    let answer = answer(check, &Case { plan, seen, index, scenario });
                    doubt(answer, plan, check, index, &unproven)
                },
            );
            let scenario = Some(plan.scenarios[index].name.clone());
            results.push(CheckResult { check: check.clone(), scenario, answer });
        }
    }
    results
}

/// Until when a scenario still had an ack or a read to get after its last one; none where it was done.
pub fn waited_until(plan: &Plan, seen: &Observations, index: usize) -> Option<std::time::Duration> {
    let scenario = seen.scenarios.get(index)?;
    continuity::trailing(&Case { plan, seen, index, scenario })
}

/// The worst answer to each check by name, in the checks' order.
pub fn worst(results: &[CheckResult]) -> Vec<(&str, Outcome)> {
    let mut out: Vec<(&str, Outcome)> = Vec::new();
    for result in results {
        match out.iter_mut().find(|(name, _)| *name == result.check.name) {
            Some((_, outcome)) => *outcome = (*outcome).max(result.answer.outcome),
            None => out.push((&result.check.name, result.answer.outcome)),
        }
    }
    out
}

/// The scenarios that a check is put to, by their numbers.
fn asked(plan: &Plan, check: &CheckPlan) -> Vec<usize> {
    if let Some(name) = &check.scenario {
        return plan.scenarios.iter().position(|s| s.name == *name).into_iter().collect();
    }
    let of = |wanted: fn(&Work) -> bool| -> Vec<usize> {
        plan.scenarios.iter().enumerate().filter(|(_, s)| wanted(&s.work)).map(|(i, _)| i).collect()
    };
    match &check.ask {
        Ask::Reachable | Ask::Metadata => of(|w| matches!(w, Work::Connect(_))),
        Ask::HttpOk | Ask::NonEmpty | Ask::SeriesPresent => of(|w| matches!(w, Work::Metrics(_))),
        Ask::RoundtripOk => of(|w| matches!(w, Work::Roundtrip(_))),
        Ask::AllAcked { .. } => of(Work::is_acked),
        Ask::MetadataStable { .. } => of(|w| matches!(w, Work::Watch(_))),
        Ask::Continuity { .. } => of(|w| matches!(w, Work::Produce(_)) || reads(w)),
        Ask::ThroughputDrops { .. } | Ask::Recovers { .. } | Ask::Threshold { span: Some(_), .. } => {
            first_of([
                of(|w| matches!(w, Work::Produce(_))),
                of(|w| matches!(w, Work::Roundtrip(_))),
                of(reads),
            ])
        }
        ask => {
            let on_producers = matches!(ask, Ask::CountEquals { metric: Some(m), .. } | Ask::CountAtLeast { metric: Some(m), .. }
                if m.is_of_producers());
            let consumers =
                if ask.needs_ledger() { of(|w| matches!(w, Work::Consume(_))) } else { of(reads) };
            first_of([
                if on_producers { Vec::new() } else { consumers },
                of(|w| matches!(w, Work::Produce(_))),
                of(|w| matches!(w, Work::Roundtrip(_))),
            ])
        }
    }
}

/// A consumer of the file; what a reader of kaf6's own counts or how fast it is was not asked.
fn reads(work: &Work) -> bool {
    matches!(work, Work::Consume(_)) && !work.is_readback()
}

/// The first that holds anything.
fn first_of(lists: [Vec<usize>; 3]) -> Vec<usize> {
    lists.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// What passed under a fault that was not shown to have taken effect did not pass what the file wants.
fn doubt(answer: Answer, plan: &Plan, check: &CheckPlan, index: usize, unproven: &[Unproven]) -> Answer {
    if answer.outcome != Outcome::Pass {
        return answer;
    }
    let Some(fault) = unproven.iter().find(|fault| rests_on(plan, check, index, &fault.name)) else {
        return answer;
    };
    let message = if answer.message.is_empty() {
        fault.what.clone()
    } else {
        format!("{}; {}", fault.what, answer.message)
    };
    Answer { outcome: Outcome::Inconclusive, ..answer }.because(message)
}

/// A check of what was sent and read rests on every fault, since the file wants it to hold under all of them; one that only
/// asks whether somebody answers does where it waits for the fault.
fn rests_on(plan: &Plan, check: &CheckPlan, index: usize, fault: &str) -> bool {
    let scenario = &plan.scenarios[index];
    let only_asks = matches!(scenario.work, Work::Connect(_) | Work::Metrics(_));
    !only_asks || check.ask.fault() == Some(fault) || waits_for(plan, scenario.start.after.as_deref(), fault)
}

/// Whether `after`, or what that waits for in turn, is the fault.
fn waits_for<'a>(plan: &'a Plan, mut after: Option<&'a str>, fault: &str) -> bool {
    // The file has no circles; a bound costs nothing.
    for _ in 0..=plan.scenarios.len() + plan.faults.len() {
        let Some(name) = after else { return false };
        if name == fault {
            return true;
        }
        let starts = plan.scenarios.iter().map(|s| (&s.name, &s.start));
        let mut starts = starts.chain(plan.faults.iter().map(|f| (&f.name, &f.start)));
        after = starts.find(|(own, _)| *own == name).and_then(|(_, start)| start.after.as_deref());
    }
    false
}

/// Puts one check to one scenario.
fn answer(check: &CheckPlan, case: &Case<'_>) -> Answer {
    let Case { index, scenario, seen, .. } = *case;
    if scenario.ended.could_not_work()
        && !(check.ask.answers_for_the_unreachable() && scenario.ended != Ended::Skipped)
    {
        // Why it could not is the scenario's own message: once is enough.
        return Answer::new(Outcome::Inconclusive, expected_of(&check.ask), "nothing")
            .because(format!("scenario `{}` could not work", scenario.name));
    }
    let answer = match &check.ask {
        Ask::Reachable => connectivity::reachable(scenario),
        Ask::Metadata => connectivity::metadata(scenario),
        Ask::HttpOk => endpoint::http_ok(scenario),
        Ask::NonEmpty => endpoint::non_empty(scenario),
        Ask::SeriesPresent => endpoint::series_present(scenario),
        Ask::CountEquals { expected, metric } => counts::count_equals(scenario, *expected, *metric),
        Ask::CountAtLeast { expected, metric } => counts::count_at_least(scenario, *expected, *metric),
        Ask::UuidMatch => integrity::uuid_match(scenario),
        Ask::RoundtripOk => counts::roundtrip_ok(scenario),
        Ask::AllAcked { .. } => {
            Answer::new(Outcome::Inconclusive, expected_of(&check.ask), "nothing").because("not judged yet")
        }
        Ask::NoLoss => integrity::no_loss(index, scenario, seen),
        Ask::NoDuplicates { strict } => integrity::no_duplicates(index, scenario, seen, *strict),
        Ask::NoCorruption => integrity::no_corruption(index, scenario, seen),
        Ask::InOrder { strict } => integrity::in_order(index, scenario, seen, *strict),
        Ask::OffsetsMonotonic => integrity::offsets_monotonic(index, scenario, seen),
        Ask::Threshold { expr, span: None, .. } => threshold::threshold(index, scenario, seen, expr),
        Ask::Threshold { expr, span: Some(span), .. } => threshold::within(case, expr, span),
        Ask::ThroughputDrops { during, at_least } => {
            throughput_drops::throughput_drops(case, during, *at_least)
        }
        Ask::Recovers { after, within, tolerance } => recovers::recovers(case, after, *within, *tolerance),
        Ask::MetadataStable { allow, max_silence } => {
            metadata_stable::metadata_stable(case, allow, *max_silence)
        }
        Ask::Continuity { max_gap } => continuity::continuity(case, *max_gap),
    };
    soften(answer, &check.ask, scenario)
}

/// What a scenario did not get to do because it was cut short says nothing.
///
/// A failed upper bound stays failed: it was broken by what was seen.
fn soften(answer: Answer, ask: &Ask, scenario: &ScenarioSeen) -> Answer {
    if answer.outcome != Outcome::Fail || !scenario.ended.cut_short() {
        return answer;
    }
    let for_want_of_time = match ask {
        Ask::CountEquals { expected, metric } => counts::value(scenario, *metric) < *expected,
        Ask::CountAtLeast { .. }
        | Ask::RoundtripOk
        | Ask::SeriesPresent
        | Ask::NonEmpty
        | Ask::Reachable
        | Ask::Metadata
        | Ask::HttpOk => true,
        _ => answer.actual == "no data",
    };
    if for_want_of_time {
        let message = format!("cut short: scenario `{}` was {}", scenario.name, scenario.ended.name());
        return Answer { outcome: Outcome::Inconclusive, ..answer }.because(message);
    }
    answer
}

/// What a check wants, for those that could not be put.
fn expected_of(ask: &Ask) -> String {
    match ask {
        Ask::CountEquals { expected, .. } => expected.to_string(),
        Ask::CountAtLeast { expected, .. } => format!("at least {expected}"),
        Ask::Threshold { expr, .. } => expr.text.clone(),
        Ask::NoLoss => "0 lost".to_owned(),
        Ask::NoDuplicates { .. } => "0 duplicates".to_owned(),
        Ask::NoCorruption => "0 corrupt".to_owned(),
        Ask::InOrder { .. } => "0 reordered".to_owned(),
        Ask::OffsetsMonotonic => "0 nonmonotonic".to_owned(),
        Ask::ThroughputDrops { at_least, .. } => throughput_drops::expected(*at_least),
        Ask::Recovers { within, tolerance, .. } => recovers::expected(*within, *tolerance),
        Ask::MetadataStable { allow, max_silence } => metadata_stable::expected(allow, *max_silence),
        Ask::Continuity { max_gap } => continuity::expected(*max_gap),
        other => other.kind().replace('_', " "),
    }
}

/// Tries the checks with `abort` on what has been seen so far; the first that fails ends the run.
///
/// `elapsed` is the time since the run's zero.
pub fn to_abort(
    plan: &Plan,
    elapsed: std::time::Duration,
    live: impl Fn(usize) -> Option<crate::metrics::Snapshot>,
) -> Option<&CheckPlan> {
    plan.checks.iter().find(|check| {
        // A fault's part of the run can be judged once it is over.
        let Ask::Threshold { expr, abort: true, delay, span: None } = &check.ask else { return false };
        elapsed >= *delay
            && asked(plan, check).into_iter().any(|index| {
                live(index).is_some_and(|counts| {
                    threshold::fails_already(&plan.scenarios[index].work, &counts, expr)
                })
            })
    })
}
