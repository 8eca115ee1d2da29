//! The run's topics, as setup found or created them, and the streams to their partitions.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use crate::engine::messages::booking::HighestAcks;
use crate::ids::{Offset, Partition, StreamId};
use crate::kafka::probe::ProbedTopic;
use crate::ledger::{SentLog, Streams};

/// The run's topics, and the streams to their partitions.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    pub(crate) topics: Vec<TopicState>,
    pub(crate) streams: Streams,
    /// The first stream of each client that sends, by scenario and client.
    pub(crate) first: HashMap<(usize, u32), StreamId>,
    /// What the run of a saved ledger sent; `None` without a saved ledger.
    pub(crate) restored: Option<HashMap<StreamId, SentLog>>,
    /// The topics as the wire probe reported them at the start of the run, once it has.
    pub(crate) at_start: Arc<OnceLock<Vec<ProbedTopic>>>,
}

/// A topic that this run created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Birth {
    /// When this run requested its creation, in microseconds since 1970.
    pub(crate) at_us: i64,
}

impl Birth {
    /// Requested now.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { at_us: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) }
    }
}

/// A topic of the run, as found or created.
#[derive(Debug, Clone)]
pub(crate) struct TopicState {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    /// The highest acked offset of each partition.
    pub(crate) highest: HighestAcks,
    /// When this run created the topic; `None` if it existed before.
    pub(crate) birth: Option<Birth>,
    /// First offset and end of the logs that were not empty, although this run had just created the topic and
    /// had sent nothing yet.
    pub(crate) inherited: BTreeMap<Partition, (Offset, Offset)>,
    /// Why the topic cannot be used.
    pub(crate) error: Option<String>,
}
