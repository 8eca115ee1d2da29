//! Decodes the five responses that the probe reads: ApiVersions, Metadata, Fetch, ListOffsets, DescribeConfigs.
//!
//! Their layout per version follows Kafka's message definitions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kafka_protocol::messages::ApiKey;

use super::batch;
use super::seen::{Api, FetchProbe, ProbedMetadata, ProbedTopic};
use super::wire::{Malformed, Wire};
use crate::ids::{Offset, Partition};
use crate::kafka::Code;
use crate::kafka::client::cluster::Broker;

/// Kafka's name for a request type.
fn name(key: i16) -> &'static str {
    static NAMES: LazyLock<BTreeMap<i16, String>> = LazyLock::new(|| {
        let known = (0..1000).filter_map(|key| Some((key, ApiKey::try_from(key).ok()?)));
        known.map(|(key, api)| (key, format!("{api:?}"))).collect()
    });
    NAMES.get(&key).map_or("Unknown", String::as_str)
}

/// ApiVersions 0 to 3: the error code, and the APIs. An answer with code 35 has version 0, whatever was requested.
pub(super) fn api_versions(bytes: &[u8], version: i16) -> Result<(Code, Vec<Api>), Malformed> {
    let mut wire = Wire::new(bytes, version >= 3);
    let code = Code(wire.i16()?.into());
    if !code.is_none() {
        return Ok((code, Vec::new()));
    }
    let mut apis = wire.list(|wire| {
        let (key, min, max) = (wire.i16()?, wire.i16()?, wire.i16()?);
        wire.tags()?;
        Ok(Api { key, name: name(key), min, max })
    })?;
    // KafScale lists unsupported APIs with versions -1 to -1.
    apis.retain(|api| api.min >= 0 && api.max >= api.min);
    Ok((code, apis))
}

pub(super) fn metadata(bytes: &[u8], version: i16) -> Result<ProbedMetadata, Malformed> {
    let mut wire = Wire::new(bytes, version >= 9);
    wire.tags()?; // header tags
    if version >= 3 {
        wire.i32()?; // throttle time
    }
    let brokers = wire.list(|wire| {
        let broker = Broker { id: wire.i32()?, host: wire.string()?.unwrap_or_default(), port: wire.i32()? };
        if version >= 1 {
            wire.string()?; // rack
        }
        wire.tags()?;
        Ok(broker)
    })?;
    let cluster_id = if version >= 2 { wire.string()? } else { None };
    let controller = if version >= 1 { Some(wire.i32()?).filter(|id| *id >= 0) } else { None };
    let topics = wire.list(|wire| {
        let code = Code(wire.i16()?.into());
        let name = wire.string()?.unwrap_or_default();
        let id = if version >= 10 { Some(wire.uuid()?).filter(|id| !id.is_nil()) } else { None };
        if version >= 1 {
            wire.bool()?; // internal
        }
        let mut leader_epochs = Vec::new();
        let partitions = wire.list(|wire| {
            wire.i16()?; // code
            let (number, leader) = (wire.i32()?, wire.i32()?);
            if version >= 7 {
                leader_epochs.push((number, wire.i32()?));
            }
            wire.list(Wire::i32)?; // replicas
            wire.list(Wire::i32)?; // in sync
            if version >= 5 {
                wire.list(Wire::i32)?; // offline
            }
            wire.tags()?;
            Ok((number, Some(leader).filter(|leader| *leader >= 0)))
        })?;
        if version >= 8 {
            wire.i32()?; // authorized operations
        }
        wire.tags()?;
        Ok(ProbedTopic { name, id: id.map(|id| id.to_string()), code, partitions, leader_epochs })
    })?;
    Ok(ProbedMetadata { cluster_id, controller, brokers, topics })
}

/// Fetch 4 to 13, for one partition.
pub(super) fn fetch(bytes: &[u8], version: i16) -> Result<FetchProbe, Malformed> {
    let mut wire = Wire::new(bytes, version >= 12);
    wire.tags()?; // header tags
    wire.i32()?; // throttle time
    let mut whole = Code::NONE;
    if version >= 7 {
        whole = Code(wire.i16()?.into());
        wire.i32()?; // session id
    }
    let topics = wire.list(|wire| {
        if version >= 13 {
            wire.uuid()?;
        } else {
            wire.string()?;
        }
        let partitions = wire.list(|wire| {
            wire.i32()?; // partition
            let code = Code(wire.i16()?.into());
            let high_watermark = wire.i64()?;
            let last_stable = wire.i64()?;
            let log_start = if version >= 5 { wire.i64()? } else { -1 };
            wire.list(|wire| {
                wire.take(16)?; // aborted transactions
                wire.tags()
            })?;
            if version >= 11 {
                wire.i32()?; // preferred replica
            }
            let records = wire.bytes()?;
            wire.tags()?;
            let null_records = records.is_none();
            let (records, behind_control) = batch::without_control(records.unwrap_or_default());
            Ok(FetchProbe {
                code,
                null_records,
                record_bytes: records.len(),
                behind_control,
                high_watermark: Some(high_watermark).filter(|offset| *offset >= 0),
                log_start: Some(log_start).filter(|offset| *offset >= 0),
                last_stable_offset: Some(last_stable).filter(|offset| *offset >= 0),
                batch: batch::first(records),
                version,
            })
        })?;
        wire.tags()?;
        Ok(partitions)
    })?;
    let mut answer = topics.into_iter().flatten().next().unwrap_or(FetchProbe {
        code: whole,
        null_records: false,
        record_bytes: 0,
        behind_control: None,
        high_watermark: None,
        log_start: None,
        last_stable_offset: None,
        batch: None,
        version,
    });
    if answer.code.is_none() {
        answer.code = whole;
    }
    Ok(answer)
}

/// The response to ListOffsets for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedOffset {
    pub(super) partition: Partition,
    pub(super) code: Code,
    pub(super) offset: Offset,
}

/// ListOffsets 1 to 6, for one topic.
pub(super) fn list_offsets(bytes: &[u8], version: i16) -> Result<Vec<ListedOffset>, Malformed> {
    let mut wire = Wire::new(bytes, version >= 6);
    wire.tags()?; // header tags
    if version >= 2 {
        wire.i32()?; // throttle time
    }
    let topics = wire.list(|wire| {
        wire.string()?; // name
        let partitions = wire.list(|wire| {
            let (partition, code) = (wire.i32()?, Code(wire.i16()?.into()));
            wire.i64()?; // timestamp
            let offset = wire.i64()?;
            if version >= 4 {
                wire.i32()?; // leader epoch of the record
            }
            wire.tags()?;
            Ok(ListedOffset { partition, code, offset })
        })?;
        wire.tags()?;
        Ok(partitions)
    })?;
    Ok(topics.into_iter().flatten().collect())
}

/// The settings of one resource in a DescribeConfigs response.
pub(super) struct DescribedResource {
    pub(super) code: Code,
    /// Kafka's number of the resource type; 2 is a topic.
    pub(super) kind: i8,
    pub(super) name: String,
    /// Names and values. Null values are omitted.
    pub(super) values: BTreeMap<String, String>,
}

pub(super) fn describe_configs(bytes: &[u8], version: i16) -> Result<Vec<DescribedResource>, Malformed> {
    let mut wire = Wire::new(bytes, version >= 4);
    wire.tags()?; // header tags
    wire.i32()?; // throttle time
    wire.list(|wire| {
        let code = Code(wire.i16()?.into());
        wire.string()?; // error message
        let (kind, name) = (wire.i8()?, wire.string()?.unwrap_or_default());
        let values = wire.list(|wire| {
            let (name, value) = (wire.string()?.unwrap_or_default(), wire.string()?);
            wire.take(3)?; // read-only, source, sensitive
            wire.list(|wire| {
                wire.string()?; // synonym: name
                wire.string()?; // synonym: value
                wire.i8()?; // synonym: source
                wire.tags()
            })?;
            if version >= 3 {
                wire.i8()?; // type
                wire.string()?; // documentation
            }
            wire.tags()?;
            Ok(value.map(|value| (name, value)))
        })?;
        wire.tags()?;
        Ok(DescribedResource { code, kind, name, values: values.into_iter().flatten().collect() })
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::describe_configs_response::{
        DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
    };
    use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use kafka_protocol::messages::list_offsets_response::{
        ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
    };
    use kafka_protocol::messages::metadata_response::{
        MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };
    use kafka_protocol::messages::{
        BrokerId, DescribeConfigsResponse, FetchResponse, ListOffsetsResponse, MetadataResponse,
        ResponseHeader, TopicName,
    };
    use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};
    use proptest::prelude::*;

    use super::*;

    /// The answer as a broker sends it, after the correlation id.
    fn encoded<T: Encodable + HeaderVersion>(body: &T, version: i16) -> Vec<u8> {
        let mut bytes = Vec::new();
        ResponseHeader::default().encode(&mut bytes, T::header_version(version)).unwrap();
        body.encode(&mut bytes, version).unwrap();
        bytes.split_off(4)
    }

    #[test]
    fn apis_without_versions_are_none() {
        let bytes = [0, 0, 0, 0, 0, 2, 0, 22, 255, 255, 255, 255, 0, 3, 0, 0, 0, 12];
        let (code, apis) = api_versions(&bytes, 0).unwrap();
        assert_eq!(code, Code::NONE);
        assert_eq!(apis, [Api { key: 3, name: "Metadata", min: 0, max: 12 }]);
    }

    #[test]
    fn metadata_of_every_version() {
        for version in 0..=12 {
            let topic = MetadataResponseTopic::default()
                .with_name(Some(TopicName(StrBytes::from_static_str("orders"))))
                .with_topic_id(if version >= 10 { uuid::Uuid::from_u128(7) } else { uuid::Uuid::nil() })
                .with_partitions(vec![
                    MetadataResponsePartition::default()
                        .with_partition_index(2)
                        .with_leader_id(BrokerId(5))
                        .with_leader_epoch(if version >= 7 { 9 } else { -1 })
                        .with_replica_nodes(vec![BrokerId(5), BrokerId(6)]),
                ]);
            let answer = MetadataResponse::default()
                .with_brokers(vec![
                    MetadataResponseBroker::default()
                        .with_node_id(BrokerId(5))
                        .with_host(StrBytes::from_static_str("h"))
                        .with_port(9092),
                ])
                .with_topics(vec![topic]);
            let read = metadata(&encoded(&answer, version), version).unwrap();
            assert_eq!(read.brokers, [Broker { id: 5, host: "h".into(), port: 9092 }]);
            assert_eq!(read.topics[0].name, "orders");
            assert_eq!(read.topics[0].id.is_some(), version >= 10);
            assert_eq!(read.topics[0].partitions, [(2, Some(5))]);
            let epochs = if version >= 7 { vec![(2, 9)] } else { Vec::new() };
            assert_eq!(read.topics[0].leader_epochs, epochs);
        }
    }

    #[test]
    fn fetch_of_every_version_with_null_and_empty_records() {
        for version in 4..=13 {
            for records in [None, Some(Vec::new()), Some(vec![1_u8, 2, 3])] {
                let expected = (records.is_none(), records.as_ref().map_or(0, Vec::len));
                let topic = FetchableTopicResponse::default().with_partitions(vec![
                    PartitionData::default()
                        .with_error_code(7)
                        .with_high_watermark(42)
                        .with_aborted_transactions(None)
                        .with_records(records.map(Into::into)),
                ]);
                let answer = FetchResponse::default().with_responses(vec![topic]);
                let read = fetch(&encoded(&answer, version), version).unwrap();
                assert_eq!((read.null_records, read.record_bytes), expected);
                assert_eq!((read.code, read.high_watermark), (Code(7), Some(42)));
            }
        }
    }

    #[test]
    fn offsets_of_every_version() {
        for version in 1..=6 {
            let partition = |number, code, offset| {
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(number)
                    .with_error_code(code)
                    .with_offset(offset)
            };
            let topic = ListOffsetsTopicResponse::default()
                .with_name(TopicName(StrBytes::from_static_str("orders")))
                .with_partitions(vec![partition(0, 0, 42), partition(3, 6, -1)]);
            let answer = ListOffsetsResponse::default().with_topics(vec![topic]);
            let read = list_offsets(&encoded(&answer, version), version).unwrap();
            let listed = |partition, code, offset| ListedOffset { partition, code: Code(code), offset };
            assert_eq!(read, [listed(0, 0, 42), listed(3, 6, -1)]);
        }
    }

    #[test]
    fn configs_of_every_version_with_synonyms_and_null_values() {
        let text = StrBytes::from_static_str;
        for version in 1..=4 {
            let synonym = DescribeConfigsSynonym::default()
                .with_name(text("log.retention.ms"))
                .with_value(Some(text("9")))
                .with_source(5);
            let entry = |name: &'static str, value: Option<&'static str>| {
                let entry = DescribeConfigsResourceResult::default()
                    .with_name(text(name))
                    .with_value(value.map(text))
                    .with_synonyms(vec![synonym.clone(), DescribeConfigsSynonym::default()]);
                if version >= 3 { entry.with_documentation(Some(text("what it does"))) } else { entry }
            };
            let result = DescribeConfigsResult::default()
                .with_error_code(29)
                .with_error_message(Some(text("no")))
                .with_resource_type(2)
                .with_resource_name(text("orders"))
                .with_configs(vec![
                    entry("retention.ms", Some("3000")),
                    entry("a.secret", None),
                    entry("b", Some("")),
                ]);
            let answer = DescribeConfigsResponse::default().with_results(vec![Default::default(), result]);
            let read = describe_configs(&encoded(&answer, version), version).unwrap();
            assert_eq!(read.len(), 2);
            assert_eq!((read[1].code, read[1].kind, read[1].name.as_str()), (Code(29), 2, "orders"));
            let values: Vec<_> = read[1].values.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(values, [("b", ""), ("retention.ms", "3000")]);
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_an_error_or_an_answer_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), version in 0_i16..14) {
            let _ = api_versions(&bytes, version.min(3));
            let _ = metadata(&bytes, version.min(12));
            let _ = fetch(&bytes, version.max(4));
            let _ = list_offsets(&bytes, version.clamp(1, 6));
            let _ = describe_configs(&bytes, version.clamp(1, 4));
        }
    }
}
