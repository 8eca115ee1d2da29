//! Decides what a partition's retention and compaction may have removed, if something is missing.
//!
//! Uses the topic's rules, and later records with the same key. `retention` has the arithmetic of retention.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use super::retention::{Certainty, OVERHEAD, PartitionLog};
use super::rules::Rules;
use super::same_topic::TopicComparison;
use super::saved;
use crate::engine::context::findings::RunFindings;
use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::engine::messages::end_marker;
use crate::engine::messages::keys::{KeyRule, Keys, NoKeys, Sender};
use crate::engine::messages::message::longest;
use crate::ids::{Offset, Partition, Seq, StreamId};
use crate::kafka::Client;
use crate::kafka::client::metadata;
use crate::kafka::probe::TopicSettings;
use crate::ledger::{Between, Contents, Judged, Marker, RemovalReason, Removals, SentLog, StreamInfo};
use crate::observe::Note;
use crate::plan::Work;
use crate::units::thousands;

/// The highest offset of each key that was read.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    highest: HashMap<u64, Offset>,
    /// Everything from this offset to the end of the log was read. If `None`, any key may have a later record.
    all_from: Option<Offset>,
}

impl KeyIndex {
    /// Records a record with this key.
    pub(crate) fn see(&mut self, key: &[u8], offset: Offset) {
        let highest = self.highest.entry(hash(key)).or_insert(offset);
        *highest = offset.max(*highest);
    }

    /// Whether a record with this key exists after an offset. If `sure`, it supersedes what was at this
    /// offset.
    fn later(&self, key: &[u8], offset: Offset, sure: bool) -> Option<RemovalReason> {
        match self.highest.get(&hash(key)).is_some_and(|highest| *highest > offset) {
            true if sure => Some(RemovalReason::Superseded),
            true => Some(RemovalReason::Unclear),
            false => (!self.is_whole(offset)).then_some(RemovalReason::Unclear),
        }
    }

    /// Records that everything from this offset to the end of the log was read.
    pub(crate) fn see_all(&mut self, from: Offset) {
        self.all_from = Some(self.all_from.map_or(from, |all| all.min(from)));
    }

    /// Whether everything after this offset was read.
    fn is_whole(&self, offset: Offset) -> bool {
        self.all_from.is_some_and(|from| from <= offset.max(0))
    }

    /// Whether there is or may be a record with a key after this offset that is not an end marker.
    fn has_any_later(&self, offset: Offset) -> bool {
        let marker = hash(end_marker::KEY);
        !self.is_whole(offset)
            || self.highest.iter().any(|(key, highest)| *key != marker && *highest > offset)
    }
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// One partition with missing messages.
pub(crate) struct PartitionRemovals<'a> {
    pub(crate) rules: Rules,
    context: &'a RunContext,
    topology: &'a Topology,
    found: &'a RunFindings,
    topic: usize,
    partition: Partition,
    log: RefCell<PartitionLog>,
    /// Whether the topic was recreated after the judged messages were sent.
    pub(crate) is_other_log: bool,
    /// When this run started, in microseconds since the start of the run that sent; `None` if the clocks do not match.
    since_us: Option<u64>,
    pub(crate) keys: RefCell<KeyIndex>,
    rendered: RefCell<HashMap<StreamId, Result<Keys, NoKeys>>>,
    decided: RefCell<HashMap<(StreamId, Seq), Option<RemovalReason>>>,
}

impl<'a> PartitionRemovals<'a> {
    pub(crate) fn of(
        context: &'a RunContext,
        topology: &'a Topology,
        found: &'a RunFindings,
        topics: &TopicComparison<'_>,
        (topic, partition): (usize, Partition),
        (rules, contents): (Rules, Contents),
    ) -> Self {
        let log = PartitionLog { reported: None, now_us: 0, contents, largest: largest(context, topic) };
        Self {
            rules,
            context,
            topology,
            found,
            topic,
            partition,
            log: RefCell::new(log),
            is_other_log: topics.created_again(&topology.topics[topic].name).is_some(),
            since_us: match &context.saved {
                Some(saved) => saved.since_start_us(context.clock.of_day(0)),
                None => Some(0),
            },
            keys: RefCell::default(),
            rendered: RefCell::default(),
            decided: RefCell::default(),
        }
    }

    /// Requests the log's start and end from the broker, after everything was re-read, because the start
    /// moves forward.
    pub(crate) fn look_at_log(&self, until: Instant) {
        let reported = self.start_and_end(&self.context.client, until);
        let mut log = self.log.borrow_mut();
        (log.reported, log.now_us) = (reported, self.of_sender(self.context.clock.now_us()));
    }

    /// The log's start and end, as the broker reports them to this client now. A stopped run does not request them.
    pub(crate) fn start_and_end(&self, client: &Client, until: Instant) -> Option<(Offset, Offset)> {
        if self.context.stop.is_stopped() {
            return None;
        }
        let name = &self.topology.topics[self.topic].name;
        let waits = client.waits();
        let ask = || metadata::watermarks(client, name, self.partition, waits.ends);
        let mut reported = ask();
        while reported.is_err() && Instant::now() < until && !self.context.stop.is_stopped() {
            std::thread::sleep(waits.ask);
            reported = ask();
        }
        reported.ok()
    }

    /// Converts a time of this run to the time of the run that sent.
    fn of_sender(&self, at_us: u64) -> u64 {
        at_us.saturating_add(self.since_us.unwrap_or(0))
    }

    /// Whether retention explains the removal of a record with a timestamp between these times.
    fn expired(&self, place: Option<Offset>, stamped: Option<Between>) -> Option<RemovalReason> {
        let log = self.log.borrow();
        let certainty = match self.is_other_log {
            true => log.expired_before(self.rules, stamped),
            // A run that was stopped before the broker reported the log cannot rule out retention.
            false if log.reported.is_none() && self.context.stop.is_stopped() && self.rules.deletes() => {
                Certainty::Maybe
            }
            false => log.expired(self.rules, place, stamped),
        };
        match certainty {
            Certainty::Yes => Some(RemovalReason::Expired),
            Certainty::Maybe => Some(RemovalReason::Unclear),
            Certainty::No => None,
        }
    }

    /// Whether the broker may set timestamps: `LogAppendTime`, or unknown settings.
    const fn stamps_itself(&self) -> bool {
        matches!(self.rules, Rules::Known(TopicSettings { append_time: true, .. }) | Rules::Unknown)
    }

    /// The interval in which a message got its timestamp, since the start of the run that sent it.
    fn stamped(&self, stream: StreamId, seq: Seq) -> Option<Between> {
        let stamped = self.found.sent().get(&stream)?.stamped(seq, self.stamps_itself())?;
        // If a clock is behind, the age is unknown.
        (self.since_us.is_some() && stamped.0 <= self.log.borrow().now_us).then_some(stamped)
    }

    /// Whether a later record of this message's key exists. That is unknown if the message's offset is
    /// unknown, or if the settings are unknown and the topic may not be compacted.
    fn superseded(&self, id: StreamId, seq: Seq, place: Option<Offset>) -> Option<RemovalReason> {
        if !self.rules.compacts() || self.is_other_log {
            return None;
        }
        let offset = place.unwrap_or(-1);
        let later = self.keys.borrow();
        let mut rendered = self.rendered.borrow_mut();
        match rendered.entry(id).or_insert_with(|| self.keys_of(id)) {
            Ok(keys) => {
                let sure = place.is_some() && self.rules != Rules::Unknown;
                later.later(keys.key(seq)?, offset, sure)
            }
            // Any later record may have this key.
            Err(NoKeys::Unknown) => later.has_any_later(offset).then_some(RemovalReason::Unclear),
            Err(NoKeys::None) => None,
        }
    }

    fn keys_of(&self, id: StreamId) -> Result<Keys, NoKeys> {
        let stream = self.topology.streams.get(id).ok_or(NoKeys::None)?;
        let same = |(_, other): &(StreamId, &StreamInfo)| {
            (other.scenario, other.client) == (stream.scenario, stream.client)
        };
        let own = self.topology.streams.iter().filter(same).map(|(id, _)| id);
        let sent = own.filter_map(|id| self.found.sent().get(&id)).map(SentLog::sent).sum();
        if let Some(saved) = &self.context.saved {
            return saved::keys_of(saved, id, stream, sent);
        }
        let sender = Sender {
            run: self.context.run_tag,
            run_id: &self.context.run_id,
            scenario: stream.scenario,
            client: stream.client,
            stream: id,
            partitions: self.topology.topics[stream.topic].partitions,
            sent,
        };
        match &self.context.plan.scenarios.get(stream.scenario).ok_or(NoKeys::None)?.work {
            Work::Produce(plan) => Keys::of_producer(&KeyRule::of(plan), &sender, self.partition),
            Work::Roundtrip(plan) => Keys::of_trips(plan.message.key.as_ref(), &sender, self.partition),
            _ => Err(NoKeys::None),
        }
    }
}

impl Removals for PartitionRemovals<'_> {
    fn of_message(&self, stream: StreamId, seq: Seq, place: Option<Offset>) -> Option<RemovalReason> {
        if let Some(decided) = self.decided.borrow().get(&(stream, seq)) {
            return *decided;
        }
        let stamped = self.stamped(stream, seq);
        let found = surest(self.superseded(stream, seq, place), || self.expired(place, stamped));
        self.decided.borrow_mut().insert((stream, seq), found);
        found
    }

    fn of_marker(&self, marker: Marker) -> Option<RemovalReason> {
        let sure = self.rules != Rules::Unknown;
        let later = || self.keys.borrow().later(end_marker::KEY, marker.offset, sure);
        let superseded = if self.rules.compacts() { later() } else { None };
        let markers = self.found.markers.of((self.topic, self.partition));
        let written = markers.iter().find(|own| own.number == marker.number);
        let stamped = written.map(|own| match self.stamps_itself() {
            true => own.written_us,
            false => (own.written_us.0, own.written_us.0),
        });
        let stamped = stamped.map(|(from, to)| (self.of_sender(from), self.of_sender(to)));
        surest(superseded, || self.expired(Some(marker.offset), stamped))
    }
}

/// The first certain reason; otherwise an uncertain one.
fn surest(
    first: Option<RemovalReason>,
    second: impl FnOnce() -> Option<RemovalReason>,
) -> Option<RemovalReason> {
    match first {
        Some(RemovalReason::Expired | RemovalReason::Superseded) => first,
        Some(RemovalReason::Unclear) | None => second().or(first),
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

/// The maximum size of a record of the run's producers in this topic, in bytes.
fn largest(context: &RunContext, topic: usize) -> u64 {
    let of_topic = |name: &_| context.topic_index(name) == Some(topic);
    let works = context.plan.scenarios.iter().map(|scenario| &scenario.work);
    let works = works.filter(|work| work.topic().is_some_and(of_topic));
    let sizes = works.filter_map(Work::message).map(|message| longest(&context.run_id, message));
    let sizes = match &context.saved {
        Some(saved) => saved.largest(topic),
        None => sizes.max(),
    };
    sizes.unwrap_or(0).saturating_add(OVERHEAD)
}

/// Notes messages that were removed after they were read, which are verified.
pub(crate) fn note_removed(
    context: &RunContext,
    topology: &Topology,
    judged: &BTreeMap<(usize, Partition), Judged>,
    rules: &HashMap<usize, Rules>,
) {
    for (topic, state) in topology.topics.iter().enumerate() {
        let of_topic = judged.range((topic, Partition::MIN)..=(topic, Partition::MAX));
        let removed: u64 = of_topic.map(|(_, judged)| judged.removed_later).sum();
        if let Some(rules) = rules.get(&topic).filter(|_| removed > 0) {
            let messages = if removed == 1 { "message was" } else { "messages were" };
            context.notes.add(Note::hint(format!(
                "`{}`: {} verified {messages} removed after the read, by {}",
                state.name,
                thousands(removed),
                rules.name()
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_explains_what_lay_before_it_and_may_be_anywhere_that_nobody_read() {
        let mut keys = KeyIndex::default();
        keys.see(b"a", 20);
        keys.see(b"a", 10);
        assert_eq!(keys.later(b"a", 19, true), Some(RemovalReason::Superseded));
        assert_eq!(keys.later(b"a", 19, false), Some(RemovalReason::Unclear));
        // No reader read to the end of the log.
        assert_eq!(
            [keys.later(b"a", 20, true), keys.later(b"b", 0, true)],
            [Some(RemovalReason::Unclear); 2]
        );
        assert!(keys.has_any_later(30));
        keys.see_all(15);
        keys.see_all(18);
        assert_eq!([keys.later(b"a", 20, true), keys.later(b"b", 15, true)], [None; 2]);
        assert_eq!(keys.later(b"b", 14, true), Some(RemovalReason::Unclear));
        assert_eq!(keys.later(b"b", -1, false), Some(RemovalReason::Unclear), "without a place");
        assert!(!keys.has_any_later(30) && keys.has_any_later(19));
        keys.see_all(0);
        assert_eq!(keys.later(b"b", -1, false), None);
    }
}
