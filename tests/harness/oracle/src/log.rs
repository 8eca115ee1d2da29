//! The broker's log. The broker documents each field.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What the broker wrote down.
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    pub(crate) topics: BTreeMap<String, Vec<PartitionLog>>,
    pub(crate) produced: Vec<Produced>,
    pub(crate) fetched: Vec<Fetched>,
    pub(crate) fired: Vec<Fired>,
    pub(crate) started_ms: i64,
    pub(crate) settings: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) describes: bool,
    pub(crate) created: Vec<Created>,
    pub(crate) removed: Vec<Removed>,
    pub(crate) moved: Vec<Moved>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PartitionLog {
    pub(crate) start: i64,
    pub(crate) records: Vec<Stored>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stored {
    pub(crate) offset: i64,
    pub(crate) time_ms: i64,
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) digest: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Produced {
    pub(crate) at_us: u64,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) acks: i16,
    pub(crate) producer_id: i64,
    pub(crate) base_sequence: i32,
    pub(crate) records: Vec<Stored>,
    pub(crate) stored: Vec<(i32, i64)>,
    pub(crate) code: Option<i16>,
    pub(crate) base_offset: i64,
    #[serde(default)]
    pub(crate) answering_us: Option<u64>,
    pub(crate) answered_us: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Fetched {
    pub(crate) at_us: u64,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) records: Vec<(i64, String, i64)>,
    pub(crate) answered: bool,
    pub(crate) bad_crc: Vec<Vec<(i64, String)>>,
    pub(crate) bad_offsets: Vec<(i64, i64)>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Fired {
    pub(crate) action: String,
    pub(crate) legal: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Created {
    pub(crate) topic: String,
    pub(crate) old: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Removed {
    pub(crate) at_us: u64,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<String>,
    pub(crate) digest: String,
    pub(crate) why: String,
    pub(crate) seen: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Moved {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

impl Produced {
    /// From when on its answer may have been heard.
    pub(crate) fn acking_us(&self) -> Option<u64> {
        self.answering_us.or(self.answered_us)
    }
}

impl Log {
    /// The time of the last batch and the last answer, in milliseconds of the wall clock.
    pub(crate) fn last_ms(&self) -> i64 {
        let produced = self.produced.iter().map(|batch| batch.at_us);
        let last = produced.chain(self.fetched.iter().map(|fetched| fetched.at_us)).max();
        self.ms(last.unwrap_or(0))
    }

    /// A time of the log on the wall clock.
    pub(crate) fn ms(&self, at_us: u64) -> i64 {
        self.started_ms + i64::try_from(at_us / 1000).unwrap_or(0)
    }

    /// A topic's setting, where it is not Kafka's default.
    pub(crate) fn setting(&self, topic: &str, name: &str) -> &str {
        self.settings.get(topic).and_then(|settings| settings.get(name)).map_or("", String::as_str)
    }
}
