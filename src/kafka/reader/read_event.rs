//! Events of a reader: records, errors, and rejected offsets.
//!
//! Types only; their bytes belong to librdkafka.

use crate::ids::{Offset, Partition};
use crate::kafka::Code;
use crate::kafka::ffi::{Headers, LentMessage};

/// Something that a reader saw. Bytes are borrowed from librdkafka for the time of the call.
#[derive(Debug)]
pub enum ReadEvent<'a> {
    Record(Record<'a>),
    /// The reader's offset is not in the log (any more); it continues at the log start.
    Reset {
        partition: Partition,
        from: Offset,
        /// Where it continues; `None` if the broker did not answer: then at the log start, wherever that is.
        to: Option<Offset>,
        /// The log was truncated or recreated, so offsets may have other records now: a new epoch starts.
        /// Otherwise the broker has removed the records before `to`, and later offsets are unchanged.
        anew: bool,
        /// The epoch in which it goes on.
        epoch: u32,
        text: String,
    },
    /// The broker rejected an offset inside its log; the reader requests it again after a pause.
    Refused {
        partition: Partition,
        offset: Offset,
        /// How: OFFSET_OUT_OF_RANGE, or librdkafka's _LOG_TRUNCATION after an answer to OffsetForLeaderEpoch.
        code: Code,
        low: Offset,
        high: Offset,
    },
    /// A batch with a wrong checksum, or one that cannot be decoded. Its decodable records were handed out
    /// just before, and the reader continues after it.
    BadBatch {
        partition: Partition,
        /// The first of its offsets that was not handed out before.
        from: Offset,
        to: Offset,
        /// What was wrong, in librdkafka's words.
        text: String,
    },
    /// Another error; the reader retries.
    Error {
        partition: Partition,
        /// What went wrong, such as UNKNOWN_TOPIC_OR_PART.
        code: Code,
        text: String,
    },
}

pub struct Record<'a> {
    pub partition: Partition,
    pub offset: Offset,
    /// Its time in milliseconds since 1970, and whether that is the time of its producer (CreateTime) or of the broker
    /// (LogAppendTime); none where the record has none.
    pub timestamp_ms: Option<(i64, bool)>,
    pub key: Option<&'a [u8]>,
    /// Its value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// 0, and one more with each reset of this partition's reader.
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
    /// Its headers in their order: name, and value or null. They are parsed when first asked for.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone + use<'a> {
        let headers: Headers<'a> = self.message.headers();
        headers
    }
}
