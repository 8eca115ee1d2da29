//! Reading by partition: one librdkafka client a partition, no group, woken by whichever has something.
//!
//! Owns positions, epochs and resets; the rules and their reasons are in the design's "Reading, by partition".

use std::time::Duration;

use super::{Client, Code, Error, Waker};
use crate::ids::{Offset, Partition};
use crate::plan::StartOffset;

/// What a [`ReaderSet`] reads.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// The topic.
    pub topic: String,
    /// The partitions of this set; each gets a client of its own.
    pub partitions: Vec<Partition>,
    /// Where each starts.
    pub start: StartOffset,
    /// Bytes that all partitions of this set may hold before they are drained: this set's share of the run's 32 MiB.
    pub prefetch_bytes: u64,
    /// Longest wait for connections, metadata and starting offsets of all.
    pub open_timeout: Duration,
}

/// Something that a reader saw. Bytes are borrowed from librdkafka for the time of the call.
#[derive(Debug)]
pub enum ReadEvent<'a> {
    /// A record.
    Record(Record<'a>),
    /// The reader stood at an offset that the broker does not have (any more); it goes on at the log's start, in a new epoch.
    Reset {
        /// The partition.
        partition: Partition,
        /// Where it stood.
        from: Offset,
        /// Where it goes on; none where the broker did not tell: then at the log's start, wherever that is.
        to: Option<Offset>,
        /// The epoch that starts.
        epoch: u32,
        /// librdkafka's reason.
        text: String,
    },
    /// Something else went wrong; the reader goes on trying.
    Error {
        /// The partition.
        partition: Partition,
        /// What went wrong, such as UNKNOWN_TOPIC_OR_PART.
        code: Code,
        /// librdkafka's words.
        text: String,
    },
}

/// One record.
pub struct Record<'a> {
    /// The partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// Its time in milliseconds since 1970; none where the record has none.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// 0, and one more with each reset of this partition's reader.
    pub epoch: u32,
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl<'a> Record<'a> {
    /// The last header of this name. Headers are parsed when first asked for.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        let _ = name;
        unimplemented!()
    }
}

/// Readers of some partitions of one topic, owned by one thread.
pub struct ReaderSet {}

impl ReaderSet {
    /// Connects all clients, fetches metadata, resolves the starting offsets, then starts reading.
    ///
    /// # Errors
    /// [`Error::Property`] and [`Error::Client`] as [`Client::new`]; [`Error::Request`] where the cluster did not answer in
    /// `open_timeout`, or where the topic or one of the partitions is not there.
    pub fn open(client: &Client, options: &ReaderOptions) -> Result<Self, Error> {
        let _ = (client, options);
        unimplemented!()
    }

    /// Blocks until some partition has something, `timeout` is over, or [`ReaderSet::waker`] wakes it.
    /// Returns whether there is something to drain.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let _ = timeout;
        unimplemented!()
    }

    /// Hands out what is there, without waiting for more: at most `limit` events, fairly over the partitions. Returns their number.
    pub fn drain(&mut self, limit: usize, on: &mut dyn FnMut(ReadEvent<'_>)) -> usize {
        let _ = (limit, on);
        unimplemented!()
    }

    /// The partitions, in the order given.
    pub fn partitions(&self) -> &[Partition] {
        unimplemented!()
    }

    /// The offset at which this partition's reader started, where that was resolved (all but `earliest`).
    pub fn started_at(&self, partition: Partition) -> Option<Offset> {
        let _ = partition;
        unimplemented!()
    }

    /// One past the last offset handed out, in the current epoch; the start where nothing was.
    pub fn position(&self, partition: Partition) -> Option<Offset> {
        let _ = partition;
        unimplemented!()
    }

    /// The current epoch of this partition's reader.
    pub fn epoch(&self, partition: Partition) -> u32 {
        let _ = partition;
        unimplemented!()
    }

    /// The log's first offset and its end, asked of the broker now, over this partition's own connection.
    ///
    /// # Errors
    /// [`Error::Request`] where it does not answer in time or does not know the partition (any more).
    pub fn watermarks(&self, partition: Partition, timeout: Duration) -> Result<(Offset, Offset), Error> {
        let _ = (partition, timeout);
        unimplemented!()
    }

    /// A handle that ends a wait from another thread.
    pub fn waker(&self) -> Waker {
        unimplemented!()
    }

    /// Stops reading and lets all clients go. Dropping does the same.
    pub fn close(self) {}
}
