//! The five requests of the probe, each in the newest version that both sides support.
//!
//! The kafka-protocol crate encodes them.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, BrokerId, DescribeConfigsRequest, FetchRequest, ListOffsetsRequest,
    MetadataRequest, RequestHeader, TopicName,
};
use kafka_protocol::protocol::{Encodable, StrBytes, encode_request_header_into_buffer};

use super::answers::{self, DescribedResource, ListedOffset};
use super::connection::Connection;
use super::seen::{Api, FetchProbe, ProbedMetadata, ProbedTopic};
use crate::ids::{Offset, Partition};
use crate::kafka::client::metadata::UNKNOWN_TOPIC;

/// UNSUPPORTED_VERSION: the broker does not know the requested version.
const UNSUPPORTED_VERSION: i32 = 35;

pub(super) struct FetchPlace<'a> {
    pub(super) topic: &'a str,
    pub(super) id: Option<&'a str>,
    pub(super) partition: Partition,
    pub(super) offset: Offset,
    /// Read committed records only.
    pub(super) committed: bool,
}

/// Sends ApiVersions 3, or 0 if the broker does not support 3.
pub(super) fn api_versions(connection: &mut Connection) -> Result<Vec<Api>, String> {
    for version in [3, 0] {
        let body = if version == 3 {
            ApiVersionsRequest::default()
                .with_client_software_name(StrBytes::from_static_str("kaf6"))
                .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")))
        } else {
            ApiVersionsRequest::default()
        };
        let answer = exchange(connection, ApiKey::ApiVersions, version, &body)?;
        let (code, apis) = answers::api_versions(&answer, version).map_err(|error| error.to_string())?;
        match code.0 {
            0 if apis.is_empty() => return Err("the broker reports no APIs".into()),
            0 => return Ok(apis),
            UNSUPPORTED_VERSION if version > 0 => {}
            _ => return Err(code.in_words()),
        }
    }
    Err("the broker supports no known version of ApiVersions".into())
}

/// Requests metadata with these topics. A topic that does not exist has an error code. Requests all topics and selects
/// these, because some brokers (KafScale) create a topic if a client requests it by name.
pub(super) fn metadata(
    connection: &mut Connection,
    apis: &[Api],
    topics: &[&str],
) -> Result<ProbedMetadata, String> {
    let version = newest(apis, ApiKey::Metadata, 0, 12)?;
    // Version 0 has no null. It requests all topics with an empty list.
    let all = !topics.is_empty() && version > 0;
    let body = MetadataRequest::default()
        .with_topics(if all { None } else { Some(Vec::new()) })
        // Versions below 4 lack this field, and the broker's configuration decides.
        .with_allow_auto_topic_creation(version < 4);
    let answer = exchange(connection, ApiKey::Metadata, version, &body)?;
    let mut metadata = answers::metadata(&answer, version).map_err(|error| error.to_string())?;
    let mut there = std::mem::take(&mut metadata.topics);
    metadata.topics = topics
        .iter()
        .map(|name| match there.iter().position(|topic| topic.name == *name) {
            Some(index) => there.swap_remove(index),
            None => ProbedTopic {
                name: (*name).into(),
                id: None,
                code: UNKNOWN_TOPIC,
                partitions: Vec::new(),
                leader_epochs: Vec::new(),
            },
        })
        .collect();
    Ok(metadata)
}

/// Sends one Fetch for one partition, without waiting.
pub(super) fn fetch(
    connection: &mut Connection,
    apis: &[Api],
    place: &FetchPlace<'_>,
) -> Result<FetchProbe, String> {
    let id = place.id.and_then(|id| id.parse::<uuid::Uuid>().ok());
    let version = newest(apis, ApiKey::Fetch, 4, if id.is_some() { 13 } else { 12 })?;
    let partition = FetchPartition::default()
        .with_partition(place.partition)
        .with_fetch_offset(place.offset)
        .with_partition_max_bytes(1024);
    let mut topic = FetchTopic::default().with_partitions(vec![partition]);
    match id {
        Some(id) if version >= 13 => topic.topic_id = id,
        _ => topic.topic = TopicName(StrBytes::from_string(place.topic.to_owned())),
    }
    let body = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(100)
        .with_min_bytes(1)
        .with_max_bytes(1024)
        .with_isolation_level(i8::from(place.committed))
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let answer = exchange(connection, ApiKey::Fetch, version, &body)?;
    answers::fetch(&answer, version).map_err(|error| error.to_string())
}

/// The timestamp that requests the start of a log.
pub(super) const LOG_START: i64 = -2;
/// The timestamp that requests the end of a log.
pub(super) const LOG_END: i64 = -1;

/// Sends one ListOffsets for some partitions of a topic, with `read_uncommitted`.
pub(super) fn list_offsets(
    connection: &mut Connection,
    apis: &[Api],
    topic: &str,
    partitions: &[Partition],
    timestamp: i64,
) -> Result<Vec<ListedOffset>, String> {
    let version = newest(apis, ApiKey::ListOffsets, 1, 6)?;
    let wanted = partitions.iter().map(|partition| {
        ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(timestamp)
    });
    let topic = ListOffsetsTopic::default()
        .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partitions(wanted.collect());
    let body = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let answer = exchange(connection, ApiKey::ListOffsets, version, &body)?;
    answers::list_offsets(&answer, version).map_err(|error| error.to_string())
}

/// The resource type of a topic.
pub(super) const TOPIC: i8 = 2;

/// The version of DescribeConfigs to request.
pub(super) fn describe_configs_version(apis: &[Api]) -> Result<i16, String> {
    newest(apis, ApiKey::DescribeConfigs, 1, 4)
}

/// Sends one DescribeConfigs for one topic. Requests all settings, because not every broker can select.
pub(super) fn describe_configs(
    connection: &mut Connection,
    version: i16,
    topic: &str,
) -> Result<Vec<DescribedResource>, String> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(None);
    let body = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = exchange(connection, ApiKey::DescribeConfigs, version, &body)?;
    answers::describe_configs(&answer, version).map_err(|error| error.to_string())
}

/// The newest version between `low` and `high` that the broker supports.
fn newest(apis: &[Api], key: ApiKey, low: i16, high: i16) -> Result<i16, String> {
    let api = apis
        .iter()
        .find(|api| api.key == key as i16)
        .ok_or_else(|| format!("the broker does not support {key:?}"))?;
    let version = api.max.min(high);
    if version < api.min.max(low) {
        return Err(format!(
            "the broker supports {key:?} {} to {}, the probe {low} to {high}",
            api.min, api.max
        ));
    }
    Ok(version)
}

/// Sends a request and returns the response after its correlation id.
fn exchange(
    connection: &mut Connection,
    key: ApiKey,
    version: i16,
    body: &impl Encodable,
) -> Result<Vec<u8>, String> {
    let correlation = connection.next_correlation();
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str("kaf6")));
    let mut frame = vec![0; 4];
    let encoded = encode_request_header_into_buffer(&mut frame, &header)
        .and_then(|()| body.encode(&mut frame, version));
    encoded.map_err(|error| format!("cannot encode {key:?} {version}: {error}"))?;
    let length = u32::try_from(frame.len() - 4).map_err(|error| error.to_string())?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    connection.exchange(&frame, correlation)
}
