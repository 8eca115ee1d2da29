//! Faults that were not shown to have taken effect, and the checks that rest on them.

use super::answer::{Answer, CheckAnswer, UnknownBecause};
use crate::observe::{FaultSeen, Observations};
use crate::plan::{FaultPlan, Plan, Work};

/// A fault of the file that was not shown to have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
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

    pub(super) fn unknown(&self) -> UnknownBecause {
        UnknownBecause::new(
            self.what.clone(),
            format!("see the proof of `{}` and change the fault", self.name),
        )
    }
}

/// The faults on which no check can rest, in the file's order.
pub fn unproven(plan: &Plan, seen: &Observations) -> Vec<Unproven> {
    plan.faults.iter().filter_map(|fault| unproven_fault(fault, fault_seen(seen, &fault.name))).collect()
}

fn unproven_fault(fault: &FaultPlan, seen: Option<&FaultSeen>) -> Option<Unproven> {
    let verb = match seen {
        Some(seen) if seen.effective && seen.span.is_some() => return None,
        Some(FaultSeen { span: Some(_), .. }) => "has no proof that it took effect",
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

pub(super) fn fault_seen<'a>(seen: &'a Observations, name: &str) -> Option<&'a FaultSeen> {
    seen.faults.iter().find(|fault| fault.name == name)
}

/// A pass that rests on a fault without proof is inconclusive. `named` is the fault that the check names.
pub(super) fn downgrade_if_unproven(
    answer: Answer,
    plan: &Plan,
    named: Option<&str>,
    index: usize,
    unproven: &[Unproven],
) -> Answer {
    if answer.outcome() != CheckAnswer::Pass {
        return answer;
    }
    match unproven.iter().find(|fault| rests_on(plan, named, index, &fault.name)) {
        Some(fault) => answer.unless(&fault.unknown()),
        None => answer,
    }
}

/// Checks of what was sent and read rest on every fault, since the file wants them to hold under all of them. One that only
/// asks whether something answers rests on a fault where it names it or starts after it.
fn rests_on(plan: &Plan, named: Option<&str>, index: usize, fault: &str) -> bool {
    let scenario = &plan.scenarios[index];
    let only_asks = matches!(scenario.work, Work::Connect(_) | Work::Metrics(_));
    !only_asks || named == Some(fault) || starts_after(plan, scenario.start.after.as_deref(), fault)
}

/// Whether `after`, or what that waits for in turn, is the fault.
fn starts_after<'a>(plan: &'a Plan, mut after: Option<&'a str>, fault: &str) -> bool {
    // The file has no circles; a limit costs nothing.
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
