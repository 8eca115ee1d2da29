//! The readings of one scenario over all its partitions, and how many of the messages that it had to read it did read.

use crate::anomaly::Anomaly;
use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::{CheckedScenario, READ_BACK};
use crate::checks::targets::is_added;
use crate::checks::text::counted;
use crate::ids::Partition;
use crate::ledger::{Account, Counts};
use crate::observe::{JudgedReading, NOT_KNOWN, PartitionSeen, Retention, ScenarioEnd};
use crate::plan::From;
use crate::units::thousands;

/// The readings of one scenario.
pub(crate) struct Readings<'a> {
    own: Vec<&'a JudgedReading>,
    partitions: &'a [PartitionSeen],
}

/// If one observer saw one of these in a partition, it concerns every reader of the partition.
const SHARED: [Anomaly; 7] = [
    Anomaly::Corrupt,
    Anomaly::Misplaced,
    Anomaly::Rewritten,
    Anomaly::Phantom,
    Anomaly::Collided,
    Anomaly::Overtaken,
    Anomaly::Resurrected,
];

/// Each of these breaks a promise of the broker.
const BROKEN: [Anomaly; 6] = [
    Anomaly::Lost,
    Anomaly::Unreadable,
    Anomaly::Skipped,
    Anomaly::Corrupt,
    Anomaly::Misplaced,
    Anomaly::Rewritten,
];

impl<'a> CheckedScenario<'a> {
    /// The readings of this scenario, if it reads.
    pub(crate) fn readings(&self) -> Readings<'a> {
        Readings::of(self)
    }
}

impl<'a> Readings<'a> {
    pub(crate) fn of(case: &CheckedScenario<'a>) -> Self {
        Self {
            own: case.seen.readings.iter().filter(|r| r.scenario == case.index).collect(),
            partitions: &case.seen.partitions,
        }
    }

    /// The sum over all partitions. `None` if nothing was measured.
    pub(crate) fn count(&self, anomaly: Anomaly) -> Option<Counts> {
        let mut sum: Option<Counts> = None;
        for reading in &self.own {
            let Some(counts) = reading.judgement.as_ref().and_then(|it| it.counts.get(&anomaly)) else {
                continue;
            };
            let by_others = self.seen_by_others(reading, anomaly);
            let sum = sum.get_or_insert_default();
            sum.count += counts.count.max(by_others);
            sum.explained += counts.explained;
            sum.undecided += counts.undecided;
        }
        sum
    }

    /// How many of these any observer saw in the partition of a reading, if the anomaly concerns every
    /// reader.
    fn seen_by_others(&self, reading: &JudgedReading, anomaly: Anomaly) -> u64 {
        let place = (reading.topic, reading.partition);
        let partition = self.partitions.iter().find(|it| (it.topic, it.partition) == place);
        partition
            .filter(|_| SHARED.contains(&anomaly))
            .and_then(|it| it.judgement.as_ref()?.counts.get(&anomaly))
            .map_or(0, |counts| counts.count)
    }

    /// States that an anomaly was not measured in some of its partitions. `None` if it was measured in all.
    pub(crate) fn unmeasured_in(&self, anomaly: Anomaly) -> Option<UnknownBecause> {
        let has =
            |r: &&&JudgedReading| r.judgement.as_ref().is_some_and(|it| it.counts.contains_key(&anomaly));
        // Without messages, there is nothing to read twice.
        let counts = |r: &&&JudgedReading| anomaly != Anomaly::Rewritten || r.wanted + r.received > 0;
        let all: Vec<_> = self.own.iter().filter(counts).collect();
        let (measured, all) = (all.iter().filter(|r| has(r)).count(), all.len());
        let advice = match anomaly {
            Anomaly::Rewritten => "set `run.audit: true`",
            _ => "see the notes of the run",
        };
        (measured < all).then(|| {
            let name = anomaly.name();
            UnknownBecause::new(
                format!("this run measured `{name}` in only {measured} of {all} partitions"),
                advice,
            )
        })
    }

    /// Like [`Readings::count`], but 0 if nothing was measured.
    pub(crate) fn number(&self, anomaly: Anomaly) -> u64 {
        self.count(anomaly).unwrap_or_default().count
    }

    /// Number of messages in these readings for which the broker broke a promise.
    pub(crate) fn broken(&self) -> u64 {
        BROKEN.into_iter().map(|anomaly| self.number(anomaly)).sum()
    }

    pub(crate) fn has(&self, topic: usize, partition: Partition) -> bool {
        self.own.iter().any(|r| (r.topic, r.partition) == (topic, partition))
    }

    /// Number of acked messages that it had to find.
    pub(crate) fn wanted(&self) -> u64 {
        self.own.iter().map(|r| r.wanted).sum()
    }

    /// Number of acked messages that it did not reach.
    pub(crate) fn unread(&self) -> u64 {
        self.number(Anomaly::Unread)
    }

    /// The accounts of its partitions, by sending scenario.
    pub(crate) fn accounts<'b>(&'b self, case: &CheckedScenario<'b>) -> impl Iterator<Item = &'b Account> {
        let scenarios = case.seen.accounts.iter().flat_map(|accounts| &accounts.scenarios);
        let rows = scenarios.flat_map(|row| &row.partitions);
        rows.filter(|row| self.has(row.topic, row.partition)).map(|row| &row.account)
    }

    /// Messages that it had to read and that the last observer found lost.
    pub(super) fn lost_in_the_end(&self, case: &CheckedScenario<'_>) -> u64 {
        let Some(consume) = case.consume().filter(|consume| !consume.partial) else { return 0 };
        let judged = |index: usize| consume.producers.contains(&case.plan.scenarios[index].name);
        let scenarios = case.seen.accounts.iter().flat_map(|accounts| &accounts.scenarios);
        let rows = scenarios.filter(|row| judged(row.scenario)).flat_map(|row| &row.partitions);
        rows.filter(|row| self.has(row.topic, row.partition)).map(|row| row.account.lost).sum()
    }

    /// Whose rules decide what may be removed from its partitions: the first that is not a topic
    /// configuration.
    pub(crate) fn retention(&self) -> Retention {
        let own = self.partitions.iter().filter(|it| self.has(it.topic, it.partition));
        let mut other = own.map(|it| it.retention).filter(|it| *it != Retention::Settings);
        other.next().unwrap_or_default()
    }

    /// Number of acked messages in its partitions that retention or compaction removed, or may have removed,
    /// before this run read them.
    fn removed(&self, case: &CheckedScenario<'_>) -> u64 {
        self.accounts(case).map(|account| account.expired + account.superseded).sum()
    }

    /// Number of acked messages in its partitions that are lost with their leader, or may be.
    fn dropped(&self, case: &CheckedScenario<'_>) -> u64 {
        self.accounts(case).map(|account| account.dropped).sum()
    }

    /// Number of acked messages that the audit had to read but did not.
    fn unaudited(&self) -> u64 {
        self.own.iter().filter(|r| r.unaudited).map(|r| r.wanted).sum()
    }

    /// The domain of a check that needs all acked messages that the scenario had to read.
    ///
    /// It is empty if nothing was written to its partitions and nothing more can follow.
    pub(crate) fn domain(&self, case: &CheckedScenario<'_>) -> Domain {
        let missing = self.missing(case);
        let (total, acked) = self.scope(case);
        if total > 0 {
            let [one, many] =
                if acked { ["acked message", "acked messages"] } else { ["message", "messages"] };
            let partitions = counted(self.own.len() as u64, "partition", "partitions");
            let removed = if acked { self.removed(case).min(total) } else { 0 };
            let left = total - removed;
            let covers = match removed {
                0 => format!("{} in {partitions}", counted(total, one, many)),
                _ => format!(
                    "{} of {} in {partitions}: {} were not read",
                    thousands(left),
                    counted(total, one, many),
                    thousands(removed)
                ),
            };
            let all_gone = (left == 0).then(|| {
                UnknownBecause::new(
                    "none of these messages could be read: retention or compaction removed them, \
                    or may have removed them",
                    "see `no_loss`",
                )
            });
            return Domain::part(left.saturating_sub(self.unread()), left, covers)
                .without(missing)
                .without(all_gone);
        }
        if self.own.is_empty() {
            return Self::no_reading(case);
        }
        Domain::empty("nothing was written to these partitions")
            .without(missing.or_else(|| self.may_be_written(case)))
    }

    /// The number of messages that the answer covers, and whether these are the acked messages that it had to
    /// read. If it reads a part of the log, or messages without acks, the answer covers what it read.
    pub(crate) fn scope(&self, case: &CheckedScenario<'_>) -> (u64, bool) {
        let received = self.own.iter().map(|r| r.received).sum();
        let wanted = self.wanted();
        let partial = received > 0 && case.consume().is_some_and(|consume| consume.partial);
        let scope = if partial { received } else { wanted.max(received) };
        (scope, scope == wanted)
    }

    /// The scenario has no partition. If kaf6 added it, the consumers of the file read all partitions.
    fn no_reading(case: &CheckedScenario<'_>) -> Domain {
        let name = &case.scenario.name;
        let unread = || {
            UnknownBecause::new(
                format!("scenario `{name}` read no partition"),
                format!("see the message of `{name}` and increase its `timeout`"),
            )
        };
        let added = is_added(case.plan, case.index);
        let missing = case.ended_early().or_else(|| (!added).then(unread));
        Domain::empty("the file's consumers read every partition").without(missing)
    }

    /// Why it did not read everything that it had to read. `None` if it did.
    pub(crate) fn missing(&self, case: &CheckedScenario<'_>) -> Option<UnknownBecause> {
        let ledger = case.consume().is_none_or(|consume| consume.from == From::Run);
        let name = &case.scenario.name;
        if !ledger {
            return case.ended_early();
        }
        let open: Vec<&&JudgedReading> = self.own.iter().filter(|r| !r.complete).collect();
        let unread = self.unread();
        if open.is_empty() && unread == 0 {
            return None;
        }
        if open.is_empty() && unread <= self.dropped(case) {
            return Some(UnknownBecause::new(
                format!(
                    "{} missing: with `acks: 1`, only the leader confirms a message, and the \
                    leader may have changed since",
                    counted(unread, "message is", "messages are")
                ),
                "set `acks: all` in the producer, or `verify: false`",
            ));
        }
        let mut why = format!("`{name}` did not read all expected messages");
        let mut reasons: Vec<&str> =
            open.iter().map(|r| r.incomplete_why.as_str()).filter(|why| !why.is_empty()).collect();
        reasons.dedup();
        if let Some(first) = reasons.first() {
            why = format!("{why}: {first}");
            if reasons.len() > 1 {
                why = format!("{why}, and {} more reasons", reasons.len() - 1);
            }
        } else if case.scenario.ended != ScenarioEnd::Done {
            why = format!("{why} ({})", case.scenario.ended.name());
        }
        let advice = match case.scenario.ended {
            ScenarioEnd::Aborted | ScenarioEnd::Interrupted => case.after_cut(),
            _ if open.iter().any(|r| r.incomplete_why == NOT_KNOWN) => {
                "see the log of the broker: it came back without the topic, or someone deleted it".to_owned()
            }
            _ if is_added(case.plan, case.index) => READ_BACK.to_owned(),
            _ => format!("increase `timeout` and `idle_timeout` of `{name}`"),
        };
        Some(UnknownBecause::new(why, advice))
    }

    /// Why messages may be in its partitions, now or later, although nothing was acked there.
    fn may_be_written(&self, case: &CheckedScenario<'_>) -> Option<UnknownBecause> {
        for (index, scenario) in case.producers() {
            let producer = CheckedScenario { index, scenario, ..*case };
            if let Some(unknown) = producer.ended_early() {
                return Some(unknown);
            }
            // Messages that no broker acks are permitted to be there or not.
            if !case.plan.scenarios[index].work.is_acked() {
                continue;
            }
            let unknown = match &case.seen.accounts {
                Some(accounts) => accounts
                    .scenarios
                    .iter()
                    .filter(|row| row.scenario == index)
                    .flat_map(|row| &row.partitions)
                    .filter(|row| self.has(row.topic, row.partition))
                    .map(|row| row.account.unknown)
                    .sum(),
                None => scenario.counts.unknown,
            };
            if unknown > 0 {
                return Some(UnknownBecause::new(
                    format!(
                        "nothing was acked in these partitions, but {} of `{}` may be in the log",
                        counted(unknown, "unknown message", "unknown messages"),
                        scenario.name
                    ),
                    format!("increase `timeout` of `{}`", scenario.name),
                ));
            }
        }
        None
    }

    /// States that a decision needs an audit, but the audit did not run. `None` if it ran or was not needed.
    pub(crate) fn no_audit(&self) -> Option<UnknownBecause> {
        let unaudited = self.unaudited();
        (unaudited > 0).then(|| {
            UnknownBecause::new(
                format!(
                    "the audit did not re-read {}",
                    counted(unaudited, "acked message", "acked messages")
                ),
                "increase `run.timeout`, or set `run.audit: false`",
            )
        })
    }

    /// Like [`Readings::no_audit`], for an anomaly that the audit decides.
    pub(crate) fn no_audit_for(&self, anomaly: Anomaly) -> Option<UnknownBecause> {
        let decided_by_it = BROKEN.contains(&anomaly) || SHARED.contains(&anomaly);
        self.no_audit().filter(|_| decided_by_it)
    }
}

/// The answer of a message check to a scenario without a ledger.
pub(crate) fn no_ledger(case: &CheckedScenario<'_>, expected: &str) -> Answer {
    let name = &case.scenario.name;
    let unknown = if case.consume().is_some_and(|consume| consume.from == From::Any) {
        UnknownBecause::new(
            format!(
                "`{name}` reads messages that this file does not produce, so the ledger does not contain them"
            ),
            format!("set `from: run` in `{name}`, or set `scenario` to another consumer"),
        )
    } else if case.sends_only() {
        UnknownBecause::new(format!("`{name}` reads nothing"), "set `scenario` to a consumer")
    } else {
        let why = format!("`{name}` read no partition");
        case.ended_early().unwrap_or_else(|| {
            UnknownBecause::new(why, format!("see the message of `{name}` and increase its `timeout`"))
        })
    };
    Answer::inconclusive(expected, "not measured", &unknown)
}

/// Fails if this anomaly occurred. Cases that a retry explains count only if the check is strict.
pub(crate) fn none_unexplained(
    case: &CheckedScenario<'_>,
    anomaly: Anomaly,
    word: &str,
    strict: bool,
) -> Answer {
    let expected = format!("0 {word}");
    let readings = case.readings();
    let domain = readings.domain(case);
    let Some(counts) = readings.count(anomaly) else { return unmeasured(case, &expected) };
    let found = counts.count + if strict { counts.explained + counts.undecided } else { 0 };
    let domain = domain.without(undecided(counts, word));
    let answer = Answer::pass_if(found == 0, expected, format!("{found} {word}"), domain);
    if counts.explained == 0 {
        return answer;
    }
    let verb = if strict { "counted because the check is strict" } else { "not counted" };
    answer.because(format!("{} more explained by a retry, {verb}", thousands(counts.explained)))
}

/// States that it is unknown whether a retry explains further cases.
pub(crate) fn undecided(counts: Counts, word: &str) -> Option<UnknownBecause> {
    (counts.undecided > 0).then(|| {
        UnknownBecause::new(
            format!(
                "a retry may explain {} {word}: the client did not report all of its retries",
                thousands(counts.undecided)
            ),
            "run again with a lower `rate` or fewer `clients`",
        )
    })
}

/// Nothing was measured. A readback consumer that had nothing to read passes.
pub(crate) fn unmeasured(case: &CheckedScenario<'_>, expected: &str) -> Answer {
    let readings = case.readings();
    if readings.own.is_empty() && is_added(case.plan, case.index) {
        return Answer::pass(expected, expected, readings.domain(case));
    }
    no_ledger(case, expected)
}
