//! What only scenarios of some types observe: brokers, topics, endpoints, metadata, logs.

use std::time::Duration;

use crate::ids::{Offset, Partition};
use crate::plan::Aspect;
use crate::scenario::Secrets;

/// What only scenarios of some types observe.
#[derive(Debug, Clone, Default)]
pub struct TypeSeen {
    /// `connect`: the brokers.
    pub brokers: Vec<BrokerSeen>,
    /// `connect`: the topics.
    pub topics: Vec<TopicSeen>,
    /// `metrics`: the responses.
    pub scrape: Option<ScrapeSeen>,
    /// `watch`: the metadata.
    pub watch: Option<WatchSeen>,
    /// `offsets`: the logs.
    pub offsets: Option<OffsetsSeen>,
    /// `consume`, `roundtrip`: how many values had their UUID compared, and how many of these differed from
    /// what was sent.
    pub uuids: Option<(u64, u64)>,
}

impl TypeSeen {
    /// Hides secrets in what brokers and endpoints returned.
    pub(super) fn hide(&mut self, secrets: &Secrets) {
        let hide = |text: &mut String| secrets.hide_from(text);
        let stages = self.brokers.iter_mut().flat_map(|broker| &mut broker.stages);
        stages.filter_map(|(_, _, error)| error.as_mut()).for_each(hide);
        self.topics.iter_mut().filter_map(|topic| topic.error.as_mut()).for_each(hide);
        self.scrape.iter_mut().filter_map(|scrape| scrape.last_error.as_mut()).for_each(hide);
        let watched = self.watch.iter_mut().flat_map(|watch| &mut watch.brokers);
        watched.filter_map(|broker| broker.last_error.as_mut()).for_each(hide);
        if let Some(offsets) = &mut self.offsets {
            offsets.last_error.iter_mut().for_each(hide);
            offsets.unreported.iter_mut().for_each(|(_, error)| hide(error));
            offsets.logs.iter_mut().filter_map(|log| log.last_error.as_mut()).for_each(hide);
        }
    }
}

/// A broker, as of the last attempt to connect.
#[derive(Debug, Clone, Default)]
pub struct BrokerSeen {
    /// `host:port`.
    pub broker: String,
    pub reachable: bool,
    pub attempts: u64,
    /// Name, duration and error of each stage. A failed stage is the last one.
    pub stages: Vec<(&'static str, Duration, Option<String>)>,
    /// Key, name, lowest and highest version of each API.
    pub apis: Vec<(i16, &'static str, i16, i16)>,
}

impl BrokerSeen {
    /// The error, such as `kafka:9092: tcp: connection refused`. `None` if the broker was reached.
    pub fn why_unreached(&self) -> Option<String> {
        let failed = self.stages.iter().find_map(|(name, _, error)| Some((name, error.as_ref()?)));
        (!self.reachable).then(|| match failed {
            Some((stage, error)) => format!("{}: {stage}: {error}", self.broker),
            None => format!("{}: not reached", self.broker),
        })
    }
}

/// A topic, as of the last metadata response.
#[derive(Debug, Clone, Default)]
pub struct TopicSeen {
    pub topic: String,
    /// Number of partitions.
    pub partitions: usize,
    pub error: Option<String>,
}

/// Responses of an HTTP endpoint.
#[derive(Debug, Clone, Default)]
pub struct ScrapeSeen {
    pub requests: u64,
    /// Number of responses with status 200.
    pub ok: u64,
    /// Number of responses with another status.
    pub refused: u64,
    /// Number of responses with a body.
    pub with_body: u64,
    /// Status of the last response.
    pub last_status: Option<u16>,
    /// Length of the last body in bytes.
    pub last_bytes: usize,
    /// The error of the last request without a response.
    pub last_error: Option<String>,
    pub series: Vec<SeriesSeen>,
    /// Number of responses that were too long to read completely.
    pub cut: u64,
    /// Values of the configured series over time.
    pub points: Vec<SeriesPoints>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesSeen {
    /// The series as the file has it.
    pub name: String,
    /// Number of responses that contain it.
    pub present: u64,
    /// Number of responses that do not contain it in the part that was read.
    pub beyond: u64,
    /// Series of the same name with other labels, from the last response without it.
    pub near: Vec<String>,
}

/// One scraped series over time.
#[derive(Debug, Clone, Default)]
pub struct SeriesPoints {
    /// The series with its labels.
    pub name: String,
    /// Time from the start of the run, and value.
    pub points: Vec<(Duration, f64)>,
}

/// Metadata over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSeen {
    /// Each broker that was queried separately.
    pub brokers: Vec<WatchedBroker>,
    /// The changes, in order.
    pub changes: Vec<MetadataChange>,
    /// Number of further changes that were not stored.
    pub more_changes: u64,
    /// Aspects that were missing from the answers, so that changes of them could not be seen.
    pub unseen: Vec<Aspect>,
}

/// A broker that a `watch` queries separately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedBroker {
    /// `host:port`.
    pub broker: String,
    /// Number of requests to it.
    pub asked: u64,
    pub answered: u64,
    /// Time of its first answer, from the start of the run.
    pub first: Option<Duration>,
    pub last: Option<Duration>,
    /// The last error of a request without an answer.
    pub last_error: Option<String>,
    /// Periods without an answer after it had answered once, in order.
    pub silences: Vec<Silence>,
}

/// A period in which a broker did not answer, after it had answered once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silence {
    /// Time of the first request without an answer.
    pub from: Duration,
    /// When the last of these requests ended.
    pub to: Duration,
    /// Whether it did not answer again, although it was queried until the end.
    pub to_the_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataChange {
    /// Time from the start of the run.
    pub at: Duration,
    /// The broker that answered.
    pub broker: String,
    pub aspect: Aspect,
    /// The topic that changed.
    pub topic: Option<String>,
    /// The partition that changed.
    pub partition: Option<Partition>,
    /// The previous value, from this broker or another one.
    pub before: String,
    pub after: String,
}

/// The starts and ends of logs over time, as brokers report them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetsSeen {
    /// Each partition that a broker reported, by topic and number.
    pub logs: Vec<LogSeen>,
    /// Topics without a reported partition, with the reason.
    pub unreported: Vec<(String, String)>,
    /// Number of further reversals that were not stored.
    pub more_reversals: u64,
    /// The error of the last request that no broker answered.
    pub last_error: Option<String>,
}

/// The log of one partition over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSeen {
    pub topic: String,
    pub partition: Partition,
    /// Number of requests since a broker first reported the partition.
    pub asked: u64,
    pub answered: u64,
    /// Start and end in the first answer.
    pub first: Option<(Offset, Offset)>,
    pub last: Option<(Offset, Offset)>,
    /// Whether the last request had no answer.
    pub silent: bool,
    /// The last error of a request without an answer.
    pub last_error: Option<String>,
    /// How often the topic id changed.
    pub recreated: u64,
    pub reversals: Vec<LogReversal>,
}

/// A start or end of a log that was lower than in the answer before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogReversal {
    /// Time of the lower answer, from the start of the run.
    pub at: Duration,
    pub side: LogSide,
    pub from: Offset,
    pub to: Offset,
    pub proof: ReversalProof,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSide {
    Start,
    End,
}

/// What is known about a reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReversalProof {
    /// A later answer had the same topic id, so the topic was not recreated.
    SameTopic,
    /// The broker reports no topic id.
    NoTopicId,
    /// No later answer had a topic id.
    NoLaterAnswer,
    /// A start, with another leader or an unknown leader epoch. This is permitted.
    OtherLeader,
}

impl OffsetsSeen {
    /// The reversals with such a proof, by time.
    pub fn reversals(&self, wanted: impl Fn(&ReversalProof) -> bool) -> Vec<(&LogSeen, &LogReversal)> {
        let all = self.logs.iter().flat_map(|log| log.reversals.iter().map(move |it| (log, it)));
        let mut found: Vec<_> = all.filter(|(_, it)| wanted(&it.proof)).collect();
        found.sort_by_key(|(_, it)| it.at);
        found
    }
}

impl LogReversal {
    /// Such as `the reported end of orders[1] went back from 90 to 40 at 3.200 s`.
    pub fn in_words(&self, log: &LogSeen) -> String {
        let Self { at, side, from, to, .. } = self;
        let side = match side {
            LogSide::Start => "start",
            LogSide::End => "end",
        };
        let (topic, partition, at) = (&log.topic, log.partition, at.as_secs_f64());
        format!("the reported {side} of {topic}[{partition}] went back from {from} to {to} at {at:.3} s")
    }
}
