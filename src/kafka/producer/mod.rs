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

/// Bytes of a full batch: librdkafka's own setting.
const BATCH: u64 = 1_000_000;
/// What the protocol needs beside a message.
const MARGIN: u64 = 64 << 10;
/// 1.6 GB/s.
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
    /// Bytes that may wait in librdkafka (queued and in flight) before `send` says [`SendError::QueueFull`].
    pub queue_bytes: u64,
    /// Bytes of the longest message, with key and headers. librdkafka allocates this for every request,
    /// however small it is.
    pub longest_message: u64,
    /// How long librdkafka tries to deliver one message before it is reported as timed out.
    pub message_timeout: Duration,
    /// How long it gathers messages before it sends a batch; see [`ProducerOptions::linger_for`].
    pub linger: Duration,
}

impl ProducerOptions {
    /// acks all, no compression, no idempotence, 32 MiB, 1 MB, 30 s, linger 5 ms.
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

    /// A linger that neither adds visible latency to a slow schedule nor breaks up the batches of a fast one:
    /// 0 below 1,000 messages per second and client, otherwise 5 ms. In a closed loop (no rate), a message
    /// waits for all messages in flight anyway, and full batches give the highest rate. So the linger is the
    /// time that the bytes in flight take at a rate that no client reaches: 20 ms for 32 MiB and more.
    pub fn linger_for(rate_per_client: Option<f64>, in_flight: u64) -> Duration {
        match rate_per_client {
            Some(rate) if rate < 1000.0 => Duration::ZERO,
            Some(_) => Duration::from_millis(5),
            None => Duration::from_millis((in_flight / CLOSED_BYTES_A_MS).clamp(5, 20)),
        }
    }
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// `queue_bytes` are in use: poll, then send again.
    #[error("the send queue is full")]
    QueueFull,
    /// It will never be sent, for example because it is too large: the message has failed.
    #[error("refused before sending: {}", .0.text())]
    Refused(Code),
}

/// What became of the messages that [`Producer::hand_over`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandedOver {
    pub taken: u64,
    /// Its queue was full: what it did not take waits on, in its order.
    pub full: bool,
}

/// A producer of one topic.
pub struct Producer {
    // Dropped in this order: queue and topic hold the handle. The queue is here for its wakes. What is staged stays in memory
    // where librdkafka may still read it.
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
    /// Makes the client. Does not wait for a connection.
    ///
    /// # Errors
    /// [`Error::Property`] and [`Error::Client`], as [`Client::new`].
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

    /// Waits until the topic's partitions are known, so that the first message does not pay for the connection.
    /// Returns their number.
    ///
    /// # Errors
    /// [`Error::Request`] where no broker answered in time or the topic is not there.
    pub fn warm_up(&mut self, timeout: Duration) -> Result<i32, Error> {
        let topic = crate::kafka::client::metadata::of_topic(&self.topic, Instant::now() + timeout)?;
        Ok(i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))
    }

    /// Hands one message over. It is copied, and [`Producer::poll`] reports its end under `tag`.
    ///
    /// # Errors
    ///
    /// [`SendError::QueueFull`]: nothing was taken, retry after a poll. [`SendError::Refused`]: it will never
    /// be sent.
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
            // A message larger than the whole queue would be "full" forever.
            Err(QUEUE_FULL) if value.len() as u64 > self.queue_bytes => Err(SendError::Refused(TOO_LARGE)),
            Err(QUEUE_FULL) => Err(SendError::QueueFull),
            Err(code) => Err(SendError::Refused(code)),
        }
    }

    /// Keeps one message without headers until [`Producer::hand_over`]. `fill` makes its value of `size` bytes, which librdkafka
    /// reads where it stands: over zeros, or over a value that stood there before, for which it gets what it noted of it then.
    /// A producer either sends or stages, and tags of one partition go up.
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

    /// Messages that wait to be handed over.
    pub const fn staged(&self) -> u64 {
        self.staged.len()
    }

    /// Hands over what was staged, in order for each partition; `refused` gets the tags of messages that will
    /// never be accepted.
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
                    // A message larger than the whole queue would be "full" forever.
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

    /// Drops what was staged and not handed over; `forgotten` gets the tags.
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

    /// Messages handed over whose end has not been taken yet.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Events since the last call that may explain duplicates, in the order of time. At most 10,000 are kept
    /// between two calls; beyond that, the oldest are merged into one of kind
    /// [`Many`](super::ProducerEventKind::Many).
    pub fn events(&mut self) -> Vec<ProducerEvent> {
        self.retries.take()
    }

    /// The fatal error of the producer: nothing more will be sent. Only an idempotent producer can have one.
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

/// Of librdkafka's queue; it counts values alone.
fn kbytes(options: &ProducerOptions) -> u64 {
    (options.queue_bytes / 1024).clamp(1, i32::MAX as u64)
}

/// A producer's librdkafka properties, under the user's.
fn properties(client: &Client, options: &ProducerOptions) -> Vec<(&'static str, String)> {
    let users = |name| client.property(name).and_then(|value| value.parse::<u64>().ok());
    let acks = match options.acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    };
    // The broker is to judge what is too large; librdkafka's own bound of 1 MB would answer in its place.
    let batch = users("batch.size").unwrap_or(0).max(BATCH);
    let largest = options.longest_message.saturating_add(MARGIN).max(batch).min(1_000_000_000);
    // librdkafka takes none that is not below the time-out.
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
        // How the producer sees batches that are sent again; see `retries`.
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
