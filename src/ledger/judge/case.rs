//! The inputs of the judgment of one partition, and the judgment in progress.

use std::collections::{BTreeMap, HashMap};

use super::collisions::Collisions;
use super::removals::Removals;
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Partition, StreamId};
use crate::ledger::account::Account;
use crate::ledger::evidence::{Counts, Judgement, Looked};
use crate::ledger::read::last_looks::LastLooks;
use crate::ledger::read::pass::Pass;
use crate::ledger::read::ranges::Ranges;
use crate::ledger::sent::SentLog;
use crate::ledger::sent::marker::Marker;
use crate::ledger::sent::streams::Streams;

/// One partition with all data for its judgment.
#[derive(Debug)]
pub struct PartitionCase<'a> {
    /// All streams of the run.
    pub streams: &'a Streams,
    pub sent: &'a HashMap<StreamId, SentLog>,
    /// The topic's index in the run, and the partition.
    pub place: (usize, Partition),
    /// The streams of this partition.
    pub ids: &'a [StreamId],
    pub passes: &'a [Pass<'a>],
    /// Scenarios with `verify: false`.
    pub excluded: &'a [usize],
    /// The acked end markers of this partition.
    pub markers: &'a [Marker],
    /// Scenarios whose acks a change of leader may have undone: those with `acks: 1`, if the partition may have another
    /// leader now.
    pub leaders_alone: &'a [usize],
    /// Whether the partition certainly has another leader. Otherwise this is unknown.
    pub leader_changed: bool,
    /// Whether all acks belong to one log, because the topic was not recreated.
    pub one_log: bool,
    /// The run that sent the messages, if a saved ledger is judged.
    pub earlier: Option<EarlierRun<'a>>,
    /// Decides which records the topic's settings let the broker remove.
    pub removals: &'a dyn Removals,
    /// The end of the log as the broker reported it after everything was written. Set only if the log was never reset.
    pub reported_end: Option<Offset>,
}

/// The run of a saved ledger, in one partition. The acks of this run are compared with its acks.
#[derive(Debug, Clone, Copy)]
pub struct EarlierRun<'a> {
    /// Its end markers. That run has judged whether they are in the log.
    pub markers: &'a [Marker],
    /// Scenarios whose acks a change of leader may have undone during that run. `PartitionCase::leaders_alone` includes
    /// the time until now.
    pub leaders_alone: &'a [usize],
    /// Whether the topic was recreated since, so that this run's end markers are in another log.
    pub is_other_log: bool,
}

/// The verdict on one reader's pass, as counts: what the reader saw itself, and what fresh clients saw in its range.
#[derive(Debug, Clone, Default)]
pub struct ReaderVerdict {
    /// The index of its pass.
    pub pass: usize,
    /// Counts without evidence.
    pub judgement: Judgement,
    /// The number of acked messages that it had to find.
    pub wanted: u64,
}

/// A judgment in progress.
pub(crate) struct Judge<'a> {
    pub(crate) case: &'a PartitionCase<'a>,
    pub(crate) corrupt: Ranges,
    pub(crate) rewritten: Ranges,
    /// By pass: the offsets at which a re-read found any record.
    pub(crate) occupied: Vec<Ranges>,
    /// Empty if nothing was rewritten.
    pub(crate) last_looks: LastLooks,
    pub(crate) readers: Vec<ReaderVerdict>,
    pub(crate) out: Judgement,
    /// How many messages to examine for evidence of each anomaly.
    pub(crate) looked_at: usize,
    pub(crate) looked: BTreeMap<Anomaly, Looked>,
    pub(crate) accounts: BTreeMap<usize, Account>,
    pub(crate) lost_markers: u64,
    pub(crate) unread_markers: u64,
    pub(crate) collisions: Collisions,
    pub(crate) removed_later: u64,
}

impl Judgement {
    /// All anomalies that are measured in each partition, with count 0.
    pub(crate) fn measured() -> Self {
        let counts = Anomaly::ALL
            .into_iter()
            .filter(|anomaly| !matches!(anomaly, Anomaly::Rewritten | Anomaly::StaleEnd))
            .map(|anomaly| (anomaly, Counts::default()))
            .collect();
        Self { counts, evidence: Vec::new() }
    }

    /// Adds to an anomaly's count, without an explanation.
    pub(crate) fn add(&mut self, anomaly: Anomaly, count: u64) {
        self.counts.entry(anomaly).or_default().count += count;
    }
}

/// The sequences of a log as a set.
pub(crate) fn bits(log: &crate::ledger::sent::runs::RunLog) -> crate::ledger::sent::runs::Bits {
    log.runs().collect()
}
