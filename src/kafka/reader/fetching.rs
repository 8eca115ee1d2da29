//! Fetch settings of a reader's client: how much per fetch, how much may be queued, and how long a broker may
//! wait for records.

use std::time::Duration;

use crate::kafka::Client;

/// Messages that a partition's queue may hold before it fetches more, at most; librdkafka keeps some 300 bytes beside each, and
/// what waits long is out of the processor's cache when its turn comes.
const MOST_MESSAGES: u64 = 10_000;
const BYTES_A_MESSAGE: u64 = 300;

/// Readers check the checksums of batches: only where librdkafka finds what lies behind a bad one; see `raw/checksums.c`.
pub const CHECKS_CRCS: bool = cfg!(target_os = "linux");

/// The librdkafka properties, under the user's, of readers of so many partitions with so many bytes for all.
pub(crate) fn properties(
    client: &Client,
    partitions: usize,
    prefetch_bytes: u64,
    patient: bool,
) -> Vec<(&'static str, String)> {
    let count = partitions.max(1) as u64;
    let kbytes = (prefetch_bytes / count / 1024).clamp(16, 1 << 20);
    // One answer fits into half of what may wait, so that what waits stays near the budget, and the next is on its way while one
    // is read. Larger ones are no faster, and leave the processor's cache before their turn comes.
    let fetch = (kbytes * 1024 / 2).clamp(16 << 10, 512 << 10);
    // For brokers that keep to the limit of an answer and not to that of a partition: Tansu sends some 5 MiB otherwise.
    // librdkafka wants it to be no less than `message.max.bytes`, which a file may set for its producers.
    let largest = client.property("message.max.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    let mut properties = vec![
        ("allow.auto.create.topics", "false".to_owned()),
        ("auto.offset.reset", "error".into()),
        // A batch whose checksum is wrong is seen by Java's clients, which stop there; see `bad_batch`.
        ("check.crcs", CHECKS_CRCS.to_string()),
        ("fetch.error.backoff.ms", millis(client.waits().fetch_backoff).to_string()),
        // A full queue is looked at again after so long, a second where not set: a reader that was drained meanwhile waits out
        // the rest of it, at each turn of the few MiB that each of some partitions may hold.
        ("fetch.queue.backoff.ms", "5".into()),
        ("fetch.max.bytes", fetch.max(largest).to_string()),
        ("fetch.message.max.bytes", fetch.to_string()),
        ("isolation.level", "read_uncommitted".into()),
        ("message.max.bytes", fetch.to_string()),
        ("queued.max.messages.kbytes", kbytes.to_string()),
        ("queued.min.messages", (kbytes * 1024 / BYTES_A_MESSAGE).clamp(1000, MOST_MESSAGES).to_string()),
        ("topic.metadata.propagation.max.ms", "5000".into()),
    ];
    // Some brokers sit out much of the wait although something has come: the embedded one all of it, Tansu half of it in the
    // mean. So it is short, while that makes no more than some 500 requests a second over all partitions.
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
