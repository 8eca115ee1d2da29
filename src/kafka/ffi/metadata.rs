//! Requests of a client to the cluster: metadata, and offsets by position and time.

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
        // SAFETY: on success, librdkafka sets the pointer to metadata that the caller owns.
        let Some(raw) = (unsafe { metadata.as_ref() }).filter(|_| code == 0) else { return Err(Code(code)) };
        // SAFETY: counts and pointers in it match, according to librdkafka; it is destroyed once, after the copy.
        unsafe {
            let copy = copy_metadata(raw);
            sys::rd_kafka_metadata_destroy(metadata);
            Ok(copy)
        }
    }

    /// The controller's broker id according to the last metadata.
    pub(crate) fn controller(&self) -> Option<i32> {
        // SAFETY: the client is alive. With a timeout of 0, it returns the known id, or -1 if there is none.
        let id = unsafe { sys::rd_kafka_controllerid(self.as_ptr(), 0) };
        (id >= 0).then_some(id)
    }

    /// ListOffsets: the start and the end of the log.
    pub(crate) fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), Code> {
        let topic = c_string(topic);
        let (mut low, mut high) = (0, 0);
        // SAFETY: the client is alive, the name is NUL-terminated, both results are written only during the call.
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

    /// The end of the log in the last fetch response, without a request; `None` if there was none.
    pub(crate) fn told_end(&self, topic: &str, partition: i32) -> Option<i64> {
        let topic = c_string(topic);
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is alive, the name is NUL-terminated, both results are written only during the call.
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

    /// ListOffsets: the first offset at or after this time; `None` if all records are older.
    pub(crate) fn offset_at(
        &self,
        topic: &str,
        partition: i32,
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Option<i64>, Code> {
        let topic = c_string(topic);
        // SAFETY: the list is owned, contains the one element that is written and read here, and is destroyed once. Its
        // error field is read as a plain number, never as a Rust enum.
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
///
/// Counts and pointers in `raw` match, and are valid during the call.
unsafe fn copy_metadata(raw: &sys::rd_kafka_metadata) -> ClusterMetadata {
    // SAFETY: the caller guarantees it. Error codes are read as plain numbers.
    unsafe fn list<'a, T>(pointer: *const T, count: c_int) -> &'a [T] {
        match usize::try_from(count) {
            // SAFETY: `pointer` points to `count` elements, as the caller of `copy_metadata` guarantees.
            Ok(count) if count > 0 && !pointer.is_null() => unsafe {
                std::slice::from_raw_parts(pointer, count)
            },
            _ => &[],
        }
    }
    // SAFETY: as above. Slices of structs that contain a Rust enum are formed only through raw pointers for topics and
    // partitions.
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
