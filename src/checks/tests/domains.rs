//! Tests what checks cover: they pass only if everything was observed, and fail only because of a broken
//! promise.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::loads::{Message, counted};
use super::*;
use crate::checks::anomalies_of;
use crate::checks::check_of;
use crate::checks::permitted;
use crate::ledger::{Account, Accounts, Markers, PartitionAccount, ScenarioAccount};
use crate::observe::{BrokerSeen, EarlyEnd, PartitionSeen, Retention, ScrapeSeen, SeriesSeen};
use crate::plan::{AllowedShares, CheckKind, CountMetric};

const ALL_ACKED: CheckSettings =
    CheckSettings::AllAcked { allow: AllowedShares { failed: 0.0, unknown: 0.0 } };

fn on_messages() -> [CheckSettings; 5] {
    [
        CheckSettings::NoLoss,
        CheckSettings::NoDuplicates { strict: false },
        CheckSettings::NoCorruption,
        CheckSettings::InOrder { strict: false },
        CheckSettings::OffsetsMonotonic,
    ]
}

fn one_of_each() -> Vec<CheckSettings> {
    let expr =
        ThresholdExpr { metric: Metric::P99, op: Op::Less, value: 1e6, text: "p99 < 1000s".to_owned() };
    let mut all = vec![
        CheckSettings::Reachable,
        CheckSettings::Metadata,
        CheckSettings::HttpOk,
        CheckSettings::NonEmpty,
        CheckSettings::SeriesPresent,
        CheckSettings::CountEquals { expected: 3000, metric: None },
        CheckSettings::CountAtLeast { expected: 3000, metric: None },
        CheckSettings::UuidMatch,
        CheckSettings::RoundtripOk,
        ALL_ACKED,
        CheckSettings::Threshold { expr, abort: false, delay: ms(0), span: None },
        drops(0.0),
        recovers(1000, 0.1),
        CheckSettings::MetadataStable { allow: Vec::new(), max_silence: ms(1000) },
        CheckSettings::Continuity { max_gap: ms(1000) },
        CheckSettings::NoStaleEnd,
        CheckSettings::LogOffsetsMonotonic,
    ];
    all.extend(on_messages());
    all
}

fn judgement(counts: &[(Anomaly, u64)]) -> Judgement {
    let mut all: std::collections::BTreeMap<Anomaly, Counts> =
        Anomaly::ALL.into_iter().map(|anomaly| (anomaly, Counts::default())).collect();
    all.extend(
        counts.iter().map(|(anomaly, count)| (*anomaly, Counts { count: *count, ..Counts::default() })),
    );
    Judgement { counts: all, evidence: Vec::new() }
}

/// `read` read partition 0 of topic 0 to its end, and `write` wrote 3,000 messages to it.
fn whole() -> Observations {
    let mut seen = world(10);
    seen.readings = vec![complete_reading()];
    account(
        &mut seen,
        Account { planned: 3000, sent: 3000, acked: 3000, verified: 3000, ..Account::default() },
    );
    seen
}

/// Sets the account of `write`.
fn account(seen: &mut Observations, account: Account) {
    let partition = Account { planned: 0, unsent: 0, permitted: 0, ..account };
    let partitions = vec![PartitionAccount { topic: 0, partition: 0, account: partition }];
    let scenarios = vec![ScenarioAccount { scenario: 0, account, partitions }];
    seen.accounts =
        Some(Accounts { total: account, scenarios, markers: Markers { acked: 1, lost: 0, unread: 0 } });
}

fn reader(ask_it: &CheckSettings, seen: &Observations) -> Answer {
    ask(ask_it.clone(), Some("read"), seen).answer
}

/// The reader found these, and the account has the same numbers.
fn found(counts: &[(Anomaly, u64)]) -> Observations {
    let mut seen = whole();
    seen.readings[0].judgement = Some(judgement(counts));
    seen
}

#[test]
fn the_list_has_each_kind_under_its_name() {
    for ask in one_of_each() {
        let about = anomalies_of(ask.kind());
        let on_log = matches!(
            ask,
            CheckSettings::UuidMatch
                | CheckSettings::Continuity { .. }
                | CheckSettings::NoStaleEnd
                | CheckSettings::NoLoss
                | CheckSettings::NoDuplicates { .. }
                | CheckSettings::NoCorruption
        ) || matches!(ask, CheckSettings::InOrder { .. } | CheckSettings::OffsetsMonotonic);
        assert_eq!(!about.is_empty(), on_log, "{}", ask.kind());
        assert!(!check_of(&ask).expected().is_empty(), "{}", ask.kind());
    }
    assert_eq!(anomalies_of(CheckKind::InOrder), [Anomaly::Reordered, Anomaly::Overtaken]);
}

#[test]
fn what_is_whole_passes_and_says_what_it_covers() {
    let seen = whole();
    for it in on_messages() {
        let good = reader(&it, &seen);
        assert_eq!(good.outcome(), CheckOutcome::Pass, "{good:?}");
        assert_eq!(good.covers(), "3,000 acked messages in 1 partition");
    }
    let acked = ask(ALL_ACKED, None, &seen);
    assert_eq!(
        (acked.answer.outcome(), acked.answer.covers()),
        (CheckOutcome::Pass, "3,000 planned messages")
    );
    assert_eq!(acked.scenario.as_deref(), Some("write"));
    let gap = answer(CheckSettings::Continuity { max_gap: ms(200) }, &seen);
    assert_eq!((gap.outcome(), gap.covers()), (CheckOutcome::Pass, "`write`, 0.000 s to 30.000 s"));
}

#[test]
fn a_reader_that_stopped_half_way_passes_nothing() {
    let mut seen = whole();
    seen.readings[0].complete = false;
    seen.readings[0].incomplete_why = "no record from offset 400 on".to_owned();
    let anomaly = |anomaly| threshold(Metric::Anomaly(anomaly), Op::Equal, 0.0, None);
    let thresholds = [Anomaly::Lost, Anomaly::Duplicate, Anomaly::Corrupt].map(anomaly);
    for it in on_messages().into_iter().chain(thresholds) {
        let open = reader(&it, &seen);
        assert_eq!(open.outcome(), CheckOutcome::Inconclusive, "{open:?}");
        let why = "`read` did not read all expected messages: no record from offset 400 on; \
                   increase `timeout` and `idle_timeout` of `read`";
        assert!(open.message().ends_with(why), "{open:?}");
    }
    seen.readings[0].judgement = Some(judgement(&[(Anomaly::Unread, 7)]));
    let open = reader(&CheckSettings::NoLoss, &seen);
    assert_eq!((open.outcome(), open.actual()), (CheckOutcome::Inconclusive, "7 unread"));
    let unread = reader(&anomaly(Anomaly::Unread), &seen);
    assert_eq!((unread.outcome(), unread.actual()), (CheckOutcome::Inconclusive, "7"));
    // The advice depends on what ended the scenario.
    let advice = |ended, cut| {
        let mut seen = whole();
        seen.readings[0].complete = false;
        (seen.scenarios[1].ended, seen.cut) = (ended, cut);
        reader(&CheckSettings::NoDuplicates { strict: false }, &seen).message().to_owned()
    };
    let cut = advice(ScenarioEnd::Aborted, Some(EarlyEnd::Timeout));
    assert!(cut.ends_with("increase `run.timeout`"), "{cut}");
    let cut = advice(ScenarioEnd::Interrupted, Some(EarlyEnd::Signal("SIGINT")));
    assert!(cut.ends_with("let the run finish"), "{cut}");
    // What it found in its half is kept.
    seen.readings[0].judgement = Some(judgement(&[(Anomaly::Unread, 7), (Anomaly::Lost, 1)]));
    let lost = reader(&CheckSettings::NoLoss, &seen);
    assert_eq!((lost.outcome(), lost.actual()), (CheckOutcome::Fail, "1 lost, 7 unread"));
    assert_eq!(reader(&anomaly(Anomaly::Lost), &seen).outcome(), CheckOutcome::Fail);
    // The audit found some of the messages lost that the reader did not reach. The check and the account give
    // the same number.
    let mut audited = seen.clone();
    let total = audited.accounts.as_ref().unwrap().total;
    account(&mut audited, Account { lost: 5, verified: total.verified - 5, ..total });
    assert_eq!(reader(&CheckSettings::NoLoss, &audited).actual(), "5 lost, 3 unread");
    assert_eq!(
        reader(&threshold(Metric::Anomaly(Anomaly::Lost), Op::Greater, 1.0, None), &seen).outcome(),
        CheckOutcome::Inconclusive
    );
}

#[test]
fn no_loss_counts_what_is_lost_skipped_and_unreadable() {
    let of = |counts: &[(Anomaly, u64)]| reader(&CheckSettings::NoLoss, &found(counts));
    let bad = of(&[(Anomaly::Lost, 2), (Anomaly::Skipped, 3), (Anomaly::Unreadable, 4)]);
    assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "2 lost, 3 skipped, 4 unreadable"));
    assert_eq!(
        (bad.message(), bad.covers()),
        ("of 3,000 acked messages", "3,000 acked messages in 1 partition")
    );
    assert_eq!(of(&[(Anomaly::Unreadable, 4)]).actual(), "0 lost, 4 unreadable");
    // An end marker counts as lost and is named as such. One in another partition does not concern this
    // reader.
    let marker = |partition| PartitionSeen { partition, lost_markers: 1, ..PartitionSeen::default() };
    let mut seen = found(&[(Anomaly::Lost, 1)]);
    seen.partitions = vec![marker(0)];
    let own = reader(&CheckSettings::NoLoss, &seen);
    assert_eq!((own.outcome(), own.actual()), (CheckOutcome::Fail, "0 lost, 1 end marker lost"));
    let mut seen = whole();
    seen.partitions = vec![marker(1)];
    assert_eq!(reader(&CheckSettings::NoLoss, &seen).outcome(), CheckOutcome::Pass);
}

#[test]
fn what_a_retry_may_explain_is_open_unless_the_check_is_strict() {
    let mut seen = whole();
    let counts = Counts { undecided: 3, ..Counts::default() };
    let repeats = [Anomaly::Duplicate, Anomaly::Reordered];
    seen.readings[0].judgement.as_mut().unwrap().counts.extend(repeats.map(|anomaly| (anomaly, counts)));
    for (it, strict) in [
        (CheckSettings::NoDuplicates { strict: false }, CheckSettings::NoDuplicates { strict: true }),
        (CheckSettings::InOrder { strict: false }, CheckSettings::InOrder { strict: true }),
    ] {
        let open = reader(&it, &seen);
        assert_eq!(open.outcome(), CheckOutcome::Inconclusive);
        assert!(open.message().contains("a retry may explain"), "{open:?}");
        assert_eq!(reader(&strict, &seen).outcome(), CheckOutcome::Fail);
    }
    let none = threshold(Metric::Anomaly(Anomaly::Duplicate), Op::Equal, 0.0, None);
    assert_eq!(reader(&none, &seen).outcome(), CheckOutcome::Inconclusive);
}

#[test]
fn what_retention_or_compaction_removed_leaves_no_loss_open() {
    let mut seen = whole();
    let rest = Account { planned: 3000, sent: 3000, acked: 3000, verified: 2990, ..Account::default() };
    account(&mut seen, Account { expired: 10, ..rest });
    let expired = reader(&CheckSettings::NoLoss, &seen);
    assert_eq!(expired.outcome(), CheckOutcome::Inconclusive);
    assert!(expired.message().contains("10 acked messages were removed by retention"), "{expired:?}");
    assert!(
        expired.message().ends_with("increase `retention.ms` and `retention.bytes` in the topic's `config`")
    );
    seen.partitions = vec![PartitionSeen::default()];
    for (retention, unclear, what, write) in [
        (Retention::Embedded, 0, "the embedded broker keeps only the newest 5 MiB", "use a real broker"),
        (Retention::Unknown, 10, "the topic's settings are unknown", "in the producer"),
        (Retention::Settings, 10, "may have removed them", "if it is compacted"),
        (Retention::Settings, 4, "6 acked messages were removed by retention", "`config`"),
    ] {
        seen.partitions[0].retention = retention;
        account(&mut seen, Account { expired: 10, unclear, ..rest });
        let open = reader(&CheckSettings::NoLoss, &seen);
        assert_eq!(open.outcome(), CheckOutcome::Inconclusive);
        assert!(open.message().contains(what) && open.message().ends_with(write), "{open:?}");
    }
    account(&mut seen, Account { superseded: 10, ..rest });
    let superseded = reader(&CheckSettings::NoLoss, &seen);
    assert_eq!(superseded.outcome(), CheckOutcome::Inconclusive);
    assert!(superseded.message().contains("`cleanup.policy: delete`"), "{superseded:?}");
}

#[test]
fn what_was_removed_unread_is_covered_by_no_check() {
    let mut seen = whole();
    let rest = Account { planned: 3000, sent: 3000, acked: 3000, ..Account::default() };
    account(&mut seen, Account { verified: 2990, expired: 6, superseded: 4, ..rest });
    let some = reader(&CheckSettings::NoCorruption, &seen);
    assert_eq!(some.outcome(), CheckOutcome::Pass);
    assert_eq!(some.covers(), "2,990 of 3,000 acked messages in 1 partition: 10 were not read");
    account(&mut seen, Account { expired: 3000, ..rest });
    for it in on_messages() {
        let none = reader(&it, &seen);
        assert_eq!(none.outcome(), CheckOutcome::Inconclusive, "{it:?}");
    }
}

#[test]
fn corruption_that_another_observer_saw_counts_for_each_reader() {
    let mut seen = whole();
    let judgement = Some(judgement(&[(Anomaly::Corrupt, 5), (Anomaly::Duplicate, 5)]));
    seen.partitions = vec![PartitionSeen { judgement, ..PartitionSeen::default() }];
    let bad = reader(&CheckSettings::NoCorruption, &seen);
    assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "5 corrupt"));
    // Duplicates are detected within one pass.
    assert_eq!(reader(&CheckSettings::NoDuplicates { strict: true }, &seen).outcome(), CheckOutcome::Pass);
    seen.partitions[0].partition = 1;
    assert_eq!(
        reader(&CheckSettings::NoCorruption, &seen).outcome(),
        CheckOutcome::Pass,
        "it did not read that one"
    );
}

/// Like [`whole`], but nothing was written to the partition.
fn nothing_written() -> Observations {
    let mut seen = whole();
    (seen.readings[0].wanted, seen.readings[0].received) = (0, 0);
    let counts = Snapshot::default();
    seen.scenarios[1].counts = counts;
    let accounts = seen.accounts.as_mut().unwrap();
    accounts.scenarios[0].partitions[0].partition = 1;
    seen
}

#[test]
fn a_reader_of_a_partition_to_which_nothing_was_written_passes() {
    let seen = nothing_written();
    for it in on_messages() {
        let good = reader(&it, &seen);
        assert_eq!(
            (good.outcome(), good.covers()),
            (CheckOutcome::Pass, "nothing was written to these partitions"),
            "{good:?}"
        );
        assert_eq!(good.message(), "nothing was written to these partitions");
    }
    assert_eq!(reader(&CheckSettings::Continuity { max_gap: ms(1) }, &seen).outcome(), CheckOutcome::Pass);
    for count in [
        CheckSettings::CountAtLeast { expected: 1, metric: None },
        CheckSettings::CountEquals { expected: 10, metric: None },
        threshold(Metric::Errors, Op::Equal, 0.0, None),
        threshold(Metric::P99, Op::Less, 1.0, None),
    ] {
        let open = reader(&count, &seen);
        assert_eq!((open.outcome(), open.actual()), (CheckOutcome::Inconclusive, "no data"), "{open:?}");
    }
    assert_eq!(
        reader(&CheckSettings::CountEquals { expected: 0, metric: None }, &seen).outcome(),
        CheckOutcome::Pass
    );
}

#[test]
fn where_something_may_have_been_written_nothing_is_no_pass() {
    let mut unknown = nothing_written();
    let row = &mut unknown.accounts.as_mut().unwrap().scenarios[0].partitions[0];
    (row.partition, row.account.unknown) = (0, 3);
    let mut late = nothing_written();
    late.scenarios[0].ended = ScenarioEnd::Timeout;
    for (seen, why) in [
        (
            &unknown,
            "nothing was acked in these partitions, but 3 unknown messages of `write` may be in the log",
        ),
        (&late, "scenario `write` timed out"),
    ] {
        for it in on_messages() {
            let open = reader(&it, seen);
            assert_eq!(open.outcome(), CheckOutcome::Inconclusive, "{open:?}");
            let message = open.message();
            assert!(message.contains(why) && message.ends_with("increase `timeout` of `write`"), "{open:?}");
        }
    }
}

#[test]
fn no_data_fails_only_over_a_broken_promise() {
    let mut seen = nothing_written();
    let count = CheckSettings::CountAtLeast { expected: 1, metric: None };
    assert_eq!(reader(&count, &seen).outcome(), CheckOutcome::Inconclusive);
    seen.accounts.as_mut().unwrap().total.lost = 3;
    let bad = reader(&count, &seen);
    assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "no data"));
    assert_eq!(bad.message(), "the broker broke its promise for 3 messages of this run");
}

#[test]
fn a_count_that_falls_short_for_want_of_time_is_inconclusive() {
    let equals = CheckSettings::CountEquals { expected: 3001, metric: None };
    let at_least = CheckSettings::CountAtLeast { expected: 3001, metric: Some(CountMetric::Records) };
    for count in [&equals, &at_least] {
        let mut seen = whole();
        assert_eq!(
            reader(count, &seen).outcome(),
            CheckOutcome::Fail,
            "all was read, and that was not enough"
        );
        for ended in [
            ScenarioEnd::Timeout,
            ScenarioEnd::Idle,
            ScenarioEnd::Fatal,
            ScenarioEnd::Interrupted,
            ScenarioEnd::Aborted,
        ] {
            seen.scenarios[1].ended = ended;
            let open = reader(count, &seen);
            assert_eq!((open.outcome(), open.actual()), (CheckOutcome::Inconclusive, "3000"), "{open:?}");
        }
        // A producer that ended early also explains it.
        seen.scenarios[1].ended = ScenarioEnd::Done;
        seen.scenarios[0].ended = ScenarioEnd::Fatal;
        assert_eq!(reader(count, &seen).outcome(), CheckOutcome::Inconclusive);
        seen.readings[0].judgement = Some(judgement(&[(Anomaly::Lost, 1)]));
        assert_eq!(reader(count, &seen).outcome(), CheckOutcome::Fail, "one is lost");
    }
    // A count above the expected one stays above it. A count equal to the expected one may still have grown.
    let mut seen = whole();
    seen.scenarios[1].ended = ScenarioEnd::Timeout;
    assert_eq!(
        reader(&CheckSettings::CountEquals { expected: 2999, metric: None }, &seen).outcome(),
        CheckOutcome::Fail
    );
    assert_eq!(
        reader(&CheckSettings::CountEquals { expected: 3000, metric: None }, &seen).outcome(),
        CheckOutcome::Inconclusive
    );
    assert_eq!(
        reader(&CheckSettings::CountAtLeast { expected: 3000, metric: None }, &seen).outcome(),
        CheckOutcome::Pass
    );
}

#[test]
fn all_acked_is_open_over_what_was_not_acked() {
    let of = |allow: (f64, f64), it: Account| {
        let mut seen = whole();
        seen.scenarios[0].counts.errors_by_code = [("UNKNOWN_SERVER_ERROR".to_owned(), it.failed)].into();
        account(&mut seen, it);
        answer(CheckSettings::AllAcked { allow: AllowedShares { failed: allow.0, unknown: allow.1 } }, &seen)
    };
    let planned = |acked, failed, unknown, unsent| Account {
        planned: 1000,
        unsent,
        sent: 1000 - unsent,
        acked,
        failed,
        unknown,
        ..Account::default()
    };
    let failed = of((0.0, 0.0), planned(810, 190, 0, 0));
    assert_eq!(
        (failed.outcome(), failed.actual()),
        (CheckOutcome::Inconclusive, "810 of 1000 acked, 190 failed")
    );
    assert_eq!(
        failed.message(),
        "190 of 1,000 failed; UNKNOWN_SERVER_ERROR 190; if this is expected, set `allow: {failed: 19%}`"
    );
    let allowed = of((0.19, 0.0), planned(810, 190, 0, 0));
    assert_eq!((allowed.outcome(), allowed.expected()), (CheckOutcome::Pass, "all acked, up to 19 % failed"));
    assert_eq!(of((0.189, 0.0), planned(810, 190, 0, 0)).outcome(), CheckOutcome::Inconclusive);
    assert_eq!(of((1.0, 0.0), planned(999, 0, 1, 0)).outcome(), CheckOutcome::Inconclusive);
    assert_eq!(of((0.0, 0.001), planned(999, 0, 1, 0)).outcome(), CheckOutcome::Pass);
    let unsent = of((1.0, 1.0), planned(10, 0, 0, 990));
    assert_eq!(
        (unsent.outcome(), unsent.actual()),
        (CheckOutcome::Inconclusive, "10 of 1000 acked, 990 unsent")
    );
    assert!(
        unsent.message().ends_with("increase `timeout` of `write`, or send fewer messages"),
        "{unsent:?}"
    );
    let mut seen = whole();
    seen.accounts = None;
    assert_eq!(answer(ALL_ACKED, &seen).outcome(), CheckOutcome::Inconclusive);
}

#[test]
fn the_account_permits_what_the_most_generous_check_allows() {
    let allow = |failed, unknown| CheckSettings::AllAcked { allow: AllowedShares { failed, unknown } };
    let account = Account { planned: 100, failed: 40, unknown: 40, ..Account::default() };
    let with = |checks: &[(&str, CheckSettings, Option<&str>)]| permitted(&plan(checks), 0, &account);
    assert_eq!(with(&[]), 0);
    assert_eq!(with(&[("a", allow(0.29, 0.0), None)]), 29, "29 of 100, not 28.999...");
    assert_eq!(with(&[("a", allow(0.1, 0.0), None), ("b", allow(0.2, 0.05), Some("write"))]), 25);
    assert_eq!(with(&[("a", allow(1.0, 1.0), Some("read"))]), 0, "it runs against another one");
    assert_eq!(with(&[("a", allow(1.0, 1.0), None)]), 80);
}

#[test]
fn a_reader_that_stands_still_over_unread_messages_breaks_continuity() {
    let gap = CheckSettings::Continuity { max_gap: ms(5000) };
    let mut seen = whole();
    seen.faults[0].span = Some((ms(500), ms(1000)));
    seen.faults[0].settled = None;
    let early = |bucket| u64::from(bucket < 20) * 10;
    seen.scenarios[0] = scenario("write", "produce", counts(early, 20, 3000), (0, 2000));
    seen.scenarios[1] = scenario("read", "consume", counts(early, 20, 3000), (0, 10_000));
    assert_eq!(reader(&gap, &seen).outcome(), CheckOutcome::Pass, "there was nothing more to read");
    seen.readings[0].judgement = Some(judgement(&[(Anomaly::Unread, 50)]));
    let bad = reader(&gap, &seen);
    assert_eq!((bad.outcome(), bad.actual()), (CheckOutcome::Fail, "8 s without a read"));
    assert!(bad.message().ends_with("50 acked messages unread"), "{bad:?}");
    // The reader never read anything. Its time starts at the end of the producers at the latest.
    seen.scenarios[1].counts = Snapshot::default();
    assert_eq!(reader(&gap, &seen).actual(), "8 s without a read");
    // A producer whose messages are never acked.
    let open = Message { due_us: 1_000_000, end_us: None, failed: false };
    seen.scenarios[0] = scenario("write", "produce", counted(&[open], ms(1000), ms(9000), 0), (1000, 9000));
    assert_eq!(answer(gap, &seen).actual(), "8 s without an ack");
}

#[test]
fn a_metric_without_samples_is_inconclusive() {
    let mut seen = whole();
    seen.scenarios[0].counts = Snapshot::default();
    for metric in [Metric::Errors, Metric::ErrorRate, Metric::P99, Metric::Rate, Metric::Acked] {
        for op in [Op::Equal, Op::Greater] {
            let open = answer(threshold(metric, op, 0.0, None), &seen);
            assert_eq!(
                (open.outcome(), open.actual()),
                (CheckOutcome::Inconclusive, "no data"),
                "{metric:?}"
            );
        }
    }
    seen.scenarios[0].counts = Snapshot { sent: 10, ..Snapshot::default() };
    let open = answer(threshold(Metric::P99, Op::Less, 1.0, None), &seen);
    assert_eq!((open.outcome(), open.actual()), (CheckOutcome::Inconclusive, "not measured"));
    // A load that ended early does not represent the whole.
    seen.scenarios[0].ended = ScenarioEnd::Timeout;
    assert_eq!(
        answer(threshold(Metric::Errors, Op::Equal, 0.0, None), &seen).outcome(),
        CheckOutcome::Inconclusive
    );
    assert_eq!(
        answer(threshold(Metric::Acked, Op::Greater, 9.0, None), &seen).outcome(),
        CheckOutcome::Inconclusive
    );
}

#[test]
fn a_threshold_on_an_anomaly_needs_it_measured_in_each_partition() {
    let seen = two_partitions();
    for (anomaly, advice) in
        [(Anomaly::StaleEnd, "see the notes of the run"), (Anomaly::Rewritten, "set `run.audit: true`")]
    {
        let none = threshold(Metric::Anomaly(anomaly), Op::Equal, 0.0, None);
        let some = threshold(Metric::Anomaly(anomaly), Op::Greater, 0.0, None);
        assert_eq!(reader(&none, &seen).outcome(), CheckOutcome::Pass);
        assert_eq!(reader(&some, &seen).outcome(), CheckOutcome::Fail);
        let mut partly = seen.clone();
        partly.readings[1].judgement.as_mut().unwrap().counts.remove(&anomaly);
        let why = format!("this run measured `{}` in only 1 of 2 partitions; {advice}", anomaly.name());
        for it in [&none, &some] {
            let open = reader(it, &partly);
            assert_eq!(
                (open.outcome(), open.message()),
                (CheckOutcome::Inconclusive, why.as_str()),
                "{open:?}"
            );
        }
        partly.readings[0].judgement = Some(judgement(&[(anomaly, 2)]));
        assert_eq!(reader(&none, &partly).outcome(), CheckOutcome::Fail, "that of the other is enough");
        // A partition without messages is not read twice.
        partly.readings[0].judgement = seen.readings[0].judgement.clone();
        (partly.readings[1].wanted, partly.readings[1].received) = (0, 0);
        let expected = match anomaly {
            Anomaly::Rewritten => CheckOutcome::Pass,
            _ => CheckOutcome::Inconclusive,
        };
        assert_eq!(reader(&none, &partly).outcome(), expected);
    }
}

/// Like [`whole`], with a second partition.
fn two_partitions() -> Observations {
    let mut seen = whole();
    let second = JudgedReading { partition: 1, ..seen.readings[0].clone() };
    seen.readings.push(second);
    seen.partitions = [0, 1]
        .map(|partition| PartitionSeen { partition, end_marker: Some(3000), ..PartitionSeen::default() })
        .to_vec();
    seen
}

#[test]
fn no_stale_end_fails_for_each_end_at_or_below_an_acked_offset() {
    let mut seen = two_partitions();
    let good = reader(&CheckSettings::NoStaleEnd, &seen);
    assert_eq!((good.outcome(), good.actual()), (CheckOutcome::Pass, "0 stale ends"), "{good:?}");
    assert_eq!(good.covers(), "the end of 2 partitions, requested after an ack");
    seen.readings[1].judgement = Some(judgement(&[(Anomaly::StaleEnd, 3)]));
    let stale = reader(&CheckSettings::NoStaleEnd, &seen);
    assert_eq!((stale.outcome(), stale.actual()), (CheckOutcome::Fail, "1 stale end"), "{stale:?}");
    assert_eq!(stale.message(), "3 acked offsets at or above the end that the broker reported later");
    // Evidence is enough, even if not everything was observed.
    seen.readings[0].judgement.as_mut().unwrap().counts.remove(&Anomaly::StaleEnd);
    seen.readings[0].complete = false;
    let stale = reader(&CheckSettings::NoStaleEnd, &seen);
    assert_eq!((stale.outcome(), stale.actual()), (CheckOutcome::Fail, "1 stale end"), "{stale:?}");
    assert_eq!(stale.covers(), "the end of 1 of 2 partitions, requested after an ack");
}

#[test]
fn no_stale_end_says_why_an_end_is_unknown() {
    let seen = two_partitions();
    let open = |change: &dyn Fn(&mut Observations), which: &[usize]| {
        let mut seen = seen.clone();
        for partition in which {
            seen.readings[*partition].judgement.as_mut().unwrap().counts.remove(&Anomaly::StaleEnd);
        }
        change(&mut seen);
        let answer = reader(&CheckSettings::NoStaleEnd, &seen);
        assert_eq!(answer.outcome(), CheckOutcome::Inconclusive, "{answer:?}");
        (answer.actual().to_owned(), answer.message().to_owned())
    };
    let one = |change: &dyn Fn(&mut Observations)| open(change, &[1]).1;
    assert_eq!(
        one(&|_| {}),
        "the broker did not report the end of partition 1, or the topic was recreated; see the notes of the run"
    );
    assert_eq!(open(&|_| {}, &[0, 1]).0, "not measured");
    assert_eq!(
        one(&|seen| seen.partitions[1].end_marker = None),
        "partition 1 has no end marker; see the notes of the run"
    );
    assert_eq!(
        one(&|seen| seen.readings[1].resets = 1),
        "the log of partition 1 was truncated or recreated during the run; see the notes of the run"
    );
    assert_eq!(
        one(&|seen| seen.readings[1].reached_end_marker = false),
        "`read` did not reach the end marker of partition 1; increase `timeout` of `read`"
    );
    assert_eq!(
        one(&|seen| seen.cut = Some(EarlyEnd::Timeout)),
        "the run ended before kaf6 requested the end of partition 1; increase `run.timeout`"
    );
    let late = one(&|seen| seen.readings[1].complete = false);
    assert!(late.starts_with("`read` did not read all expected messages"), "{late}");
    // Without a ledger, there is nothing to compare the end with.
    let (actual, why) = open(&|seen| seen.readings.clear(), &[]);
    assert_eq!(
        (actual.as_str(), why.starts_with("`read` read no partition; ")),
        ("not measured", true),
        "{why}"
    );
}

#[test]
fn no_stale_end_and_the_threshold_agree() {
    let zero = threshold(Metric::Anomaly(Anomaly::StaleEnd), Op::Equal, 0.0, None);
    for counts in [[Some(0), Some(0)], [Some(0), Some(2)], [Some(0), None], [None, Some(2)], [None, None]] {
        let mut seen = two_partitions();
        for (reading, count) in seen.readings.iter_mut().zip(counts) {
            reading.judgement = Some(judgement(&[(Anomaly::StaleEnd, count.unwrap_or(0))]));
            if count.is_none() {
                reading.judgement.as_mut().unwrap().counts.remove(&Anomaly::StaleEnd);
            }
        }
        let [check, threshold] = [&CheckSettings::NoStaleEnd, &zero].map(|it| reader(it, &seen).outcome());
        assert_eq!(check, threshold, "{counts:?}");
    }
}

#[test]
fn no_message_of_an_answer_that_is_open_leaves_out_what_to_do() {
    let mut seen = whole();
    seen.cut = Some(EarlyEnd::Timeout);
    for ended in [
        ScenarioEnd::Timeout,
        ScenarioEnd::Idle,
        ScenarioEnd::Aborted,
        ScenarioEnd::Skipped,
        ScenarioEnd::Failed,
        ScenarioEnd::Fatal,
    ] {
        for scenario in &mut seen.scenarios {
            scenario.ended = ended;
        }
        for it in one_of_each() {
            for result in evaluate(&plan(&[("it", it.clone(), None)]), &seen) {
                let answer = result.answer;
                if answer.outcome() == CheckOutcome::Inconclusive {
                    assert!(answer.message().contains("; "), "{}: {answer:?}", it.kind());
                }
            }
        }
    }
}

const ROUNDTRIPS: &str = "
brokers: [a:1]
scenarios:
  ping: {type: roundtrip, topic: t, iterations: 10}
  look: {type: metrics, url: 'http://a:1/', contains: [up]}
";

fn roundtrips(change: impl FnOnce(&mut ScenarioSeen)) -> Answer {
    let mut plan = plan::load_text(Path::new("x.yaml"), ROUNDTRIPS, &LoadOptions::new(&|_| None)).unwrap();
    plan.checks.retain(|check| check.ask.kind() == CheckKind::AllAcked);
    plan.checks[0].ask = CheckSettings::RoundtripOk;
    let counts = Snapshot { sent: 10, acked: 10, received: 10, records: 10, ..Snapshot::default() };
    let mut ping = scenario("ping", "roundtrip", counts, (0, 1000));
    ping.planned = Some(10);
    change(&mut ping);
    let seen = Observations { scenarios: vec![ping], ..Observations::default() };
    evaluate(&plan, &seen).remove(0).answer
}

#[test]
fn roundtrip_ok_wants_each_iteration_acked_and_read_back() {
    let good = roundtrips(|_| {});
    assert_eq!((good.outcome(), good.covers()), (CheckOutcome::Pass, "10 round trips"));
    let late = roundtrips(|ping| ping.counts.received = 9);
    assert_eq!((late.outcome(), late.actual()), (CheckOutcome::Fail, "9 of 10 round trips"));
    assert_eq!(late.message(), "1 acked, but not read back in time");
    let open = roundtrips(|ping| (ping.counts.acked, ping.counts.received, ping.counts.failed) = (9, 9, 1));
    assert_eq!((open.outcome(), open.actual()), (CheckOutcome::Inconclusive, "9 of 10 round trips"));
    let unanswered = roundtrips(|ping| ping.counts.acked = 9);
    assert_eq!(unanswered.outcome(), CheckOutcome::Inconclusive, "read back, and never acked");
    let altered = roundtrips(|ping| {
        (ping.counts.acked, ping.counts.received) = (9, 9);
        ping.of_type.uuids = Some((10, 1));
    });
    assert_eq!(altered.outcome(), CheckOutcome::Fail);
    let early = roundtrips(|ping| {
        (ping.counts.sent, ping.counts.acked, ping.counts.received) = (5, 5, 5);
        ping.ended = ScenarioEnd::Timeout;
    });
    assert_eq!(early.outcome(), CheckOutcome::Inconclusive);
    let idle = roundtrips(|ping| ping.counts = Snapshot::default());
    assert_eq!((idle.outcome(), idle.actual()), (CheckOutcome::Inconclusive, "no data"));
}

#[test]
fn endpoints_and_brokers_answer_for_what_was_asked() {
    let mut seen = whole();
    let broker = |reachable| BrokerSeen { broker: "a:1".to_owned(), reachable, ..BrokerSeen::default() };
    seen.scenarios[2].of_type.brokers = vec![broker(true), broker(false)];
    let some = ask(CheckSettings::Reachable, None, &seen).answer;
    assert_eq!(
        (some.outcome(), some.actual(), some.message()),
        (CheckOutcome::Fail, "1 of 2 brokers", "a:1: not reached")
    );
    seen.scenarios[2].ended = ScenarioEnd::Aborted;
    assert_eq!(ask(CheckSettings::Reachable, None, &seen).answer.outcome(), CheckOutcome::Inconclusive);
    seen.scenarios[2].of_type.brokers = vec![broker(true)];
    assert_eq!(ask(CheckSettings::Reachable, None, &seen).answer.covers(), "1 broker");

    let mut plan = plan::load_text(Path::new("x.yaml"), ROUNDTRIPS, &LoadOptions::new(&|_| None)).unwrap();
    let mut look = scenario("look", "metrics", Snapshot::default(), (0, 1000));
    let up = SeriesSeen { name: "up".to_owned(), present: 1, ..SeriesSeen::default() };
    let series = vec![up];
    look.of_type.scrape =
        Some(ScrapeSeen { requests: 2, ok: 2, with_body: 1, series, ..ScrapeSeen::default() });
    let ping = scenario("ping", "roundtrip", Snapshot::default(), (0, 0));
    let seen = Observations { scenarios: vec![ping, look], ..Observations::default() };
    let mut judge = |it: CheckSettings| {
        plan.checks.truncate(1);
        (plan.checks[0].ask, plan.checks[0].scenario) = (it, Some("look".to_owned()));
        evaluate(&plan, &seen).remove(0).answer
    };
    let good = judge(CheckSettings::HttpOk);
    assert_eq!(
        (good.outcome(), good.actual(), good.covers()),
        (CheckOutcome::Pass, "2 of 2 requests with HTTP 200", "2 requests")
    );
    assert_eq!(judge(CheckSettings::NonEmpty).outcome(), CheckOutcome::Fail);
    assert_eq!(judge(CheckSettings::SeriesPresent).message(), "missing: up");
}

#[test]
fn a_bad_response_before_a_signal_fails_and_no_response_does_not() {
    let text = "scenarios: {look: {type: metrics, url: 'http://x', every: 1s}}\nchecks: [{type: http_ok}]\n";
    let plan = plan::load_text(Path::new("x.yaml"), text, &LoadOptions::new(&|_| None)).unwrap();
    for (requests, ok, refused, expected) in [
        (0, 0, 0, CheckOutcome::Inconclusive),
        (2, 1, 0, CheckOutcome::Inconclusive),
        (2, 1, 1, CheckOutcome::Fail),
        (2, 2, 0, CheckOutcome::Pass),
    ] {
        let mut look = scenario("look", "metrics", Snapshot::default(), (0, 1000));
        look.of_type.scrape = Some(ScrapeSeen { requests, ok, refused, ..ScrapeSeen::default() });
        look.ended = ScenarioEnd::Interrupted;
        let cut = Some(EarlyEnd::Signal("SIGINT"));
        let seen = Observations { scenarios: vec![look], cut, ..Observations::default() };
        assert_eq!(
            evaluate(&plan, &seen).remove(0).answer.outcome(),
            expected,
            "{ok} and {refused} of {requests}"
        );
    }
}

#[test]
fn a_series_is_missing_only_where_all_of_the_page_was_read() {
    let text = "scenarios: {look: {type: metrics, url: 'http://x', contains: [up]}}\nchecks: [{type: series_present}]\n";
    let plan = plan::load_text(Path::new("x.yaml"), text, &LoadOptions::new(&|_| None)).unwrap();
    let judge = |series: &[(&str, u64, u64)]| {
        let mut look = scenario("look", "metrics", Snapshot::default(), (0, 1000));
        let series = series.iter().map(|&(name, present, beyond)| SeriesSeen {
            name: name.to_owned(),
            present,
            beyond,
            near: vec![format!("{name}{{a=\"1\"}}")],
        });
        look.of_type.scrape = Some(ScrapeSeen {
            requests: 2,
            ok: 2,
            cut: 1,
            series: series.collect(),
            ..ScrapeSeen::default()
        });
        let seen = Observations { scenarios: vec![look], ..Observations::default() };
        let answer = evaluate(&plan, &seen).remove(0).answer;
        (answer.outcome(), answer.message().to_owned())
    };
    assert_eq!(judge(&[("up", 2, 0)]).0, CheckOutcome::Pass);
    let (outcome, why) = judge(&[("up", 1, 1), ("there", 2, 0)]);
    assert_eq!(outcome, CheckOutcome::Inconclusive);
    assert!(why.starts_with("not in the first 16 MiB of a longer response: up;"), "{why}");
    let (outcome, why) = judge(&[("up", 1, 1), ("gone", 1, 0)]);
    assert_eq!((outcome, why.as_str()), (CheckOutcome::Fail, "missing: gone (similar: gone{a=\"1\"})"));
}

/// Observations without any problem, and a plan with a check of each kind. Created once, because that takes
/// time.
static WHOLE: LazyLock<Observations> = LazyLock::new(whole);
static EACH: LazyLock<Plan> = LazyLock::new(|| {
    let at =
        |ask: &CheckSettings| if matches!(ask, CheckSettings::AllAcked { .. }) { "write" } else { "read" };
    let asks = one_of_each();
    plan(&asks.iter().map(|ask| (ask.kind().name(), ask.clone(), Some(at(ask)))).collect::<Vec<_>>())
});

fn ended() -> impl Strategy<Value = ScenarioEnd> {
    prop::sample::select(vec![
        ScenarioEnd::Done,
        ScenarioEnd::Done,
        ScenarioEnd::Timeout,
        ScenarioEnd::Idle,
        ScenarioEnd::Aborted,
        ScenarioEnd::Interrupted,
        ScenarioEnd::Skipped,
        ScenarioEnd::Failed,
        ScenarioEnd::Fatal,
    ])
}

proptest! {
    #![proptest_config(cases(64, 256))]

    /// For any observations: an incomplete observation does not pass, and a healthy run does not fail.
    #[test]
    fn no_check_passes_over_what_was_not_observed(
        (write_ended, read_ended) in (ended(), ended()),
        partitions in prop::collection::vec(
            (0_u64..3, 0_u64..3, any::<bool>(), any::<bool>(), prop::option::of(0_usize..8)), 0..3),
        (planned, unsent, failed, unknown) in (0_u64..4, 0_u64..2, 0_u64..2, 0_u64..2),
        (sent, acked, received) in (0_u64..3, 0_u64..3, 0_u64..3),
    ) {
        const BAD: [Anomaly; 8] = [
            Anomaly::Lost, Anomaly::Skipped, Anomaly::Unreadable, Anomaly::Corrupt, Anomaly::Misplaced,
            Anomaly::Rewritten, Anomaly::Duplicate, Anomaly::Reordered,
        ];
        let mut seen = WHOLE.clone();
        let like = seen.readings[0].clone();
        seen.readings.clear();
        let mut bad = false;
        for (partition, (wanted, unread, complete, unaudited, anomaly)) in (0..).zip(&partitions) {
            let unread = (*unread).min(*wanted);
            let anomaly = anomaly.map(|at| BAD[at]);
            bad |= anomaly.is_some();
            let counts: Vec<(Anomaly, u64)> =
                anomaly.map(|it| (it, 1)).into_iter().chain([(Anomaly::Unread, unread)]).collect();
            seen.readings.push(JudgedReading {
                partition,
                wanted: *wanted,
                received: wanted - unread,
                complete: *complete,
                unaudited: *unaudited,
                judgement: Some(judgement(&counts)),
                ..like.clone()
            });
        }
        let acked_of = planned.saturating_sub(unsent + failed + unknown);
        account(&mut seen, Account {
            planned: unsent + failed + unknown + acked_of,
            unsent, failed, unknown,
            sent: failed + unknown + acked_of,
            acked: acked_of,
            verified: acked_of,
            ..Account::default()
        });
        seen.scenarios[0].ended = write_ended;
        seen.scenarios[1].ended = read_ended;
        seen.scenarios[0].counts.sent = sent;
        seen.scenarios[0].counts.acked = acked;
        seen.scenarios[1].counts.received = received;
        let read_all = partitions.iter().all(|(wanted, unread, complete, ..)| *complete && unread.min(wanted) == &0);
        let audited = partitions.iter().all(|(wanted, _, _, unaudited, _)| !unaudited || *wanted == 0);
        let unacked = unsent + failed + unknown > 0 || planned == 0;
        for result in evaluate(&EACH, &seen) {
            let (it, answer) = (result.check.ask, result.answer);
            let kind = it.kind();
            if answer.outcome() == CheckOutcome::Pass {
                prop_assert!(!answer.covers().is_empty(), "{kind} covers nothing: {answer:?}");
            }
            let observed = match &it {
                CheckSettings::AllAcked { .. } => !unacked,
                CheckSettings::NoLoss | CheckSettings::NoCorruption => read_all && audited && !partitions.is_empty(),
                CheckSettings::NoDuplicates { .. } | CheckSettings::InOrder { .. } | CheckSettings::OffsetsMonotonic | CheckSettings::NoStaleEnd => {
                    read_all && !partitions.is_empty()
                }
                CheckSettings::CountEquals { .. } | CheckSettings::Continuity { .. } | CheckSettings::Threshold { .. } => {
                    read_ended == ScenarioEnd::Done && (read_all || matches!(it, CheckSettings::Continuity { .. }))
                }
                _ => !read_ended.could_not_work(),
            };
            if !observed {
                prop_assert!(answer.outcome() != CheckOutcome::Pass, "{kind} passes: {answer:?}");
            }
            let healthy = !bad && matches!(it, CheckSettings::AllAcked { .. } | CheckSettings::NoLoss | CheckSettings::NoDuplicates { .. }
                | CheckSettings::NoCorruption | CheckSettings::InOrder { .. } | CheckSettings::OffsetsMonotonic | CheckSettings::NoStaleEnd);
            if healthy {
                prop_assert!(answer.outcome() != CheckOutcome::Fail, "{kind} fails: {answer:?}");
            }
        }
    }
}
