//! What a client asks the cluster for: metadata, and offsets by place and time.

use std::ffi::c_int;
use std::ptr;
use std::time::Duration;

use rdkafka_sys as sys;

use super::base::{
    c_string, millis, rd_kafka_get_watermark_offsets, rd_kafka_metadata, rd_kafka_offsets_for_times,
    rd_kafka_query_watermark_offsets, text,
};
use super::handle::Handle;
use crate::kafka::client::cluster::{Broker, ClusterMetadata, PartitionInfo, TopicMetadata};
use crate::kafka::client::code::Code;
use crate::kafka::ffi::messages::topic::TopicHandle;

impl Handle {
    /// Metadata of `only`, or of all topics of the cluster.
    pub(crate) fn metadata(
        &self,
        only: Option<&TopicHandle>,
        timeout: Duration,
    ) -> Result<ClusterMetadata, Code> {
        let mut metadata = ptr::null();
        // SAFETY: the client and the topic (of this client, checked by the callers in this crate) are alive.
        let code = unsafe {
            let (all, only) = only.map_or((1, ptr::null_mut()), |topic| (0, topic.as_ptr()));
            rd_kafka_metadata(self.as_ptr(), all, only, &raw mut metadata, millis(timeout))
        };
        // SAFETY: librdkafka sets the pointer to metadata of ours where it succeeds.
        let Some(raw) = (unsafe { metadata.as_ref() }).filter(|_| code == 0) else { return Err(Code(code)) };
        // SAFETY: counts and pointers in it belong together, by librdkafka; it is destroyed once, after the copy.
        unsafe {
            let copy = copy_metadata(raw);
            sys::rd_kafka_metadata_destroy(metadata);
            Ok(copy)
        }
    }

    /// The controller's broker id as the last metadata gave it.
    pub(crate) fn controller(&self) -> Option<i32> {
        // SAFETY: the client is alive. Without a timeout it returns what is known, and -1 for none.
        let id = unsafe { sys::rd_kafka_controllerid(self.as_ptr(), 0) };
        (id >= 0).then_some(id)
    }

    /// ListOffsets: the log's first offset and its end.
    pub(crate) fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), Code> {
        let topic = c_string(topic);
        let (mut low, mut high) = (0, 0);
        // SAFETY: the client is alive, the name is NUL-terminated, both results are written during the call only.
        let code = unsafe {
            rd_kafka_query_watermark_offsets(
                self.as_ptr(),
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
                millis(timeout),
            )
        };
        if code == 0 { Ok((low, high)) } else { Err(Code(code)) }
    }

    /// The end of the log in the last fetch answer, without a request; `None` if there was none.
    pub(crate) fn told_end(&self, topic: &str, partition: i32) -> Option<i64> {
        let topic = c_string(topic);
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is alive, the name is NUL-terminated, both results are written during the call only.
        let code = unsafe {
            rd_kafka_get_watermark_offsets(
                self.as_ptr(),
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        (code == 0 && high >= 0).then_some(high)
    }

    /// ListOffsets: the first offset at or after this time; none where all records are older.
    pub(crate) fn offset_at(
        &self,
        topic: &str,
        partition: i32,
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Option<i64>, Code> {
        let topic = c_string(topic);
        // SAFETY: the list is ours, holds the one element that is written and read here, and is destroyed once. Its error
        // field is read as a plain number, never as a Rust enum.
        unsafe {
            let list = sys::rd_kafka_topic_partition_list_new(1);
            let element = sys::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition);
            (*element).offset = timestamp_ms;
            let code = rd_kafka_offsets_for_times(self.as_ptr(), list, millis(timeout));
            let own = (&raw const (*element).err).cast::<c_int>().read();
            let offset = (*element).offset;
            sys::rd_kafka_topic_partition_list_destroy(list);
            match (code, own) {
                (0, 0) => Ok((offset >= 0).then_some(offset)),
                (0, own) => Err(Code(own)),
                (code, _) => Err(Code(code)),
            }
        }
    }
}

/// A copy of librdkafka's metadata.
///
/// # Safety
/// Counts and pointers in `raw` belong together and live during the call.
unsafe fn copy_metadata(raw: &sys::rd_kafka_metadata) -> ClusterMetadata {
    // SAFETY: by the caller's promise. Error codes are read as plain numbers.
    unsafe fn list<'a, T>(pointer: *const T, count: c_int) -> &'a [T] {
        match usize::try_from(count) {
            // SAFETY: `count` elements live at `pointer`, by the promise of `copy_metadata`'s caller.
            Ok(count) if count > 0 && !pointer.is_null() => unsafe {
                std::slice::from_raw_parts(pointer, count)
            },
            _ => &[],
        }
    }
    // SAFETY: as above. A slice of structs that hold a Rust enum is formed only through raw pointers for topics and partitions.
    unsafe {
        let brokers = list(raw.brokers, raw.broker_cnt);
        let brokers = brokers.iter().map(|b| Broker { id: b.id, host: text(b.host), port: b.port }).collect();
        let mut topics = Vec::new();
        for index in 0..usize::try_from(raw.topic_cnt).unwrap_or(0) {
            let topic = raw.topics.add(index);
            let mut partitions = Vec::new();
            for index in 0..usize::try_from((*topic).partition_cnt).unwrap_or(0) {
                let partition = (*topic).partitions.add(index);
                partitions.push(PartitionInfo {
                    id: (*partition).id,
                    leader: Some((*partition).leader).filter(|leader| *leader >= 0),
                    replicas: list((*partition).replicas, (*partition).replica_cnt).to_vec(),
                    isrs: list((*partition).isrs, (*partition).isr_cnt).to_vec(),
                    code: Code((&raw const (*partition).err).cast::<c_int>().read()),
                });
            }
            partitions.sort_by_key(|partition| partition.id);
            topics.push(TopicMetadata {
                name: text((*topic).topic),
                code: Code((&raw const (*topic).err).cast::<c_int>().read()),
                partitions,
            });
        }
        ClusterMetadata { brokers, topics, answered_by: text(raw.orig_broker_name), controller: None }
    }
}
