//! One partition before the judge: what is known of it, and the judgement in the making.

use std::collections::{BTreeMap, HashMap};

use super::account::Account;
use super::collisions::Collisions;
use super::evidence::{Counts, Judgement, Looked};
use super::last_looks::LastLooks;
use super::marker::Marker;
use super::pass::Pass;
use super::ranges::Ranges;
use super::removals::Removals;
use super::sent::SentLog;
use super::streams::Streams;
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Partition, StreamId};

/// One partition, with all that is known of it.
#[derive(Debug)]
pub struct Case<'a> {
    /// All streams of the run.
    pub streams: &'a Streams,
    /// What each sent.
    pub sent: &'a HashMap<StreamId, SentLog>,
    /// The topic's number in the run, and the partition.
    pub place: (usize, Partition),
    /// The streams of this partition.
    pub ids: &'a [StreamId],
    /// What each observer found.
    pub passes: &'a [Pass<'a>],
    /// Scenarios that say `verify: false`.
    pub excluded: &'a [usize],
    /// The end markers that were acked here.
    pub markers: &'a [Marker],
    /// Scenarios whose acks a change of leader may have undone: `acks: 1`, in a partition that has another leader now, or may have.
    pub leaders_alone: &'a [usize],
    /// It is known to have another leader; else nobody knows.
    pub leader_changed: bool,
    /// All acks are of one log: the topic was not made anew meanwhile.
    pub one_log: bool,
    /// Of a saved ledger: the run that sent.
    pub earlier: Option<EarlierRun<'a>>,
    /// What the topic's settings let the broker remove.
    pub removals: &'a dyn Removals,
    /// The end of the log as the broker reported it once all was written; only of a log that was never reset.
    pub reported_end: Option<Offset>,
}

/// The run whose saved ledger is judged, in one partition: its acks are compared with what was acked then.
#[derive(Debug, Clone, Copy)]
pub struct EarlierRun<'a> {
    /// Its end markers. Whether they are in the log was for that run to judge.
    pub markers: &'a [Marker],
    /// Scenarios whose acks a change of leader may have undone during that run. `leaders_alone` are those up to now.
    pub leaders_alone: &'a [usize],
    /// The topic was created again since: the end markers of now are in another log.
    pub is_other_log: bool,
}

/// What one reader's pass comes to, as counts: what it saw itself, and what fresh clients saw in its scope.
#[derive(Debug, Clone, Default)]
pub struct ReaderVerdict {
    /// The number of its pass.
    pub pass: usize,
    /// Counts alone, without evidence.
    pub judgement: Judgement,
    /// Acked messages that it was to find.
    pub wanted: u64,
}

/// A judgement in the making.
pub(super) struct Judge<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) corrupt: Ranges,
    pub(super) rewritten: Ranges,
    /// By pass: where a re-read found a record, of whatever kind.
    pub(super) occupied: Vec<Ranges>,
    /// Empty where nothing was rewritten.
    pub(super) last_looks: LastLooks,
    pub(super) readers: Vec<ReaderVerdict>,
    pub(super) out: Judgement,
    /// How many messages to look at for evidence of each anomaly.
    pub(super) looked_at: usize,
    /// What was looked at.
    pub(super) looked: BTreeMap<Anomaly, Looked>,
    pub(super) accounts: BTreeMap<usize, Account>,
    pub(super) lost_markers: u64,
    pub(super) unread_markers: u64,
    pub(super) collisions: Collisions,
    pub(super) removed_later: u64,
}

impl Judgement {
    /// All anomalies that are measured in each partition, none found yet.
    pub(super) fn measured() -> Self {
        let counts = Anomaly::ALL
            .into_iter()
            .filter(|anomaly| !matches!(anomaly, Anomaly::Rewritten | Anomaly::StaleEnd))
            .map(|anomaly| (anomaly, Counts::default()))
            .collect();
        Self { counts, evidence: Vec::new() }
    }

    /// Counts some that nothing explains.
    pub(super) fn add(&mut self, anomaly: Anomaly, count: u64) {
        self.counts.entry(anomaly).or_default().count += count;
    }
}

/// The sequences of a log as a set.
pub(super) fn bits(log: &super::runs::RunLog) -> super::runs::Bits {
    log.runs().collect()
}
