//! A producer: one librdkafka client and one topic, owned by one thread that sends and polls.
//!
//! Owns the fast path (no allocation of Rust's a message), the delivery rules' inputs, and the events that make repeats legal.

use std::time::{Duration, Instant};

use super::{Client, Code, Delivery, Error, Waker};
use crate::ids::Partition;
use crate::plan::Acks;

/// How a producer behaves; user properties of the same meaning win over `linger`, `message_timeout` and `compression`.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// Where to.
    pub topic: String,
    /// Who must confirm.
    pub acks: Acks,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Ask the broker to drop repeats.
    pub idempotence: bool,
    /// Bytes that may wait in librdkafka (queued and in flight) before `send` says [`SendError::QueueFull`].
    pub queue_bytes: u64,
    /// How long librdkafka tries to deliver one message before it is reported as timed out.
    pub message_timeout: Duration,
    /// How long it gathers messages before it sends a batch; see [`ProducerOptions::linger_for`].
    pub linger: Duration,
}

impl ProducerOptions {
    /// acks all, no compression, no idempotence, 32 MiB, 30 s, linger 5 ms.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            acks: Acks::All,
            compression: "none".into(),
            idempotence: false,
            queue_bytes: 32 << 20,
            message_timeout: Duration::from_secs(30),
            linger: Duration::from_millis(5),
        }
    }

    /// A linger that neither shows in the latencies of a slow schedule nor costs a fast one its batches:
    /// none below 1,000 messages a second and client, else 5 ms (none given: a closed loop, 5 ms).
    pub fn linger_for(rate_per_client: Option<f64>) -> Duration {
        match rate_per_client {
            Some(rate) if rate < 1000.0 => Duration::ZERO,
            _ => Duration::from_millis(5),
        }
    }
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// `queue_bytes` are waiting: poll, then send again.
    #[error("the send queue is full")]
    QueueFull,
    /// It will never be sent, such as one that is too large: the message has failed.
    #[error("refused before sending: {}", .0.text())]
    Refused(Code),
}

/// Something that a producer saw and that can make a repeat or a reordering legal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerEvent {
    /// When it was seen.
    pub at: Instant,
    /// The earliest time it can have happened at; equal to `at` where it was seen as it happened.
    pub since: Instant,
    /// What it was.
    pub kind: ProducerEventKind,
    /// The partition it concerns; none: all of the producer's.
    pub partition: Option<Partition>,
    /// librdkafka's words.
    pub text: String,
}

/// The kinds of [`ProducerEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProducerEventKind {
    /// A connection broke or could not be made.
    Disconnected,
    /// A request got no answer in time.
    TimedOut,
    /// A batch of so many messages goes back into the queue, to be sent again.
    Retried {
        /// Messages in it.
        messages: u32,
    },
}

/// A producer of one topic.
pub struct Producer {}

impl Producer {
    /// Makes the client. Does not wait for a connection.
    ///
    /// # Errors
    /// [`Error::Property`] and [`Error::Client`], as [`Client::new`].
    pub fn open(client: &Client, options: &ProducerOptions) -> Result<Self, Error> {
        let _ = (client, options);
        unimplemented!()
    }

    /// Waits until the topic's partitions are known, so that the first message does not pay for the connection.
    /// Returns their number.
    ///
    /// # Errors
    /// [`Error::Request`] where no broker answered in time or the topic is not there.
    pub fn warm_up(&mut self, timeout: Duration) -> Result<i32, Error> {
        let _ = timeout;
        unimplemented!()
    }

    /// Hands one message over. It is copied; its end comes by [`Producer::poll`] under `tag`.
    ///
    /// # Errors
    /// [`SendError::QueueFull`]: nothing was taken, try again after a poll. [`SendError::Refused`]: it never will be.
    pub fn send(
        &mut self,
        partition: Partition,
        key: Option<&[u8]>,
        value: &[u8],
        headers: &[(&str, &[u8])],
        tag: u64,
    ) -> Result<(), SendError> {
        let _ = (partition, key, value, headers, tag);
        unimplemented!()
    }

    /// Takes what has ended, waiting up to `timeout` (microseconds count) for the first where nothing has.
    /// Returns how many ended. Wakes early and with 0 by [`Producer::waker`].
    pub fn poll(&mut self, timeout: Duration, on: &mut dyn FnMut(Delivery)) -> usize {
        let _ = (timeout, on);
        unimplemented!()
    }

    /// Messages handed over whose end has not been taken yet.
    pub fn in_flight(&self) -> u64 {
        unimplemented!()
    }

    /// What could make a repeat legal, since the last call, in the order of time. At most 10,000 are kept between two
    /// calls; after those the oldest are merged.
    pub fn events(&mut self) -> Vec<ProducerEvent> {
        unimplemented!()
    }

    /// A handle that ends a wait in [`Producer::poll`] from another thread.
    pub fn waker(&self) -> Waker {
        unimplemented!()
    }

    /// Sends what is queued and takes what ends, up to `deadline`; then gives up on the rest: what was being
    /// transmitted ends as unknown, what was queued as failed. Returns soon after `deadline` whatever the broker does.
    /// The events that were left are returned.
    pub fn close(self, deadline: Instant, on: &mut dyn FnMut(Delivery)) -> Vec<ProducerEvent> {
        let _ = (deadline, on);
        unimplemented!()
    }
}
