//! Fetch settings of a reader's client: how much per fetch, how much may be queued, and how long a broker may
//! wait for records.

use std::time::Duration;

use crate::kafka::Client;

/// Maximum number of messages in a partition's queue before fetching pauses. librdkafka adds about 300 bytes per
/// message, and messages that wait long leave the processor's cache.
const MOST_MESSAGES: u64 = 10_000;
const BYTES_A_MESSAGE: u64 = 300;

/// Whether readers validate checksums of batches: only on systems where librdkafka can find the next batch after a bad
/// one; see `ffi/checksums.c`.
pub const CHECKS_CRCS: bool = cfg!(target_os = "linux");

/// The librdkafka properties of readers for this number of partitions with this total of bytes. The file's properties
/// override them.
pub(crate) fn properties(
    client: &Client,
    partitions: usize,
    prefetch_bytes: u64,
    patient: bool,
) -> Vec<(&'static str, String)> {
    let count = partitions.max(1) as u64;
    let kbytes = (prefetch_bytes / count / 1024).clamp(16, 1 << 20);
    // A response is at most half of the queue. So the queue stays near its limit, and the next response arrives
    // while one is processed. Larger responses are not faster, and leave the processor's cache before they are
    // read.
    let fetch = (kbytes * 1024 / 2).clamp(16 << 10, 512 << 10);
    // For brokers that respect the limit of a response, but not that of a partition: Tansu otherwise sends about 5 MiB.
    // librdkafka requires at least `message.max.bytes`, which a file may set for its producers.
    let largest = client.property("message.max.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    let mut properties = vec![
        ("allow.auto.create.topics", "false".to_owned()),
        ("auto.offset.reset", "error".into()),
        // Java clients also detect a wrong checksum, and stop there; see `bad_batch`.
        ("check.crcs", CHECKS_CRCS.to_string()),
        ("fetch.error.backoff.ms", millis(client.waits().fetch_backoff).to_string()),
        // librdkafka checks a full queue again after this time, by default one second. A reader that drained its queue
        // waits for it, and small queues of many partitions fill often.
        ("fetch.queue.backoff.ms", "5".into()),
        ("fetch.max.bytes", fetch.max(largest).to_string()),
        ("fetch.message.max.bytes", fetch.to_string()),
        ("isolation.level", "read_uncommitted".into()),
        ("message.max.bytes", fetch.to_string()),
        ("queued.max.messages.kbytes", kbytes.to_string()),
        ("queued.min.messages", (kbytes * 1024 / BYTES_A_MESSAGE).clamp(1000, MOST_MESSAGES).to_string()),
        ("topic.metadata.propagation.max.ms", "5000".into()),
    ];
    // Some brokers wait although records have arrived: the embedded broker for the whole time, and Tansu for half of it
    // on average. So the wait is short, unless that causes more than about 500 requests per second over all partitions.
    let wait = match (client.is_embedded(), patient) {
        (true, _) => 10,
        (false, true) => millis(client.waits().fetch_patient),
        (false, false) => (count * 2).clamp(millis(client.waits().fetch), 500),
    };
    properties.push(("fetch.wait.max.ms", wait.to_string()));
    properties
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
