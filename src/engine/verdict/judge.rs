//! The verdict after the last scenario: the audit, re-reads of messages that seem lost, then the ledger's
//! judgment of each partition.
//!
//! A fresh client reads the offsets again before a message counts as lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::account;
use super::audit::{AuditResult, Reread, VerificationDeadline};
use super::inputs::{PartitionInputs, Places, marker, places, settle};
use super::log_ends::{note_low_watermarks, reported_ends};
use super::removals::{PartitionRemovals, note_removed};
use super::rules::Rules;
use super::same_topic::TopicComparison;
use super::saved;
use super::unjudged::note_checksums;
use crate::anomaly::Anomaly;
use crate::engine::context::findings::RunFindings;
use crate::engine::context::outcome::{lock, unwind};
use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::engine::messages::end_marker::producers_of;
use crate::engine::messages::ends::{EndMarkerSeen, PartitionEnd};
use crate::ids::{Offset, Partition};
use crate::ledger::{
    self, Accounts, Counts, Judged, Judgement, Kept, Marker, Observer, PartitionCase, PartitionReads, Pass,
    Removals, Saved, SentLog,
};
use crate::observe::{JudgedReading, NOT_KNOWN, Note, PartitionSeen, Retention};
use crate::plan::{From, Work};

/// Partitions that are audited and re-read in parallel.
const SIDE_BY_SIDE: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct RunVerdict {
    pub(crate) readings: Vec<JudgedReading>,
    pub(crate) partitions: Vec<PartitionSeen>,
    pub(crate) accounts: Option<Accounts>,
    /// The ledger, if it is saved.
    pub(crate) saved: Option<Saved>,
}

pub(crate) async fn judge_run(context: &Arc<RunContext>, found: RunFindings) -> RunVerdict {
    let task = Arc::clone(context);
    unwind(tokio::task::spawn_blocking(move || judge(&task, found)).await)
}

fn judge(context: &RunContext, mut found: RunFindings) -> RunVerdict {
    // By scenario and partition.
    let mut ends = std::mem::take(&mut found.ends);
    ends.sort_by_key(|(scenario, end)| (*scenario, end.reads.place()));
    let found = &found;
    let Some(topology) = &found.topology else {
        let accounts = account::accounts(context, &BTreeMap::new(), 0);
        return RunVerdict { accounts, ..RunVerdict::default() };
    };
    if !ends.is_empty() {
        note_checksums(context);
    }
    let times = context.saved.is_none() && !context.clock.was_set();
    if !times && context.saved.is_none() {
        context.notes.add(Note::warning(
            "the system clock was changed during the run: timestamps of records are not checked".to_owned(),
        ));
    }
    for (_, end) in &mut ends {
        settle(topology, found, &mut end.reads, times);
    }
    let places = places(topology, found.sent(), &ends);
    let judging = Judging {
        context,
        topology,
        found,
        topics: TopicComparison::new(context, topology),
        excluded: excluded(context),
        producers: (0..context.plan.scenarios.len()).map(|index| judged_by(context, index)).collect(),
        reported_ends: reported_ends(context, topology, &found.markers),
        rules: Mutex::default(),
        times,
        deadline: VerificationDeadline::of(context),
    };
    let done = judging.judge_all(&places);
    let mut out = RunVerdict::default();
    let mut judged = BTreeMap::new();
    for (place, partition) in done {
        out.partitions.push(partition.seen);
        out.readings.extend(partition.readings);
        judged.insert(place, partition.judged);
    }
    out.readings.sort_by_key(|reading| (reading.scenario, reading.topic, reading.partition));
    note_low_watermarks(context, topology, &out.partitions);
    note_removed(context, topology, &judged, &lock(&judging.rules));
    saved::note_created_again(context, &judging.topics);
    let markers = topology.topics.iter().enumerate().flat_map(|(topic, state)| {
        (0..state.partitions).map(move |partition| found.markers.of((topic, partition)).len() as u64)
    });
    out.accounts = account::accounts(context, &judged, markers.sum());
    account::note_unconfirmed(context, out.accounts.as_ref());
    out.saved = context.save_ledger.then(|| saved::save(context, topology, found, &judging.topics));
    out
}

/// The scenarios with `verify: false`.
fn excluded(context: &RunContext) -> Vec<usize> {
    let excluded = |work: &Work| work.message().is_some_and(|message| !message.verify);
    let scenarios = context.plan.scenarios.iter().enumerate();
    scenarios.filter(|(_, scenario)| excluded(&scenario.work)).map(|(index, _)| index).collect()
}

/// The scenarios whose messages a reading scenario must find.
fn judged_by(context: &RunContext, reader: usize) -> Vec<usize> {
    match &context.plan.scenarios[reader].work {
        Work::Consume(_) => producers_of(&context.plan, reader),
        Work::Roundtrip(_) => vec![reader],
        _ => Vec::new(),
    }
}

pub(crate) struct Judging<'a> {
    pub(crate) context: &'a RunContext,
    pub(crate) topology: &'a Topology,
    pub(crate) found: &'a RunFindings,
    pub(crate) topics: TopicComparison<'a>,
    excluded: Vec<usize>,
    /// By scenario: the scenarios whose messages it must find.
    producers: Vec<Vec<usize>>,
    reported_ends: HashMap<(usize, Partition), Option<Offset>>,
    /// By topic: what the broker may remove from it, after this was requested.
    pub(crate) rules: Mutex<HashMap<usize, Rules>>,
    pub(crate) times: bool,
    pub(crate) deadline: VerificationDeadline,
}

/// Data about a partition before missing messages are re-read.
#[derive(Clone, Copy)]
pub(crate) struct Missing<'a> {
    pub(crate) acked: Option<(Offset, Offset)>,
    pub(crate) mark: Option<EndMarkerSeen>,
    pub(crate) markers: &'a [Marker],
    pub(crate) removals: Option<&'a PartitionRemovals<'a>>,
    /// Whether each answer to the audit said that the broker does not know the partition, so that there is nothing to
    /// re-read.
    pub(super) gone: bool,
}

struct JudgedPartition {
    seen: PartitionSeen,
    readings: Vec<JudgedReading>,
    judged: Judged,
}

impl Judging<'_> {
    fn judge_all(&self, places: &Places<'_>) -> BTreeMap<(usize, Partition), JudgedPartition> {
        let list: Vec<_> = places.iter().collect();
        let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE.min(list.len()) {
                scope.spawn(|| {
                    while let Some((place, found)) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let partition = self.judge_one(**place, found);
                        lock(&done).insert(**place, partition);
                    }
                });
            }
        });
        done.into_inner().unwrap_or_default()
    }

    fn judge_one(&self, place: (usize, Partition), found: &PartitionInputs<'_>) -> JudgedPartition {
        let acked = self.acked(found);
        let markers: Vec<Marker> = self.found.markers.of(place).iter().map(marker).collect();
        let mut passes: Vec<Pass<'_>> = found.ends.iter().filter_map(|end| self.pass_of(end)).collect();
        let mark = self.mark(place, found);
        let range = self.to_audit(place, found, acked).filter(|_| self.wants_audit(place, found, &passes));
        let audit = range.map(|(from, last)| {
            let to = markers.iter().map(|marker| marker.offset).max().unwrap_or(last).max(last);
            let mark = mark.filter(|mark| mark.ends_reading(to, acked));
            let client = &self.context.client;
            let (deadline, until) = (&self.deadline, self.deadline.timeout);
            let reread = Reread { client, place, from, to, mark, until, deadline, what: "audit" };
            self.read(&reread, |_, _| {})
        });
        if let Some(found) = &audit {
            if !found.why.is_empty() {
                let name = &self.topology.topics[place.0].name;
                self.context.notes.add(Note::warning(format!(
                    "the audit of partition {} of `{name}` did not finish: {}",
                    place.1, found.why
                )));
            }
            passes.push(pass(Observer::Audit, found));
        }
        let removals = self.removals(place, found, &markers, &passes);
        let gone = audit.as_ref().is_some_and(|audit| audit.gone);
        let missing = Missing { acked, mark, markers: &markers, removals: removals.as_ref(), gone };
        let rechecks = self.recheck(place, found, &missing, &passes);
        if let Some(removals) = &removals {
            removals.look_at_log(self.deadline.within(self.context.client.waits().recheck));
        }
        passes.extend(rechecks.iter().map(|found| pass(Observer::Recheck, found)));
        let unreset = passes.iter().all(|pass| pass.reads.resets() == 0);
        let reached = found.ends.iter().any(|(_, end)| end.reached_end_marker);
        let contradicts = found
            .ids
            .iter()
            .filter_map(|id| self.found.sent().get(id))
            .flat_map(SentLog::overtaken)
            .any(|it| it.count > 0)
            || self.case(place, found, &markers, &passes).acks_contradict();
        let name = &self.topology.topics[place.0].name;
        let matters = contradicts || !rechecks.is_empty() || self.context.saved.is_some();
        let leaders_alone = self.leaders_alone(place, found, matters);
        let then = saved::earlier(self.context, &self.topics, place, &leaders_alone.scenarios);
        let case = PartitionCase {
            leaders_alone: &leaders_alone.scenarios,
            leader_changed: leaders_alone.is_certain,
            earlier: then.as_ref().map(saved::EarlierPartition::run),
            one_log: !contradicts || self.topics.is_one_log(name),
            removals: removals.as_ref().map_or(&Kept as &dyn Removals, |removals| removals),
            reported_end: self.reported_ends.get(&place).copied().flatten().filter(|_| unreset && reached),
            ..self.case(place, found, &markers, &passes)
        };
        let judged = ledger::judge(&case);
        let readings = self.readings(found, &passes, &judged, audit.as_ref());
        // Contradicting acks are judged without a reader.
        let looked_at = !passes.is_empty() || contradicts;
        let seen = PartitionSeen {
            topic: place.0,
            partition: place.1,
            acked: judged.accounts.values().map(|account| account.acked).sum(),
            acked_offsets: acked,
            end_marker: self.found.markers.last_offset(place),
            lost_markers: judged.lost_markers,
            retention: removals
                .as_ref()
                .map_or_else(Retention::default, |removals| removals.rules.retention()),
            judgement: looked_at.then(|| judged.judgement.clone()),
        };
        JudgedPartition { seen, readings, judged }
    }

    pub(crate) fn case<'b>(
        &'b self,
        place: (usize, Partition),
        found: &'b PartitionInputs<'_>,
        markers: &'b [Marker],
        passes: &'b [Pass<'b>],
    ) -> PartitionCase<'b> {
        PartitionCase {
            streams: &self.topology.streams,
            sent: self.found.sent(),
            place,
            ids: &found.ids,
            passes,
            excluded: &self.excluded,
            markers,
            leaders_alone: &[],
            leader_changed: false,
            one_log: true,
            earlier: None,
            removals: &Kept,
            reported_end: None,
        }
    }

    /// The last end marker after all acked messages to verify. One that was written for an early reader may
    /// come before some of them.
    fn mark(&self, place: (usize, Partition), found: &PartitionInputs<'_>) -> Option<EndMarkerSeen> {
        let verified: Vec<usize> = self.verified(found).map(|(scenario, _)| scenario).collect();
        let mut markers = self.found.markers.of(place).iter().rev();
        let last = markers.find(|marker| {
            let before = producers_of(&self.context.plan, marker.reader);
            verified.iter().all(|scenario| before.contains(scenario))
        });
        last.copied()
    }

    /// The streams with acked messages that have to be verified, with their scenarios.
    fn verified<'b>(&'b self, found: &'b PartitionInputs<'_>) -> impl Iterator<Item = (usize, &'b SentLog)> {
        found.ids.iter().filter_map(|id| {
            let scenario = self.topology.streams.get(*id)?.scenario;
            let log = self.found.sent().get(id)?;
            let acked = log.offsets().is_some() || !log.placeless().is_empty();
            (acked && !self.excluded.contains(&scenario)).then_some((scenario, log))
        })
    }

    /// The minimum range of an audit. If nothing was acked, it looks for unknown messages, from the start of the
    /// readers to the end marker.
    fn to_audit(
        &self,
        place: (usize, Partition),
        found: &PartitionInputs<'_>,
        acked: Option<(Offset, Offset)>,
    ) -> Option<(Offset, Offset)> {
        acked.or_else(|| {
            let unknown =
                found.ids.iter().filter_map(|id| self.found.sent().get(id)).any(|log| log.unknowns() > 0);
            let from = found.ends.iter().map(|(_, end)| end.start).min().filter(|_| unknown)?;
            Some((from, self.found.markers.last_offset(place)?))
        })
    }

    /// The lowest and the highest acked offset of the judged messages.
    fn acked(&self, found: &PartitionInputs<'_>) -> Option<(Offset, Offset)> {
        let logs = found.ids.iter().filter_map(|id| self.found.sent().get(id));
        let placeless = logs.clone().any(|log| !log.placeless().is_empty());
        let ends = logs.filter_map(SentLog::offsets).reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
        // A message that was acked without an offset may be anywhere.
        if placeless { Some((0, ends.map_or(0, |(_, last)| last))) } else { ends }
    }

    /// A scenario's reading of the partition as a pass; `None` if it has no ledger (`from: any`).
    fn pass_of<'b>(&'b self, (scenario, end): &'b (usize, PartitionEnd)) -> Option<Pass<'b>> {
        let full = match &self.context.plan.scenarios[*scenario].work {
            Work::Consume(plan) if plan.from == From::Any => return None,
            Work::Consume(plan) => !plan.partial,
            _ => false,
        };
        Some(Pass {
            to_end: end.reached_end_marker,
            full,
            unreadable: end.unreadable.as_ref().map(|unreadable| unreadable.from),
            producers: Some(&self.producers[*scenario]),
            why: why_of(end),
            // A reader that was beyond the end of the log continued at its start.
            ..Pass::new(
                Observer::Reader(*scenario),
                &end.reads,
                if end.reads.resets() > 0 { 0 } else { end.start },
            )
        })
    }

    /// Whether a fresh client reads the whole partition. `audit` in the file decides. Without it, the audit is
    /// automatic after a fault, a lost broker, a log reset, a log that is shorter than its acks, or contradicting acks.
    /// It is also automatic if some acked messages have no reader that read to the end.
    fn wants_audit(
        &self,
        place: (usize, Partition),
        found: &PartitionInputs<'_>,
        passes: &[Pass<'_>],
    ) -> bool {
        let context = self.context;
        if context.stop.is_stopped() || context.plan.audit == Some(false) {
            return false;
        }
        if context.plan.audit == Some(true) {
            return true;
        }
        // The reader that found it unreadable has already tried a fresh client.
        if passes.iter().any(|pass| pass.unreadable.is_some()) {
            return false;
        }
        // An automatic audit only includes messages that must be verified.
        if self.verified(found).next().is_none() {
            return false;
        }
        let case = self.case(place, found, &[], passes);
        context.faults_ran()
            || !self.found.crashed.is_empty()
            || context.broker_went_away()
            || self.log_is_shorter(place)
            || passes.iter().any(|pass| pass.reads.resets() > 0)
            || case.acks_contradict()
            || !case.covered()
    }

    /// Whether the broker now reports no end, or one at or below an acked offset.
    fn log_is_shorter(&self, place: (usize, Partition)) -> bool {
        let marker = self.found.markers.last_offset(place);
        let (Some(end), Some(marker)) = (self.reported_ends.get(&place), marker) else { return false };
        end.is_none_or(|end| end <= marker)
    }

    fn readings(
        &self,
        found: &PartitionInputs<'_>,
        passes: &[Pass<'_>],
        judged: &Judged,
        audit: Option<&AuditResult>,
    ) -> Vec<JudgedReading> {
        let consumers = found
            .ends
            .iter()
            .filter(|(scenario, _)| matches!(self.context.plan.scenarios[*scenario].work, Work::Consume(_)));
        consumers
            .map(|(scenario, end)| {
                let (topic, partition) = end.reads.place();
                let verdict = judged
                    .readers
                    .iter()
                    .find(|verdict| std::ptr::eq(passes[verdict.pass].reads, &raw const end.reads));
                JudgedReading {
                    scenario: *scenario,
                    topic,
                    partition,
                    received: if verdict.is_some() { end.reads.received() } else { 0 },
                    foreign: end.reads.foreign(),
                    offsets: end.reads.offsets(),
                    reached_end_marker: end.reached_end_marker,
                    resets: end.reads.resets(),
                    wanted: verdict.map_or(0, |verdict| verdict.wanted),
                    unaudited: audit.is_some_and(|audit| !audit.passed && !audit.gone),
                    complete: end.finished,
                    incomplete_why: if end.finished { String::new() } else { why_of(end) },
                    judgement: Some(match verdict {
                        Some(verdict) => verdict.judgement.clone(),
                        None => order_alone(&end.reads),
                    }),
                }
            })
            .collect()
    }
}

fn pass(observer: Observer, found: &AuditResult) -> Pass<'_> {
    let all = found.gone || (found.passed && (observer == Observer::Audit || found.whole));
    Pass {
        to_end: all,
        passed_to: Some(found.at),
        full: observer == Observer::Audit,
        why: found.why.clone(),
        ..Pass::new(observer, &found.reads, found.from)
    }
}

/// Without a ledger, only the order of offsets can be judged.
fn order_alone(reads: &PartitionReads) -> Judgement {
    let counts = Counts { count: reads.nonmonotonic(), ..Counts::default() };
    Judgement { counts: [(Anomaly::Nonmonotonic, counts)].into(), evidence: Vec::new() }
}

/// The reason why a reader did not get further, if known.
fn why_of(end: &PartitionEnd) -> String {
    if let Some(unreadable) = &end.unreadable {
        return format!(
            "no record from offset {} on for {:.0} s, while the broker answered: {}",
            unreadable.from,
            std::time::Duration::from_micros(unreadable.until_us.saturating_sub(unreadable.since_us))
                .as_secs_f64(),
            unreadable.answers
        );
    }
    if let Some(stable) = end.last_stable {
        return format!(
            "an open transaction blocks readers with `isolation.level: read_committed` at offset \
            {stable} (the last stable offset); end the transaction, or read uncommitted"
        );
    }
    if end.gone {
        return NOT_KNOWN.to_owned();
    }
    String::new()
}
