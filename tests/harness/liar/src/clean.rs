//! Removes records from logs: by retention and compaction, according to the topic's settings, and by actions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::Inner;
use crate::batch::{self, Batch};
use crate::behaviour::Action;
use crate::log::{Moved, Removed, Stored};
use crate::state::{Partition, State, now_ms};

/// How often the cleaner looks.
const EVERY: Duration = Duration::from_millis(20);

/// A record that was removed, and whether somebody had read it.
type Gone = (Stored, bool);

/// Cleans until the broker ends.
pub fn run(inner: &Arc<Inner>) {
    while !inner.is_stopped() {
        inner.sleep(EVERY);
        if inner.state().clean(inner.now_us()) {
            inner.changed.notify_all();
        }
    }
}

impl State {
    /// Removes what the settings of topics say; false where there was nothing.
    pub fn clean(&mut self, at_us: u64) -> bool {
        let before = self.log.removed.len();
        for (topic, found) in &mut self.topics {
            for (partition, found) in (0..).zip(&mut found.partitions) {
                for (why, gone) in [("retention", found.retain()), ("compaction", found.compact())] {
                    write_down(&mut self.log.removed, gone, (topic, partition), why, at_us);
                }
            }
        }
        self.log.removed.len() > before
    }

    /// Does to a log, or to its leader, what these actions say; true where the leader has moved.
    pub fn strike(&mut self, topic: &str, partition: i32, actions: &[Action], at_us: u64) -> bool {
        let (nodes, mut has_moved) = (self.nodes(), false);
        for action in actions {
            let Some(found) = self.partition(topic, partition) else { break };
            let gone = match action {
                Action::LoseTail { batches } => found.lose_tail(*batches as usize),
                Action::DeleteEarly { batches } => found.delete_oldest(*batches as usize),
                Action::CompactLast { index } => found.compact_last(*index as usize),
                Action::Truncate { to } => {
                    found.truncate(*to);
                    Vec::new()
                }
                _ => Vec::new(),
            };
            if matches!(action, Action::MoveLeader | Action::LoseTail { .. }) {
                found.move_leader(nodes);
                has_moved = true;
                self.log.moved.push(Moved { at_us, topic: topic.to_owned(), partition });
            }
            write_down(&mut self.log.removed, gone, (topic, partition), action.name(), at_us);
        }
        has_moved
    }
}

fn write_down(
    removed: &mut Vec<Removed>,
    gone: Vec<Gone>,
    (topic, partition): (&str, i32),
    why: &'static str,
    at_us: u64,
) {
    let topic = topic.to_owned();
    removed.extend(gone.into_iter().map(|(record, seen)| Removed {
        at_us,
        topic: topic.clone(),
        partition,
        offset: record.offset,
        key: record.key,
        digest: record.digest,
        why,
        seen,
    }));
}

impl Partition {
    /// Removes the oldest batches that are too old, or that are too much.
    fn retain(&mut self) -> Vec<Gone> {
        let (now, keep) = (now_ms(), self.keep);
        let mut left: usize = self.batches.iter().map(|batch| batch.bytes.len()).sum();
        let mut count = 0;
        for batch in self.batches.iter().take_while(|_| keep.ms.is_some() || keep.bytes.is_some()) {
            let Some(read) = Batch::read(&batch.bytes) else { break };
            left -= batch.bytes.len();
            let old = keep.ms.is_some_and(|ms| now.saturating_sub(read.newest()) > ms);
            let much = keep.bytes.is_some_and(|bytes| i64::try_from(left).unwrap_or(0) >= bytes);
            if !old && !much {
                break;
            }
            count += 1;
        }
        self.delete_oldest(count)
    }

    fn delete_oldest(&mut self, count: usize) -> Vec<Gone> {
        let mut gone = Vec::new();
        for batch in self.batches.drain(..count.min(self.batches.len())).collect::<Vec<_>>() {
            self.start = batch.end;
            gone.extend(self.gone(&batch.bytes, batch.base, |_| true));
        }
        gone
    }

    /// Removes records whose key is there again later, from all batches but the newest.
    fn compact(&mut self) -> Vec<Gone> {
        let mut gone = Vec::new();
        if !self.keep.compact || self.compacted == self.end {
            return gone;
        }
        self.compacted = self.end;
        let last = self.last_of_keys();
        for at in (0..self.batches.len().saturating_sub(1)).rev() {
            gone.extend(self.remove(at, |offset, key| last.get(key).is_some_and(|last| *last > offset)));
        }
        gone
    }

    /// The last offset of each key.
    fn last_of_keys(&self) -> HashMap<Vec<u8>, i64> {
        let mut last = HashMap::new();
        for batch in &self.batches {
            let Some(read) = Batch::read(&batch.bytes).filter(|read| !read.is_control()) else { continue };
            for record in read.records {
                last.extend(record.key.map(|key| (key, batch.base + record.offset_delta)));
            }
        }
        last
    }

    fn compact_last(&mut self, index: usize) -> Vec<Gone> {
        let markers = self.batches.iter().filter(|batch| {
            // A batch holds either messages or an end marker.
            Batch::read(&batch.bytes).is_some_and(|read| read.is_marker())
        });
        let markers: Vec<(i64, i64)> = markers.map(|batch| (batch.base, batch.end)).collect();
        let last: BTreeMap<i64, Vec<u8>> =
            self.last_of_keys().into_iter().map(|(key, offset)| (offset, key)).collect();
        let mut offsets: Vec<i64> = last.into_keys().collect();
        offsets.retain(|offset| markers.iter().all(|(base, end)| !(*base..*end).contains(offset)));
        if !self.keep.compact || offsets.is_empty() {
            return Vec::new();
        }
        let offset = offsets[index % offsets.len()];
        let Some(at) = self.batches.iter().position(|batch| (batch.base..batch.end).contains(&offset)) else {
            return Vec::new();
        };
        self.remove(at, |at, _| at == offset)
    }

    /// Removes the records with a key of which this holds; a batch that becomes empty goes away.
    fn remove(&mut self, at: usize, goes: impl Fn(i64, &[u8]) -> bool) -> Vec<Gone> {
        let (base, bytes) = (self.batches[at].base, self.batches[at].bytes.clone());
        let Some(mut read) = Batch::read(&bytes).filter(|read| !read.is_control()) else { return Vec::new() };
        let goes = |record: &batch::Record| {
            record.key.as_ref().is_some_and(|key| goes(base + record.offset_delta, key))
        };
        let gone = self.gone(&bytes, base, goes);
        read.records.retain(|record| !goes(record));
        if read.records.is_empty() {
            self.batches.remove(at);
        } else if !gone.is_empty() {
            // One that was wrong is not put right.
            self.batches[at].bytes = read.write(batch::crc_fits(&bytes));
        }
        gone
    }

    /// The end of the log is that of the last batch that is left.
    fn lose_tail(&mut self, count: usize) -> Vec<Gone> {
        let mut gone = Vec::new();
        for batch in self.batches.split_off(self.batches.len().saturating_sub(count)) {
            self.end = self.end.min(batch.base);
            gone.extend(self.gone(&batch.bytes, batch.base, |_| true));
        }
        // The new leader knows what it has, and no more.
        let end = self.end;
        for known in self.producers.values_mut() {
            known.retain(|(.., offset)| *offset < end);
        }
        for (_, first) in &mut self.epochs {
            *first = (*first).min(end);
        }
        self.sights.retain(|offset, _| *offset < end);
        gone
    }

    fn gone(&self, bytes: &[u8], base: i64, goes: impl Fn(&batch::Record) -> bool) -> Vec<Gone> {
        let Some(read) = Batch::read(bytes).filter(|read| !read.is_control()) else { return Vec::new() };
        let gone = read.records.iter().filter(|record| goes(record)).map(|record| {
            let stored = record.stored(base + record.offset_delta, 0);
            let seen = self.sights.contains_key(&stored.offset);
            (stored, seen)
        });
        gone.collect()
    }
}
