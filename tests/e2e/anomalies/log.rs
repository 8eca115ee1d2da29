//! Reads a log with another client, and the objects that Tansu stores on S3.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::lab::{Moto, Storage, Tansu};

/// Properties that put several records into each object: a fetch takes Tansu a request for each.
pub(super) const GATHER: &str = "linger.ms: 25, batch.num.messages: 10";
const BUCKET: &str = "lake";
const LONG: Duration = Duration::from_secs(120);

/// Tansu over S3, and the bucket's side of it.
pub(super) struct Lake {
    moto: Moto,
    pub(super) tansu: Tansu,
}

/// One batch of a partition in the bucket.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    key: String,
    /// Its first offset: the object's name.
    pub(super) base: i64,
    /// How many records it holds.
    pub(super) records: usize,
    pub(super) bytes: Vec<u8>,
}

impl Lake {
    /// Starts both; none where a part is missing.
    pub(super) fn start() -> Option<Self> {
        let moto = Moto::start()?;
        moto.create_bucket(BUCKET);
        let storage = Storage::S3 { endpoint: moto.address(), bucket: BUCKET.to_owned() };
        let tansu = Tansu::start(&storage)?;
        Some(Self { moto, tansu })
    }

    /// The batches of a partition, in order.
    pub(super) fn batches(&self, topic: &str, partition: i32) -> Vec<Batch> {
        let prefix = folder(topic, partition) + "records/";
        let list = self.moto.list(BUCKET, &prefix).into_iter();
        list.map(|object| {
            let name = object.key.rsplit('/').next().and_then(|name| name.strip_suffix(".batch"));
            let base = name.and_then(|name| name.parse().ok()).expect("a batch is named after its offset");
            let bytes = self.moto.get(BUCKET, &object.key);
            let records = bytes[57..61].iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            Batch { records, key: object.key, base, bytes }
        })
        .collect()
    }

    /// Deletes a batch.
    pub(super) fn delete(&self, batch: &Batch) {
        self.moto.delete(BUCKET, &batch.key);
    }

    /// Puts other bytes in a batch's place.
    pub(super) fn overwrite(&self, batch: &Batch, bytes: &[u8]) {
        self.moto.put(BUCKET, &batch.key, bytes);
    }

    /// Appends bytes as a batch of so many records, as the broker would; it is restarted, so that it keeps nothing in mind.
    pub(super) fn append(&mut self, topic: &str, partition: i32, bytes: &[u8], records: usize) {
        let folder = folder(topic, partition);
        let mark = self.moto.get(BUCKET, &format!("{folder}watermark.json"));
        let mut mark: serde_json::Value = serde_json::from_slice(&mark).expect("a watermark is JSON");
        let high = mark["high"].as_u64().expect("a high watermark");
        self.moto.put(BUCKET, &format!("{folder}records/{high:020}.batch"), bytes);
        mark["high"] = (high + records as u64).into();
        self.moto.put(BUCKET, &format!("{folder}watermark.json"), mark.to_string().as_bytes());
        self.tansu.restart();
    }
}

fn folder(topic: &str, partition: i32) -> String {
    format!("clusters/tansu_cluster/topics/{topic}/partitions/{partition:010}/")
}

/// Writes the checksum that belongs to a batch, as a broker or a disk that alters bytes below it would not.
pub(super) fn with_checksum(mut batch: Vec<u8>) -> Vec<u8> {
    let sum = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&sum.to_be_bytes());
    batch
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg()))
    })
}

/// One record as another client reads it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Stream and sequence of a message of kaf6 whose envelope is in the value.
    pub(super) message: Option<(u32, u64)>,
}

/// Reads a partition with another client up to its end, or until nothing came for some seconds.
pub(super) fn read(broker: &str, topic: &str, partition: i32) -> Vec<Found> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("group.id", "witness")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "50")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
    consumer.assign(&list).expect("an assignment");
    let mut found = Vec::new();
    let deadline = Instant::now() + LONG;
    let end = consumer.fetch_watermarks(topic, partition, LONG).map_or(0, |(_, end)| end);
    let mut wait = Duration::from_secs(30);
    while let Some(Ok(message)) = consumer.poll(wait.min(deadline.saturating_duration_since(Instant::now())))
    {
        // Tansu may report an end before the last records.
        wait = Duration::from_secs(if message.offset() + 1 >= end { 5 } else { 30 });
        let value = message.payload().unwrap_or_default();
        let number = |range: std::ops::Range<usize>| {
            value[range].iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        let is_message = value.len() >= 32 && value.starts_with(b"kaf6\x04");
        let message_id =
            is_message.then(|| (u32::try_from(number(10..14)).expect("four bytes"), number(14..20)));
        found.push(Found { message: message_id });
    }
    found
}

/// Distinct messages that lie at two or more offsets.
pub(super) fn duplicates(found: &[Found]) -> u64 {
    let mut copies: HashMap<(u32, u64), u64> = HashMap::new();
    for message in found.iter().filter_map(|found| found.message) {
        *copies.entry(message).or_default() += 1;
    }
    copies.values().filter(|count| **count > 1).count() as u64
}

/// Distinct messages whose first copy lies behind one of the same stream that was sent later.
pub(super) fn reordered(found: &[Found]) -> u64 {
    let mut highest: HashMap<u32, u64> = HashMap::new();
    let mut seen = std::collections::HashSet::new();
    let mut count = 0;
    for (stream, seq) in found.iter().filter_map(|found| found.message) {
        let last = highest.entry(stream).or_insert(seq);
        count += u64::from(seen.insert((stream, seq)) && seq < *last);
        *last = seq.max(*last);
    }
    count
}

/// Writes records with another client.
pub(super) fn write(broker: &str, topic: &str, partition: i32, values: &[&[u8]]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("linger.ms", "0")
        .create()
        .expect("a producer");
    for value in values {
        let record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(value);
        producer.send(record).map_err(|(error, _)| error).expect("the record is taken");
    }
    producer.flush(LONG).expect("all is sent");
}

/// Writes one record with these headers with another client.
pub(super) fn write_with_headers(broker: &str, topic: &str, headers: &[(&str, Option<&[u8]>)]) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", broker).create().expect("a producer");
    let headers = headers
        .iter()
        .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: *value }));
    let record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(b"another's").headers(headers);
    producer.send(record).map_err(|(error, _)| error).expect("the record is taken");
    producer.flush(LONG).expect("all is sent");
}

/// Another client that writes in transactions.
pub(super) struct Transactions {
    producer: BaseProducer,
    topic: String,
}

impl Transactions {
    /// To this topic.
    pub(super) fn of(broker: &str, topic: &str) -> Self {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", broker)
            .set("transactional.id", topic)
            .set("linger.ms", "0")
            .create()
            .expect("a producer");
        producer.init_transactions(LONG).expect("the transactional id is this producer's");
        Self { producer, topic: topic.to_owned() }
    }

    /// Writes so many records in a transaction, and commits or aborts it.
    pub(super) fn write(&self, partition: i32, records: u64, commits: bool) -> u64 {
        self.producer.begin_transaction().expect("a transaction begins");
        for number in 0..records {
            let value = format!("another's {number}");
            let record =
                BaseRecord::<(), [u8]>::to(&self.topic).partition(partition).payload(value.as_bytes());
            self.producer.send(record).map_err(|(error, _)| error).expect("the record is taken");
        }
        // An abort drops messages that are not sent yet.
        self.producer.flush(LONG).expect("all is sent");
        match commits {
            true => self.producer.commit_transaction(LONG).expect("it is committed"),
            false => self.producer.abort_transaction(LONG).expect("it is aborted"),
        }
        records
    }
}
