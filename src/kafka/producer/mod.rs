//! A producer: one librdkafka client and one topic, owned by one thread that sends and polls.
//!
//! Sending allocates nothing in Rust per message, and closing always ends.

pub mod delivery;
pub(crate) mod retries;
pub(crate) mod staged;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::wake::Signal;
use super::{Client, Code, Delivery, DeliveryOutcome, Error, Waker};
use crate::ids::Partition;
use crate::kafka::client::release::release;
use crate::kafka::ffi::{BatchBuffer, ClientKind, Outgoing, Queue, Serve, TopicHandle};
use crate::plan::Acks;
use delivery::Placeless;
use retries::{ProducerEvent, RetryLog};
use staged::Staged;

/// Bytes of a full batch: librdkafka's default.
const BATCH: u64 = 1_000_000;
/// Overhead of the protocol per message.
const MARGIN: u64 = 64 << 10;
/// Bytes per millisecond in a closed loop: 1.6 GB/s.
const CLOSED_BYTES_A_MS: u64 = 1_600_000;

const QUEUE_FULL: Code = Code(-184);
const TOO_LARGE: Code = Code(10);

/// Options of a producer. The user's properties override `linger`, `message_timeout` and `compression`.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    pub topic: String,
    pub acks: Acks,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Ask the broker to drop duplicates.
    pub idempotence: bool,
    /// Maximum number of bytes in librdkafka (queued and in flight). Beyond this, `send` returns
    /// [`SendError::QueueFull`].
    pub queue_bytes: u64,
    /// Size of the longest message, with key and headers. librdkafka allocates this much for each request, even for a
    /// small one.
    pub longest_message: u64,
    /// How long librdkafka tries to deliver one message before it is reported as timed out.
    pub message_timeout: Duration,
    /// How long librdkafka collects messages before it sends a batch; see [`ProducerOptions::linger_for`].
    pub linger: Duration,
}

impl ProducerOptions {
    /// The defaults: acks all, no compression, no idempotence, 32 MiB, 1 MB, 30 s, linger 5 ms.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            acks: Acks::All,
            compression: "none".into(),
            idempotence: false,
            queue_bytes: 32 << 20,
            longest_message: BATCH,
            message_timeout: Duration::from_secs(30),
            linger: Duration::from_millis(5),
        }
    }

    /// A linger that neither adds visible latency to a slow schedule nor splits the batches of a fast one: 0 below
    /// 1,000 messages per second and client, otherwise 5 ms. In a closed loop (no rate), a message waits for all
    /// messages in flight anyway, and full batches give the highest rate. So the linger is the time in which no client
    /// can send more than the bytes in flight: 20 ms for 32 MiB and more.
    pub fn linger_for(rate_per_client: Option<f64>, in_flight: u64) -> Duration {
        match rate_per_client {
            Some(rate) if rate < 1000.0 => Duration::ZERO,
            Some(_) => Duration::from_millis(5),
            None => Duration::from_millis((in_flight / CLOSED_BYTES_A_MS).clamp(5, 20)),
        }
    }
}

/// The reasons why a message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// `queue_bytes` are in use. Poll, then send again.
    #[error("the send queue is full")]
    QueueFull,
    /// The message will never be sent, for example because it is too large. It has failed.
    #[error("refused before sending: {}", .0.in_words())]
    Refused(Code),
}

/// The result of [`Producer::hand_over`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandedOver {
    pub taken: u64,
    /// Whether the queue was full. Messages that were not accepted stay staged, in order.
    pub full: bool,
}

/// A producer of one topic.
pub struct Producer {
    // Fields are dropped in this order. Queue and topic keep the handle alive. The queue is kept for its callback.
    // Staged values stay in memory while librdkafka may read them.
    _queue: Queue,
    topic: TopicHandle,
    signal: Arc<Signal>,
    retries: Arc<RetryLog>,
    staged: Staged,
    batch: BatchBuffer,
    ready: Vec<u32>,
    acks: bool,
    placeless: Placeless,
    queue_bytes: u64,
    in_flight: u64,
    /// How long to wait for the reports of purged messages, and then for librdkafka's threads.
    give_up: Duration,
}

impl Producer {
    /// Creates the client. Does not wait for a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Property`] and [`Error::Client`], as for [`Client::new`].
    pub fn open(client: &Client, options: &ProducerOptions) -> Result<Self, Error> {
        let retries = Arc::new(RetryLog::default());
        let sees = Arc::clone(&retries);
        let handle =
            client.handle(ClientKind::Producer, &properties(client, options), move |_, facility, text| {
                sees.line(facility, text);
            })?;
        let topic = TopicHandle::open(&handle, &options.topic)
            .map_err(|code| Error::Request { what: format!("open topic {}", options.topic), code })?;
        let signal = Arc::new(Signal::default());
        let mut queue = Queue::main(&handle);
        queue.wakes(&signal, 0);
        Ok(Self {
            _queue: queue,
            topic,
            signal,
            retries,
            staged: Staged::default(),
            batch: BatchBuffer::default(),
            ready: Vec::new(),
            acks: options.acks != Acks::None,
            placeless: Placeless::default(),
            queue_bytes: kbytes(options) * 1024,
            in_flight: 0,
            give_up: client.waits().give_up,
        })
    }

    /// Waits until the topic's partitions are known, so that the first message is not delayed by connecting. Returns
    /// their number.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if no broker answered in time or the topic does not exist.
    pub fn warm_up(&mut self, timeout: Duration) -> Result<i32, Error> {
        let topic = crate::kafka::client::metadata::of_topic(&self.topic, Instant::now() + timeout)?;
        Ok(i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))
    }

    /// Passes one message to librdkafka, which copies it. [`Producer::poll`] reports its delivery with `tag`.
    ///
    /// # Errors
    ///
    /// [`SendError::QueueFull`]: not accepted, retry after a poll. [`SendError::Refused`]: it will never be sent.
    pub fn send(
        &mut self,
        partition: Partition,
        key: Option<&[u8]>,
        value: &[u8],
        headers: &[(&str, &[u8])],
        tag: u64,
    ) -> Result<(), SendError> {
        match self.topic.produce(&Outgoing { partition, key, value, headers, tag }) {
            Ok(()) => {
                self.in_flight += 1;
                Ok(())
            }
            // A message that is larger than the queue would always get "queue full".
            Err(QUEUE_FULL) if value.len() as u64 > self.queue_bytes => Err(SendError::Refused(TOO_LARGE)),
            Err(QUEUE_FULL) => Err(SendError::QueueFull),
            Err(code) => Err(SendError::Refused(code)),
        }
    }

    /// Stages one message without headers for [`Producer::hand_over`]. `fill` writes its value of `size` bytes in
    /// place: over zeros, or over a previous value, whose note it receives. A producer either sends or stages. Tags
    /// increase within a partition.
    pub fn stage(
        &mut self,
        partition: Partition,
        tag: u64,
        key: Option<&[u8]>,
        size: usize,
        fill: impl FnOnce(&mut [u8], &mut Option<u32>),
    ) {
        self.staged.add((partition, tag), key, size, fill);
    }

    /// The number of messages that wait for [`Producer::hand_over`].
    pub const fn staged(&self) -> u64 {
        self.staged.len()
    }

    /// Passes the staged messages to librdkafka, in order within each partition. `refused` receives the tags of
    /// messages that will never be accepted.
    pub fn hand_over(&mut self, refused: &mut dyn FnMut(u64, Code)) -> HandedOver {
        let mut handed = HandedOver::default();
        let (topic, batch, queue_bytes) = (&self.topic, &mut self.batch, self.queue_bytes);
        let mut released = Vec::new();
        self.staged.each(|partition, stage| {
            let mut refuse = |tag, code| {
                released.push((partition, tag));
                refused(tag, code);
            };
            let mut from = 0;
            while from < stage.len() {
                let mut full = None;
                topic.produce_all(partition, stage.messages(from), batch, |index, result| match result {
                    Ok(()) => handed.taken += 1,
                    Err(QUEUE_FULL) => full = full.or(Some(from + index)),
                    Err(code) => refuse(stage.piece(from + index).0, code),
                });
                from = full.unwrap_or(stage.len());
                if full.is_some() {
                    let (tag, size) = stage.piece(from);
                    // A message that is larger than the queue would always get "queue full".
                    if size as u64 <= queue_bytes {
                        handed.full = true;
                        break;
                    }
                    refuse(tag, TOO_LARGE);
                    from += 1;
                }
            }
            stage.drop_before(from);
        });
        for (partition, tag) in released {
            self.staged.release(partition, tag);
        }
        self.in_flight += handed.taken;
        handed
    }

    /// Drops the staged messages. `forgotten` receives their tags.
    pub fn unstage(&mut self, forgotten: &mut dyn FnMut(u64)) {
        let mut released = Vec::new();
        self.staged.each(|partition, stage| {
            released.extend((0..stage.len()).map(|index| (partition, stage.piece(index).0)));
            stage.drop_before(stage.len());
        });
        for (partition, tag) in released {
            self.staged.release(partition, tag);
            forgotten(tag);
        }
    }

    /// Processes delivery reports. If there are none, waits up to `timeout` (to the microsecond) for the
    /// first. Returns their number. [`Producer::waker`] ends the wait early, with 0.
    pub fn poll(&mut self, timeout: Duration, on: &mut dyn FnMut(Delivery)) -> usize {
        let mut ended = self.take(on);
        if ended > 0 || timeout.is_zero() {
            return ended;
        }
        let deadline = Instant::now().checked_add(timeout);
        while ended == 0 {
            self.ready.clear();
            let woken = self.signal.wait(deadline, &mut self.ready);
            let over = self.ready.is_empty();
            ended = self.take(on);
            if woken || over {
                break;
            }
        }
        ended
    }

    /// Like [`Producer::poll`], but sends batches immediately, because nothing will be added to them. A
    /// [`Waker`] does not end it.
    pub fn flush(&mut self, timeout: Duration, on: &mut dyn FnMut(Delivery)) -> usize {
        self.serve(Serve::Flush(timeout), on)
    }

    fn take(&mut self, on: &mut dyn FnMut(Delivery)) -> usize {
        self.serve(Serve::Now, on)
    }

    fn serve(&mut self, how: Serve, on: &mut dyn FnMut(Delivery)) -> usize {
        let mut ended = 0;
        let Self { topic, retries, staged, acks, placeless, .. } = self;
        topic.handle().reports(how, &mut |report| {
            let doubt = !report.code.is_none()
                && report.not_persisted
                && Instant::now().checked_sub(report.age).is_none_or(|sent| retries.doubt_since(sent));
            staged.release(report.partition, report.tag);
            on(Delivery {
                tag: report.tag,
                outcome: DeliveryOutcome::of(&report, *acks, doubt, placeless.takes(&report)),
            });
            ended += 1;
        });
        self.in_flight = self.in_flight.saturating_sub(ended as u64);
        ended
    }

    /// Messages passed to librdkafka whose delivery has not been reported yet.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Events since the last call that may explain duplicates, in order of time. At most 10,000 are kept between two
    /// calls. Beyond this, the oldest are merged into one of kind [`Many`](super::ProducerEventKind::Many).
    pub fn events(&mut self) -> Vec<ProducerEvent> {
        self.retries.take()
    }

    /// The fatal error of the producer, after which it sends nothing. Only an idempotent producer can have one.
    pub fn fatal(&self) -> Option<(Code, String)> {
        self.topic.handle().fatal()
    }

    /// A handle that ends a wait in [`Producer::poll`] from another thread.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.signal))
    }

    /// Sends what is queued and processes reports until `deadline`, then purges the rest: messages in
    /// transmission become unknown, queued ones fail. Returns soon after `deadline`, whatever the broker
    /// does. Returns the remaining events.
    pub fn close(mut self, deadline: Instant, on: &mut dyn FnMut(Delivery)) -> Vec<ProducerEvent> {
        self.poll_until(deadline, on);
        if self.in_flight > 0 {
            self.topic.handle().purge();
            self.poll_until(Instant::now() + self.give_up, on);
        }
        let (retries, grace) = (Arc::clone(&self.retries), self.give_up);
        let handle = Arc::clone(self.topic.handle());
        drop(self);
        release(vec![handle], grace);
        retries.take()
    }

    fn poll_until(&mut self, deadline: Instant, on: &mut dyn FnMut(Delivery)) {
        while self.in_flight > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            self.poll(left, on);
            if left.is_zero() {
                return;
            }
        }
    }
}

/// The size of librdkafka's queue, which counts only values.
fn kbytes(options: &ProducerOptions) -> u64 {
    (options.queue_bytes / 1024).clamp(1, i32::MAX as u64)
}

/// A producer's librdkafka properties, which the file's properties override.
fn properties(client: &Client, options: &ProducerOptions) -> Vec<(&'static str, String)> {
    let users = |name| client.property(name).and_then(|value| value.parse::<u64>().ok());
    let acks = match options.acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    };
    // The broker decides which message is too large. librdkafka's limit of 1 MB would reject it first.
    let batch = users("batch.size").unwrap_or(0).max(BATCH);
    let largest = options.longest_message.saturating_add(MARGIN).max(batch).min(1_000_000_000);
    // librdkafka requires a linger below the message timeout.
    let timeout = users("message.timeout.ms").or_else(|| users("delivery.timeout.ms"));
    let timeout = match timeout {
        Some(0) => Duration::MAX,
        Some(ms) => Duration::from_millis(ms),
        None => options.message_timeout,
    };
    let linger = options.linger.min(timeout / 2);
    vec![
        ("acks", acks.into()),
        ("compression.codec", options.compression.clone()),
        // Logs batches that are resent; see `retries`.
        ("debug", if options.idempotence { "msg,eos" } else { "msg" }.into()),
        ("log_level", "7".into()),
        ("enable.idempotence", options.idempotence.to_string()),
        ("linger.ms", linger.as_millis().to_string()),
        ("message.max.bytes", largest.to_string()),
        ("message.timeout.ms", options.message_timeout.as_millis().max(1).to_string()),
        ("queue.buffering.max.kbytes", kbytes(options).to_string()),
        ("queue.buffering.max.messages", "0".into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ClientSettings;

    fn linger(rate: Option<f64>, mib: u64) -> u128 {
        ProducerOptions::linger_for(rate, mib << 20).as_millis()
    }

    #[test]
    fn a_linger_never_shows_in_a_slow_schedule_and_fills_the_batches_of_a_closed_loop() {
        assert_eq!([linger(Some(999.0), 32), linger(Some(1000.0), 32)], [0, 5]);
        assert_eq!([0, 1, 12, 32, 1024].map(|mib| linger(None, mib)), [5, 5, 7, 20, 20]);
    }

    #[test]
    fn a_request_takes_memory_for_the_longest_message_or_for_a_batch() {
        let of = |longest_message, users: &[(&str, &str)]| {
            let settings = ClientSettings {
                properties: users.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
                ..ClientSettings::default()
            };
            let client = Client::new(&["127.0.0.1:1".into()], &settings).unwrap();
            let options = ProducerOptions {
                longest_message,
                linger: Duration::from_millis(20),
                ..ProducerOptions::new("t")
            };
            let properties = properties(&client, &options);
            Producer::open(&client, &options).expect("librdkafka takes them");
            ["message.max.bytes", "linger.ms"].map(|wanted| {
                properties.iter().find(|(name, _)| *name == wanted).unwrap().1.parse::<u64>().unwrap()
            })
        };
        assert_eq!(of(100, &[]), [1_000_000, 20]);
        assert_eq!(of(3_000_000, &[]), [3_065_536, 20]);
        assert_eq!(of(100, &[("batch.size", "4000000")]), [4_000_000, 20]);
        assert_eq!(of(100, &[("delivery.timeout.ms", "0")]), [1_000_000, 20]);
        assert_eq!(of(u64::MAX, &[("delivery.timeout.ms", "20")]), [1_000_000_000, 10]);
    }
}
