//! Faults that are not proven to have taken effect, and the checks that depend on them.

use super::answer::{Answer, CheckOutcome, UnknownBecause};
use crate::observe::{FaultSeen, Observations};
use crate::plan::{FaultPlan, Plan};

/// A fault of the file that is not proven to have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    pub name: String,
    /// States that it never started, or is not proven to have taken effect.
    pub what: String,
    /// The reason, if known.
    pub why: String,
}

impl Unproven {
    /// Both as one text.
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

/// The faults without proof, in the file's order.
pub fn unproven(plan: &Plan, seen: &Observations) -> Vec<Unproven> {
    plan.faults.iter().filter_map(|fault| unproven_fault(fault, fault_seen(seen, &fault.name))).collect()
}

fn unproven_fault(fault: &FaultPlan, seen: Option<&FaultSeen>) -> Option<Unproven> {
    let verb = match seen {
        Some(seen) if seen.effective && seen.span.is_some() => return None,
        Some(FaultSeen { span: Some(_), .. }) => "has no proof that it took effect",
        _ => "never started",
    };
    Some(Unproven {
        name: fault.name.clone(),
        what: format!("fault `{}` {verb}", fault.name),
        why: seen.map(|seen| reason_of(&seen.proof).to_owned()).unwrap_or_default(),
    })
}

/// The reason in the proof of a fault that never started, without the statement that it never started.
pub fn reason_of(proof: &str) -> &str {
    let rest = proof.strip_prefix("it never started").unwrap_or(proof);
    rest.strip_prefix(": ").unwrap_or(rest)
}

pub(super) fn fault_seen<'a>(seen: &'a Observations, name: &str) -> Option<&'a FaultSeen> {
    seen.faults.iter().find(|fault| fault.name == name)
}

/// Makes a passing answer inconclusive if it depends on a fault without proof. `named` is the fault that the
/// check names.
pub(super) fn downgrade_if_unproven(
    answer: Answer,
    plan: &Plan,
    named: Option<&str>,
    index: usize,
    unproven: &[Unproven],
) -> Answer {
    if answer.outcome() != CheckOutcome::Pass {
        return answer;
    }
    match unproven.iter().find(|fault| rests_on(plan, named, index, &fault.name)) {
        Some(fault) => answer.unless(&fault.unknown()),
        None => answer,
    }
}

/// Whether a check depends on a fault. Checks of messages depend on every fault, because they must hold under
/// all of them. A check of reachability depends on a fault only if it names the fault or its scenario starts
/// after it.
fn rests_on(plan: &Plan, named: Option<&str>, index: usize, fault: &str) -> bool {
    let scenario = &plan.scenarios[index];
    !scenario.work.kind().attempts()
        || named == Some(fault)
        || starts_after(plan, scenario.start.after.as_deref(), fault)
}

/// Whether `after` is the fault, directly or indirectly.
fn starts_after<'a>(plan: &'a Plan, mut after: Option<&'a str>, fault: &str) -> bool {
    // The file has no cycles. The limit guarantees that the loop ends.
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
