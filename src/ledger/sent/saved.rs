//! The saved ledger: a file with all acks and their offsets, so that the topic can be judged again later.
//!
//! It is readable JSON, and small if messages were written in batches. It contains no payload and no secret.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::marker::Marker;
use super::runs::{Run, RunLog};
use super::streams::{StreamInfo, Streams};
use crate::ids::{Offset, Partition, RunTag, Seq, StreamId};
use crate::ledger::sent::{Bound, Overtaken, SentLog};
use crate::scenario::Template;

/// The version of the file format.
pub const VERSION: u32 = 4;

/// The ledger of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The version of the format: 4. It includes the checksum of the messages.
    pub ledger_version: u32,
    pub run_id: String,
    pub name: String,
    /// The run tag of its messages, 40 bits.
    pub run_tag: u64,
    /// The name of the profile.
    #[serde(default)]
    pub profile: Option<String>,
    /// The brokers it ran against.
    pub brokers: Vec<String>,
    pub source_path: String,
    /// The scenario file, before `${}` was replaced.
    pub source: String,
    /// The start of the run in microseconds since 1970, to which its times are relative. `None` if the system clock was
    /// set during the run.
    pub zero_us: Option<i64>,
    /// Its topics, by index.
    pub topics: Vec<SavedTopic>,
    /// The scenarios that sent, in the file's order.
    pub producers: Vec<SavedProducer>,
    /// The streams that sent anything.
    pub streams: Vec<SavedStream>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTopic {
    pub name: String,
    /// The number of partitions.
    pub partitions: i32,
    /// What the broker reported at the start of the run; `None` if it did not answer.
    pub at_start: Option<SavedLook>,
    /// The same at the end of the run.
    pub at_end: Option<SavedLook>,
    /// Whether all acks belong to one log: as far as is known, the topic was not recreated during the run.
    pub one_log: bool,
    /// The acked end markers: partition, number and offset.
    pub markers: Vec<(Partition, u64, Offset)>,
}

/// What a broker reported about a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLook {
    /// The topic id; `None` if the broker does not support topic ids.
    pub id: Option<String>,
    /// The leader epochs of its partitions.
    pub leader_epochs: Vec<(Partition, i32)>,
}

impl SavedTopic {
    /// Whether a partition had one leader during the whole run. If this is unknown, it may have had several.
    pub fn had_one_leader(&self, partition: Partition) -> bool {
        let epoch = |look: &Option<SavedLook>| {
            let epochs = &look.as_ref()?.leader_epochs;
            epochs.iter().find(|(number, _)| *number == partition).map(|(_, epoch)| *epoch)
        };
        let then = epoch(&self.at_start);
        then.is_some() && then == epoch(&self.at_end)
    }

    /// The last known topic id.
    pub fn id(&self) -> Option<&str> {
        [&self.at_end, &self.at_start].into_iter().flatten().find_map(|look| look.id.as_deref())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedProducer {
    pub name: String,
    /// The scenario's index in the file.
    pub scenario: usize,
    /// The required acks: 0, 1, or -1 for all.
    pub acks: i8,
    /// Whether its messages must be read back.
    pub verify: bool,
    /// The number of clients.
    pub clients: u32,
    pub key: SavedKey,
    /// How the partitions of its messages were chosen.
    pub partition: SavedPartition,
    /// The maximum size of its messages.
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedKey {
    /// No keys.
    None,
    Template(String),
    /// The key template contains a secret, and so is not saved.
    Secret,
}

/// How the partitions of messages were chosen, and the messages numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedPartition {
    RoundRobin,
    ByKey,
    Fixed,
    /// Round trips to a fixed partition. Each client numbers its own messages.
    Trips,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedStream {
    /// The stream id in its messages.
    pub id: u32,
    pub scenario: usize,
    pub client: u32,
    pub topic: usize,
    pub partition: i32,
    pub has_uuid: bool,
    /// Whether its messages are round trips.
    pub roundtrip: bool,
    /// The number of messages passed to the client.
    pub sent: u64,
    /// When some messages were due or created: sequence, and microseconds since the start of the run.
    pub sent_times: Vec<(Seq, u64)>,
    /// How many messages were acked below an earlier ack, and the first of them: sequence, offset, and the offset acked
    /// before.
    pub overtaken: (u64, Vec<(Seq, Offset, Offset)>),
    /// The same below an earlier ack that only a leader confirmed (`acks: 1`).
    pub overtaken_by_leader: (u64, Vec<(Seq, Offset, Offset)>),
    /// Acked messages: runs of first sequence, first offset and length.
    pub acked: Vec<(u64, i64, u64)>,
    /// Messages that were acked without an offset: runs of first sequence and length, as in the next three fields.
    pub placeless: Vec<(u64, u64)>,
    pub failed: Vec<(u64, u64)>,
    /// Messages that a retry may have put out of order.
    pub maybe_out_of_order: Vec<(u64, u64)>,
    /// Messages that a retry may have written twice.
    pub maybe_twice: Vec<(u64, u64)>,
    /// Requeued after an attempt that may have been written: messages and batches.
    pub repeats: (u64, u64),
    /// All requeued messages and batches.
    pub reorders: (u64, u64),
    /// Whether log lines of the client were lost, so that more may have been requeued.
    pub lines_lost: bool,
}

impl SavedStream {
    /// Creates the saved form of a stream.
    pub fn new(id: StreamId, info: &StreamInfo, log: &SentLog) -> Self {
        let seqs = |log: &RunLog| log.sorted().into_iter().map(|run| (run.seq, run.len)).collect();
        let [overtaken, overtaken_by_leader] = log.overtaken().map(|it| (it.count, it.first.clone()));
        Self {
            id: id.0,
            scenario: info.scenario,
            client: info.client,
            topic: info.topic,
            partition: info.partition,
            has_uuid: info.has_uuid,
            roundtrip: info.roundtrip,
            sent: log.sent(),
            sent_times: log.send_times().collect(),
            overtaken,
            overtaken_by_leader,
            acked: log.acks().runs().map(|run| (run.seq, run.offset, run.len)).collect(),
            placeless: seqs(log.placeless()),
            failed: seqs(log.failures()),
            maybe_out_of_order: seqs(log.maybe_out_of_order()),
            maybe_twice: seqs(log.maybe_twice()),
            repeats: (log.repeats().messages, log.repeats().batches),
            reorders: (log.reorders().messages, log.reorders().batches),
            lines_lost: log.repeats().lines_lost,
        }
    }

    fn log(&self) -> SentLog {
        let runs = |list: &[(u64, u64)]| {
            let mut log = RunLog::new();
            for (seq, len) in list {
                log.push_run(Run { seq: *seq, offset: seq.cast_signed(), len: *len });
            }
            log
        };
        let mut acked = RunLog::new();
        for (seq, offset, len) in &self.acked {
            acked.push_run(Run { seq: *seq, offset: *offset, len: *len });
        }
        SentLog::restored(
            self.sent,
            acked,
            runs(&self.failed),
            runs(&self.maybe_out_of_order),
            runs(&self.maybe_twice),
        )
        .with(runs(&self.placeless), self.bound(self.repeats), self.bound(self.reorders))
        .with_times(&self.sent_times)
        .with_overtaken(
            [&self.overtaken, &self.overtaken_by_leader]
                .map(|(count, first)| Overtaken { count: *count, first: first.clone() }),
        )
    }

    const fn bound(&self, (messages, batches): (u64, u64)) -> Bound {
        Bound { messages, batches, lines_lost: self.lines_lost }
    }
}

/// Errors of reading a ledger file.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Invalid JSON, or JSON of another form.
    #[error("is not a saved ledger: {0}")]
    Form(#[from] serde_json::Error),
    /// Another kaf6 version wrote it.
    #[error(
        "has ledger version {0}, but this kaf6 reads version {VERSION}: verify it with the kaf6 \
        that wrote it, or run the scenario file again with --save-ledger"
    )]
    Version(u32),
    /// Its numbers are inconsistent.
    #[error("is damaged: {0}")]
    Damaged(String),
}

/// The highest stream number. Streams are stored in a vector by number.
const STREAMS: u32 = 1 << 20;
/// More partitions than any topic has.
const PARTITIONS: i32 = 1 << 20;
/// The largest sequence, offset or length, and the longest time in microseconds (8 years).
const NUMBERS: u64 = 1 << 48;
/// More scenarios than any file has.
const SCENARIOS: usize = 1 << 20;

impl Saved {
    /// Parses the contents of a file.
    ///
    /// # Errors
    ///
    /// If it is not a ledger, has another version, or is inconsistent.
    pub fn read(bytes: &[u8]) -> Result<Self, SavedError> {
        /// Only the version, to distinguish a newer file from a damaged one.
        #[derive(Deserialize)]
        struct LedgerVersion {
            ledger_version: u32,
        }
        // serde also accepts a list for a struct.
        if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err(SavedError::Form(serde::de::Error::custom("not a JSON object")));
        }
        let version: LedgerVersion = serde_json::from_slice(bytes)?;
        if version.ledger_version != VERSION {
            return Err(SavedError::Version(version.ledger_version));
        }
        let saved: Self = serde_json::from_slice(bytes)?;
        saved.check().map_err(SavedError::Damaged)?;
        Ok(saved)
    }

    fn check(&self) -> Result<(), String> {
        for topic in &self.topics {
            let markers = topic.markers.iter().map(|(partition, _, offset)| (*partition, *offset));
            let mut places = markers.chain([(0, 0)]);
            if !(0..=PARTITIONS).contains(&topic.partitions)
                || places.any(|(partition, offset)| {
                    !(0..PARTITIONS).contains(&partition) || offset.cast_unsigned() > NUMBERS
                })
            {
                return Err(format!("topic `{}` has numbers out of range", topic.name));
            }
        }
        for producer in &self.producers {
            let parses = !matches!(&producer.key, SavedKey::Template(text) if Template::parse(text).is_err());
            let numbers = (-1..=1).contains(&producer.acks) && producer.scenario < SCENARIOS;
            if !parses || !numbers || producer.clients == 0 {
                return Err(format!("producer `{}` is invalid", producer.name));
            }
        }
        let mut ids = HashSet::new();
        for stream in &self.streams {
            let id = stream.id;
            if !ids.insert(id) {
                return Err(format!("duplicate stream {id}"));
            }
            if id >= STREAMS || stream.topic >= self.topics.len() || stream.scenario >= self.producers.len() {
                return Err(format!("stream {id} refers to an unknown topic or producer"));
            }
            if stream.client >= self.producers[stream.scenario].clients {
                return Err(format!("stream {id} refers to an unknown client"));
            }
            let runs = [&stream.placeless, &stream.failed, &stream.maybe_out_of_order, &stream.maybe_twice];
            let numbers = runs
                .into_iter()
                .flatten()
                .flat_map(|(seq, len)| [*seq, *len])
                .chain(
                    stream.acked.iter().flat_map(|(seq, offset, len)| [*seq, offset.cast_unsigned(), *len]),
                )
                .chain(stream.sent_times.iter().flat_map(|(seq, at)| [*seq, *at]))
                .chain([stream.sent]);
            if numbers.into_iter().any(|number| number > NUMBERS)
                || !(0..PARTITIONS).contains(&stream.partition)
            {
                return Err(format!("stream {id} has numbers out of range"));
            }
            let acked = stream.acked.iter().map(|(seq, _, len)| (*seq, *len));
            let ended = acked.chain(stream.placeless.iter().chain(&stream.failed).copied());
            let total: u64 = ended.clone().map(|(_, len)| len).sum();
            if total > stream.sent || ended.into_iter().any(|(seq, len)| seq + len > stream.sent) {
                return Err(format!("stream {id} has more acks than messages"));
            }
        }
        Ok(())
    }

    pub const fn run_tag(&self) -> RunTag {
        RunTag::from_bits(self.run_tag)
    }

    /// Converts microseconds since 1970 to microseconds since the start of the run. `None` if the clocks do not match:
    /// the system clock was set during the run, or this machine's clock is behind.
    pub fn since_start_us(&self, at_us: i64) -> Option<u64> {
        u64::try_from(at_us.checked_sub(self.zero_us?)?).ok()
    }

    pub fn topic(&self, name: &str) -> Option<&SavedTopic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    /// The end markers that the run wrote to a partition.
    pub fn markers(&self, topic: usize, partition: Partition) -> Vec<Marker> {
        let all = self.topics.get(topic).into_iter().flat_map(|topic| &topic.markers);
        let here = all.filter(|(other, ..)| *other == partition);
        here.map(|(_, number, offset)| Marker { number: *number, offset: *offset }).collect()
    }

    /// The maximum size of the run's messages in this topic.
    pub fn largest(&self, topic: usize) -> Option<u64> {
        let here = self.streams.iter().filter(|stream| stream.topic == topic);
        here.filter_map(|stream| Some(self.producers.get(stream.scenario)?.bytes)).max()
    }

    /// The streams, and what each of them sent.
    pub fn restore(&self) -> (Streams, HashMap<StreamId, SentLog>) {
        let mut streams = Streams::default();
        let last = self.streams.iter().map(|s| s.id).max().unwrap_or(0);
        // Ids that are missing from the file sent nothing, but need a place.
        let nobody = StreamInfo {
            scenario: usize::MAX,
            client: 0,
            topic: usize::MAX,
            partition: -1,
            has_uuid: false,
            roundtrip: true,
        };
        let by_id: HashMap<u32, &SavedStream> = self.streams.iter().map(|s| (s.id, s)).collect();
        for id in 0..=last {
            let info = by_id.get(&id).map_or_else(
                || nobody.clone(),
                |s| StreamInfo {
                    scenario: s.scenario,
                    client: s.client,
                    topic: s.topic,
                    partition: s.partition,
                    has_uuid: s.has_uuid,
                    roundtrip: s.roundtrip,
                },
            );
            let partition = info.partition;
            streams.add(&info, [partition]);
        }
        let sent = self.streams.iter().map(|s| (StreamId(s.id), s.log())).collect();
        (streams, sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sent::Resent;

    fn saved() -> Saved {
        let mut log = SentLog::default();
        for seq in 0..10 {
            log.next_seq();
            log.sent_at(seq, 1_000_000 * seq);
            if seq < 8 {
                log.acked(
                    seq,
                    100 + seq.cast_signed(),
                    if seq == 3 { Resent::MaybeWritten } else { Resent::No },
                );
            }
        }
        log.failed(8, Resent::No);
        log.went_back(1, "timed out", 2, true);
        log.went_back(2, "refused", 3, false);
        log.next_seq();
        log.acked_nowhere(10, 1, Resent::No);
        log.was_overtaken(7, 107, 120, false);
        log.was_overtaken(8, 108, 121, true);
        let info =
            StreamInfo { scenario: 0, client: 1, topic: 0, partition: 2, has_uuid: true, roundtrip: false };
        Saved {
            ledger_version: VERSION,
            run_id: "r".to_owned(),
            name: "n".to_owned(),
            run_tag: 77,
            profile: None,
            brokers: vec![],
            source_path: String::new(),
            source: String::new(),
            zero_us: Some(1_000),
            topics: vec![SavedTopic {
                name: "t".to_owned(),
                partitions: 3,
                at_start: Some(SavedLook { id: Some("x".to_owned()), leader_epochs: vec![(2, 7)] }),
                at_end: None,
                one_log: true,
                markers: vec![(2, 0, 108)],
            }],
            producers: vec![SavedProducer {
                name: "write".to_owned(),
                scenario: 3,
                acks: -1,
                verify: true,
                clients: 2,
                key: SavedKey::Template("{{seq}}".to_owned()),
                partition: SavedPartition::RoundRobin,
                bytes: 100,
            }],
            streams: vec![SavedStream::new(StreamId(4), &info, &log)],
        }
    }

    #[test]
    fn what_is_saved_comes_back() {
        let saved = saved();
        let again = Saved::read(&serde_json::to_vec(&saved).unwrap()).unwrap();
        assert_eq!(again, saved);
        let (streams, sent) = again.restore();
        assert_eq!(streams.get(StreamId(4)).unwrap().partition, 2);
        let log = &sent[&StreamId(4)];
        assert_eq!((log.sent(), log.acks().len(), log.placeless().len(), log.unknowns()), (11, 8, 1, 1));
        let bound = |messages, batches| Bound { messages, batches, lines_lost: false };
        assert_eq!((log.repeats(), log.reorders()), (bound(2, 1), bound(5, 2)));
        assert_eq!(log.offsets(), Some((100, 107)));
        assert_eq!(log.maybe_twice().runs().map(|r| r.seq).collect::<Vec<_>>(), [3]);
        let one = |first| Overtaken { count: 1, first: vec![first] };
        assert_eq!(log.overtaken(), [&one((7, 107, 120)), &one((8, 108, 121))]);
        assert_eq!(
            [0, 4, 9, 10].map(|seq| Some(log.stamped(seq, false)?.0)),
            [Some(0), Some(4_000_000), Some(9_000_000), None]
        );
    }

    #[test]
    fn the_time_since_the_run_is_told_only_where_both_clocks_can() {
        let mut saved = saved();
        assert_eq!(saved.since_start_us(5_000), Some(4_000));
        assert_eq!(saved.since_start_us(999), None, "this clock is behind");
        saved.zero_us = None;
        assert_eq!(saved.since_start_us(5_000), None);
    }

    #[test]
    fn what_no_kaf6_writes_is_damaged() {
        let damages: [fn(&mut Saved); 7] = [
            |saved| saved.producers[0].clients = 0,
            |saved| saved.producers[0].clients = 1,
            |saved| saved.producers[0].acks = 2,
            |saved| saved.producers[0].key = SavedKey::Template("{{sequence}}".to_owned()),
            |saved| saved.topics[0].partitions = -1,
            |saved| saved.topics[0].markers[0].2 = -1,
            |saved| saved.streams[0].sent_times[0].1 = u64::MAX,
        ];
        for damage in damages {
            let mut saved = saved();
            damage(&mut saved);
            let read = Saved::read(&serde_json::to_vec(&saved).unwrap());
            assert!(matches!(read, Err(SavedError::Damaged(_))), "{read:?}");
        }
    }

    #[test]
    fn damaged_files_are_refused_and_never_panic() {
        let mut saved = saved();
        assert!(matches!(Saved::read(b"{}"), Err(SavedError::Form(_))));
        saved.ledger_version = 9;
        assert!(matches!(Saved::read(&serde_json::to_vec(&saved).unwrap()), Err(SavedError::Version(9))));
        saved.ledger_version = VERSION;
        saved.streams[0].acked[0].2 = u64::MAX;
        assert!(matches!(Saved::read(&serde_json::to_vec(&saved).unwrap()), Err(SavedError::Damaged(_))));
        saved.streams[0].acked[0].2 = 11;
        assert!(matches!(Saved::read(&serde_json::to_vec(&saved).unwrap()), Err(SavedError::Damaged(_))));
        saved.streams[0].acked[0].2 = 3;
        saved.streams[0].partition = i32::MAX;
        assert!(matches!(Saved::read(&serde_json::to_vec(&saved).unwrap()), Err(SavedError::Damaged(_))));
        saved.streams[0].partition = 2;
        Saved::read(&serde_json::to_vec(&saved).unwrap()).unwrap();
        saved.streams.push(saved.streams[0].clone());
        assert!(matches!(Saved::read(&serde_json::to_vec(&saved).unwrap()), Err(SavedError::Damaged(_))));
        saved.streams.pop();
        saved.streams[0].id = u32::MAX;
        assert!(matches!(Saved::read(&serde_json::to_vec(&saved).unwrap()), Err(SavedError::Damaged(_))));
    }
}
