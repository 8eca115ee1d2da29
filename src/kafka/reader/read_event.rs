//! Events of a reader: records, errors, and rejected offsets.
//!
//! Types only. Their bytes belong to librdkafka.

use crate::ids::{Offset, Partition};
use crate::kafka::Code;
use crate::kafka::ffi::{Headers, LentMessage};

/// An event of a reader. Its bytes are borrowed from librdkafka during the call.
#[derive(Debug)]
pub enum ReadEvent<'a> {
    Record(Record<'a>),
    /// The reader's offset is not, or no longer, in the log. The reader continues at the log start.
    Reset {
        partition: Partition,
        from: Offset,
        /// The offset at which it continues; `None` if the broker did not answer and the log start is unknown.
        to: Option<Offset>,
        /// The log was truncated or recreated, so offsets may have other records now: a new epoch starts.
        /// Otherwise the broker has removed the records before `to`, and later offsets are unchanged.
        anew: bool,
        /// The epoch in which it continues.
        epoch: u32,
        text: String,
    },
    /// The broker rejected an offset inside its log; the reader requests it again after a pause.
    Refused {
        partition: Partition,
        offset: Offset,
        /// The code: OFFSET_OUT_OF_RANGE, or librdkafka's _LOG_TRUNCATION after an answer to OffsetForLeaderEpoch.
        code: Code,
        low: Offset,
        high: Offset,
    },
    /// A batch with a wrong checksum, or one that cannot be decoded. Its decodable records were returned before this
    /// event, and the reader continues after the batch.
    BadBatch {
        partition: Partition,
        /// The first offset of the batch that was not returned before.
        from: Offset,
        to: Offset,
        /// librdkafka's error text.
        text: String,
    },
    /// Another error; the reader retries.
    Error {
        partition: Partition,
        /// The error code, such as UNKNOWN_TOPIC_OR_PART.
        code: Code,
        text: String,
    },
}

pub struct Record<'a> {
    pub partition: Partition,
    pub offset: Offset,
    /// The timestamp in milliseconds since 1970, and whether it is the time of the producer (CreateTime), not of the
    /// broker (LogAppendTime); `None` without a timestamp.
    pub timestamp_ms: Option<(i64, bool)>,
    pub key: Option<&'a [u8]>,
    /// The value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The number of resets of this partition's reader.
    pub epoch: u32,
    pub(crate) message: &'a LentMessage,
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
    /// The headers in their order: names, and values or null. Parsed on the first call.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone + use<'a> {
        let headers: Headers<'a> = self.message.headers();
        headers
    }
}
