//! What a partition's retention and compaction may have removed, asked once something is missing.
//!
//! Owns what is known of a topic's rules and of later records of a key; the arithmetic of retention is in `retention`.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use super::fence;
use super::keys::{Keys, Sender};
use super::message::longest;
use super::retention::{Certainty, Log, OVERHEAD};
use super::rules::Rules;
use super::shared::{Shared, Topology};
use crate::ids::{Offset, Partition, Seq, StreamId};
use crate::kafka::metadata;
use crate::kafka::probe::TopicSettings;
use crate::ledger::{Between, Contents, Judged, Marker, Removals, Removed, SentLog, StreamInfo};
use crate::observe::Note;
use crate::plan::Work;
use crate::units::thousands;

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
    log: RefCell<Log>,
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
        (rules, contents): (Rules, Contents),
    ) -> Self {
        let log = Log { reported: None, now_us: 0, contents, largest: largest(shared, topic) };
        Self {
            rules,
            shared,
            topology,
            sent,
            topic,
            partition,
            log: RefCell::new(log),
            keys: RefCell::default(),
            rendered: RefCell::default(),
            decided: RefCell::default(),
        }
    }

    /// Asks the broker where the log lies: once all was read again, since its start moves on.
    pub(super) fn look_at_log(&self, until: Instant) {
        let name = &self.topology.topics[self.topic].name;
        let waits = self.shared.client.waits();
        let ask = || metadata::watermarks(&self.shared.client, name, self.partition, waits.ends);
        let mut reported = ask();
        while reported.is_err() && Instant::now() < until && !self.shared.stop.is_stopped() {
            std::thread::sleep(waits.ask);
            reported = ask();
        }
        let mut log = self.log.borrow_mut();
        (log.reported, log.now_us) = (reported.ok(), self.shared.clock.now_us());
    }

    /// What retention explains, of a record with a timestamp from between these times.
    fn expired(&self, place: Option<Offset>, stamped: Option<Between>) -> Option<Removed> {
        match self.log.borrow().expired(self.rules, place, stamped) {
            Certainty::Yes => Some(Removed::Expired),
            Certainty::Maybe => Some(Removed::Unclear),
            Certainty::No => None,
        }
    }

    /// The broker stamps records itself; of settings that nobody knows, it may.
    const fn stamps_itself(&self) -> bool {
        matches!(self.rules, Rules::Known(TopicSettings { append_time: true, .. }) | Rules::Unknown)
    }

    /// A later record of this message's key is there.
    /// Nobody knows of one without a place whether another is later, nor whether a topic with unknown settings is compacted.
    fn superseded(&self, id: StreamId, seq: Seq, place: Option<Offset>) -> Option<Removed> {
        if !self.rules.compacts() {
            return None;
        }
        let mut rendered = self.rendered.borrow_mut();
        let keys = rendered.entry(id).or_insert_with(|| self.keys_of(id));
        let key = keys.as_mut().and_then(|keys| keys.key(seq));
        let later = key.is_some_and(|key| self.keys.borrow().is_later(key, place.unwrap_or(-1)));
        let sure = place.is_some() && self.rules != Rules::Unknown;
        later.then_some(if sure { Removed::Superseded } else { Removed::Unclear })
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
    fn of_message(&self, stream: StreamId, seq: Seq, place: Option<Offset>) -> Option<Removed> {
        if let Some(decided) = self.decided.borrow().get(&(stream, seq)) {
            return *decided;
        }
        let stamped = self.sent.get(&stream).and_then(|log| log.stamped(seq, self.stamps_itself()));
        let found = surest(self.superseded(stream, seq, place), || self.expired(place, stamped));
        self.decided.borrow_mut().insert((stream, seq), found);
        found
    }

    fn of_marker(&self, marker: Marker) -> Option<Removed> {
        let later = self.rules.compacts() && self.keys.borrow().is_later(fence::KEY, marker.offset);
        let unknown = self.rules == Rules::Unknown;
        let superseded = later.then_some(if unknown { Removed::Unclear } else { Removed::Superseded });
        let markers = self.shared.markers(self.topic, self.partition);
        let written = markers.iter().find(|own| own.number == marker.number);
        let stamped = written.map(|own| match self.stamps_itself() {
            true => own.written_us,
            false => (own.written_us.0, own.written_us.0),
        });
        surest(superseded, || self.expired(Some(marker.offset), stamped))
    }
}

/// The first reason that is certain; else that there may be one.
fn surest(first: Option<Removed>, second: impl FnOnce() -> Option<Removed>) -> Option<Removed> {
    match first {
        Some(Removed::Expired | Removed::Superseded) => first,
        Some(Removed::Unclear) | None => second().or(first),
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
