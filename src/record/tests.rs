//! Tests of the status rule, with synthetic runs.

use std::path::Path;
use std::sync::Arc;

use super::account::{line, sentence, standing};
use super::{RunRecord, RunStatus};
use crate::anomaly::Anomaly;
use crate::checks::CheckOutcome;
use crate::ids::RunTag;
use crate::ledger::{Account, Accounts, Counts, Judgement, Markers, PartitionAccount, ScenarioAccount};
use crate::metrics::Snapshot;
use crate::observe::{EarlyEnd, Observations, PartitionSeen, ScenarioEnd, ScenarioSeen, TypeSeen};
use crate::plan::{self, CheckPlan, CheckSettings, Plan, ScenarioKind};
use crate::scenario::{LoadOptions, Position};

const FILE: &str = "
brokers: [a:1]
topics: [{name: t, partitions: 1}]
scenarios:
  write: {type: produce, topic: t, messages: 1000}
  read: {type: consume, topic: t}
  tail: {type: consume, topic: t, from: any}
  health: {type: metrics, url: 'http://a:2/metrics', every: 1s}
";

fn plan() -> Plan {
    let mut plan = plan::load_text(Path::new("x.yaml"), FILE, &LoadOptions::new(&|_| None)).unwrap();
    // One check that passes for any account.
    plan.checks = vec![CheckPlan {
        name: "some".to_owned(),
        ask: CheckSettings::CountAtLeast { expected: 1, metric: None },
        scenario: Some("write".to_owned()),
        implicit: false,
        position: Position { file: "x.yaml".into(), line: 1, column: 1 },
    }];
    plan
}

fn scenario(name: &str, kind: &str) -> ScenarioSeen {
    ScenarioSeen {
        name: name.to_owned(),
        kind: ScenarioKind::from_name(kind).expect("a kind"),
        ended: ScenarioEnd::Done,
        message: None,
        counts: Snapshot { sent: 1000, acked: 1000, received: 1000, records: 1000, ..Snapshot::default() },
        planned: None,
        open_loop: None,
        target_rate: None,
        span: Some((std::time::Duration::ZERO, std::time::Duration::from_secs(1))),
        of_type: TypeSeen::default(),
    }
}

/// The results of some messages.
type Change = fn(&mut Account);

/// 1,000 messages, changed by `change`.
fn account(change: impl Fn(&mut Account)) -> Account {
    let mut account =
        Account { planned: 1000, sent: 1000, acked: 1000, verified: 1000, ..Account::default() };
    change(&mut account);
    account
}

fn accounts(account: Account, markers: Markers) -> Accounts {
    let partition = PartitionAccount {
        topic: 0,
        partition: 0,
        account: Account { planned: 0, unsent: 0, permitted: 0, ..account },
    };
    let scenario = ScenarioAccount { scenario: 0, account, partitions: vec![partition] };
    Accounts { total: account, scenarios: vec![scenario], markers }
}

fn seen(account: Account) -> Observations {
    Observations {
        scenarios: vec![
            scenario("write", "produce"),
            scenario("read", "consume"),
            scenario("tail", "consume"),
            scenario("health", "metrics"),
        ],
        accounts: Some(accounts(account, Markers::default())),
        ..Observations::default()
    }
}

fn judged(seen: Observations) -> RunRecord {
    RunRecord::new("r".to_owned(), RunTag::from_bits(1), String::new(), Arc::new(plan()), seen)
}

fn verdict(seen: Observations) -> (RunStatus, String) {
    let record = judged(seen);
    (record.status, record.reason)
}

#[test]
fn a_run_passes_whose_checks_pass_and_whose_account_closes() {
    assert_eq!(verdict(seen(account(|_| {}))), (RunStatus::Pass, "1 check passed".to_owned()));
    let closed =
        account(|a| (a.verified, a.excluded, a.acked, a.failed, a.permitted) = (700, 298, 998, 2, 2));
    assert_eq!(verdict(seen(closed)).0, RunStatus::Pass);
    // If no scenario sends messages, there is no account to close.
    assert_eq!(verdict(Observations { accounts: None, ..seen(account(|_| {})) }).0, RunStatus::Pass);
}

#[test]
fn a_broken_promise_fails_the_run_though_no_check_failed() {
    for (name, count) in Account::BROKEN {
        let broken = account(|a| {
            a.verified = 997;
            match name {
                "lost" => a.lost = 3,
                "unreadable" => a.unreadable = 3,
                "skipped" => a.skipped = 3,
                "corrupt" => a.corrupt = 3,
                "misplaced" => a.misplaced = 3,
                _ => a.rewritten = 3,
            }
        });
        assert_eq!(count(&broken), 3, "{name}");
        assert_eq!(verdict(seen(broken)), (RunStatus::Fail, format!("the run has 3 {name} messages")));
    }
    let mut markers = seen(account(|_| {}));
    markers.accounts = Some(accounts(account(|_| {}), Markers { acked: 2, lost: 1, unread: 0 }));
    assert_eq!(verdict(markers), (RunStatus::Fail, "the run has 1 lost end marker".to_owned()));
}

#[test]
fn an_open_account_is_inconclusive_and_says_what_to_write() {
    let open = account(|a| (a.verified, a.unread, a.acked, a.failed) = (988, 10, 998, 2));
    assert_eq!(
        verdict(seen(open)),
        (
            RunStatus::Error,
            "12 of 1,000 planned messages are not accounted for: 10 unread, 2 failed (increase the reader's `timeout`, or set `verify: false` in `write`; set `allow: {failed: 1%}` in `all_acked`)"
                .to_owned()
        )
    );
    let cases: [(Change, &str); 7] = [
        (|a| a.unsent = 1, "(increase `timeout`, or send fewer messages, in `write`)"),
        (|a| (a.unknown, a.absent) = (1, 1), "(set `allow: {unknown: 1%}` in `all_acked`)"),
        (|a| a.expired = 1, "`verify: false` in `write`)"),
        (
            |a| a.superseded = 1,
            "(set `cleanup.policy: delete` in the topic's `config`, or `verify: false` in `write`)",
        ),
        (|a| a.unread = 1, "(increase the reader's `timeout`, or set `verify: false` in `write`)"),
        // No timeout brings back messages that are lost with their leader.
        (|a| (a.unread, a.dropped) = (1, 1), "(set `acks: all` or `verify: false` in `write`)"),
        (|a| a.unassigned = 1, "(set `audit: true` in `run`, or `verify: false` in `write`)"),
    ];
    for (change, end) in cases {
        let open = account(|a| {
            change(a);
            a.verified = 999;
            a.sent = 1000 - a.unsent;
            a.acked = a.sent - a.unknown;
        });
        let (status, reason) = verdict(seen(open));
        assert_eq!(status, RunStatus::Error, "{reason}");
        assert!(reason.starts_with("1 of 1,000 planned messages is not accounted for: 1 "), "{reason}");
        assert!(reason.ends_with(end), "{reason}");
    }
}

#[test]
fn the_allowance_to_write_is_enough_for_each_scenario() {
    let small = account(|a| (a.failed, a.acked, a.verified) = (1, 999, 999));
    let large =
        Account { planned: 100, sent: 100, failed: 50, acked: 50, verified: 50, ..Account::default() };
    let advice = |list: &[(&str, &Account)]| super::account::advice(list.iter().copied(), false);
    assert_eq!(advice(&[("a", &small), ("b", &large)]), ["set `allow: {failed: 50%}` in `all_acked`"]);
    assert_eq!(advice(&[("a", &small)]), ["set `allow: {failed: 1%}` in `all_acked`"]);
    // Permitted messages need no advice.
    assert_eq!(advice(&[("a", &Account { permitted: 1, ..small })]), Vec::<String>::new());
}

#[test]
fn the_embedded_broker_has_no_settings_to_write() {
    let expired = account(|a| (a.expired, a.verified) = (1, 999));
    let advice = super::account::advice([("write", &expired)], true).join("; ");
    assert!(
        advice.contains("the embedded broker keeps only 5 MiB") && !advice.contains("retention"),
        "{advice}"
    );
    let both = account(|a| (a.unread, a.dropped, a.verified) = (3, 1, 997));
    assert_eq!(super::account::advice([("write", &both)], false).len(), 2);
}

#[test]
fn a_scenario_that_ended_early_makes_the_run_inconclusive_unless_something_failed() {
    let ended = |index: usize, ended: ScenarioEnd| {
        let mut seen = seen(account(|_| {}));
        seen.scenarios[index].ended = ended;
        verdict(seen)
    };
    for index in [0, 1] {
        for early in [ScenarioEnd::Timeout, ScenarioEnd::Idle, ScenarioEnd::Fatal] {
            let (status, reason) = ended(index, early);
            assert_eq!(status, RunStatus::Error, "{index} {early:?}");
            let advice = ["(increase ", "(set ", "(reduce "];
            assert!(advice.iter().any(|it| reason.contains(it)), "{reason}");
        }
    }
    assert_eq!(
        ended(1, ScenarioEnd::Timeout),
        (RunStatus::Error, "scenario `read` timed out (increase its `timeout`)".to_owned())
    );
    // Records of other producers have no end, so a timeout is normal.
    assert_eq!(ended(2, ScenarioEnd::Timeout).0, RunStatus::Pass);
    assert_eq!(ended(2, ScenarioEnd::Idle).0, RunStatus::Pass);
    assert_eq!(ended(2, ScenarioEnd::Fatal).0, RunStatus::Error);
    // The run does not wait for this scenario.
    assert_eq!(ended(3, ScenarioEnd::Timeout).0, RunStatus::Pass);
    let mut broken = seen(account(|a| (a.verified, a.lost) = (999, 1)));
    broken.scenarios[0].ended = ScenarioEnd::Timeout;
    assert_eq!(verdict(broken).0, RunStatus::Fail);
}

#[test]
fn a_cut_run_is_inconclusive() {
    let cut = |cut: EarlyEnd| verdict(Observations { cut: Some(cut), ..seen(account(|_| {})) });
    assert_eq!(
        cut(EarlyEnd::Timeout),
        (RunStatus::Error, "the run timed out (increase `run.timeout`)".to_owned())
    );
    assert_eq!(cut(EarlyEnd::Signal("SIGTERM")).0, RunStatus::Error);
    let crashed =
        Observations { crashed: vec!["`broker.0` exited by itself".to_owned()], ..seen(account(|_| {})) };
    assert_eq!(verdict(crashed), (RunStatus::Error, "`broker.0` exited by itself".to_owned()));
}

#[test]
fn sums_that_do_not_add_up_are_a_bug_and_never_green() {
    let record = judged(seen(account(|a| a.acked = 999)));
    assert_eq!(record.status, RunStatus::Error);
    let bug = record.bug.unwrap();
    assert!(bug.contains("sent is 1000, acked + failed + unknown is 999"), "{bug}");
    assert!(record.reason.starts_with("kaf6 has a bug, please report it: "), "{}", record.reason);
    // The broken promises in such an account are not trusted.
    assert_eq!(judged(seen(account(|a| a.lost = 1))).status, RunStatus::Error);
}

#[test]
fn the_account_reads_well() {
    let words = |account: Account| {
        let none = Markers::default();
        (sentence(&account, none), line(&account, none), standing(&account, none))
    };
    assert_eq!(
        words(account(|_| {})),
        (
            "All 1,000 planned messages are accounted for: 1,000 verified".to_owned(),
            "1,000 planned, 1,000 verified".to_owned(),
            CheckOutcome::Pass
        )
    );
    assert_eq!(
        words(account(|a| (a.verified, a.unread, a.acked, a.failed) = (988, 10, 998, 2))),
        (
            "12 of 1,000 planned messages are not accounted for: 10 unread, 2 failed".to_owned(),
            "1,000 planned, 988 verified, 10 unread, 2 failed (not all accounted for)".to_owned(),
            CheckOutcome::Inconclusive
        )
    );
    let (text, short, broken) =
        words(account(|a| (a.verified, a.lost, a.acked, a.failed, a.permitted) = (992, 3, 995, 5, 2)));
    assert_eq!(
        text,
        "6 of 1,000 planned messages are not accounted for: 3 lost, 5 failed (2 of them permitted)"
    );
    assert!(
        short.ends_with("2 permitted, 3 lost, 5 failed (2 of them permitted) (promise broken)"),
        "{short}"
    );
    assert_eq!(broken, CheckOutcome::Fail);
    let markers = Markers { acked: 3, lost: 1, unread: 0 };
    assert_eq!(
        sentence(&account(|_| {}), markers),
        "All 1,000 planned messages are accounted for: 1,000 verified; 1 of 3 end markers is lost"
    );
    assert_eq!(standing(&account(|_| {}), markers), CheckOutcome::Fail);
    assert_eq!(sentence(&Account::default(), Markers::default()), "No messages were planned");
}

#[test]
fn what_lies_in_the_log_twice_fails_a_run_although_no_check_is_about_it() {
    let mut twice = seen(account(|_| {}));
    let counts = Counts { count: 3, ..Counts::default() };
    let judgement = Judgement { counts: [(Anomaly::Duplicate, counts)].into(), ..Judgement::default() };
    twice.partitions = vec![PartitionSeen { judgement: Some(judgement), ..PartitionSeen::default() }];
    let reason = "no check covers these anomalies in the log: 3 duplicate".to_owned();
    assert_eq!(verdict(twice.clone()), (RunStatus::Fail, reason));
    // Its check has seen no reader.
    let mut plan = plan();
    (plan.checks[0].ask, plan.checks[0].scenario) =
        (CheckSettings::NoDuplicates { strict: false }, Some("read".to_owned()));
    let open =
        RunRecord::new("r".to_owned(), RunTag::from_bits(1), String::new(), Arc::new(plan), twice.clone());
    assert_eq!(open.reason, "no conclusive check covers these anomalies in the log: 3 duplicate");
    assert_eq!(open.status, RunStatus::Fail);
    let explained = Counts { explained: 3, ..Counts::default() };
    if let Some(judgement) = twice.partitions[0].judgement.as_mut() {
        judgement.counts.insert(Anomaly::Duplicate, explained);
    }
    assert_eq!(verdict(twice).0, RunStatus::Pass);
}
