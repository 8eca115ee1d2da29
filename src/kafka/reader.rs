//! Reading by partition: one librdkafka client a partition, no group, woken by whichever has something.
//!
//! Owns positions, epochs and resets; the rules and their reasons are in the design's "Reading, by partition".

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::brake::Brake;
use super::fetching;
use super::raw::{Handle, Kind, Message, OFFSET_BEGINNING, Queue, Topic};
use super::release::let_go;
use super::wake::Signal;
use super::{Client, Code, Error, Waker, metadata};
use crate::ids::{Offset, Partition};
use crate::plan::StartOffset;

/// Threads that open or close the clients of a set side by side.
const SIDE_BY_SIDE: usize = 8;

/// Messages taken from one partition before the next one's turn.
const BATCH: usize = 1000;

const AUTO_OFFSET_RESET: Code = Code(-140);
const PARTITION_EOF: Code = Code(-191);
const UNKNOWN_PARTITION: Code = Code(3);
const TIMED_OUT: Code = Code(-185);

/// What a [`ReaderSet`] reads.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// The topic.
    pub topic: String,
    /// The partitions of this set; each gets a client of its own.
    pub partitions: Vec<Partition>,
    /// Where each starts.
    pub start: StartOffset,
    /// Bytes that all partitions of this set may hold before they are drained: this set's share of the run's 32 MiB.
    pub prefetch_bytes: u64,
    /// Leave the broker a second for each answer, where nobody measures how fast they come; see [`ReaderSet::be_patient`].
    pub patient: bool,
    /// Longest wait for connections, metadata and starting offsets of all.
    pub open_timeout: Duration,
}

impl ReaderOptions {
    fn properties(&self, client: &Client) -> Vec<(&'static str, String)> {
        fetching::properties(client, self.partitions.len(), self.prefetch_bytes, self.patient)
    }
}

/// Something that a reader saw. Bytes are borrowed from librdkafka for the time of the call.
#[derive(Debug)]
pub enum ReadEvent<'a> {
    /// A record.
    Record(Record<'a>),
    /// The reader stood at an offset that the broker does not have (any more); it goes on at the log's start, in a new epoch.
    Reset {
        /// The partition.
        partition: Partition,
        /// Where it stood.
        from: Offset,
        /// Where it goes on; none where the broker did not tell: then at the log's start, wherever that is.
        to: Option<Offset>,
        /// The epoch that starts.
        epoch: u32,
        /// librdkafka's reason.
        text: String,
    },
    /// Something else went wrong; the reader goes on trying.
    Error {
        /// The partition.
        partition: Partition,
        /// What went wrong, such as UNKNOWN_TOPIC_OR_PART.
        code: Code,
        /// librdkafka's words.
        text: String,
    },
}

/// One record.
pub struct Record<'a> {
    /// The partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// Its time in milliseconds since 1970; none where the record has none.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// 0, and one more with each reset of this partition's reader.
    pub epoch: u32,
    message: &'a Message,
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl<'a> Record<'a> {
    /// The last header of this name; empty where its value is null. Headers are parsed when first asked for.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.message.header(name)
    }
}

/// One partition's client and place.
struct Reader {
    partition: Partition,
    topic: Topic,
    queue: Queue,
    started_at: Option<Offset>,
    position: Option<Offset>,
    epoch: u32,
    /// Whether it stands in the set's list of those that have something.
    listed: bool,
}

/// Readers of some partitions of one topic, owned by one thread.
pub struct ReaderSet {
    readers: Vec<Reader>,
    partitions: Vec<Partition>,
    topic: String,
    client: Client,
    options: ReaderOptions,
    signal: Arc<Signal>,
    /// Indexes of readers that have something, each at most once.
    ready: VecDeque<u32>,
    woken: Vec<u32>,
}

impl ReaderSet {
    /// Connects all clients, fetches metadata, resolves the starting offsets, then starts reading.
    ///
    /// # Errors
    /// [`Error::Property`] and [`Error::Client`] as [`Client::new`]; [`Error::Request`] where the cluster did not answer in
    /// `open_timeout`, or where the topic or one of the partitions is not there.
    pub fn open(client: &Client, options: &ReaderOptions) -> Result<Self, Error> {
        let deadline = Instant::now() + options.open_timeout;
        let properties = options.properties(client);
        let count = options.partitions.len();
        let opened: Mutex<Vec<Option<Result<Reader, Error>>>> =
            Mutex::new((0..count).map(|_| None).collect());
        std::thread::scope(|scope| {
            for first in 0..count.min(SIDE_BY_SIDE) {
                let (opened, properties) = (&opened, &properties);
                scope.spawn(move || {
                    for index in (first..count).step_by(SIDE_BY_SIDE) {
                        let partition = options.partitions[index];
                        let reader = Reader::open(client, properties, options, partition, deadline);
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
            let offset = reader.started_at.unwrap_or(OFFSET_BEGINNING);
            let started = reader.topic.start(reader.partition, offset, &reader.queue);
            started.map_err(|code| Error::Request {
                what: format!("start reading {}/{}", options.topic, reader.partition),
                code,
            })?;
        }
        Ok(set)
    }

    /// Blocks until some partition has something, `timeout` is over, or [`ReaderSet::waker`] wakes it.
    /// Returns whether there may be something to drain.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let deadline = if self.ready.is_empty() { Instant::now().checked_add(timeout) } else { None };
        self.signal.wait(deadline, &mut self.woken);
        for index in self.woken.drain(..) {
            let Some(reader) = self.readers.get_mut(index as usize) else { continue };
            if !std::mem::replace(&mut reader.listed, true) {
                self.ready.push_back(index);
            }
        }
        !self.ready.is_empty()
    }

    /// Hands out what is there, without waiting for more: at most `limit` events, fairly over the partitions. Returns their number.
    pub fn drain(&mut self, limit: usize, on: &mut dyn FnMut(ReadEvent<'_>)) -> usize {
        self.wait(Duration::ZERO);
        let mut handed = 0;
        while handed < limit
            && let Some(index) = self.ready.pop_front()
        {
            let Some(reader) = self.readers.get_mut(index as usize) else { continue };
            let want = BATCH.min(limit - handed);
            let (got, reset) = reader.hand_out(want, on);
            handed += got;
            let again = reset.is_some();
            if let Some((from, text)) = reset {
                reader.reset(&self.topic, self.client.waits().restart, from, text, on);
            }
            // Fewer than wanted: it was empty then, and its next message makes it ready again.
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

    /// The offset at which this partition's reader started, where that was resolved (all but `earliest`).
    pub fn started_at(&self, partition: Partition) -> Option<Offset> {
        self.reader(partition)?.started_at
    }

    /// One past the last offset handed out, in the current epoch; the start where nothing was.
    pub fn position(&self, partition: Partition) -> Option<Offset> {
        self.reader(partition)?.position
    }

    /// The current epoch of this partition's reader.
    pub fn epoch(&self, partition: Partition) -> u32 {
        self.reader(partition).map_or(0, |reader| reader.epoch)
    }

    /// The log's first offset and its end, asked of the broker now, over this partition's own connection. A fetch that
    /// waits there is answered first, so it takes up to `fetch.wait.max.ms` (100 ms, or a second) longer than a round trip.
    ///
    /// # Errors
    /// [`Error::Request`] where it does not answer in time or does not know the partition (any more).
    pub fn watermarks(&self, partition: Partition, timeout: Duration) -> Result<(Offset, Offset), Error> {
        let what = || format!("list the offsets of {}/{partition}", self.topic);
        let reader =
            self.reader(partition).ok_or_else(|| Error::Request { what: what(), code: UNKNOWN_PARTITION })?;
        let result = reader.topic.handle().watermarks(&self.topic, partition, timeout);
        result.map_err(|code| Error::Request { what: what(), code })
    }

    /// The log's end as the last answer to its reader told it; asks nobody. Some brokers tell one that is too low.
    pub fn told_end(&self, partition: Partition) -> Option<Offset> {
        self.reader(partition)?.topic.handle().told_end(&self.topic, partition)
    }

    /// Makes a reader that stands beyond its log start anew at the log's start, in a new epoch; `reason` becomes the event's
    /// text. For brokers that hide this from librdkafka: KafScale answers OFFSET_OUT_OF_RANGE with null records, and Tansu
    /// answers nothing at all. A wire probe, or [`ReaderSet::watermarks`], shows it.
    pub fn reset(&mut self, partition: Partition, reason: &str, on: &mut dyn FnMut(ReadEvent<'_>)) {
        let Some(index) = self.readers.iter().position(|reader| reader.partition == partition) else {
            return;
        };
        let reader = &mut self.readers[index];
        let from = reader.position.unwrap_or(0);
        reader.reset(&self.topic, self.client.waits().restart, from, reason.to_owned(), on);
        if !std::mem::replace(&mut reader.listed, true) {
            self.ready.push_back(u32::try_from(index).unwrap_or(u32::MAX));
        }
    }

    /// Asks for the topic's metadata anew, for a reader that gets nothing although there is something: a topic that was
    /// made anew has another id, librdkafka asks for the old one, and not every broker's answer tells it.
    pub fn refresh(&self, partition: Partition) {
        if let Some(reader) = self.reader(partition) {
            // What fails here fails again where it matters.
            let _ = metadata::of_topic(&reader.topic, Instant::now() + self.client.waits().restart);
        }
    }

    /// Reads this partition on by a client that leaves the broker a second for each answer, for a reader that gets nothing
    /// although there is something: a broker whose store takes longer than the wait may answer with nothing each time. False
    /// where that could not be done: no broker told of the partition in time, it is the embedded one, or the file says itself
    /// how long to wait.
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
        // As in `refresh`: the one that is there goes on.
        let Ok(fresh) = Reader::open(&self.client, &properties, &options, partition, deadline) else {
            return false;
        };
        let old = &mut self.readers[index];
        old.topic.stop(partition);
        let fresh = Reader {
            started_at: old.started_at,
            position: old.position,
            epoch: old.epoch,
            listed: old.listed,
            ..fresh
        };
        let handle = Arc::clone(old.topic.handle());
        // What the old one had fetched and not handed out is fetched again.
        *old = fresh;
        let_go(vec![handle], Duration::ZERO);
        old.queue.wakes(&self.signal, u32::try_from(index).unwrap_or(u32::MAX));
        // Where this fails, it stands still as before, and its end says so.
        let _ = old.topic.start(partition, old.position.unwrap_or(OFFSET_BEGINNING), &old.queue);
        true
    }

    /// A handle that ends a wait from another thread.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.signal))
    }

    /// Stops reading and lets all clients go. Dropping does the same.
    pub fn close(self) {}

    fn reader(&self, partition: Partition) -> Option<&Reader> {
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
                scope.spawn(|| let_go(handles, Duration::from_secs(2)));
            }
        });
    }
}

impl Reader {
    fn open(
        client: &Client,
        properties: &[(&str, String)],
        options: &ReaderOptions,
        partition: Partition,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let name = &options.topic;
        let request = |what: &str| {
            let what = format!("{what} {name}/{partition}");
            move |code| Error::Request { what, code }
        };
        let slow_down = Brake::new(client.waits().fetch_backoff);
        let handle = client.handle(Kind::Consumer, properties, move |_, _, text| slow_down.see(text))?;
        let topic = Topic::open(&handle, name).map_err(request("open"))?;
        let known = metadata::of_topic(&topic, deadline)?;
        if !known.partitions.iter().any(|info| info.id == partition) {
            return Err(request("find")(UNKNOWN_PARTITION));
        }
        let started_at = match options.start {
            StartOffset::Earliest => None,
            StartOffset::At(offset) => Some(offset),
            StartOffset::Latest => {
                let end = retried(deadline, |left| handle.watermarks(name, partition, left));
                Some(end.map_err(request("find the end of"))?.1)
            }
            StartOffset::Timestamp(time) => {
                let at = retried(deadline, |left| handle.offset_at(name, partition, time, left));
                match at.map_err(request("find a time in"))? {
                    Some(offset) => Some(offset),
                    None => {
                        let end = retried(deadline, |left| handle.watermarks(name, partition, left));
                        Some(end.map_err(request("find the end of"))?.1)
                    }
                }
            }
        };
        let queue = Queue::new(&handle);
        Ok(Self { partition, topic, queue, started_at, position: started_at, epoch: 0, listed: false })
    }

    /// Hands out up to `limit` records and errors; returns how many, and what is in the place of a lost position.
    fn hand_out(
        &mut self,
        limit: usize,
        on: &mut dyn FnMut(ReadEvent<'_>),
    ) -> (usize, Option<(Offset, String)>) {
        let Self { partition, queue, position, epoch, .. } = self;
        let (partition, epoch) = (*partition, *epoch);
        let mut reset = None;
        let got = queue.serve(limit, &mut |message| {
            let code = message.code();
            if code.is_none() {
                let offset = message.offset();
                *position = Some(offset + 1);
                on(ReadEvent::Record(Record {
                    partition,
                    offset,
                    timestamp_ms: message.timestamp_ms(),
                    key: message.key(),
                    value: message.value(),
                    epoch,
                    message,
                }));
                return;
            }
            let text = || String::from_utf8_lossy(message.value().unwrap_or_default()).into_owned();
            match code {
                PARTITION_EOF => {}
                AUTO_OFFSET_RESET => reset = Some((message.offset(), text())),
                code => on(ReadEvent::Error { partition, code, text: text() }),
            }
        });
        (got, reset)
    }

    /// Goes on at the log's start, in a new epoch.
    fn reset(
        &mut self,
        topic: &str,
        wait: Duration,
        from: Offset,
        text: String,
        on: &mut dyn FnMut(ReadEvent<'_>),
    ) {
        self.topic.stop(self.partition);
        // As in `refresh`.
        let _ = metadata::of_topic(&self.topic, Instant::now() + wait);
        let low = self.topic.handle().watermarks(topic, self.partition, wait);
        let to = low.ok().map(|(low, _)| low);
        self.epoch += 1;
        let from = self.position.unwrap_or(from);
        self.position = to;
        let partition = self.partition;
        on(ReadEvent::Reset { partition, from, to, epoch: self.epoch, text });
        if let Err(code) = self.topic.start(partition, to.unwrap_or(OFFSET_BEGINNING), &self.queue) {
            on(ReadEvent::Error { partition, code, text: "reading could not start again".into() });
        }
    }
}

/// Tries again until the deadline what a broker that just started, or a new leader, does not answer at once.
fn retried<T>(deadline: Instant, mut ask: impl FnMut(Duration) -> Result<T, Code>) -> Result<T, Code> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(TIMED_OUT);
        }
        match ask(left) {
            Err(_) if Instant::now() + Duration::from_millis(100) < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}
