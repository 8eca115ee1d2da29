//! Summaries as real runs would write them: one that passed, one that failed, one that is inconclusive, one of an hour, and
//! one with hostile content.

use indexmap::IndexMap;
use kaf6::anomaly::Anomaly;
use kaf6::report::summary::*;

/// Repeatable noise in 0..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((self.0 >> 40) as u32) / f64::from(1_u32 << 24)
    }
}

fn num(value: f64) -> Num {
    Num::new(value)
}

fn some(value: f64) -> Option<Num> {
    Some(num(value))
}

const SMOKE: &str = r#"profile: local-service
brokers:
  - localhost:39092

topics:
  - name: smoke
    partitions: 1

scenarios:
  producer:
    type: produce
    clients: 5
    messages: 1000
    rate: 50/s
    value:
      json:
        uuid: "{{uuid}}"
        ts: "{{now}}"

  consumer:
    type: consume
    clients: 1
    topic: smoke
    partition: 0
    offset: earliest
    limit: 1000

checks:
  - name: delivered_all
    type: count_equals
    expected: 1000
"#;

const DURABILITY: &str = r#"name: durability
description: acked data survives a broker restart
profile: local-service
brokers: [localhost:39092]
topics:
  - {name: orders, partitions: 3}
scenarios:
  write:
    type: produce
    messages: 3000
    rate: 150/s
    max_in_flight: 32MiB
    value: {size: 1KiB}
  read:
    type: consume
    from: run
    after: write
    timeout: 60s
  health:
    type: metrics
    url: http://localhost:39093/metrics
    contains: [kafscale_s3_health_state]
    every: 1s
cluster:
  attach: {broker: kafscale-broker-1}
faults:
  bounce: {type: restart, target: broker, when: "write.acked >= 900", signal: KILL, down_for: 2s}
checks:
  - {name: survives, type: no_loss, after: bounce}
  - {name: fast_enough, type: threshold, expr: "p95 < 5s", scenario: write}
  - {name: acked_all, type: count_equals, metric: acked, expected: 3000}
"#;

fn row(name: &str, kind: &str, result: CheckOutcome, expected: &str, actual: &str, line: usize) -> CheckRow {
    CheckRow {
        name: name.to_owned(),
        kind: kind.to_owned(),
        result,
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        message: String::new(),
        covers: String::new(),
        scenario: None,
        implicit: false,
        position: PositionSummary { file: String::new(), line, column: 5 },
    }
}

fn implicit(kind: &str, result: CheckOutcome, actual: &str, scenario: &str, line: usize) -> CheckRow {
    CheckRow {
        scenario: Some(scenario.to_owned()),
        implicit: true,
        ..row(kind, kind, result, "0", actual, line)
    }
}

fn anomalies(unmeasured: &[Anomaly]) -> IndexMap<String, AnomalySummary> {
    let of = |a: Anomaly| AnomalySummary {
        count: (!unmeasured.contains(&a)).then_some(0),
        explained: matches!(a, Anomaly::Duplicate | Anomaly::Reordered).then_some(0),
        undecided: None,
        evidence: Vec::new(),
    };
    Anomaly::ALL.iter().map(|&a| (a.name().to_owned(), of(a))).collect()
}

fn base(name: &str, path: &str, text: &str, status: RunStatus, reason: &str) -> Summary {
    Summary {
        schema_version: SCHEMA_VERSION,
        name: name.to_owned(),
        description: None,
        kaf6_version: "1.0.0".to_owned(),
        started_at: "2026-01-16T14:54:02.113Z".to_owned(),
        run_tag: "5f0c2a9b61".to_owned(),
        run_id: "20260116-145402-7f3a".to_owned(),
        profile: Some("local-service".to_owned()),
        brokers: vec!["localhost:39092".to_owned()],
        scenarios: IndexMap::new(),
        checks: IndexMap::new(),
        check_results: Vec::new(),
        accounts: None,
        throttling: None,
        anomalies: anomalies(&[Anomaly::Rewritten, Anomaly::Skipped]),
        faults: Vec::new(),
        timeline: TimelineSummary { bucket_ms: 100, series: IndexMap::new() },
        notes: Vec::new(),
        status,
        reason: reason.to_owned(),
        duration_ms: 19_990,
        setup_ms: 212,
        interrupted: None,
        source: SourceSummary { path: path.to_owned(), text: text.to_owned() },
        defaults: Vec::new(),
        histograms: IndexMap::new(),
        partitions: Vec::new(),
        connect: IndexMap::new(),
        metadata_changes: Vec::new(),
        watch: IndexMap::new(),
        containers: Vec::new(),
        metric_series: Vec::new(),
        files: Vec::new(),
    }
}

/// An account whose messages were all sent: so many acked, of which some ended otherwise than verified.
fn sent(acked: u64) -> AccountSummary {
    AccountSummary {
        planned: Some(acked),
        unsent: Some(0),
        permitted: Some(0),
        sent: acked,
        acked,
        verified: acked,
        ..AccountSummary::default()
    }
}

fn in_partition(topic: &str, partition: i32, account: AccountSummary) -> PartitionAccountSummary {
    let account = AccountSummary { planned: None, unsent: None, permitted: None, ..account };
    PartitionAccountSummary { topic: topic.to_owned(), partition, account }
}

/// The accounts of scenarios, the total last.
fn accounts(
    closed: bool,
    scenarios: Vec<(&str, AccountSummary, Vec<PartitionAccountSummary>)>,
    total: AccountSummary,
) -> AccountsSummary {
    let markers = scenarios.iter().map(|(.., partitions)| partitions.len() as u64).max().unwrap_or(0);
    let scenarios = scenarios
        .into_iter()
        .map(|(name, account, partitions)| (name.to_owned(), ScenarioAccountSummary { account, partitions }));
    let markers = Markers { acked: markers, lost: 0, unread: 0 };
    AccountsSummary { closed, total, markers, scenarios: scenarios.collect() }
}

/// Puts the rows into the summary, with their file, and the short map beside them.
fn set_checks(summary: &mut Summary, rows: Vec<CheckRow>) {
    for mut row in rows {
        row.position.file.clone_from(&summary.source.path);
        let short = summary.checks.entry(row.name.clone()).or_insert(CheckOutcome::Pass);
        *short = match (*short, row.result) {
            (CheckOutcome::Fail, _) | (_, CheckOutcome::Fail) => CheckOutcome::Fail,
            (CheckOutcome::Inconclusive, _) | (_, CheckOutcome::Inconclusive) => CheckOutcome::Inconclusive,
            _ => CheckOutcome::Pass,
        };
        summary.check_results.push(row);
    }
}

/// A log-normal-like histogram around `mid` milliseconds, with a tail.
fn histogram(total: u64, mid: f64, tail: f64, noise: &mut Noise) -> HistogramSummary {
    let mut out = HistogramSummary::default();
    let mut upper = mid / 4.0;
    let mut weights = Vec::new();
    while upper < tail {
        let d = (upper / mid).ln();
        let w = (-d * d * 3.0).exp() + 0.004 * (1.0 + noise.next()) * f64::from(u8::from(d > 0.0));
        weights.push((upper, w));
        upper *= 1.18;
    }
    let sum: f64 = weights.iter().map(|w| w.1).sum();
    for (upper, w) in weights {
        out.upper_ms.push(num(upper));
        out.count.push((total as f64 * w / sum).round() as u64);
    }
    out
}

fn latencies(s: &mut ScenarioSummary, p: [f64; 7], measured: u64) {
    s.p50_ms = some(p[0]);
    s.p90_ms = some(p[1]);
    s.p95_ms = some(p[2]);
    s.p99_ms = some(p[3]);
    s.p999_ms = some(p[4]);
    s.max_ms = some(p[5]);
    s.mean_ms = some(p[6]);
    s.measured = measured;
}

fn scenario(kind: &str, ended: &str, times: Option<(u64, u64)>) -> ScenarioSummary {
    ScenarioSummary {
        kind: kind.to_owned(),
        ended: ended.to_owned(),
        started_ms: times.map(|t| t.0),
        ended_ms: times.map(|t| t.1),
        ..ScenarioSummary::default()
    }
}

/// `rate` and `p95` in buckets while `alive` says so.
fn series(
    buckets: usize,
    bucket_ms: u64,
    noise: &mut Noise,
    alive: impl Fn(u64) -> Option<(f64, f64)>,
) -> SeriesSummary {
    let mut out = SeriesSummary::default();
    for i in 0..buckets {
        match alive(i as u64 * bucket_ms) {
            Some((rate, p95)) => {
                // Messages come whole, so a bucket's rate is a multiple of one message a bucket.
                let per = rate * bucket_ms as f64 / 1000.0;
                let whole = (per + (noise.next() - 0.5) * per.sqrt().min(2.0)).max(0.0).round();
                out.rate.push(num(whole * 1000.0 / bucket_ms as f64));
                out.p95_ms.push((whole > 0.0).then(|| num(p95 * (0.85 + 0.4 * noise.next()))));
            }
            None => {
                out.rate.push(num(0.0));
                out.p95_ms.push(None);
            }
        }
        out.errors.push(0);
    }
    out
}

/// The seed's run: 1000 messages at 50/s.
pub fn pass() -> Summary {
    let mut noise = Noise(1);
    let mut s = base(
        "smoke",
        "examples/smoke.yaml",
        SMOKE,
        RunStatus::Pass,
        "all 6 checks passed: each of 1,000 acknowledged messages was read back once, in order and unaltered",
    );
    let mut producer = ScenarioSummary {
        sent: Some(1000),
        acked: Some(1000),
        failed: Some(0),
        unknown: Some(0),
        planned: Some(1000),
        rate_per_s: some(50.0),
        target_rate_per_s: some(50.0),
        bytes: 90_000,
        late_p99_ms: some(0.2),
        open_loop: Some(true),
        ..scenario("produce", "done", Some((4, 19_984)))
    };
    latencies(&mut producer, [3.1, 8.0, 12.0, 15.2, 16.0, 16.4, 4.0], 1000);
    let mut consumer = ScenarioSummary {
        received: Some(1000),
        records: Some(1000),
        foreign: Some(0),
        planned: Some(1000),
        rate_per_s: some(50.0),
        bytes: 90_000,
        ..scenario("consume", "done", Some((4, 19_990)))
    };
    latencies(&mut consumer, [6.4, 13.1, 18.0, 21.4, 22.8, 23.1, 7.3], 1000);
    s.scenarios = IndexMap::from([("producer".to_owned(), producer), ("consumer".to_owned(), consumer)]);
    s.timeline.series = IndexMap::from([
        ("producer".to_owned(), series(200, 100, &mut noise, |_| Some((50.0, 9.0)))),
        ("consumer".to_owned(), series(200, 100, &mut noise, |_| Some((50.0, 14.0)))),
    ]);
    s.histograms = IndexMap::from([
        ("producer".to_owned(), histogram(1000, 3.1, 16.4, &mut noise)),
        ("consumer".to_owned(), histogram(1000, 6.4, 23.1, &mut noise)),
    ]);
    let mut rows = vec![row("delivered_all", "count_equals", CheckOutcome::Pass, "1000", "1000", 29)];
    rows[0].scenario = Some("consumer".to_owned());
    rows[0].covers = "1,000 acked messages in 1 partition".to_owned();
    for kind in ["no_loss", "no_duplicates", "no_corruption", "in_order", "offsets_monotonic"] {
        rows.push(implicit(kind, CheckOutcome::Pass, "0", "consumer", 20));
    }
    set_checks(&mut s, rows);
    let rows = vec![in_partition("smoke", 0, sent(1000))];
    s.accounts = Some(accounts(true, vec![("producer", sent(1000), rows)], sent(1000)));
    s.partitions = vec![PartitionSummary {
        topic: "smoke".to_owned(),
        partition: 0,
        acked: 1000,
        first_acked_offset: Some(0),
        last_acked_offset: Some(999),
        fence_offset: Some(1000),
        readers: vec![ReaderSummary {
            scenario: "consumer".to_owned(),
            received: 1000,
            foreign: 0,
            first_offset: Some(0),
            last_offset: Some(1000),
            reached_fence: true,
            resets: 0,
        }],
    }];
    s.notes = vec![Note {
        level: NoteLevel::Hint,
        text: "The broker does not offer InitProducerId: idempotence is off, and a retry may write twice."
            .to_owned(),
    }];
    s.defaults = [
        ("name", "smoke"),
        ("topics[0].replication_factor", "1"),
        ("scenarios.producer.topic", "smoke"),
        ("scenarios.producer.acks", "all"),
        ("scenarios.producer.max_in_flight", "32MiB"),
        ("scenarios.producer.timeout", "50s"),
        ("scenarios.consumer.idle_timeout", "15s"),
        ("run.seed", "0"),
        ("run.audit", "auto: if a fault ran, a broker went away or a log was truncated"),
    ]
    .map(|(field, value)| DefaultTaken { field: field.to_owned(), value: value.to_owned() })
    .into();
    s
}

pub fn lost(partition: i32, offset: i64, seq: u64, at_ms: u64) -> EvidenceRow {
    EvidenceRow {
        topic: "orders".to_owned(),
        partition,
        offset: Some(offset),
        identity: Some(format!("5f0c2a9b-6100-8{seq:03x}-8000-0000000{seq:05x}")),
        producer: Some("write".to_owned()),
        seq: Some(seq),
        consumer: Some("read".to_owned()),
        at_ms: Some(at_ms),
        detail: format!(
            "acked {} ms before `bounce`; offset {offset} now has the message with seq {}",
            8 + seq % 30,
            seq + 7
        ),
        ..EvidenceRow::default()
    }
}

/// A broker that lost three acknowledged messages when it was killed.
pub fn fail() -> Summary {
    let mut noise = Noise(7);
    let mut s = base(
        "durability",
        "examples/durability.yaml",
        DURABILITY,
        RunStatus::Fail,
        "2 of 8 checks failed: 3 of 3,000 acknowledged messages are not in the log after `bounce`, and 1 message \
         is there twice without a retry that explains it",
    );
    s.description = Some("acked data survives a broker restart".to_owned());
    s.duration_ms = 26_480;
    s.setup_ms = 1_840;
    let mut write = ScenarioSummary {
        sent: Some(3000),
        acked: Some(3000),
        failed: Some(0),
        unknown: Some(0),
        planned: Some(3000),
        errors: 14,
        errors_by_code: IndexMap::from([
            ("BrokerTransportFailure".to_owned(), 12),
            ("RequestTimedOut".to_owned(), 2),
        ]),
        rate_per_s: some(136.2),
        target_rate_per_s: some(150.0),
        bytes: 3_072_000,
        late_p99_ms: some(0.4),
        open_loop: Some(true),
        ..scenario("produce", "done", Some((4, 22_030)))
    };
    latencies(&mut write, [7.9, 1_412.0, 2_010.0, 2_290.0, 2_344.0, 2_351.2, 286.4], 3000);
    let mut read = ScenarioSummary {
        received: Some(2997),
        records: Some(3001),
        foreign: Some(42),
        planned: Some(3000),
        rate_per_s: some(704.0),
        bytes: 3_073_024,
        ..scenario("consume", "done", Some((22_031, 26_480)))
    };
    read.measured = 0;
    let health = ScenarioSummary {
        sent: Some(26),
        errors: 2,
        errors_by_code: IndexMap::from([("ConnectionRefused".to_owned(), 2)]),
        http_status: Some(200),
        ..scenario("metrics", "done", Some((0, 26_480)))
    };
    s.scenarios = IndexMap::from([
        ("write".to_owned(), write),
        ("read".to_owned(), read),
        ("health".to_owned(), health),
    ]);
    let writing = |t: u64| match t {
        0..6_000 | 8_900..22_030 => Some((150.0, 12.0)),
        8_300..8_900 => Some((860.0, 2_100.0)),
        _ => None,
    };
    let mut write_series = series(265, 100, &mut noise, writing);
    for i in 60..83 {
        write_series.errors[i] = u64::from(i % 2 == 0);
    }
    write_series.errors[61] = 2;
    let reading = |t: u64| (t > 22_100 && t < 26_400).then_some((704.0, 0.0));
    let mut read_series = series(265, 100, &mut noise, reading);
    read_series.p95_ms.iter_mut().for_each(|p| *p = None);
    s.timeline.series =
        IndexMap::from([("write".to_owned(), write_series), ("read".to_owned(), read_series)]);
    s.histograms = IndexMap::from([("write".to_owned(), histogram(3000, 7.9, 2_351.2, &mut noise))]);
    s.faults = vec![FaultSummary {
        name: "bounce".to_owned(),
        kind: "restart".to_owned(),
        target: "broker".to_owned(),
        started_ms: Some(6_004),
        ended_ms: Some(8_110),
        effective: true,
        proof: "exit 137, new start time".to_owned(),
        first_ack_ms: Some(240),
        first_read_ms: None,
        longest_gap_ms: Some(2_350),
        lost: Some(3),
    }];
    let mut rows = vec![
        CheckRow {
            message: "orders[1] offsets 301, 302 and 304 were acked before `bounce` and are gone after it"
                .to_owned(),
            scenario: Some("read".to_owned()),
            ..row("survives", "no_loss", CheckOutcome::Fail, "0 lost", "3 lost", 29)
        },
        CheckRow {
            scenario: Some("write".to_owned()),
            ..row("fast_enough", "threshold", CheckOutcome::Pass, "p95 < 5s", "2.01s", 30)
        },
        CheckRow {
            scenario: Some("write".to_owned()),
            ..row("acked_all", "count_equals", CheckOutcome::Pass, "3000", "3000", 31)
        },
        implicit("no_loss", CheckOutcome::Pass, "0", "read", 14),
        CheckRow {
            message: "orders[2]: one message at offsets 318 and 341, and its producer saw no retry"
                .to_owned(),
            ..implicit("no_duplicates", CheckOutcome::Fail, "1 (and 3 explained)", "read", 14)
        },
        implicit("no_corruption", CheckOutcome::Pass, "0", "read", 14),
        CheckRow {
            message: "the reader started over in orders[1], because the log was truncated".to_owned(),
            ..implicit("in_order", CheckOutcome::Inconclusive, "not measured in orders[1]", "read", 14)
        },
        implicit("offsets_monotonic", CheckOutcome::Pass, "0", "read", 14),
    ];
    rows.remove(3);
    rows.push(implicit("metadata", CheckOutcome::Pass, "3 partitions", "read", 6));
    rows.last_mut().unwrap().expected = "3 partitions".to_owned();
    set_checks(&mut s, rows);
    s.anomalies = anomalies(&[Anomaly::StaleEnd]);
    s.anomalies["lost"] = AnomalySummary {
        count: Some(3),
        explained: None,
        undecided: None,
        evidence: vec![lost(1, 301, 903, 25_104), lost(1, 302, 906, 25_104), lost(1, 304, 912, 25_105)],
    };
    let twice = |offset: i64, other: i64, seq: u64, explained: bool| EvidenceRow {
        other_offset: Some(other),
        explained: Some(explained),
        detail: if explained {
            "the producer saw `Broker transport failure` at 6.020 s and resent its batch, during `bounce`"
                .to_owned()
        } else {
            "the producer sent it once, or resent it only after an attempt that was not written".to_owned()
        },
        ..lost(2, offset, seq, 25_300)
    };
    s.anomalies["duplicate"] = AnomalySummary {
        count: Some(1),
        explained: Some(3),
        undecided: None,
        evidence: vec![
            twice(341, 318, 954, false),
            twice(330, 311, 933, true),
            twice(331, 312, 936, true),
            twice(332, 313, 939, true),
        ],
    };
    s.anomalies["foreign"].count = Some(42);
    let broken = |acked| AccountSummary { verified: acked - 3, lost: 3, ..sent(acked) };
    let rows = (0..3).map(|p| in_partition("orders", p, if p == 1 { broken(1000) } else { sent(1000) }));
    s.accounts = Some(accounts(false, vec![("write", broken(3000), rows.collect())], broken(3000)));
    s.scenarios["write"].position = Some(PositionSummary { file: s.source.path.clone(), line: 7, column: 3 });
    s.partitions = (0..3)
        .map(|p| PartitionSummary {
            topic: "orders".to_owned(),
            partition: p,
            acked: 1000,
            first_acked_offset: Some(14),
            last_acked_offset: Some(1013 + i64::from(p == 2) * 4),
            fence_offset: Some(1014 + i64::from(p == 2) * 4),
            readers: vec![ReaderSummary {
                scenario: "read".to_owned(),
                received: if p == 1 { 997 } else { 1000 },
                foreign: 14,
                first_offset: Some(0),
                last_offset: Some(1014 + i64::from(p == 2) * 4),
                reached_fence: true,
                resets: u64::from(p == 1),
            }],
        })
        .collect();
    s.metric_series = vec![MetricSeries {
        scenario: "health".to_owned(),
        name: "kafscale_s3_health_state{state=\"healthy\"}".to_owned(),
        at_ms: (0..27).filter(|i| !(6..9).contains(i)).map(|i| i * 1000 + 12).collect(),
        value: (0..27).filter(|i| !(6..9).contains(i)).map(|i| num(if i == 9 { 0.0 } else { 1.0 })).collect(),
    }];
    s.notes = vec![
        Note {
            level: NoteLevel::Warning,
            text: "The log of orders[1] was shorter after `bounce` than before it: its end went from 305 to 301."
                .to_owned(),
        },
        Note {
            level: NoteLevel::Hint,
            text: "The consumer started after the producer had ended, so its latency would be the age of old data \
                   and is not shown."
                .to_owned(),
        },
        Note {
            level: NoteLevel::Hint,
            text: "The broker answers a fetch at the end of a log with null records.".to_owned(),
        },
    ];
    s.files = vec![FileSummary {
        path: "logs/broker.log".to_owned(),
        about: "what the container `broker` wrote".to_owned(),
    }];
    s
}

const UNREACHABLE: &str = r"name: connectivity
brokers: [broker-0.kafka.example:9092, broker-1.kafka.example:9092]
topics: [{name: smoke, partitions: 6}]
scenarios:
  reach: {type: connect, timeout: 10s}
  write: {type: produce, messages: 100, after: reach}
  read: {type: consume, limit: 100, after: reach}
checks:
  - {name: all_there, type: count_equals, expected: 100}
";

/// Brokers out of reach.
pub fn error() -> Summary {
    let mut s = base(
        "connectivity",
        "examples/connectivity.yaml",
        UNREACHABLE,
        RunStatus::Error,
        "no broker could be reached within 10 s, so nothing was written and nothing could be judged",
    );
    s.profile = None;
    s.brokers = vec!["broker-0.kafka.example:9092".to_owned(), "broker-1.kafka.example:9092".to_owned()];
    s.duration_ms = 10_004;
    s.setup_ms = 0;
    let reach = ScenarioSummary {
        sent: Some(38),
        errors: 38,
        errors_by_code: IndexMap::from([
            ("connection refused".to_owned(), 19),
            ("name not found".to_owned(), 19),
        ]),
        message: Some("0 of 2 brokers answered".to_owned()),
        ..scenario("connect", "timeout", Some((0, 10_004)))
    };
    let skipped = |kind: &str| ScenarioSummary {
        planned: Some(100),
        message: Some("no broker was reached".to_owned()),
        ..scenario(kind, "skipped", None)
    };
    s.scenarios = IndexMap::from([
        ("reach".to_owned(), reach),
        ("write".to_owned(), ScenarioSummary { sent: Some(0), acked: Some(0), ..skipped("produce") }),
        ("read".to_owned(), ScenarioSummary { received: Some(0), ..skipped("consume") }),
    ]);
    let mut rows = vec![CheckRow {
        scenario: Some("read".to_owned()),
        message: "`read` was skipped: no broker was reached".to_owned(),
        ..row("all_there", "count_equals", CheckOutcome::Inconclusive, "100", "", 9)
    }];
    for kind in ["no_loss", "no_duplicates"] {
        rows.push(CheckRow {
            message: "`read` was skipped: no broker was reached".to_owned(),
            ..implicit(kind, CheckOutcome::Inconclusive, "", "read", 7)
        });
    }
    set_checks(&mut s, rows);
    let unsent = AccountSummary { planned: Some(100), unsent: Some(100), ..sent(0) };
    s.accounts = Some(accounts(false, vec![("write", unsent, Vec::new())], unsent));
    s.anomalies = anomalies(&Anomaly::ALL);
    for found in s.anomalies.values_mut() {
        found.explained = None;
    }
    let stage = |name: &str, ms: f64, error: Option<&str>| StageSummary {
        name: name.to_owned(),
        ms: num(ms),
        error: error.map(str::to_owned),
    };
    s.connect = IndexMap::from([(
        "reach".to_owned(),
        vec![
            BrokerConnect {
                broker: "broker-0.kafka.example:9092".to_owned(),
                reachable: false,
                attempts: 19,
                stages: vec![
                    stage("resolve", 3.2, None),
                    stage("tcp", 1.4, Some("connection refused (10.0.3.17:9092)")),
                ],
                apis: Vec::new(),
            },
            BrokerConnect {
                broker: "broker-1.kafka.example:9092".to_owned(),
                reachable: false,
                attempts: 19,
                stages: vec![stage("resolve", 41.0, Some("name not found"))],
                apis: Vec::new(),
            },
        ],
    )]);
    s.notes = vec![Note {
        level: NoteLevel::Error,
        text: "broker-0.kafka.example:9092 refuses connections: is the broker running, and is this its port?"
            .to_owned(),
    }];
    s
}

const APIS: [(i16, &str, i16, i16); 18] = [
    (0, "Produce", 0, 9),
    (1, "Fetch", 4, 13),
    (2, "ListOffsets", 0, 4),
    (3, "Metadata", 0, 12),
    (8, "OffsetCommit", 3, 3),
    (9, "OffsetFetch", 5, 5),
    (10, "FindCoordinator", 3, 3),
    (11, "JoinGroup", 4, 4),
    (12, "Heartbeat", 4, 4),
    (13, "LeaveGroup", 4, 4),
    (14, "SyncGroup", 4, 4),
    (15, "DescribeGroups", 5, 5),
    (16, "ListGroups", 5, 5),
    (18, "ApiVersions", 0, 4),
    (19, "CreateTopics", 0, 2),
    (20, "DeleteTopics", 0, 2),
    (32, "DescribeConfigs", 4, 4),
    (37, "CreatePartitions", 0, 3),
];

const VERIFY: &str = r"name: backlog
brokers: [localhost:39092]
topics: [{name: orders, partitions: 2}, {name: audit_log, partitions: 1}]
scenarios:
  write: {type: produce, topic: orders, messages: 800, rate: 100/s}
  log: {type: produce, topic: audit_log, messages: 200, verify: false}
  read: {type: consume, topic: orders, partition: 0, timeout: 8s}
";

/// An open account: a reader that timed out, two failed messages, and a reader that kaf6 added.
pub fn open() -> Summary {
    let mut s = base(
        "backlog",
        "examples/backlog.yaml",
        VERIFY,
        RunStatus::Error,
        "scenario `read` timed out (increase its `timeout`); 12 of 1,000 planned messages are not accounted for: \
         10 unread, 2 failed (increase the reader's `timeout`, or set `verify: false` in `write`; \
         set `allow: {failed: 1%}` in `all_acked`); 2 of 3 checks are inconclusive: all_acked; no_loss",
    );
    let at = |line| Some(PositionSummary { file: "examples/backlog.yaml".to_owned(), line, column: 3 });
    let write = |sent: u64, acked: u64, line| ScenarioSummary {
        sent: Some(sent),
        acked: Some(acked),
        failed: Some(sent - acked),
        unknown: Some(0),
        planned: Some(sent),
        errors: sent - acked,
        position: at(line),
        ..scenario("produce", "done", Some((2, 8_004)))
    };
    let read = |ended: &str, received: u64| ScenarioSummary {
        received: Some(received),
        records: Some(received),
        foreign: Some(0),
        ..scenario("consume", ended, Some((2, 8_002)))
    };
    s.scenarios = IndexMap::from([
        ("write".to_owned(), write(800, 798, 5)),
        ("log".to_owned(), write(200, 200, 6)),
        ("read".to_owned(), ScenarioSummary { position: at(7), ..read("timeout", 389) }),
        ("verify:orders".to_owned(), ScenarioSummary { implicit: true, ..read("done", 399) }),
    ]);
    let all = CheckRow {
        message: "2 of 800 planned messages were not acked; write `allow: {failed: 1%}`".to_owned(),
        ..implicit("all_acked", CheckOutcome::Inconclusive, "2 failed", "write", 5)
    };
    let loss = CheckRow {
        message: "`read` timed out".to_owned(),
        ..implicit("no_loss", CheckOutcome::Inconclusive, "10 unread", "read", 7)
    };
    set_checks(&mut s, vec![all, loss, implicit("in_order", CheckOutcome::Pass, "0", "read", 7)]);
    let unacked = |it: AccountSummary| AccountSummary { acked: it.sent - 2, failed: 2, ..it };
    let write = unacked(AccountSummary { verified: 788, unread: 10, ..sent(800) });
    let log = AccountSummary { verified: 0, excluded: 200, ..sent(200) };
    let total = unacked(AccountSummary { verified: 788, unread: 10, excluded: 200, ..sent(1000) });
    let rows = vec![
        in_partition("orders", 0, AccountSummary { verified: 389, unread: 10, ..sent(399) }),
        in_partition("orders", 1, unacked(AccountSummary { verified: 399, ..sent(401) })),
    ];
    let logged = vec![in_partition("audit_log", 0, log)];
    s.accounts = Some(accounts(false, vec![("write", write, rows), ("log", log, logged)], total));
    s
}

/// An hour, 256 partitions, four busy scenarios, 600 buckets.
pub fn big() -> Summary {
    let mut noise = Noise(99);
    let mut s = base(
        "soak",
        "soak/hour.yaml",
        &format!("# soaks the cluster for an hour\n{DURABILITY}"),
        RunStatus::Pass,
        "all 10 checks passed: each of 36,000,000 acknowledged messages was read back once, in order and unaltered",
    );
    s.brokers = (0..3).map(|i| format!("kafka-{i}.prod.example:9093")).collect();
    s.duration_ms = 3_601_200;
    s.timeline.bucket_ms = 6_030;
    let mut rows = Vec::new();
    for (name, kind, mid) in [
        ("orders_write", "produce", 4.0),
        ("orders_read", "consume", 9.0),
        ("events_write", "produce", 6.0),
        ("events_read", "consume", 12.0),
    ] {
        let n = 18_000_000;
        let write = kind == "produce";
        let mut one = ScenarioSummary {
            sent: write.then_some(n),
            acked: write.then_some(n),
            failed: write.then_some(0),
            unknown: write.then_some(0),
            received: (!write).then_some(n),
            records: (!write).then_some(n),
            foreign: (!write).then_some(0),
            planned: Some(n),
            rate_per_s: some(5000.0),
            target_rate_per_s: write.then(|| num(5000.0)),
            bytes: n * 1024,
            open_loop: write.then_some(true),
            ..scenario(kind, "done", Some((2, 3_600_900)))
        };
        latencies(&mut one, [mid, mid * 2.0, mid * 3.0, mid * 9.0, mid * 50.0, mid * 300.0, mid * 1.4], n);
        s.scenarios.insert(name.to_owned(), one);
        let stall = |t: u64| {
            let slow = (1_200_000..1_500_000).contains(&t);
            Some((if slow { 4_300.0 } else { 5_000.0 }, mid * if slow { 40.0 } else { 3.0 }))
        };
        s.timeline.series.insert(name.to_owned(), series(598, 6_030, &mut noise, stall));
        s.histograms.insert(name.to_owned(), histogram(n, mid, mid * 300.0, &mut noise));
        if !write {
            for kind in ["no_loss", "no_duplicates", "no_corruption", "in_order", "offsets_monotonic"] {
                rows.push(implicit(kind, CheckOutcome::Pass, "0", name, 14));
            }
        }
    }
    set_checks(&mut s, rows);
    s.faults = vec![
        FaultSummary {
            name: "slow".to_owned(),
            kind: "throttle".to_owned(),
            target: "broker -> store".to_owned(),
            started_ms: Some(1_200_000),
            ended_ms: Some(1_500_000),
            effective: true,
            proof: "the relay delayed 412,004 packets by 200 ms".to_owned(),
            first_ack_ms: Some(4),
            first_read_ms: Some(9),
            longest_gap_ms: Some(812),
            lost: Some(0),
        },
        FaultSummary {
            name: "grow".to_owned(),
            kind: "scale".to_owned(),
            target: "broker".to_owned(),
            started_ms: Some(2_400_000),
            ended_ms: Some(2_404_100),
            effective: false,
            proof: "the third broker never showed up in the metadata".to_owned(),
            first_ack_ms: None,
            first_read_ms: None,
            longest_gap_ms: None,
            lost: None,
        },
    ];
    s.partitions = (0..256)
        .map(|p| {
            let topic = if p < 128 { "orders" } else { "events" };
            let acked = 140_625;
            PartitionSummary {
                topic: topic.to_owned(),
                partition: p % 128,
                acked,
                first_acked_offset: Some(0),
                last_acked_offset: Some(140_624),
                fence_offset: Some(140_625),
                readers: vec![ReaderSummary {
                    scenario: format!("{topic}_read"),
                    received: acked,
                    foreign: 0,
                    first_offset: Some(0),
                    last_offset: Some(140_625),
                    reached_fence: true,
                    resets: 0,
                }],
            }
        })
        .collect();
    let rows = |topic: &str| (0..128).map(|p| in_partition(topic, p, sent(140_625))).collect();
    s.accounts = Some(accounts(
        true,
        vec![
            ("orders_write", sent(18_000_000), rows("orders")),
            ("events_write", sent(18_000_000), rows("events")),
        ],
        sent(36_000_000),
    ));
    s.metric_series = ["s3_latency_ms", "queue_depth"]
        .iter()
        .map(|name| MetricSeries {
            scenario: "health".to_owned(),
            name: (*name).to_owned(),
            at_ms: (0..3600).map(|i| i * 1000).collect(),
            value: (0..3600).map(|i| num(20.0 + 5.0 * (f64::from(i) / 90.0).sin() + noise.next())).collect(),
        })
        .collect();
    s.connect = IndexMap::from([(
        "reach".to_owned(),
        s.brokers
            .iter()
            .map(|broker| BrokerConnect {
                broker: broker.clone(),
                reachable: true,
                attempts: 1,
                stages: [
                    ("resolve", 0.8),
                    ("tcp", 0.4),
                    ("tls", 5.1),
                    ("api_versions", 1.2),
                    ("metadata", 2.4),
                ]
                .iter()
                .map(|&(name, ms)| StageSummary { name: name.to_owned(), ms: num(ms), error: None })
                .collect(),
                apis: APIS
                    .iter()
                    .map(|&(key, name, min, max)| ApiSummary { key, name: name.to_owned(), min, max })
                    .collect(),
            })
            .collect(),
    )]);
    s.containers = (0..12)
        .map(|replica| ContainerSummary {
            service: "broker".to_owned(),
            replica,
            image: "kafka:4".to_owned(),
            container: format!("kaf6-soak-broker-{replica}"),
            ready_ms: Some(900),
            log: Some(format!("logs/broker.{replica}.log")),
            last_lines: vec!["a long line ".repeat(80); 100],
        })
        .collect();
    s.metadata_changes =
        (0..3000).map(|i| leader("orders", i % 128, 2_400_310 + u64::from(i.unsigned_abs()))).collect();
    s
}

fn leader(topic: &str, partition: i32, at_ms: u64) -> MetadataChangeSummary {
    MetadataChangeSummary {
        at_ms,
        scenario: "steady".to_owned(),
        broker: "kafka-1.prod.example:9093".to_owned(),
        aspect: "leaders".to_owned(),
        topic: Some(topic.to_owned()),
        partition: Some(partition),
        before: "1".to_owned(),
        after: "2".to_owned(),
    }
}

/// Every text hostile, every number absurd, every list of another length than its neighbour.
pub fn hostile() -> Summary {
    const EVIL: &str =
        "</script></style></svg>--><img src=x onerror=alert(1)>\"'&\u{0}\u{1b}[31m\u{202e}\u{ffff}]]>";
    let mut s = fail();
    let evil = || EVIL.to_owned();
    s.name = evil();
    s.description = Some(evil());
    s.run_id = evil();
    s.profile = Some(evil());
    s.brokers = vec![evil()];
    s.reason = evil();
    s.started_at = evil();
    s.source = SourceSummary { path: evil(), text: format!("{EVIL}\n{EVIL}\r\n\n") };
    let mut odd = s.scenarios["write"].clone();
    odd.kind = evil();
    odd.ended = evil();
    odd.message = Some(evil());
    odd.errors = u64::MAX;
    odd.bytes = u64::MAX;
    odd.acked = Some(u64::MAX);
    odd.received = Some(u64::MAX);
    odd.max_ms = some(f64::MAX);
    odd.p50_ms = some(-4.0);
    odd.started_ms = Some(u64::MAX);
    odd.ended_ms = Some(0);
    odd.errors_by_code = IndexMap::from([(evil(), u64::MAX), ("b".to_owned(), u64::MAX)]);
    s.scenarios.insert(evil(), odd);
    for row in &mut s.check_results {
        row.message = evil();
        row.name = evil();
        row.kind = evil();
        row.expected = evil();
        row.actual = evil();
        row.covers = evil();
        row.position.line = usize::MAX;
    }
    s.checks = IndexMap::from([(evil(), CheckOutcome::Fail)]);
    for found in s.anomalies.values_mut() {
        found.count = Some(u64::MAX);
        found.explained = Some(u64::MAX);
        found.undecided = Some(u64::MAX);
        found.evidence.push(EvidenceRow {
            topic: evil(),
            offset: Some(i64::MIN),
            identity: Some(evil()),
            at_ms: Some(u64::MAX),
            detail: evil(),
            ..EvidenceRow::default()
        });
    }
    s.anomalies.insert(evil(), AnomalySummary::default());
    s.faults[0].name = evil();
    s.faults[0].proof = evil();
    s.faults[0].lost = Some(u64::MAX);
    s.faults[0].started_ms = Some(u64::MAX);
    s.faults[0].ended_ms = Some(1);
    s.timeline.bucket_ms = u64::MAX;
    s.timeline.series.insert(
        evil(),
        SeriesSummary {
            rate: vec![num(-1.0), num(f64::MAX), num(1e-300)],
            p95_ms: vec![None, some(f64::MAX)],
            errors: vec![u64::MAX; 5],
        },
    );
    s.histograms.insert(
        evil(),
        HistogramSummary {
            upper_ms: vec![num(-1.0), num(0.0), num(f64::MAX), num(3.0)],
            count: vec![u64::MAX, 0, u64::MAX],
        },
    );
    let odd = AccountSummary {
        planned: Some(u64::MAX),
        unsent: Some(u64::MAX),
        unknown: u64::MAX,
        found: u64::MAX,
        lost: u64::MAX,
        unread: u64::MAX,
        ..sent(u64::MAX)
    };
    let rows = vec![PartitionAccountSummary { topic: evil(), partition: i32::MIN, account: odd }];
    s.accounts = Some(accounts(true, vec![(EVIL, odd, rows)], odd));
    s.partitions[0].topic = evil();
    s.partitions[0].acked = u64::MAX;
    s.partitions[0].first_acked_offset = Some(i64::MIN);
    s.partitions[0].last_acked_offset = Some(i64::MAX);
    s.connect = error().connect;
    for broker in &mut s.connect["reach"] {
        broker.broker = evil();
        broker.stages[0].ms = num(f64::MAX);
        broker.stages[0].error = Some(evil());
    }
    s.metric_series[0].name = evil();
    s.metric_series[0].value.truncate(2);
    s.metric_series[0].at_ms[0] = u64::MAX;
    s.metadata_changes = vec![MetadataChangeSummary {
        at_ms: u64::MAX,
        scenario: evil(),
        broker: evil(),
        aspect: evil(),
        topic: Some(evil()),
        partition: Some(i32::MIN),
        before: evil(),
        after: evil(),
    }];
    let odd = WatchedBrokerSummary { broker: evil(), error: Some(evil()), ..WatchedBrokerSummary::default() };
    s.watch = IndexMap::from([(evil(), WatchSummary { brokers: vec![odd], more_changes: u64::MAX })]);
    s.containers = vec![ContainerSummary {
        service: evil(),
        replica: u32::MAX,
        image: evil(),
        container: evil(),
        ready_ms: Some(u64::MAX),
        log: Some("javascript:alert(1)".to_owned()),
        last_lines: vec![evil(); 1000],
    }];
    s.notes[0].text = evil();
    s.files[0].path = "javascript:alert(1)".to_owned();
    s.interrupted = Some(evil());
    s
}
