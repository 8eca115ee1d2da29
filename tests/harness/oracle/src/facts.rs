//! What the broker's log contains about each message.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::acks::{self, Range};
use crate::file::File;
use crate::kept::{Kept, Taken};
use crate::log::{Log, Produced, Stored};
use crate::seen::{Handed, Seen};

/// An answer that was given later than this may have come too late for the client.
const LATE_US: u64 = 1_200_000;

/// A message of kaf6: run tag, stream and sequence, as its envelope has them.
pub type Identity = (u64, u32, u64);

/// A message, and what became of it.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: Identity,
    pub topic: String,
    pub partition: i32,
    pub sender: Option<usize>,
    pub marker: bool,
    pub digest: String,
    pub key: Option<String>,
    /// Its timestamp as it was sent, in milliseconds of the wall clock.
    pub time_ms: i64,
    /// When it came first.
    pub came_us: u64,
    /// It was sent with acks -1.
    pub acks_all: bool,
    /// How many requests held it.
    pub tries: usize,
    /// Offsets of its acks; -1 for one without.
    pub acks: Vec<i64>,
    /// librdkafka counts the offsets of a batch that was acked without one from -1 on. Who gets the next one by chance seems to be
    /// in that batch.
    pub seems_without_place: bool,
    /// When its first ack began to be sent, and when it was sent.
    pub acking_us: Option<u64>,
    pub acked_us: Option<u64>,
    /// The acks may have come too late.
    pub late: bool,
    /// What was handed out at its acked offset.
    pub handed: Handed,
    /// What was taken out of the log by retention, compaction, or who else.
    pub taken: Taken,
    /// The partition got a new leader epoch after its ack.
    pub moved: bool,
    /// Something behind its acked offset was handed out.
    pub passed: bool,
    /// Other offsets of its partition at which it was handed out as it was sent.
    pub elsewhere: BTreeSet<i64>,
    /// What lies at its acked offset in the end is this message, as it was sent.
    pub in_place: bool,
    /// How often it lies in its partition's log in the end, in whatever state.
    pub copies: usize,
    /// It was stored in another partition.
    pub strayed: bool,
}

/// All messages, and what is known beside them.
#[derive(Debug)]
pub struct Facts {
    pub messages: Vec<Message>,
    /// Names of actions that no correct broker does.
    pub lies: BTreeSet<String>,
    /// Names of all actions.
    pub actions: BTreeSet<String>,
    /// Something was taken out of a log.
    pub removed: bool,
    /// Offsets that were acked to two messages.
    pub collided: Range,
    /// Messages that were acked below what was acked before they were handed over.
    pub overtaken: Range,
    /// Records of another run that were there when a topic was made.
    pub resurrected: Range,
    /// Messages behind a later one of their stream, first copies only, in the logs as they are in the end.
    pub reordered: u64,
    /// Further copies of messages, in the logs as they are in the end.
    pub duplicates: u64,
    /// Requests of which some message was sent before.
    pub retried: bool,
}

impl Message {
    /// It was acked, at this offset (-1: without one), and no answer contradicts it.
    pub fn acked_at(&self) -> Option<i64> {
        self.acks.last().copied()
    }

    fn goes_on(&self, without_place: &HashSet<Identity>) -> bool {
        let (run, stream, seq) = self.id;
        let counted = |offset: &i64| {
            let first = u64::try_from(*offset + 1).ok().and_then(|count| seq.checked_sub(count));
            first.is_some_and(|first| first < seq && without_place.contains(&(run, stream, first)))
        };
        self.acks.iter().any(counted)
    }

    pub fn is_sure(&self) -> bool {
        !self.late && self.acks.iter().all(|offset| Some(offset) == self.acks.first())
    }
}

impl Facts {
    /// Reads them out of a log.
    pub fn new(log: &Log, file: &File) -> Self {
        let mut messages: BTreeMap<(String, Identity, bool), Message> = BTreeMap::new();
        let mut by_stream: BTreeMap<(String, u32), usize> = BTreeMap::new();
        // The highest sequence that was acked to each idempotent producer of a partition, and the sequences of messages.
        let mut acked_up_to: HashMap<(&str, i32, i64), i64> = HashMap::new();
        let mut sequences: HashMap<(String, Identity, bool), (i32, i64, i64)> = HashMap::new();
        for batch in &log.produced {
            for (place, record) in batch.records.iter().enumerate() {
                let Some((id, kind)) = identity(record) else { continue };
                let marker = kind == 3;
                let sender = if marker { None } else { sender(record, &batch.topic, file) };
                if let Some(sender) = sender {
                    by_stream.insert((batch.topic.clone(), id.1), sender);
                }
                let message = messages.entry((batch.topic.clone(), id, marker)).or_insert_with(|| Message {
                    id,
                    topic: batch.topic.clone(),
                    partition: batch.partition,
                    sender,
                    marker,
                    digest: record.digest.clone(),
                    key: record.key.clone(),
                    time_ms: record.time_ms,
                    came_us: batch.at_us,
                    acks_all: batch.acks == -1,
                    tries: 0,
                    acks: Vec::new(),
                    seems_without_place: false,
                    acking_us: None,
                    acked_us: None,
                    late: false,
                    handed: Handed::default(),
                    taken: Taken::default(),
                    moved: false,
                    passed: false,
                    elsewhere: BTreeSet::new(),
                    in_place: false,
                    copies: 0,
                    strayed: false,
                });
                message.tries += 1;
                message.strayed |= batch.stored.iter().any(|(partition, _)| *partition != batch.partition);
                // librdkafka takes 46 for an ack from idempotent producers alone; to others it is an error like any.
                let success =
                    batch.code.is_some_and(|code| code == 0 || (code == 46 && batch.producer_id >= 0));
                let sequence = i64::from(batch.base_sequence) + i64::try_from(place).unwrap_or(0);
                if batch.producer_id >= 0 {
                    let key = (batch.topic.clone(), id, marker);
                    sequences.insert(key, (batch.partition, batch.producer_id, sequence));
                    if success && batch.acking_us().is_some() {
                        let up_to = acked_up_to
                            .entry((&batch.topic, batch.partition, batch.producer_id))
                            .or_insert(-1);
                        *up_to = (*up_to).max(sequence);
                    }
                }
                if batch.acks != 0
                    && success
                    && let Some(acking) = batch.acking_us()
                {
                    // Nobody knows whether one that was being written got there.
                    let in_time = |answered: u64| answered.saturating_sub(batch.at_us) <= LATE_US;
                    message.late |= !batch.answered_us.is_some_and(in_time);
                    let offset = batch.base_offset;
                    let offset = if offset < 0 { -1 } else { offset + i64::try_from(place).unwrap_or(0) };
                    message.acks.push(offset);
                    message.acking_us.get_or_insert(acking);
                    message.acked_us = message.acked_us.or(batch.answered_us);
                }
            }
        }
        // An ack of a later sequence acks what librdkafka has sent before, without a place.
        for (key, (partition, producer, sequence)) in &sequences {
            let up_to = acked_up_to.get(&(key.0.as_str(), *partition, *producer));
            if let Some(message) = messages.get_mut(key).filter(|message| message.acks.is_empty())
                && up_to.is_some_and(|up_to| up_to > sequence)
            {
                message.acks.push(-1);
                message.late = true;
            }
        }
        let known: HashSet<String> = messages.values().map(|message| message.digest.clone()).collect();
        let seen = Seen::new(log, &known);
        let mut by_digest: HashMap<(&str, i32, &str), Vec<i64>> = HashMap::new();
        let mut furthest: HashMap<(&str, i32), i64> = HashMap::new();
        for (topic, partition, digest, offset) in seen.digests() {
            by_digest.entry((topic, partition, digest)).or_default().push(offset);
            let furthest = furthest.entry((topic, partition)).or_insert(-1);
            *furthest = (*furthest).max(offset);
        }
        let kept = Kept::new(log, file);
        let (mut reordered, mut duplicates) = (0, 0);
        let mut copies: HashMap<(&str, i32, Identity), usize> = HashMap::new();
        let mut lies_at: HashMap<(&str, i32, i64), &str> = HashMap::new();
        for (topic, partitions) in &log.topics {
            for (number, partition) in partitions.iter().enumerate() {
                let number = i32::try_from(number).unwrap_or(-1);
                let mut highest: HashMap<(u64, u32), u64> = HashMap::new();
                for record in &partition.records {
                    lies_at.insert((topic, number, record.offset), &record.digest);
                    let Some((id, kind)) = identity(record) else { continue };
                    // Without acks, what became of a message is unknown, and where it lies is explained. What is not to be
                    // verified need not be read.
                    let free = |it: usize| file.senders[it].without_acks || !file.senders[it].verify;
                    // What was altered may name nobody; its stream does.
                    let sender = sender(record, topic, file)
                        .or_else(|| by_stream.get(&(topic.clone(), id.1)).copied());
                    if kind == 3 || sender.is_some_and(free) {
                        continue;
                    }
                    let count = copies.entry((topic, number, id)).or_default();
                    *count += 1;
                    if *count > 1 {
                        duplicates += 1;
                        continue;
                    }
                    let highest = highest.entry((id.0, id.1)).or_default();
                    if id.2 + 1 < *highest {
                        reordered += 1;
                    }
                    *highest = (*highest).max(id.2 + 1);
                }
            }
        }
        let mut messages: Vec<Message> = messages.into_values().collect();
        let without_place: HashSet<Identity> =
            messages.iter().filter(|message| message.acks.contains(&-1)).map(|message| message.id).collect();
        for message in &mut messages {
            message.seems_without_place = message.goes_on(&without_place);
            let places = by_digest.get(&(message.topic.as_str(), message.partition, message.digest.as_str()));
            let at = match message.acked_at() {
                // Without a place, it is where it is found.
                Some(-1) => places.and_then(|places| places.first().copied()),
                other => other,
            };
            if let Some(at) = at {
                message.passed =
                    furthest.get(&(message.topic.as_str(), message.partition)).is_some_and(|last| *last > at);
                let place = (message.topic.clone(), message.partition, at);
                message.handed = seen.at(&place, &message.digest, message.time_ms, &known);
                message.in_place = lies_at.get(&(message.topic.as_str(), message.partition, at))
                    == Some(&message.digest.as_str());
            }
            message.elsewhere =
                places.into_iter().flatten().copied().filter(|offset| Some(*offset) != at).collect();
            message.taken = kept.taken(message);
            message.moved = log
                .moved
                .iter()
                .any(|moved| (&moved.topic, moved.partition) == (&message.topic, message.partition));
            message.copies =
                copies.get(&(message.topic.as_str(), message.partition, message.id)).copied().unwrap_or(0);
            if message.sender.is_none() && !message.marker {
                message.sender = by_stream.get(&(message.topic.clone(), message.id.1)).copied();
            }
        }
        let names = |lies: bool| {
            let fired = log.fired.iter().filter(move |fired| !lies || !fired.legal);
            fired.map(|fired| fired.action.clone()).collect()
        };
        let mut lies: BTreeSet<String> = names(true);
        // A tail that a new leader lacks is no lie where it may lack all of it.
        let acked_to_all: HashSet<(&str, &str)> = messages
            .iter()
            .filter(|message| message.acks_all && !message.acks.is_empty())
            .map(|message| (message.topic.as_str(), message.digest.as_str()))
            .collect();
        let mut tails = log.removed.iter().filter(|removed| removed.why == "lose_tail");
        if tails.all(|it| !it.seen && !acked_to_all.contains(&(it.topic.as_str(), it.digest.as_str()))) {
            lies.remove("lose_tail");
        }
        // Two answers that are no lies alone can be one together, such as an error without a write, and an ack without an offset.
        // An ack of what was stored before is none.
        let identities = |batch: &Produced| {
            let ids =
                batch.records.iter().filter_map(|record| Some((batch.topic.clone(), identity(record)?)));
            ids.collect::<Vec<_>>()
        };
        let (stored, not): (Vec<&Produced>, Vec<&Produced>) =
            log.produced.iter().partition(|batch| !batch.stored.is_empty());
        let stored: HashSet<_> = stored.into_iter().flat_map(identities).collect();
        let acked = |batch: &&Produced| {
            batch.acks != 0 && (batch.code == Some(0) || (batch.code == Some(46) && batch.producer_id >= 0))
        };
        if not.into_iter().filter(acked).flat_map(identities).any(|id| !stored.contains(&id)) {
            lies.insert("ack_unwritten".to_owned());
        }
        let handed_out = seen.digests().map(|(topic, _, digest, _)| (topic, digest)).collect();
        Self {
            collided: acks::collided(&messages, file, log),
            overtaken: acks::overtaken(&messages, file, log),
            resurrected: acks::resurrected(log, &messages, &handed_out),
            removed: !log.removed.is_empty(),
            retried: messages.iter().any(|message| message.tries > 1),
            messages,
            lies,
            actions: names(false),
            reordered,
            duplicates,
        }
    }
}

/// Identity and kind, from the envelope: 32 bytes, the first of the value or the header `kaf6`.
pub(crate) fn identity(record: &Stored) -> Option<(Identity, u8)> {
    let kaf6 = hex(b"kaf6");
    let value = record.value.as_deref().filter(|value| value.starts_with(&kaf6));
    let header = || record.headers.iter().rev().find(|(name, _)| *name == kaf6)?.1.as_deref();
    let envelope = value.or_else(header)?.get(..64)?;
    let bytes: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&envelope[at..at + 2], 16))
        .collect::<Result<_, _>>()
        .ok()?;
    if bytes[..4] != *b"kaf6" {
        return None;
    }
    let wide =
        |from: usize, to: usize| bytes[from..to].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    Some(((wide(5, 10), u32::try_from(wide(10, 14)).ok()?, wide(14, 20)), bytes[4]))
}

/// Whose message it is: the only sender of its topic, or the one that it names in the header `by`, or at the start of its
/// key, before a `-`.
fn sender(record: &Stored, topic: &str, file: &File) -> Option<usize> {
    let of_topic: Vec<usize> =
        (0..file.senders.len()).filter(|index| file.senders[*index].topic == topic).collect();
    if let [only] = of_topic[..] {
        return Some(only);
    }
    let header =
        record.headers.iter().find(|(name, _)| *name == hex(b"by")).and_then(|(_, by)| by.as_deref());
    of_topic.into_iter().find(|index| {
        let name = hex(file.senders[*index].name.as_bytes());
        let keyed = record.key.as_deref().is_some_and(|key| key.starts_with(&format!("{name}2d")));
        header == Some(name.as_str()) || keyed
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
