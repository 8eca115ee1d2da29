//! A run with faults, as the engine would observe it, through all later steps: checks, record, summary.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kaf6::anomaly::Anomaly;
use kaf6::ids::{RunTag, StreamId};
use kaf6::ledger::{
    Account, Accounts, Counts, Evidence, Judgement, Markers, Observer, PartitionAccount, ScenarioAccount,
    StreamInfo, Streams,
};
use kaf6::metrics::{ClientMetrics, Recorder, Snapshot};
use kaf6::observe::*;
use kaf6::plan::cluster::FaultTarget;
use kaf6::plan::{
    self, ActionPlan, Aspect, CheckKind, CheckPlan, CheckSettings, FaultKind, FaultPlan, Plan, ScenarioKind,
    ScenarioPlan, Start, WatchPlan, Work,
};
use kaf6::record::RunRecord;
use kaf6::report::summarize;
use kaf6::report::summary::{CheckOutcome, Summary};
use kaf6::scenario::{LoadOptions, Position};

/// The part of [`FILE`] that the plan is made of; the rest is put in by hand.
const PART: &str = "
brokers: [127.0.0.1:40112]
topics: [{name: orders, partitions: 2}]
scenarios:
  write: {type: produce, duration: 24s, rate: 200/s, value: {size: 1KiB}}
  read: {type: consume}
";

const FILE: &str = r#"name: durability
description: acked data survives the kill of a broker, and brokers join under load
topics: [{name: orders, partitions: 2}]
scenarios:
  write:  {type: produce, duration: 24s, rate: 200/s, value: {size: 1KiB}}
  read:   {type: consume}
  steady: {type: watch, every: 200ms}
cluster: {preset: tansu}
faults:
  bounce: {type: restart, target: broker, at: 8s, signal: KILL, down_for: 2s}
  grow:   {type: scale, target: broker, to: 3, at: 16s}
checks:
  - {name: stalls, type: throughput_drops, during: bounce, at_least: 50%}
  - {name: comes_back, type: recovers, after: bounce, within: 5s, tolerance: 10%}
  - {name: no_long_gap, type: continuity, max_gap: 2s}
  - {name: steady, type: metadata_stable, allow: [brokers]}
"#;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn position(line: usize) -> Position {
    Position { file: "examples/durability.yaml".into(), line, column: 3 }
}

fn check(name: &str, ask: CheckSettings, line: usize) -> CheckPlan {
    CheckPlan { name: name.to_owned(), ask, scenario: None, implicit: false, position: position(line) }
}

fn fault(name: &str, action: ActionPlan) -> FaultPlan {
    FaultPlan {
        name: name.to_owned(),
        start: Start::default(),
        length: None,
        timeout: ms(60_000),
        action,
        position: position(9),
    }
}

/// The plan of the file. Faults, and the checks that name them, are put in by hand.
fn plan() -> Plan {
    let options = LoadOptions::new(&|_| None);
    let mut plan = plan::load_text(Path::new("examples/durability.yaml"), PART, &options).unwrap();
    // What it says of an account is in its own tests.
    plan.checks.retain(|check| check.ask.kind() != CheckKind::AllAcked);
    plan.name = "durability".to_owned();
    plan.description =
        Some("acked data survives the kill of a broker, and brokers join under load".to_owned());
    plan.source.text = FILE.to_owned();
    plan.scenarios.push(ScenarioPlan {
        name: "steady".to_owned(),
        start: Start::default(),
        timeout: ms(60_000),
        brokers: None,
        work: Work::Watch(WatchPlan { every: ms(200), topics: Vec::new() }),
        position: position(7),
    });
    let target = FaultTarget { service: "broker".to_owned(), replica: None };
    let restart =
        ActionPlan::Restart { target, signal: "SIGKILL".to_owned(), down_for: ms(2000), image: None };
    plan.faults = vec![
        fault("bounce", restart),
        fault("grow", ActionPlan::Scale { service: "broker".to_owned(), to: 3 }),
    ];
    let drops = CheckSettings::ThroughputDrops { during: "bounce".to_owned(), at_least: 0.5 };
    let recovers = CheckSettings::Recovers { after: "bounce".to_owned(), within: ms(5000), tolerance: 0.1 };
    plan.checks.extend([
        check("stalls", drops, 13),
        check("comes_back", recovers, 14),
        check("no_long_gap", CheckSettings::Continuity { max_gap: ms(2000) }, 15),
        check(
            "steady",
            CheckSettings::MetadataStable { allow: vec![Aspect::Brokers], max_silence: ms(10_000) },
            16,
        ),
    ]);
    plan
}

/// 200/s, but for the time in which the broker is down and what was held up then comes at once.
fn load(first_ms: u64, total: u64) -> Snapshot {
    let metrics = ClientMetrics::default();
    let mut recorder = Recorder::new(&metrics);
    let mut events = Vec::new();
    for i in 0..total {
        let due = first_ms + i * 5;
        let at = if (8000..10_350).contains(&due) { 10_350 + (due - 8000) / 20 } else { due };
        let jitter = (i * 7919) % 900;
        let latency = (at - due) * 1000 + 1500 + jitter * 3;
        events.extend([(due * 1000, None), (at * 1000 + jitter, Some(latency))]);
    }
    events.sort_unstable();
    let mut open = 0;
    for (at, latency) in events {
        recorder.turn(at);
        open += 1;
        if let Some(latency) = latency {
            open -= 2;
            recorder.done(at, 1);
            recorder.latency(at, latency);
        }
        recorder.open(open);
        if open > 0 {
            metrics.waits(at);
        }
    }
    for at in [8_010, 8_120, 8_350, 8_800, 9_400] {
        recorder.error(at * 1000, "_TRANSPORT");
    }
    drop(recorder);
    Snapshot { bytes: total * 1024, ..metrics.snapshot() }
}

fn seen_scenario(name: &str, kind: &str, counts: Snapshot, end: u64) -> ScenarioSeen {
    ScenarioSeen {
        name: name.to_owned(),
        kind: ScenarioKind::from_name(kind).expect("a kind"),
        ended: ScenarioEnd::Done,
        message: None,
        counts,
        planned: None,
        open_loop: (kind == "produce").then_some(true),
        target_rate: (kind == "produce").then_some(200.0),
        span: Some((ms(2), ms(end))),
        of_type: TypeSeen::default(),
    }
}

fn piece(anomaly: Anomaly, partition: i32, offset: i64, seq: u64, detail: &str) -> Evidence {
    Evidence {
        anomaly,
        topic: 0,
        partition,
        observer: None,
        offset: Some(offset),
        other_offset: None,
        message: Some((StreamId(partition.unsigned_abs()), seq)),
        at_us: None,
        acked_us: None,
        retry_us: None,
        read_us: None,
        explained: false,
        detail: detail.to_owned(),
        ..Evidence::of(anomaly)
    }
}

fn reading(partition: i32) -> JudgedReading {
    let lost = |offset: i64, at: u64| Evidence {
        acked_us: Some((at, at + 90_000)),
        read_us: Some((at + 100_000, at + 200_000)),
        ..piece(
            Anomaly::Lost,
            1,
            offset,
            offset.unsigned_abs(),
            "it was read, and is gone at the audit; message 790 before it and message 800 after it were read",
        )
    };
    let twice = Evidence {
        other_offset: Some(800),
        explained: true,
        retry_us: Some(8_010_000),
        at_us: Some(10_420_000),
        ..piece(
            Anomaly::Duplicate,
            0,
            811,
            801,
            "the producer saw `Broker transport failure` at 8.010 s and resent its batch",
        )
    };
    let altered = Evidence {
        acked_us: Some((10_400_000, 10_500_000)),
        at_us: Some(10_500_000),
        ..piece(
            Anomaly::Corrupt,
            0,
            830,
            815,
            "key, value or headers differ from what was sent; its value begins with \
             6b 61 66 36 01 00 5f 0c 2a 9b 00 00 00 00 00 00 ...",
        )
    };
    let evidence = if partition == 1 {
        vec![lost(791, 7_900_000), lost(792, 7_910_000), lost(793, 7_910_000)]
    } else {
        vec![twice, altered]
    };
    let mut counts: BTreeMap<Anomaly, Counts> =
        Anomaly::ALL.into_iter().map(|anomaly| (anomaly, Counts::default())).collect();
    for piece in &evidence {
        let counts = counts.entry(piece.anomaly).or_default();
        if piece.explained { counts.explained += 1 } else { counts.count += 1 }
    }
    JudgedReading {
        scenario: 1,
        topic: 0,
        partition,
        received: 2400,
        foreign: 0,
        offsets: (Some(0), Some(2400)),
        reached_end_marker: true,
        resets: 0,
        wanted: 2400,
        unaudited: false,
        complete: true,
        incomplete_why: String::new(),
        judgement: Some(Judgement { counts, evidence }),
    }
}

fn container(replica: u32, ready: Option<u64>, last_lines: &[&str]) -> ContainerSeen {
    let service = if replica == 9 { "store" } else { "broker" };
    let replica = if replica == 9 { 0 } else { replica };
    ContainerSeen {
        service: service.to_owned(),
        replica,
        image: if service == "store" { "minio/minio:latest" } else { "local/tansu:dev" }.to_owned(),
        container: format!("kaf6-20260116-145402-7f3a-{service}-{replica}"),
        ready: ready.map(ms),
        log: Some(format!("logs/{service}.{replica}.log")),
        last_lines: last_lines.iter().map(|line| (*line).to_owned()).collect(),
    }
}

/// The account of it: in partition 1 three messages are lost, in partition 0 one is corrupt.
fn accounts() -> Accounts {
    let sent = Account { sent: 2400, acked: 2400, ..Account::default() };
    let rows = [Account { verified: 2399, corrupt: 1, ..sent }, Account { verified: 2397, lost: 3, ..sent }];
    let partitions: Vec<PartitionAccount> = (0..)
        .zip(rows)
        .map(|(partition, account)| PartitionAccount { topic: 0, partition, account })
        .collect();
    let mut account = Account { planned: 4800, ..Account::default() };
    rows.iter().for_each(|row| account.add(row));
    let scenarios = vec![ScenarioAccount { scenario: 0, account, partitions }];
    Accounts { total: account, scenarios, markers: Markers { acked: 2, lost: 0, unread: 0 } }
}

/// What was seen of it.
fn seen() -> Observations {
    let (sent, read) = (load(4, 4800), load(9, 4800));
    let write = seen_scenario("write", "produce", Snapshot { sent: 4800, acked: 4800, ..sent }, 24_010);
    let read = seen_scenario("read", "consume", Snapshot { received: 4800, records: 4801, ..read }, 24_600);
    let change = |at, aspect, partition, before: &str, after: &str| MetadataChange {
        at: ms(at),
        broker: "127.0.0.1:40112".to_owned(),
        aspect,
        topic: (aspect == Aspect::Leaders).then(|| "orders".to_owned()),
        partition,
        before: before.to_owned(),
        after: after.to_owned(),
    };
    let broker = |port: u16, asked, answered, first, error: Option<&str>| WatchedBroker {
        broker: format!("127.0.0.1:{port}"),
        asked,
        answered,
        first: Some(ms(first)),
        last: Some(ms(24_410)),
        last_error: error.map(str::to_owned),
        silences: Vec::new(),
    };
    let steady = ScenarioSeen {
        of_type: TypeSeen {
            watch: Some(WatchSeen {
                brokers: vec![
                    broker(40_112, 122, 111, 12, Some("connection refused")),
                    broker(40_113, 40, 40, 16_230, None),
                    broker(40_114, 39, 39, 16_410, None),
                ],
                changes: vec![
                    change(16_230, Aspect::Brokers, None, "0 at 127.0.0.1:40112", "0, 1 at 127.0.0.1:40113"),
                    change(16_410, Aspect::Brokers, None, "0, 1", "0, 1, 2 at 127.0.0.1:40114"),
                    change(16_610, Aspect::Leaders, Some(1), "0", "2"),
                ],
                ..WatchSeen::default()
            }),
            ..TypeSeen::default()
        },
        ..seen_scenario("steady", "watch", Snapshot::default(), 24_600)
    };
    let mut streams = Streams::default();
    let info =
        StreamInfo { scenario: 0, client: 0, topic: 0, partition: 0, has_uuid: false, roundtrip: false };
    streams.add(&info, [0, 1]);
    Observations {
        scenarios: vec![write, read, steady],
        readings: vec![reading(0), reading(1)],
        partitions: (0..2)
            .map(|partition| PartitionSeen {
                topic: 0,
                partition,
                acked: 2400,
                acked_offsets: Some((0, 2400)),
                end_marker: Some(2401),
                lost_markers: 0,
                retention: Retention::Settings,
                judgement: None,
            })
            .collect(),
        accounts: Some(accounts()),
        faults: vec![
            FaultSeen {
                name: "bounce".to_owned(),
                kind: FaultKind::Restart,
                target: "broker".to_owned(),
                span: Some((ms(8004), ms(10_112))),
                effect: None,
                settled: Some(ms(10_322)),
                effective: true,
                proof: "exit 137, new start time 2026-01-16T14:54:12.213Z, ready after 210 ms".to_owned(),
            },
            FaultSeen {
                name: "grow".to_owned(),
                kind: FaultKind::Scale,
                target: "broker".to_owned(),
                span: Some((ms(16_000), ms(16_390))),
                effect: None,
                settled: Some(ms(16_390)),
                effective: true,
                proof: "3 of 3 replicas ready".to_owned(),
            },
        ],
        containers: vec![
            container(9, Some(640), &["API: http://172.18.0.2:9000", "Status: 1 Online, 0 Offline."]),
            container(
                0,
                Some(310),
                &[
                    "INFO tansu_broker: listening on tcp://0.0.0.0:9092",
                    "WARN tansu_storage: slow put of orders/0000000001/00000000000000000791.batch: 1.2s",
                    "ERROR tansu_storage: object store: connection reset by peer (os error 104), while a batch of 3 records that had been acknowledged was still in memory",
                    "INFO tansu_broker: shutting down",
                ],
            ),
            container(1, Some(290), &["INFO tansu_broker: listening on tcp://0.0.0.0:9092"]),
            container(2, None, &["INFO tansu_broker: listening on tcp://0.0.0.0:9092"]),
        ],
        brokers: vec!["127.0.0.1:40112".to_owned()],
        topics: vec!["orders".to_owned()],
        streams,
        notes: vec![Note::hint("The broker answers a fetch at the end of a log with null records.")],
        duration: ms(24_610),
        setup: ms(3120),
        ..Observations::default()
    }
}

fn record(plan: Plan, seen: Observations) -> Summary {
    let record = RunRecord::new(
        "20260116-145402-7f3a".to_owned(),
        RunTag::from_bits(0x5f_0c2a_9b61),
        "2026-01-16T14:54:02.113Z".to_owned(),
        Arc::new(plan),
        seen,
    );
    summarize(&record)
}

/// A broker is killed and loses three acked messages; two more join, and a leader moves.
pub fn faulted() -> Summary {
    Summary { kaf6_version: "1.0.0".to_owned(), ..record(plan(), seen()) }
}

#[test]
fn the_summary_says_what_clients_felt_of_each_fault() {
    let run = faulted();
    let bounce = &run.faults[0];
    assert_eq!((bounce.started_ms, bounce.ended_ms), (Some(8004), Some(10_112)));
    // Acks up to 7.999 s and from 10.35 s on.
    assert_eq!((bounce.first_ack_ms, bounce.first_read_ms), (Some(238), Some(238)));
    let gap = bounce.longest_gap_ms.unwrap();
    assert!((2340..2360).contains(&gap), "{gap}");
    assert_eq!(bounce.lost, None, "two faults took effect: nobody knows which of them it was");
    let grow = &run.faults[1];
    assert_eq!((grow.first_ack_ms, grow.longest_gap_ms), (Some(0), None));
    assert_eq!(run.metadata_changes[2].aspect, "leaders");
    assert_eq!(run.watch["steady"].brokers[1].first_ms, Some(16_230));
    assert_eq!(run.containers[1].last_lines.len(), 4);
    let files: Vec<_> = run.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["logs/store.0.log", "logs/broker.0.log", "logs/broker.1.log", "logs/broker.2.log"]);
}

#[test]
fn checks_are_counted_as_they_are_listed() {
    let run = faulted();
    let rows = run.check_results.len();
    let failed = run.check_results.iter().filter(|row| row.result == CheckOutcome::Fail).count();
    assert!(rows > run.checks.len(), "some check has several answers");
    assert!(run.reason.starts_with(&format!("{failed} of {rows} checks failed")), "{}", run.reason);
    let outputs: BTreeMap<_, _> =
        kaf6::report::github::outputs(&[run], Path::new("reports")).into_iter().collect();
    assert_eq!(
        (&outputs["checks-total"], &outputs["checks-failed"]),
        (&rows.to_string(), &failed.to_string())
    );
}

#[test]
fn lost_messages_are_the_recovery_point_of_the_only_fault() {
    let mut seen = seen();
    seen.faults[1].effective = false;
    let run = record(plan(), seen);
    assert_eq!((run.faults[0].lost, run.faults[1].lost), (Some(3), None));
}

#[test]
fn faults_that_nobody_began_are_told() {
    let mut seen = seen();
    seen.faults.remove(1);
    let run = record(plan(), seen);
    assert_eq!((run.faults[1].name.as_str(), run.faults[1].effective), ("grow", false));
    assert_eq!(run.faults[1].started_ms, None);
}

#[test]
fn evidence_stands_beside_its_fault() {
    let run = faulted();
    let first = |anomaly: &str| run.anomalies[anomaly].evidence[0].clone();
    assert!(
        first("lost")
            .detail
            .starts_with("acked at 7.9 s, read at 8.0 s, gone after `bounce` or `grow`; it was read"),
        "{}",
        first("lost").detail
    );
    assert!(first("duplicate").detail.ends_with("resent its batch, during `bounce`"));
    assert_eq!(first("duplicate").faults, ["bounce"]);
    assert!(
        first("corrupt").detail.ends_with("; acked at 10.4 s, 0.29 s after `bounce`"),
        "{}",
        first("corrupt").detail
    );
}

/// The union over all observers is in the partitions: it counts, and what single readers saw does not.
#[test]
fn anomalies_are_those_of_the_partitions_with_who_saw_them() {
    let mut seen = seen();
    for (partition, observer) in [(0, Observer::Audit), (1, Observer::Recheck)] {
        let mut judgement = seen.readings[partition].judgement.clone().unwrap();
        judgement.evidence.iter_mut().for_each(|piece| piece.observer = Some(observer));
        judgement.counts.insert(Anomaly::Reordered, Counts { undecided: 1, ..Counts::default() });
        judgement.counts.insert(Anomaly::Unreadable, Counts { count: 2, ..Counts::default() });
        seen.partitions[partition].judgement = Some(judgement);
    }
    seen.readings[0]
        .judgement
        .as_mut()
        .unwrap()
        .counts
        .insert(Anomaly::Lost, Counts { count: 99, ..Counts::default() });
    let run = record(plan(), seen);
    assert_eq!(run.anomalies["lost"].count, Some(3));
    assert_eq!(run.anomalies["unreadable"].count, Some(4));
    let reordered = &run.anomalies["reordered"];
    assert_eq!((reordered.count, reordered.explained, reordered.undecided), (Some(0), Some(0), Some(2)));
    let by = |anomaly: &str| run.anomalies[anomaly].evidence[0].consumer.clone();
    assert_eq!((by("corrupt").as_deref(), by("lost").as_deref()), (Some("audit"), Some("recheck")));
}

#[test]
fn each_class_of_the_account_is_in_the_summary_by_its_name_and_in_order() {
    let bytes = kaf6::report::json::to_json(&faulted()).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let accounts = &value["accounts"];
    assert_eq!((&accounts["closed"], &accounts["total"]["lost"]), (&false.into(), &3.into()));
    assert_eq!(accounts["scenarios"]["write"]["partitions"][1]["lost"], 3);
    let text = String::from_utf8(bytes).unwrap();
    let names = |part: &str| -> Vec<String> {
        let names = part.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once('"'));
        names.map(|(name, _)| name.to_owned()).collect()
    };
    let part = |from: &str, to: &str| {
        let rest = text.split_once("\"accounts\": {").unwrap().1.split_once(from).unwrap().1;
        names(rest.split_once(to).unwrap().0)
    };
    let classes: Vec<&str> = Account::CLASSES.iter().map(|(name, _)| *name).collect();
    assert_eq!(part("\"total\": {", "}"), classes);
    assert_eq!(part("\"write\": {", ",\n        \"partitions\""), classes);
    let of_partition: Vec<&str> =
        classes.into_iter().filter(|it| !["planned", "unsent", "permitted"].contains(it)).collect();
    assert_eq!(part("\"partition\": 1,", "}"), of_partition);
}

#[test]
fn a_green_run_keeps_its_containers_words_to_their_logs() {
    let mut seen = seen();
    for reading in &mut seen.readings {
        let judgement = reading.judgement.as_mut().unwrap();
        judgement.evidence.clear();
        judgement.counts.values_mut().for_each(|counts| *counts = Counts::default());
    }
    let accounts = seen.accounts.as_mut().unwrap();
    let accounts = std::iter::once(&mut accounts.total).chain(accounts.scenarios.iter_mut().flat_map(|it| {
        std::iter::once(&mut it.account).chain(it.partitions.iter_mut().map(|it| &mut it.account))
    }));
    for account in accounts {
        *account = Account { verified: account.acked, lost: 0, corrupt: 0, ..*account };
    }
    let mut plan = plan();
    plan.checks.retain(|check| !matches!(check.name.as_str(), "no_long_gap" | "steady"));
    let run = record(plan, seen);
    assert_eq!(run.status, kaf6::report::summary::RunStatus::Pass, "{}", run.reason);
    assert!(run.containers.iter().all(|container| container.last_lines.is_empty()));
}
