//! The verdict on a run: passed, failed or inconclusive, with the reasons.
//!
//! Defines the status rule. A reason that is not a broken promise ends with what to change in the scenario
//! file.

use std::collections::BTreeSet;

use super::account::{advice, broken, sentence};
use super::status::RunStatus;
use crate::anomaly::Anomaly;
use crate::checks::{self, CheckOutcome, CheckResult};
use crate::kafka::remedy;
use crate::ledger::{Account, Accounts, Markers};
use crate::observe::{EarlyEnd, Observations, ScenarioEnd, ScenarioSeen};
use crate::plan::{CheckKind, From, Plan, ScenarioPlan, Target, Work};
use crate::units::{grouped, thousands};

/// Failed checks and broken promises fail the run. Everything that stays unknown makes it an error, and so
/// does a run without checks or messages to evaluate.
pub(super) fn verdict(
    plan: &Plan,
    results: &[CheckResult],
    seen: &Observations,
    bug: Option<&str>,
) -> (RunStatus, String) {
    let failures = failures(results, seen, bug.is_none());
    if !failures.is_empty() {
        let why = failures
            .into_iter()
            .chain(bug.map(bug_reason))
            .chain(seen.crashed.iter().chain(&seen.advertised).cloned());
        return (RunStatus::Fail, why.collect::<Vec<_>>().join("; "));
    }
    let why: Vec<String> = bug.map(bug_reason).into_iter().chain(doubts(plan, results, seen)).collect();
    if why.is_empty() {
        let plural = if results.len() == 1 { "check" } else { "checks" };
        return (RunStatus::Pass, format!("{} {plural} passed", results.len()));
    }
    (RunStatus::Error, why.join("; "))
}

fn bug_reason(bug: &str) -> String {
    format!("kaf6 has a bug, please report it: {bug}")
}

fn with(results: &[CheckResult], outcome: CheckOutcome) -> impl Iterator<Item = &CheckResult> {
    results.iter().filter(move |result| result.answer.outcome() == outcome)
}

/// The broken promises. If the account's sums do not match, it is not `trusted`.
fn failures(results: &[CheckResult], seen: &Observations, trusted: bool) -> Vec<String> {
    let failed: Vec<String> = with(results, CheckOutcome::Fail).map(describe).collect();
    let mut why = Vec::new();
    if !failed.is_empty() {
        // Reports list a check once per scenario, so this counts it the same way.
        why.push(format!("{} of {} checks failed: {}", failed.len(), results.len(), list(&failed)));
    }
    let kinds: Vec<CheckKind> =
        with(results, CheckOutcome::Fail).map(|result| result.check.ask.kind()).collect();
    let accounts = seen.accounts.as_ref().filter(|_| trusted);
    // What a failed check already reported is not repeated.
    let mut said = reported_by(&kinds);
    if let Some(text) = accounts.and_then(|accounts| broken(accounts, &said)) {
        why.push(text);
        said.extend(Account::BROKEN.iter().map(|(name, _)| *name));
    }
    let said = said.into_iter().chain(kinds.into_iter().flat_map(checks::anomalies_of).map(|a| a.name()));
    why.extend(unchecked(results, seen, &said.collect::<Vec<_>>()));
    why
}

/// Anomalies outside the account that no failed check reports: no check covers them, for example if only a round trip
/// reads what it wrote, or their check is inconclusive.
fn unchecked(results: &[CheckResult], seen: &Observations, said: &[&str]) -> Option<String> {
    let kinds =
        [CheckKind::NoDuplicates, CheckKind::InOrder, CheckKind::NoCorruption, CheckKind::OffsetsMonotonic];
    let anomalies = kinds.into_iter().flat_map(checks::anomalies_of).filter(|it| !said.contains(&it.name()));
    let count = |anomaly: &Anomaly| -> u64 {
        let judged = seen.partitions.iter().filter_map(|partition| partition.judgement.as_ref());
        judged.filter_map(|judgement| judgement.counts.get(anomaly)).map(|counts| counts.count).sum()
    };
    let found = anomalies.map(|anomaly| (anomaly.name(), count(anomaly))).filter(|(_, count)| *count > 0);
    let (names, found): (Vec<&str>, Vec<String>) =
        found.map(|(name, count)| (name, format!("{} {name}", thousands(count)))).unzip();
    let open = with(results, CheckOutcome::Inconclusive).map(|result| result.check.ask.kind());
    let is_open = open.flat_map(checks::anomalies_of).any(|anomaly| names.contains(&anomaly.name()));
    let no_check = if is_open { "no conclusive check" } else { "no check" };
    (!found.is_empty()).then(|| format!("{no_check} covers these anomalies in the log: {}", found.join(", ")))
}

/// The broken classes that failed checks of these kinds report.
fn reported_by(kinds: &[CheckKind]) -> Vec<&'static str> {
    let kinds = [CheckKind::NoLoss, CheckKind::NoCorruption].into_iter().filter(|kind| kinds.contains(kind));
    kinds.flat_map(checks::anomalies_of).map(|anomaly| anomaly.name()).collect()
}

/// What keeps a run without failures from passing.
fn doubts(plan: &Plan, results: &[CheckResult], seen: &Observations) -> Vec<String> {
    let mut why = Vec::new();
    match &seen.cut {
        Some(EarlyEnd::Timeout) => why.push("the run timed out (increase `run.timeout`)".to_owned()),
        Some(EarlyEnd::Signal(name)) => why.push(format!("the run was stopped by {name}")),
        Some(EarlyEnd::Abort(check)) => why.push(format!("check `{check}` aborted the run")),
        // Crashed containers are reported below.
        Some(EarlyEnd::Crash) | None => {}
    }
    let idle: Vec<String> = seen.scenarios.iter().filter(|s| s.ended.could_not_work()).map(idle).collect();
    // Several scenarios usually fail for the same reason, so the first one suffices.
    why.extend(idle.first().cloned());
    why.extend(seen.crashed.iter().chain(&seen.advertised).cloned());
    let pairs = plan.scenarios.iter().zip(&seen.scenarios);
    let (early, ends): (Vec<&str>, Vec<String>) =
        pairs.filter_map(|(plan, seen)| Some((seen.name.as_str(), early_end(plan, seen)?))).unzip();
    why.extend(ends);
    let unproven = checks::unproven(plan, seen);
    why.extend(unproven.iter().map(checks::Unproven::reason));
    // If a scenario could not run, its messages are missing for that reason.
    let account = seen.accounts.as_ref().filter(|_| idle.is_empty()).and_then(|them| open(plan, seen, them));
    let is_said = |result: &CheckResult| repeats(result, &early, account.is_some());
    let open: Vec<String> = with(results, CheckOutcome::Inconclusive)
        .map(|result| if is_said(result) { result.check.name.clone() } else { describe(result) })
        .collect();
    if account.is_some() {
        why.extend(account);
        why.extend(errors(seen));
    }
    let count = format!("{} of {} checks are inconclusive", open.len(), results.len());
    if !open.is_empty() && (!unproven.is_empty() || matches!(seen.cut, Some(EarlyEnd::Signal(_)))) {
        // Most of these depend on the fault or on the early end, and their messages say so.
        why.push(count);
    } else if !open.is_empty() && idle.is_empty() {
        why.push(format!("{count}: {}", list(&open)));
    }
    why.extend(pointless(plan, results));
    if results.is_empty() {
        why.push(
            "the file has no checks, so there is nothing to evaluate (add one under `checks`)".to_owned(),
        );
    }
    why
}

/// Broker errors that the user can do something about, once each.
fn errors(seen: &Observations) -> Vec<String> {
    let counts = seen.scenarios.iter().map(|scenario| &scenario.counts);
    let codes = counts.flat_map(|counts| counts.errors_by_code.keys().chain(counts.retries_by_code.keys()));
    let codes: BTreeSet<&String> = codes.collect();
    codes.into_iter().filter_map(|code| remedy(code)).collect()
}

/// Consumers of a topic that no scenario writes, for example because of a typo, if no check covers what they
/// read.
fn pointless(plan: &Plan, results: &[CheckResult]) -> impl Iterator<Item = String> {
    plan.scenarios.iter().filter_map(|scenario| {
        let Work::Consume(consume) = &scenario.work else { return None };
        let is_checked = results.iter().any(|result| result.scenario.as_ref() == Some(&scenario.name));
        (consume.nobody_writes && !is_checked).then(|| {
            format!(
                "no scenario in the file produces to `{}`, so `{}` verified nothing (fix the topic \
                name, or set `from: any` in `{}`)",
                consume.topic, scenario.name, scenario.name
            )
        })
    })
}

fn idle(scenario: &ScenarioSeen) -> String {
    let why = scenario.message.as_deref().unwrap_or("it never started");
    format!("scenario `{}` could not run: {why}", scenario.name)
}

/// Why a scenario that the run waits for ended early: its timeout, its idle timeout, or a fatal error of its
/// client.
fn early_end(plan: &ScenarioPlan, seen: &ScenarioSeen) -> Option<String> {
    if plan.is_background() {
        return None;
    }
    // Without a limit, a consumer of any records has no end, so a timeout is normal.
    let endless = matches!(&plan.work, Work::Consume(it) if it.from == From::Any && it.limit.is_none());
    let readback = matches!(&plan.work, Work::Consume(it) if it.readback);
    let (what, write) = match seen.ended {
        ScenarioEnd::Timeout | ScenarioEnd::Idle if endless => return None,
        ScenarioEnd::Timeout if readback => {
            ("timed out", "increase `run.timeout`, or set `verify: false` in its producers")
        }
        ScenarioEnd::Timeout => ("timed out", "increase its `timeout`"),
        ScenarioEnd::Idle if readback => (
            "received nothing for too long",
            "set `verify: false` in its \
        producers",
        ),
        ScenarioEnd::Idle => ("received nothing for too long", "increase its `idle_timeout`"),
        ScenarioEnd::Fatal if matches!(plan.work, Work::Produce(_)) => (
            "ended by a fatal client error",
            "set `idempotence: false` if the broker does not support idempotent producers",
        ),
        ScenarioEnd::Fatal => (
            "ended by a fatal client error",
            "reduce `messages` or `iterations` so that it ends before the error",
        ),
        _ => return None,
    };
    let detail = seen.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
    Some(format!("scenario `{}` {what}{detail} ({write})", seen.name))
}

/// The open account with what to change. `None` if it is closed. If the run ended early, other advice
/// applies.
fn open(plan: &Plan, seen: &Observations, accounts: &Accounts) -> Option<String> {
    if accounts.closes() {
        return None;
    }
    let named = accounts.scenarios.iter().filter_map(|scenario| {
        Some((plan.scenarios.get(scenario.scenario)?.name.as_str(), &scenario.account))
    });
    let named: Vec<(&str, &Account)> = named.collect();
    let advice =
        if seen.cut.is_some() { Vec::new() } else { advice(named, matches!(plan.target, Target::Embedded)) };
    let write = if advice.is_empty() { String::new() } else { format!(" ({})", advice.join("; ")) };
    let mut text = sentence(&accounts.total, Markers::default());
    // The text continues a sentence.
    text.get_mut(..1).map(str::make_ascii_lowercase);
    Some(format!("{text}{write}"))
}

fn describe(result: &CheckResult) -> String {
    let answer = &result.answer;
    // `1 corrupt` implies that none was expected.
    let detail = if answer.message().is_empty() && !answer.expected().starts_with("0 ") {
        format!("expected {}, got {}", grouped(answer.expected()), grouped(answer.actual()))
    } else if answer.message().is_empty() {
        grouped(answer.actual())
    } else {
        // Such as `3 lost of 4,800 acked messages`.
        let between = if answer.message().starts_with("of ") { " " } else { ", " };
        format!("{}{between}{}", grouped(answer.actual()), answer.message())
    };
    format!("{} ({detail})", result.check.name)
}

/// Whether a check's answer repeats what the reason already says: the open account, or the early end of a
/// scenario.
fn repeats(result: &CheckResult, early: &[&str], account_is_open: bool) -> bool {
    let of_account = matches!(result.check.ask.kind(), CheckKind::AllAcked | CheckKind::NoLoss);
    let message = result.answer.message();
    (account_is_open && of_account)
        || early.iter().any(|name| message.contains(&format!("scenario `{name}`")))
}

fn list(items: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = items.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    if items.len() > SHOWN {
        text = format!("{text}; and {} more", items.len() - SHOWN);
    }
    text
}
