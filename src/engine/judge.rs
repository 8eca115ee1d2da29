//! After the last scenario: second looks at what seems lost, then the ledger's judgement of each reading.
//!
//! A fresh client reads the places again before the word `lost` is said.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::audit;
use super::ends::PartitionEnd;
use super::fence::producers_of;
use super::outcome::unwind;
use super::saved;
use super::shared::{Shared, Topology};
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Partition, StreamId};
use crate::kafka::{self, Range, ReadEvent, Record};
use crate::ledger::envelope::{self, HEADER, Opened};
use crate::ledger::{
    self, Bits, Counts, Judgement, Missing, PartitionReads, ReaderEnd, Saved, Scope, SentLog,
};
use crate::observe::{Note, PartitionSeen, Reading};
use crate::plan::{From, Work};

/// What judging comes to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) readings: Vec<Reading>,
    pub(super) partitions: Vec<PartitionSeen>,
    /// The ledger, where it is to be kept.
    pub(super) saved: Option<Saved>,
}

/// Judges all that was read, and adds up what was sent.
pub(super) async fn all(shared: &Arc<Shared>) -> Judged {
    let task = Arc::clone(shared);
    unwind(tokio::task::spawn_blocking(move || judge(&task)).await)
}

fn judge(shared: &Shared) -> Judged {
    let sent = shared.take_sent();
    let Some(topology) = shared.topology() else { return Judged::default() };
    let seen = partitions(shared, topology, &sent);
    let ends_read = shared.take_ends();
    let audited = |place: (usize, Partition)| match shared.plan.audit {
        Some(audit) => audit,
        None => {
            shared.faults_ran()
                || ends_read.iter().any(|(_, end)| end.reads.place() == place && end.reads.resets() > 0)
        }
    };
    let audits = audit::all(shared, topology, seen.iter().filter(|p| audited((p.topic, p.partition))));
    let ends = ends(shared, topology);
    let until = Instant::now() + shared.client.waits().recheck;
    let readings: Vec<Reading> = ends_read
        .iter()
        .map(|(scenario, end)| {
            let place = end.reads.place();
            let last_looks = LastLooks {
                audited: audited(place),
                audit: audits.get(&place),
                told_end: ends.get(&place).copied(),
            };
            reading(shared, topology, &sent, *scenario, end, &last_looks, until)
        })
        .collect();
    note_lies(shared, topology, &readings);
    let saved = shared.save_ledger.then(|| saved::save(shared, topology, &sent));
    Judged { readings, partitions: seen, saved }
}

/// What was asked about a partition after all else.
struct LastLooks<'a> {
    /// An audit was to be made.
    audited: bool,
    audit: Option<&'a PartitionReads>,
    told_end: Option<Offset>,
}

/// The end of each log that was read up to a fence, as its broker tells it now.
fn ends(shared: &Shared, topology: &Topology) -> HashMap<(usize, Partition), Offset> {
    let mut out = HashMap::new();
    for (index, topic) in topology.topics.iter().enumerate() {
        let fenced: Vec<Partition> =
            (0..topic.partitions).filter(|p| shared.fence_offset(index, *p).is_some()).collect();
        if fenced.is_empty() || shared.stop.is_stopped() {
            continue;
        }
        // What is not told is not measured.
        let told = kafka::metadata::ends(&shared.client, &topic.name, &fenced, shared.client.waits().ends)
            .unwrap_or_default();
        out.extend(told.into_iter().map(|(partition, end)| ((index, partition), end)));
    }
    out
}

/// A watermark that is too low is no loss, and makes readers that trust it stop too early.
fn note_lies(shared: &Shared, topology: &Topology, readings: &[Reading]) {
    for reading in readings {
        let counts = reading.judgement.as_ref().and_then(|j| j.counts.get(&Anomaly::WatermarkLie));
        if let Some(count) = counts.map(|c| c.count).filter(|count| *count > 0) {
            shared.note(Note::warning(format!(
                "partition {} of `{}`: {count} records lie at or above the high watermark that the broker tells; kaf6 does not rely on it, other readers may stop before the end",
                reading.partition, topology.topics[reading.topic].name
            )));
        }
    }
}

fn reading(
    shared: &Shared,
    topology: &Topology,
    sent: &HashMap<StreamId, SentLog>,
    scenario: usize,
    end: &PartitionEnd,
    last_looks: &LastLooks<'_>,
    until: Instant,
) -> Reading {
    let (topic, partition) = end.reads.place();
    let mut reading = Reading {
        scenario,
        topic,
        partition,
        received: end.reads.received(),
        foreign: end.reads.foreign(),
        offsets: end.reads.offsets(),
        reached_fence: end.reached_fence,
        resets: end.reads.resets(),
        wanted: 0,
        unaudited: false,
        complete: end.reached_fence,
        incomplete_why: String::new(),
        judgement: None,
    };
    let Work::Consume(plan) = &shared.plan.scenarios[scenario].work else { return reading };
    if plan.from == From::Any {
        // Without a ledger the order of offsets is all that can be judged.
        reading.received = 0;
        reading.judgement = Some(Judgement {
            counts: [(Anomaly::Nonmonotonic, Counts { count: end.reads.nonmonotonic(), explained: 0 })]
                .into(),
            evidence: Vec::new(),
        });
        return reading;
    }
    let producers = producers_of(&shared.plan, scenario);
    let view = ReaderEnd {
        reads: &end.reads,
        start: end.start,
        reached_fence: end.reached_fence,
        // What the audit has read of it is there, whatever a broker said of it for a while.
        gone: end.gone && last_looks.audit.is_none_or(|audit| audit.offsets().1.is_none()),
        scope: if plan.partial { Scope::Partial } else { Scope::Full },
        producers: &producers,
        // Only a log that stayed one and was quiet up to its fence has an end that can be held against it.
        told_end: last_looks.told_end.filter(|_| end.reached_fence && end.reads.resets() == 0),
        audit: last_looks.audit,
    };
    let missing = ledger::missing(&topology.streams, sent, &view);
    let again = second_look(shared, topology, scenario, &view, &missing, until);
    reading.unaudited = last_looks.audited && last_looks.audit.is_none();
    reading.wanted = ledger::wanted(&topology.streams, sent, &view);
    reading.judgement = Some(ledger::judge(&topology.streams, sent, &view, &missing, again.as_ref()));
    reading
}

/// Reads the places of what a reader passed without finding it; none where that could not be done.
fn second_look(
    shared: &Shared,
    topology: &Topology,
    scenario: usize,
    view: &ReaderEnd<'_>,
    missing: &Missing,
    until: Instant,
) -> Option<HashMap<StreamId, Bits>> {
    let (from, to) = missing.doubtful_range()?;
    if view.gone {
        return Some(HashMap::new());
    }
    let (topic, partition) = view.reads.place();
    let name = &topology.topics[topic].name;
    let timeout = until.saturating_duration_since(Instant::now());
    if shared.stop.is_stopped() || timeout.is_zero() {
        return None;
    }
    let mut found: HashMap<StreamId, Bits> = HashMap::new();
    let fence = shared.fence(topic, partition);
    let is_fence = |record: &Record<'_>| fence.is_some_and(|fence| shared.is_fence(fence, record));
    let is_mark = fence.is_some().then_some(&is_fence as &dyn Fn(&Record<'_>) -> bool);
    // A log that was begun anew may end before the place: then its fence is all there is to see.
    let from = fence.map_or(from, |fence| from.min(fence.offset));
    let is_over = || shared.stop.is_stopped();
    let range = Range { topic: name, partition, from, to, is_mark, is_over: &is_over };
    let result = kafka::read_range(&shared.client_of(scenario), &range, timeout, &mut |event| {
        if let ReadEvent::Record(record) = event
            && let Opened::Kaf6 { envelope, intact: true } =
                envelope::open(record.key, record.value, || record.header(HEADER))
            && envelope.identity.run == shared.run_tag
        {
            found.entry(envelope.identity.stream).or_default().insert(envelope.identity.seq);
        }
    });
    let why = match result {
        Ok(true) => return Some(found),
        Ok(false) => "time ran out".to_owned(),
        Err(error) => error.to_string(),
    };
    shared.note(Note::warning(format!(
        "partition {partition} of `{name}`: {} acked messages were not where the reader passed, and a second look at offsets {from} to {to} failed ({why}); they count as unread",
        missing.doubtful_len()
    )));
    None
}

/// The sending side of each partition that was written or read.
fn partitions(shared: &Shared, topology: &Topology, sent: &HashMap<StreamId, SentLog>) -> Vec<PartitionSeen> {
    let mut out: Vec<PartitionSeen> = Vec::new();
    for (topic, state) in topology.topics.iter().enumerate() {
        out.extend((0..state.partitions).map(|partition| PartitionSeen {
            topic,
            partition,
            fence: shared.fence_offset(topic, partition),
            ..PartitionSeen::default()
        }));
    }
    for (id, info) in topology.streams.iter() {
        let Some(log) = sent.get(&id) else { continue };
        let Some(seen) = out.iter_mut().find(|p| (p.topic, p.partition) == (info.topic, info.partition))
        else {
            continue;
        };
        seen.acked += log.acked_total();
        if let Some((low, high)) = log.offsets() {
            seen.acked_offsets =
                Some(seen.acked_offsets.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
        }
    }
    out
}
