//! The record of one run: its plan, what was seen, the answers to its checks, and the verdict made of them.
//!
//! All that reports are rendered from; holds nothing of the engine.

use std::sync::Arc;

use crate::checks::{self, CheckResult, Outcome};
use crate::ids::RunTag;
use crate::observe::{Cut, Observations};
use crate::plan::Plan;

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Each check passed.
    Pass,
    /// None failed, and something could not be judged.
    Error,
    /// A check failed.
    Fail,
}

/// One run, done.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Its id.
    pub run_id: String,
    /// Its messages' mark.
    pub run_tag: RunTag,
    /// When its work began, RFC 3339 in UTC with milliseconds.
    pub started_at: String,
    /// What was to be done.
    pub plan: Arc<Plan>,
    /// What was seen.
    pub seen: Observations,
    /// The answers, in the checks' order.
    pub results: Vec<CheckResult>,
    /// The verdict.
    pub status: Status,
    /// Why, in a sentence.
    pub reason: String,
}

impl RunRecord {
    /// Puts the checks to what was seen, and makes the record of it.
    pub fn new(
        run_id: String,
        run_tag: RunTag,
        started_at: String,
        plan: Arc<Plan>,
        seen: Observations,
    ) -> Self {
        let results = checks::evaluate(&plan, &seen);
        let (status, reason) = verdict(&plan, &results, &seen);
        Self { run_id, run_tag, started_at, plan, seen, results, status, reason }
    }
}

/// Any failed check fails the run; anything that could not be judged makes it an error; no check at all, too.
fn verdict(plan: &Plan, results: &[CheckResult], seen: &Observations) -> (Status, String) {
    let with = |outcome| results.iter().filter(move |r| r.answer.outcome() == outcome);
    // As the reports list them: a check that is put to several scenarios has an answer of each.
    let total = results.len();
    let failed: Vec<String> = with(Outcome::Fail).map(describe).collect();
    if !failed.is_empty() {
        let mut why = vec![format!("{} of {total} checks failed: {}", failed.len(), list(&failed))];
        why.extend(seen.crashed.iter().cloned());
        return (Status::Fail, why.join("; "));
    }
    let mut why = Vec::new();
    match &seen.cut {
        Some(Cut::Timeout) => why.push("the run's time bound came first".to_owned()),
        Some(Cut::Signal(name)) => why.push(format!("the run was stopped by {name}")),
        Some(Cut::Abort(check)) => why.push(format!("check `{check}` ended the run")),
        // What crashed is said below.
        Some(Cut::Crash) | None => {}
    }
    let idle = seen.scenarios.iter().filter(|s| s.ended.could_not_work());
    let idle: Vec<String> = idle
        .map(|s| {
            format!(
                "scenario `{}` could not work: {}",
                s.name,
                s.message.as_deref().unwrap_or("it never started")
            )
        })
        .collect();
    // Several scenarios mostly fail for one reason; the first says it.
    why.extend(idle.first().cloned());
    why.extend(seen.crashed.iter().cloned());
    let unproven = checks::unproven(plan, seen);
    why.extend(unproven.iter().map(checks::Unproven::reason));
    let open: Vec<String> = with(Outcome::Inconclusive).map(describe).collect();
    if !open.is_empty() && !unproven.is_empty() {
        // Most of them rest on the fault, and say so.
        why.push(format!("{} of {total} checks could not be judged", open.len()));
    } else if !open.is_empty() && idle.is_empty() {
        why.push(format!("{} of {total} checks could not be judged: {}", open.len(), list(&open)));
    }
    if results.is_empty() {
        why.push("the file has no check, so that there is nothing to judge".to_owned());
    }
    if why.is_empty() {
        let plural = if total == 1 { "check" } else { "checks" };
        return (Status::Pass, format!("{total} {plural} passed"));
    }
    (Status::Error, why.join("; "))
}

fn describe(result: &CheckResult) -> String {
    let answer = &result.answer;
    let detail = if answer.message().is_empty() {
        answer.actual().to_owned()
    } else {
        format!("{}, {}", answer.actual(), answer.message())
    };
    format!("{} ({detail})", result.check.name)
}

fn list(items: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = items.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    if items.len() > SHOWN {
        text = format!("{text}; and {} more", items.len() - SHOWN);
    }
    text
}
