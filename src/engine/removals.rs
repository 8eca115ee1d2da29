//! What a partition's retention and compaction may have removed, asked once something is missing.
//!
//! Owns what explains a removal: that a record is old enough or far enough behind, or that a later one has its key.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use super::fence;
use super::keys::{Keys, Sender};
use super::message::longest;
use super::shared::{Shared, Topology};
use crate::ids::{Offset, Partition, Seq, StreamId};
use crate::kafka::embedded::{KEPT_BATCHES, KEPT_BYTES};
use crate::kafka::metadata;
use crate::kafka::probe::{self, TopicSettings};
use crate::ledger::{Judged, Marker, Removals, Removed, SentLog, StreamInfo};
use crate::observe::Note;
use crate::plan::Work;
use crate::units::thousands;

/// What a broker keeps beside a record, at most: sizes, offset, time, and its share of the batch's header.
const OVERHEAD: u64 = 100;

/// What may be removed from a topic, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// By these settings: the broker's, or those that this run created the topic with.
    Known(TopicSettings),
    /// The topic was there before, and the broker does not tell.
    Unknown,
    /// The embedded broker keeps so much of a partition.
    Embedded,
}

impl Rules {
    /// Of a topic, by its number in the run.
    pub(super) fn of(shared: &Shared, topology: &Topology, topic: usize) -> Self {
        if shared.client.is_embedded() {
            return Self::Embedded;
        }
        let state = &topology.topics[topic];
        let until = Instant::now() + shared.client.waits().answer;
        match probe::topic_settings(&shared.client, &state.name, until) {
            Ok(settings) => Self::Known(settings),
            Err(_) if state.birth.is_some() => {
                Self::Known(TopicSettings::of_config(&shared.plan.topics[topic].config))
            }
            Err(_) => Self::Unknown,
        }
    }

    /// A record may be gone once a later one has its key.
    pub(super) fn compacts(self) -> bool {
        match self {
            Self::Known(settings) => settings.compacted,
            Self::Unknown => true,
            Self::Embedded => false,
        }
    }

    /// The setting by which records go, in a note.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Known(TopicSettings { compacted: true, deletes: false, .. }) => "`cleanup.policy: compact`",
            Self::Known(TopicSettings { compacted: true, .. }) => {
                "`cleanup.policy: compact`, `retention.ms` or `retention.bytes`"
            }
            Self::Known(TopicSettings { retention_bytes: None, .. }) => "`retention.ms`",
            Self::Known(_) => "`retention.ms` or `retention.bytes`",
            Self::Unknown => "settings of the topic that the broker does not tell",
            Self::Embedded => "the embedded broker, which keeps the newest 5 MiB or so of a partition",
        }
    }
}

/// The highest offset at which each key was read.
#[derive(Debug, Default)]
pub(super) struct KeyIndex(HashMap<u64, Offset>);

impl KeyIndex {
    /// A record has this key.
    pub(super) fn see(&mut self, key: &[u8], offset: Offset) {
        let highest = self.0.entry(hash(key)).or_insert(offset);
        *highest = offset.max(*highest);
    }

    fn is_later(&self, key: &[u8], offset: Offset) -> bool {
        self.0.get(&hash(key)).is_some_and(|highest| *highest > offset)
    }
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// One partition of which something is missing.
pub(super) struct PartitionRemovals<'a> {
    pub(super) rules: Rules,
    shared: &'a Shared,
    topology: &'a Topology,
    sent: &'a HashMap<StreamId, SentLog>,
    topic: usize,
    partition: Partition,
    /// The log's start and end as the broker reports them now, and when that was, microseconds from the run's zero.
    log: Cell<(Offset, Offset)>,
    now_us: Cell<u64>,
    /// Bytes of the largest record of the run's producers.
    largest: u64,
    pub(super) keys: RefCell<KeyIndex>,
    rendered: RefCell<HashMap<StreamId, Option<Keys>>>,
    decided: RefCell<HashMap<(StreamId, Seq), Option<Removed>>>,
}

impl<'a> PartitionRemovals<'a> {
    pub(super) fn of(
        shared: &'a Shared,
        topology: &'a Topology,
        sent: &'a HashMap<StreamId, SentLog>,
        (topic, partition): (usize, Partition),
        rules: Rules,
    ) -> Self {
        Self {
            rules,
            shared,
            topology,
            sent,
            topic,
            partition,
            log: Cell::new((Offset::MAX, Offset::MAX)),
            now_us: Cell::new(0),
            largest: largest(shared, topic),
            keys: RefCell::default(),
            rendered: RefCell::default(),
            decided: RefCell::default(),
        }
    }

    /// Asks the broker where the log lies: once all was read again, since its start moves on. A broker that does not tell may have
    /// moved it behind all of it.
    pub(super) fn look_at_log(&self, until: Instant) {
        let name = &self.topology.topics[self.topic].name;
        let waits = self.shared.client.waits();
        let ask = || metadata::watermarks(&self.shared.client, name, self.partition, waits.ends);
        let mut log = ask();
        while log.is_err() && Instant::now() < until && !self.shared.stop.is_stopped() {
            std::thread::sleep(waits.ask);
            log = ask();
        }
        self.log.set(log.unwrap_or((Offset::MAX, Offset::MAX)));
        self.now_us.set(self.shared.clock.now_us());
    }

    /// Below the log's start, and retention explains it. What is younger than it, and not so far behind, was not for it to take.
    fn expired(&self, offset: Offset, sent_us: Option<u64>) -> bool {
        let (start, end) = self.log.get();
        if offset >= start {
            return false;
        }
        let behind = u64::try_from(end.saturating_sub(offset).saturating_sub(1)).unwrap_or(0);
        let bytes = behind.saturating_mul(self.largest);
        match self.rules {
            Rules::Unknown => true,
            Rules::Embedded => bytes >= KEPT_BYTES || behind >= KEPT_BATCHES,
            Rules::Known(settings) => {
                let age_us = sent_us.map(|sent| self.now_us.get().saturating_sub(sent));
                let reached = |limit: Option<i64>, most: Option<u64>| {
                    let limit = limit.map(|limit| u64::try_from(limit).unwrap_or(0));
                    limit.is_some_and(|limit| most.is_none_or(|most| most >= limit))
                };
                let limit_us = settings.retention_ms.map(|ms| ms.saturating_mul(1000));
                settings.deletes
                    && (reached(limit_us, age_us) || reached(settings.retention_bytes, Some(bytes)))
            }
        }
    }

    /// A later record of this message's key is there.
    fn superseded(&self, id: StreamId, seq: Seq, offset: Offset) -> bool {
        if !self.rules.compacts() {
            return false;
        }
        let mut rendered = self.rendered.borrow_mut();
        let keys = rendered.entry(id).or_insert_with(|| self.keys_of(id));
        let key = keys.as_mut().and_then(|keys| keys.key(seq));
        key.is_some_and(|key| self.keys.borrow().is_later(key, offset))
    }

    fn keys_of(&self, id: StreamId) -> Option<Keys> {
        let stream = self.topology.streams.get(id)?;
        let same = |(_, other): &(StreamId, &StreamInfo)| {
            (other.scenario, other.client) == (stream.scenario, stream.client)
        };
        let own = || self.topology.streams.iter().filter(same).map(|(id, _)| id);
        let sent = own().filter_map(|id| self.sent.get(&id)).map(SentLog::sent).sum();
        let first = own().min()?;
        let sender = Sender {
            run: self.shared.run_tag,
            run_id: &self.shared.run_id,
            scenario: stream.scenario,
            client: stream.client,
            first,
            partitions: self.topology.topics[stream.topic].partitions,
            sent,
        };
        match &self.shared.plan.scenarios.get(stream.scenario)?.work {
            Work::Produce(plan) => Keys::of_producer(plan, &sender, self.partition),
            Work::Roundtrip(plan) => Keys::of_trips(plan, &sender),
            _ => None,
        }
    }
}

impl Removals for PartitionRemovals<'_> {
    fn of_message(&self, stream: StreamId, seq: Seq, acked: Option<Offset>) -> Option<Removed> {
        if let Some(decided) = self.decided.borrow().get(&(stream, seq)) {
            return *decided;
        }
        let offset = acked.unwrap_or(0);
        // What a saved ledger's run sent has no time here: it may be as old as it likes.
        let sent_us = self.sent.get(&stream).and_then(|log| log.sent_since(seq));
        let found = if self.superseded(stream, seq, acked.unwrap_or(-1)) {
            Some(Removed::Superseded)
        } else if self.expired(offset, sent_us) {
            Some(Removed::Expired)
        } else {
            None
        };
        self.decided.borrow_mut().insert((stream, seq), found);
        found
    }

    fn of_marker(&self, marker: Marker) -> Option<Removed> {
        if self.rules.compacts() && self.keys.borrow().is_later(fence::KEY, marker.offset) {
            return Some(Removed::Superseded);
        }
        self.expired(marker.offset, None).then_some(Removed::Expired)
    }
}

impl fmt::Debug for PartitionRemovals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionRemovals")
            .field("rules", &self.rules)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// The most bytes that a record of the run's producers takes in this topic.
fn largest(shared: &Shared, topic: usize) -> u64 {
    let of_topic = |name| shared.topic_index(name) == Some(topic);
    let sizes = shared.plan.scenarios.iter().filter_map(|scenario| match &scenario.work {
        Work::Produce(plan) if of_topic(&plan.topic) => {
            Some(longest(&shared.run_id, plan.key.as_ref(), &plan.headers, &plan.value))
        }
        Work::Roundtrip(plan) if of_topic(&plan.topic) => {
            Some(longest(&shared.run_id, plan.key.as_ref(), &plan.headers, &plan.value))
        }
        _ => None,
    });
    sizes.max().unwrap_or(0).saturating_add(OVERHEAD)
}

/// Says what was removed after it had been read: it is verified all the same.
pub(super) fn note_removed(
    shared: &Shared,
    topology: &Topology,
    judged: &BTreeMap<(usize, Partition), Judged>,
    rules: &HashMap<usize, Rules>,
) {
    for (topic, state) in topology.topics.iter().enumerate() {
        let of_topic = judged.range((topic, Partition::MIN)..=(topic, Partition::MAX));
        let removed: u64 = of_topic.map(|(_, judged)| judged.removed_later).sum();
        if let Some(rules) = rules.get(&topic).filter(|_| removed > 0) {
            let messages = if removed == 1 { "message was" } else { "messages were" };
            shared.note(Note::hint(format!(
                "`{}`: {} verified {messages} removed after they had been read, by {}",
                state.name,
                thousands(removed),
                rules.name()
            )));
        }
    }
}
