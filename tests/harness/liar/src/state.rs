//! Topics, partitions and their logs, the rules that apply, and the broker's log.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::batch::{self, Batch};
use crate::behaviour::{Action, Api, Behaviour, Phase};
use crate::log::{Created, Fired, Log, PartitionLog};
use crate::produce::Held;
use crate::settings::Keep;

/// Batches of an idempotent producer that are known again.
const KNOWN_BATCHES: usize = 5;

pub struct State {
    pub behaviour: Behaviour,
    rules: Vec<Counter>,
    pub topics: BTreeMap<String, Topic>,
    /// Topics that were deleted, as they were.
    pub deleted: BTreeMap<String, Topic>,
    pub log: Log,
    pub next_producer: i64,
    pub markers: bool,
}

#[derive(Default, Clone)]
struct Counter {
    matched: u32,
    first: Option<Instant>,
}

pub struct Topic {
    pub id: Uuid,
    /// What its maker asked for.
    pub settings: BTreeMap<String, String>,
    pub partitions: Vec<Partition>,
}

/// A batch in a log.
pub struct InLog {
    pub base: i64,
    /// One past its last offset.
    pub end: i64,
    pub bytes: Vec<u8>,
}

/// First and last sequence of a batch, and its offset.
type Known = (i32, i32, i64);

#[derive(Default)]
pub struct Partition {
    pub batches: Vec<InLog>,
    pub start: i64,
    pub end: i64,
    pub leader: usize,
    /// Each leader epoch with its first offset.
    pub epochs: Vec<(i32, i64)>,
    /// By producer id and epoch: its last batches.
    pub producers: HashMap<(i64, i16), VecDeque<Known>>,
    /// How often each offset was handed out.
    pub sights: HashMap<i64, u32>,
    pub held: Option<Held>,
    /// An end marker came.
    pub marked: bool,
    pub keep: Keep,
    /// The end of the log when it was compacted last.
    pub compacted: i64,
}

/// What a rule is asked about.
#[derive(Clone, Copy)]
pub struct Request {
    pub api: Api,
    pub partition: i32,
    /// An end marker came to this partition before.
    pub marked: bool,
    /// A batch that an idempotent producer sent again.
    pub again: bool,
}

impl State {
    pub fn new(behaviour: Behaviour) -> Self {
        Self {
            rules: vec![Counter::default(); behaviour.rules.len()],
            behaviour,
            topics: BTreeMap::new(),
            deleted: BTreeMap::new(),
            log: Log { started_ms: now_ms(), ..Log::default() },
            next_producer: 1000,
            markers: false,
        }
    }

    pub fn nodes(&self) -> usize {
        usize::from(self.behaviour.brokers.max(1))
    }

    /// Makes a topic. The records of a deleted one of its name may be there again.
    pub fn create(
        &mut self,
        name: &str,
        partitions: i32,
        settings: BTreeMap<String, String>,
        resurrect: bool,
        at_us: u64,
    ) {
        let nodes = self.nodes();
        let mut all = self.behaviour.defaults.clone();
        all.extend(settings.clone());
        let keep = Keep::of(&all);
        let partition = |number: i32| Partition {
            leader: usize::try_from(number).unwrap_or(0) % nodes,
            epochs: vec![(0, 0)],
            keep,
            ..Partition::default()
        };
        let mut partitions: Vec<Partition> = (0..partitions.max(1)).map(partition).collect();
        let mut old = 0;
        if let Some(deleted) = self.deleted.remove(name).filter(|_| resurrect) {
            for (new, deleted) in partitions.iter_mut().zip(deleted.partitions) {
                old += deleted.export().records.len() as u64;
                (new.start, new.end, new.batches) = (deleted.start, deleted.end, deleted.batches);
            }
        }
        self.log.created.push(Created { at_us, topic: name.to_owned(), old });
        self.topics.insert(name.to_owned(), Topic { id: Uuid::new_v4(), settings, partitions });
    }

    /// Removes a topic; false where there is none.
    pub fn delete(&mut self, name: &str) -> bool {
        let deleted = self.topics.remove(name);
        let there = deleted.is_some();
        self.deleted.extend(deleted.map(|topic| (name.to_owned(), topic)));
        there
    }

    pub fn partition(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        self.topics.get_mut(topic)?.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// The actions of all rules that fire for this request, in the order of the rules.
    pub fn fire(&mut self, request: Request, at_us: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        for (index, rule) in self.behaviour.rules.iter().enumerate() {
            let phase = match rule.phase {
                Phase::Always => true,
                Phase::BeforeMarker => !request.marked,
                Phase::AfterMarker => request.marked,
            };
            let only_again = matches!(rule.action, Action::WriteRetries | Action::DuplicateToRetries);
            let here = rule.partition.is_none_or(|partition| partition == request.partition);
            // Of metadata, a topic and its partitions are asked about one by one.
            let apart = request.api == Api::Metadata && request.partition >= 0 && rule.partition.is_none();
            if apart || rule.on != request.api || !here || !phase || (only_again && !request.again) {
                continue;
            }
            let counter = &mut self.rules[index];
            let nth = counter.matched;
            counter.matched += 1;
            let since = counter.first.map_or(Duration::ZERO, |first| first.elapsed());
            let in_time = rule.for_ms.is_none_or(|ms| since < Duration::from_millis(ms));
            let in_count = rule.count.is_none_or(|count| nth < rule.from.saturating_add(count));
            if nth < rule.from || !in_count || !in_time {
                continue;
            }
            counter.first.get_or_insert_with(Instant::now);
            actions.push(rule.action.clone());
            self.log.fired.push(Fired {
                at_us,
                rule: index,
                action: rule.action.name(),
                legal: rule.is_legal(),
                partition: request.partition,
            });
        }
        actions
    }

    pub fn export(&self) -> Log {
        let mut log = self.log.clone();
        log.describes = !self.behaviour.no_describe;
        for (name, topic) in &self.topics {
            log.topics.insert(name.clone(), topic.partitions.iter().map(Partition::export).collect());
            let mut settings = self.behaviour.defaults.clone();
            settings.extend(topic.settings.clone());
            log.settings.insert(name.clone(), settings);
        }
        log
    }
}

impl Partition {
    pub fn epoch(&self) -> i32 {
        self.epochs.last().map_or(0, |(epoch, _)| *epoch)
    }

    /// Appends a batch, which takes this many offsets, and gives its base.
    pub fn append(&mut self, mut bytes: Vec<u8>, width: i64) -> i64 {
        let base = self.end;
        if self.keep.append_time {
            batch::stamp(&mut bytes, now_ms());
        }
        batch::place(&mut bytes, base, self.epoch());
        self.end += width;
        self.batches.push(InLog { base, end: self.end, bytes });
        base
    }

    pub fn truncate(&mut self, to: i64) {
        if to >= self.end {
            return;
        }
        self.batches.retain(|batch| batch.end <= to.max(self.start));
        self.end = self.batches.last().map_or(self.start, |batch| batch.end);
    }

    pub fn move_leader(&mut self, nodes: usize) {
        self.leader = (self.leader + 1) % nodes;
        self.epochs.push((self.epoch() + 1, self.end));
    }

    /// The end of a leader epoch: the epoch that answers (the largest one up to it), and where it ends.
    pub fn epoch_end(&self, epoch: i32) -> (i32, i64) {
        let Some(at) = self.epochs.iter().rposition(|(known, _)| *known <= epoch) else { return (-1, -1) };
        (self.epochs[at].0, self.epochs.get(at + 1).map_or(self.end, |(_, first)| *first))
    }

    /// Base offset of a batch that this producer sent before.
    pub fn known(&self, batch: &Batch) -> Option<i64> {
        let (first, last) = sequences(batch);
        let known = self.producers.get(&batch.producer())?;
        known.iter().find(|(a, b, _)| (*a, *b) == (first, last)).map(|(_, _, offset)| *offset)
    }

    /// The next sequence number of this producer differs from the batch's.
    pub fn out_of_order(&self, batch: &Batch) -> bool {
        let last = self.producers.get(&batch.producer()).and_then(|known| known.back());
        // One of an unknown producer has to be its first.
        last.map_or(0, |(_, last, _)| last.wrapping_add(1) & i32::MAX) != batch.base_sequence()
    }

    pub fn remember(&mut self, batch: &Batch, offset: i64) {
        if batch.producer().0 < 0 {
            return;
        }
        let (first, last) = sequences(batch);
        let known = self.producers.entry(batch.producer()).or_default();
        // One that was stored behind its successor.
        let behind = known.back().is_some_and(|(next, ..)| *next == last.wrapping_add(1) & i32::MAX);
        let place = known.len() - usize::from(behind);
        known.insert(place, (first, last, offset));
        if known.len() > KNOWN_BATCHES {
            known.pop_front();
        }
    }

    fn export(&self) -> PartitionLog {
        let mut out =
            PartitionLog { start: self.start, end: self.end, records: Vec::new(), control: Vec::new() };
        for batch in &self.batches {
            let Some(read) = Batch::read(&batch.bytes) else { continue };
            let stored = read.stored(batch.base);
            if read.is_control() {
                out.control.extend(stored.iter().map(|record| record.offset));
            } else {
                out.records.extend(stored);
            }
        }
        out
    }
}

pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(0)
}

fn sequences(batch: &Batch) -> (i32, i32) {
    let width = i32::try_from(batch.width()).unwrap_or(1);
    (batch.base_sequence(), batch.base_sequence().wrapping_add(width - 1) & i32::MAX)
}
