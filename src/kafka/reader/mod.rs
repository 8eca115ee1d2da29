//! Readers, one per partition: one librdkafka client each, no consumer group, woken when any of them has
//! records.
//!
//! Decides which reader is next, and when a paused one fetches again.

pub(crate) mod bad_batch;
pub(crate) mod brake;
pub(crate) mod fetch_log;
pub(crate) mod fetching;
pub(crate) mod partition;
pub(crate) mod read_event;
pub mod recheck;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::probe::{self, BatchHeader};
use super::wake::Signal;
use super::{Client, Error, Waker};
use crate::ids::{Offset, Partition};
use crate::kafka::client::metadata;
use crate::kafka::client::release::release;
use crate::kafka::ffi::Handle;
use crate::plan::StartOffset;
use bad_batch::Unchecked;
use partition::{BadBatch, Halt, OUT_OF_RANGE, OffsetRefusal, Opening, PartitionReader, UNKNOWN_PARTITION};

pub use read_event::{ReadEvent, Record};

/// Number of threads that open or close the clients of a set.
const SIDE_BY_SIDE: usize = 8;

/// Maximum number of messages taken from one partition before the next partition.
const BATCH: usize = 1000;

/// What a [`ReaderSet`] reads.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    pub topic: String,
    /// The partitions of this set. Each has a separate client.
    pub partitions: Vec<Partition>,
    pub start: StartOffset,
    /// Maximum number of bytes in the queues of this set: its share of the run's 32 MiB.
    pub prefetch_bytes: u64,
    /// Let the broker wait up to a second per fetch, if latency is not measured; see
    /// [`ReaderSet::be_patient`].
    pub patient: bool,
    /// Maximum wait for the connections, metadata and start offsets of all partitions.
    pub open_timeout: Duration,
}

impl ReaderOptions {
    fn properties(&self, client: &Client) -> Vec<(&'static str, String)> {
        fetching::properties(client, self.partitions.len(), self.prefetch_bytes, self.patient)
    }

    fn opening<'a>(
        &'a self,
        client: &'a Client,
        properties: &'a [(&'static str, String)],
        partition: Partition,
        unknown_too: bool,
        deadline: Instant,
    ) -> Opening<'a> {
        Opening {
            client,
            properties,
            topic: &self.topic,
            partition,
            start: self.start,
            unknown_too,
            deadline,
            fetches: None,
        }
    }
}

/// Data shared by all readers of a set.
struct ReaderCommon<'a> {
    topic: &'a str,
    client: &'a Client,
}

/// Readers of some partitions of one topic, owned by one thread.
pub struct ReaderSet {
    readers: Vec<PartitionReader>,
    partitions: Vec<Partition>,
    topic: String,
    client: Client,
    options: ReaderOptions,
    signal: Arc<Signal>,
    /// Indexes of readers with records or errors, each at most once.
    ready: VecDeque<u32>,
    woken: Vec<u32>,
    /// Whether some readers have paused and restart later.
    paused: bool,
    /// The clients that read batches with a wrong checksum, by partition.
    unchecked: HashMap<Partition, Option<Unchecked>>,
}

impl ReaderSet {
    /// Connects all clients, requests metadata, resolves the start offsets, then starts reading.
    ///
    /// # Errors
    ///
    /// [`Error::Property`] and [`Error::Client`], as for [`Client::new`]. [`Error::Request`] if the cluster did not
    /// answer within `open_timeout`, or if the topic or one of the partitions does not exist.
    pub fn open(client: &Client, options: &ReaderOptions) -> Result<Self, Error> {
        Self::open_with(client, options, false)
    }

    /// Like [`ReaderSet::open`], but accepts unknown partitions whose start offset needs no request. They are read when
    /// the broker knows them. See [`ReaderSet::is_unknown`] and [`ReaderSet::restart`].
    ///
    /// # Errors
    ///
    /// Those of [`ReaderSet::open`].
    pub fn open_unknown_too(client: &Client, options: &ReaderOptions) -> Result<Self, Error> {
        Self::open_with(client, options, true)
    }

    fn open_with(client: &Client, options: &ReaderOptions, unknown_too: bool) -> Result<Self, Error> {
        let deadline = Instant::now() + options.open_timeout;
        let properties = options.properties(client);
        let count = options.partitions.len();
        let opened: Mutex<Vec<Option<Result<PartitionReader, Error>>>> =
            Mutex::new((0..count).map(|_| None).collect());
        std::thread::scope(|scope| {
            for first in 0..count.min(SIDE_BY_SIDE) {
                let (opened, properties) = (&opened, &properties);
                scope.spawn(move || {
                    for index in (first..count).step_by(SIDE_BY_SIDE) {
                        let partition = options.partitions[index];
                        let opening = options.opening(client, properties, partition, unknown_too, deadline);
                        let reader = PartitionReader::open(&opening);
                        let failed = reader.is_err();
                        opened.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(reader);
                        if failed {
                            return;
                        }
                    }
                });
            }
        });
        let opened = opened.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut set = Self {
            readers: Vec::with_capacity(count),
            partitions: options.partitions.clone(),
            topic: options.topic.clone(),
            client: client.clone(),
            options: options.clone(),
            signal: Arc::new(Signal::default()),
            ready: VecDeque::new(),
            woken: Vec::new(),
            paused: false,
            unchecked: HashMap::new(),
        };
        let mut failure = None;
        for reader in opened.into_iter().flatten() {
            match reader {
                Ok(reader) => set.readers.push(reader),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        for (index, reader) in set.readers.iter_mut().enumerate() {
            reader.queue.wakes(&set.signal, u32::try_from(index).unwrap_or(u32::MAX));
            reader.start().map_err(|code| Error::Request {
                what: format!("start reading {}/{}", options.topic, reader.partition),
                code,
            })?;
        }
        Ok(set)
    }

    /// Waits until a partition has records or errors, `timeout` passes, or [`ReaderSet::waker`] wakes it. Returns
    /// whether there may be something to drain.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let deadline = if self.ready.is_empty() { Instant::now().checked_add(timeout) } else { None };
        let next = self.start_again();
        let deadline = match (deadline, next) {
            (Some(deadline), Some(next)) => Some(deadline.min(next)),
            (deadline, _) => deadline,
        };
        self.signal.wait(deadline, &mut self.woken);
        for index in self.woken.drain(..) {
            let Some(reader) = self.readers.get_mut(index as usize) else { continue };
            if !std::mem::replace(&mut reader.listed, true) {
                self.ready.push_back(index);
            }
        }
        !self.ready.is_empty()
    }

    /// Passes available records and errors to `on` without waiting: at most `limit` events, fairly across partitions.
    /// Returns their number.
    pub fn drain(&mut self, limit: usize, on: &mut dyn FnMut(ReadEvent<'_>)) -> usize {
        self.wait(Duration::ZERO);
        let mut handed = 0;
        while handed < limit
            && let Some(index) = self.ready.pop_front()
        {
            let Some(reader) = self.readers.get_mut(index as usize) else { continue };
            let want = BATCH.min(limit - handed);
            let (got, halt) = reader.hand_out(want, on);
            reader.topic.handle().throttle_times();
            handed += got;
            let again = halt.is_some();
            match halt {
                Some(Halt::Refused(refusal)) => {
                    reader.refused(&self.topic, self.client.waits(), refusal, on);
                    self.paused |= reader.starts_at.is_some();
                }
                Some(Halt::Bad(bad)) => {
                    let unchecked = self.unchecked.entry(reader.partition).or_default();
                    bad_batch::pass(reader, unchecked, (&self.client, &self.topic), &bad, on);
                }
                None => {}
            }
            // The queue had fewer messages than requested, so it was empty. Its next message makes the reader ready
            // again.
            if got == want || again {
                self.ready.push_back(index);
            } else {
                reader.listed = false;
            }
        }
        handed
    }

    /// The partitions, in the order given.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The resolved start offset of this partition's reader; `None` for `earliest`.
    pub fn started_at(&self, partition: Partition) -> Option<Offset> {
        self.reader(partition)?.started_at
    }

    /// The offset after the last returned record in the current epoch. The start offset if there is none.
    pub fn position(&self, partition: Partition) -> Option<Offset> {
        self.reader(partition)?.position
    }

    /// The current epoch of this partition's reader.
    pub fn epoch(&self, partition: Partition) -> u32 {
        self.reader(partition).map_or(0, |reader| reader.epoch)
    }

    /// Requests the start and the end of the log over this partition's connection. A pending fetch is answered first,
    /// so this takes up to `fetch.wait.max.ms` (100 ms, or a second) longer than a round trip.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if the broker does not answer in time or does not know the partition.
    pub fn watermarks(&self, partition: Partition, timeout: Duration) -> Result<(Offset, Offset), Error> {
        let what = || format!("list the offsets of {}/{partition}", self.topic);
        let reader =
            self.reader(partition).ok_or_else(|| Error::Request { what: what(), code: UNKNOWN_PARTITION })?;
        let result = reader.topic.handle().watermarks(&self.topic, partition, timeout);
        result.map_err(|code| Error::Request { what: what(), code })
    }

    /// The end of the log in the last fetch response; sends no request. Some brokers report an end that is too
    /// low.
    pub fn told_end(&self, partition: Partition) -> Option<Offset> {
        self.reader(partition)?.topic.handle().told_end(&self.topic, partition)
    }

    /// Restarts a reader at the log start, in a new epoch. `reason` becomes the event's text. For a recreated log that
    /// no answer of the broker reveals.
    pub fn reset(&mut self, partition: Partition, reason: &str, on: &mut dyn FnMut(ReadEvent<'_>)) {
        self.change(partition, |reader, set| {
            reader.reset(set.topic, set.client.waits(), reason.to_owned(), on);
        });
    }

    /// Reports that the broker answers a reader with OFFSET_OUT_OF_RANGE, for brokers that hide this from librdkafka:
    /// KafScale also sends null records. The results are events, as in [`ReaderSet::drain`].
    pub fn refused(&mut self, partition: Partition, on: &mut dyn FnMut(ReadEvent<'_>)) {
        let text = "the broker answers that this offset is not in the log".to_owned();
        let refusal = OffsetRefusal { code: OUT_OF_RANGE, offset: 0, text };
        self.change(partition, |reader, set| reader.refused(set.topic, set.client.waits(), refusal, on));
    }

    /// Passes a batch that the broker returns and from which neither its reader nor a fresh client gets a record. The
    /// results are events, as in [`ReaderSet::drain`]. If the broker no longer returns the batch, because compaction or
    /// retention removed it, the reader fetches again.
    pub fn pass_bad_batch(&mut self, partition: Partition, on: &mut dyn FnMut(ReadEvent<'_>)) {
        let Some(index) = self.readers.iter().position(|reader| reader.partition == partition) else {
            return;
        };
        let at = self.readers[index].position.unwrap_or(0);
        let until = Instant::now() + self.client.waits().answer;
        let found = probe::probe_fetch(&self.client, &self.topic, partition, at, until).ok();
        let Some(found) = found.filter(|found| found.gives(at)) else {
            return self.restart(partition);
        };
        let reader = &mut self.readers[index];
        // Records before a valid batch were removed, or are control records. This is not a bad batch.
        let behind_gap = |batch: &BatchHeader| batch.crc_ok != Some(false) && batch.base_offset > at;
        let base = found.batch.filter(behind_gap).map_or(at, |batch| batch.base_offset);
        reader.position = Some(base);
        let unchecked = self.unchecked.entry(partition).or_default();
        let bad = BadBatch { base, reported: None };
        bad_batch::pass(reader, unchecked, (&self.client, &self.topic), &bad, on);
    }

    /// Fetches again from a reader's position, for a partition that the broker knows again.
    pub fn restart(&mut self, partition: Partition) {
        let wait = self.client.waits().restart;
        self.change(partition, |reader, _| {
            reader.stop();
            // If this fails, the next fetch reports it.
            let _ = metadata::of_topic(&reader.topic, Instant::now() + wait);
            let _ = reader.start();
        });
    }

    /// Whether the broker did not know this partition when its reader was opened, and no record has arrived since.
    pub fn is_unknown(&self, partition: Partition) -> bool {
        self.reader(partition).is_some_and(|reader| reader.unknown)
    }

    fn change(&mut self, partition: Partition, how: impl FnOnce(&mut PartitionReader, &ReaderCommon<'_>)) {
        let Some(index) = self.readers.iter().position(|reader| reader.partition == partition) else {
            return;
        };
        let reader = &mut self.readers[index];
        how(reader, &ReaderCommon { topic: &self.topic, client: &self.client });
        self.paused |= reader.starts_at.is_some();
        if !std::mem::replace(&mut reader.listed, true) {
            self.ready.push_back(u32::try_from(index).unwrap_or(u32::MAX));
        }
    }

    /// Restarts the readers whose pause is over. Returns the time of the next restart.
    fn start_again(&mut self) -> Option<Instant> {
        if !self.paused {
            return None;
        }
        let now = Instant::now();
        for reader in &mut self.readers {
            if reader.starts_at.is_some_and(|at| at <= now) {
                // If this fails, the reader is stuck, and its end reports that.
                let _ = reader.start();
            }
        }
        let next = self.readers.iter().filter_map(|reader| reader.starts_at).min();
        self.paused = next.is_some();
        next
    }

    /// Requests the topic's metadata again, for a reader that gets no records although some exist: a
    /// recreated topic has another id, librdkafka requests the old one, and some brokers do not report this.
    pub fn refresh(&self, partition: Partition) {
        if let Some(reader) = self.reader(partition) {
            // If this fails, the next fetch reports it.
            let _ = metadata::of_topic(&reader.topic, Instant::now() + self.client.waits().restart);
        }
    }

    /// Replaces this partition's client with one that lets the broker wait a second per fetch, for a reader
    /// that gets no records although some exist: a broker with a slow store may answer without records each
    /// time. False if that is not possible: no broker answered in time, it is the embedded one, or the file
    /// sets the wait.
    pub fn be_patient(&mut self, partition: Partition) -> bool {
        let Some(index) = self.readers.iter().position(|reader| reader.partition == partition) else {
            return false;
        };
        if self.client.is_embedded() || self.client.property("fetch.wait.max.ms").is_some() {
            return false;
        }
        let options = ReaderOptions { start: StartOffset::Earliest, patient: true, ..self.options.clone() };
        let properties = options.properties(&self.client);
        let deadline = Instant::now() + self.client.waits().restart;
        // As in `refresh`: if this fails, the current client continues.
        let opening = options.opening(&self.client, &properties, partition, false, deadline);
        let Ok(fresh) = PartitionReader::open(&opening) else {
            return false;
        };
        let old = &mut self.readers[index];
        old.stop();
        let fresh = fresh.in_place_of(old);
        let handle = Arc::clone(old.topic.handle());
        // Records that the old client fetched and did not return are fetched again.
        *old = fresh;
        release(vec![handle], Duration::ZERO);
        old.queue.wakes(&self.signal, u32::try_from(index).unwrap_or(u32::MAX));
        // If this fails, the reader is still stuck, and its end reports that.
        let _ = old.start();
        true
    }

    /// A handle that ends a wait from another thread.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.signal))
    }

    /// Stops reading and closes all clients. Dropping does the same.
    pub fn close(self) {}

    fn reader(&self, partition: Partition) -> Option<&PartitionReader> {
        self.readers.iter().find(|reader| reader.partition == partition)
    }
}

impl Drop for ReaderSet {
    fn drop(&mut self) {
        let mut handles: Vec<Vec<Arc<Handle>>> = (0..SIDE_BY_SIDE).map(|_| Vec::new()).collect();
        for (index, reader) in self.readers.drain(..).enumerate() {
            handles[index % SIDE_BY_SIDE].push(Arc::clone(reader.topic.handle()));
        }
        std::thread::scope(|scope| {
            for handles in handles.into_iter().filter(|handles| !handles.is_empty()) {
                scope.spawn(|| release(handles, Duration::from_secs(2)));
            }
        });
    }
}
