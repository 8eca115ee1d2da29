//! Connections: reads and writes frames, and answers the small requests.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, DescribeConfigsRequest, FetchRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, MetadataResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, ProducerId, RequestHeader, ResponseHeader, SaslAuthenticateResponse,
    SaslHandshakeResponse, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use crate::Inner;
use crate::batch::Batch;
use crate::behaviour::{Action, Api};
use crate::state::{Request, State};
use crate::{fetch, produce, settings};

/// The versions that are served; librdkafka and kaf6's wire probe know all of them.
const VERSIONS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 4),
    (ApiKey::DeleteTopics, 1, 3),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::OffsetForLeaderEpoch, 2, 3),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::SaslAuthenticate, 0, 2),
];

const UNKNOWN_TOPIC: i16 = 3;
const NOT_LEADER: i16 = 6;
const TOPIC_EXISTS: i16 = 36;
const UNSUPPORTED_VERSION: i16 = 35;

/// What becomes of a connection after a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    GoOn,
    Close,
}

/// What an answer has to repeat of its request.
#[derive(Clone, Copy)]
pub struct Header {
    pub correlation: i32,
    pub version: i16,
}

pub struct Connection {
    pub node: usize,
    pub number: u64,
    stream: Mutex<TcpStream>,
}

impl Connection {
    /// Sends an answer; false where the connection is gone.
    pub fn answer(&self, api: ApiKey, header: Header, body: &impl Encodable) -> bool {
        let mut bytes = vec![0; 4];
        ResponseHeader::default()
            .with_correlation_id(header.correlation)
            .encode(&mut bytes, api.response_header_version(header.version))
            .expect("a response header encodes");
        body.encode(&mut bytes, header.version)
            .unwrap_or_else(|error| panic!("{api:?} {} encodes: {error}", header.version));
        let length = u32::try_from(bytes.len() - 4).expect("an answer is under 4 GiB");
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes).is_ok()
    }
}

impl Inner {
    /// Sleeps, or less where the broker ends.
    pub fn sleep(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

/// Serves a connection on a thread of its own.
pub fn connection(inner: &Arc<Inner>, node: usize, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let (Ok(write), Ok(kept)) = (stream.try_clone(), stream.try_clone()) else { return };
    inner.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    let number = inner.connections.fetch_add(1, Ordering::Relaxed);
    let connection = Arc::new(Connection { node, number, stream: Mutex::new(write) });
    let inner = Arc::clone(inner);
    std::thread::spawn(move || {
        let mut stream = stream;
        while let Ok(frame) = read(&mut stream) {
            if request(&inner, &connection, &frame) == After::Close {
                // The client gets all answers that were sent before, and no reset.
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                let _ = io::copy(&mut stream, &mut io::sink());
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    });
}

fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

fn request(inner: &Arc<Inner>, connection: &Arc<Connection>, frame: &[u8]) -> After {
    let word = |at: usize| frame.get(at..at + 2).map_or(-1, |two| i16::from_be_bytes([two[0], two[1]]));
    let (key, version) = (word(0), word(2));
    let (no_describe, sasl) = {
        let state = inner.state();
        (state.behaviour.no_describe, state.behaviour.sasl)
    };
    let is_served = move |api: &ApiKey| match api {
        ApiKey::DescribeConfigs => !no_describe,
        ApiKey::SaslHandshake | ApiKey::SaslAuthenticate => sasl.is_some(),
        _ => true,
    };
    let served = || VERSIONS.iter().filter(move |(api, ..)| is_served(api));
    let known = served().find(|(api, ..)| *api as i16 == key);
    let Some((api, low, high)) = known.copied() else { return After::Close };
    let mut body = frame;
    let Ok(head) = RequestHeader::decode(&mut body, api.request_header_version(version)) else {
        return After::Close;
    };
    *inner.state().log.requests.entry(format!("{api:?}")).or_default() += 1;
    let header = Header { correlation: head.correlation_id, version };
    if !(low..=high).contains(&version) {
        if api == ApiKey::ApiVersions {
            let refused = ApiVersionsResponse::default().with_error_code(UNSUPPORTED_VERSION);
            connection.answer(api, Header { version: 0, ..header }, &refused);
            return After::GoOn;
        }
        return After::Close;
    }
    match api {
        ApiKey::Produce => produce::handle(inner, connection, header, &decode(body, version)),
        ApiKey::Fetch => fetch::handle(inner, connection, header, &decode::<FetchRequest>(body, version)),
        ApiKey::ApiVersions => {
            let api = |(api, min, max): &(ApiKey, i16, i16)| {
                ApiVersion::default().with_api_key(*api as i16).with_min_version(*min).with_max_version(*max)
            };
            let answer = ApiVersionsResponse::default().with_api_keys(served().map(api).collect());
            connection.answer(ApiKey::ApiVersions, header, &answer);
            After::GoOn
        }
        ApiKey::Metadata => metadata(inner, connection, header, &decode(body, version)),
        ApiKey::ListOffsets => list_offsets(inner, connection, header, &decode(body, version)),
        ApiKey::OffsetForLeaderEpoch => epoch_ends(inner, connection, header, &decode(body, version)),
        ApiKey::InitProducerId => {
            let mut state = inner.state();
            let request =
                Request { api: Api::InitProducerId, partition: -1, marked: state.markers, again: false };
            let actions = state.fire(request, inner.now_us());
            state.next_producer += 1;
            let answer = InitProducerIdResponse::default()
                .with_producer_id(ProducerId(state.next_producer))
                .with_error_code(code(&actions).unwrap_or(0));
            drop(state);
            finish(inner, &actions, || connection.answer(ApiKey::InitProducerId, header, &answer))
        }
        ApiKey::CreateTopics => {
            let asked: CreateTopicsRequest = decode(body, version);
            let mut answer = CreateTopicsResponse::default();
            let mut state = inner.state();
            for topic in &asked.topics {
                let name = topic.name.0.as_str();
                let there = state.topics.contains_key(name);
                if !there {
                    let again = state.deleted.contains_key(name);
                    let api = if again { Api::CreateTopics } else { Api::NewTopic };
                    let request = Request { api, partition: -1, marked: state.markers, again: false };
                    let actions = state.fire(request, inner.now_us());
                    if let Some(code) = code(&actions) {
                        let result = CreatableTopicResult::default().with_name(topic.name.clone());
                        answer.topics.push(result.with_error_code(code));
                        continue;
                    }
                    let setting =
                        |(name, value): (&StrBytes, &StrBytes)| (name.to_string(), value.to_string());
                    let settings = topic
                        .configs
                        .iter()
                        .filter_map(|it| Some((&it.name, it.value.as_ref()?)))
                        .map(setting);
                    let resurrect = actions.contains(&Action::Resurrect);
                    state.create(name, topic.num_partitions, settings.collect(), resurrect, inner.now_us());
                }
                answer.topics.push(
                    CreatableTopicResult::default().with_name(topic.name.clone()).with_error_code(if there {
                        TOPIC_EXISTS
                    } else {
                        0
                    }),
                );
            }
            drop(state);
            connection.answer(api, header, &answer);
            After::GoOn
        }
        ApiKey::DeleteTopics => {
            let asked: DeleteTopicsRequest = decode(body, version);
            let mut state = inner.state();
            let mut answer = DeleteTopicsResponse::default();
            for name in &asked.topic_names {
                let there = state.delete(name.0.as_str());
                answer.responses.push(
                    DeletableTopicResult::default().with_name(Some(name.clone())).with_error_code(if there {
                        0
                    } else {
                        UNKNOWN_TOPIC
                    }),
                );
            }
            drop(state);
            connection.answer(api, header, &answer);
            After::GoOn
        }
        ApiKey::SaslHandshake => {
            let mechanisms = vec![StrBytes::from_static_str("PLAIN")];
            // UNSUPPORTED_SASL_MECHANISM comes here, all others with the password.
            let code = sasl.filter(|code| *code == 33).unwrap_or(0);
            let answer = SaslHandshakeResponse::default().with_mechanisms(mechanisms).with_error_code(code);
            connection.answer(api, header, &answer);
            After::GoOn
        }
        ApiKey::SaslAuthenticate => {
            let code = sasl.unwrap_or(0);
            let answer = SaslAuthenticateResponse::default().with_error_code(code);
            connection.answer(api, header, &answer);
            if code == 0 { After::GoOn } else { After::Close }
        }
        ApiKey::DescribeConfigs => {
            let asked: DescribeConfigsRequest = decode(body, version);
            let answer = settings::describe(&inner.state(), &asked);
            connection.answer(api, header, &answer);
            After::GoOn
        }
        _ => After::Close,
    }
}

fn decode<T: Decodable>(mut body: &[u8], version: i16) -> T {
    T::decode(&mut body, version)
        .unwrap_or_else(|error| panic!("a request of version {version} decodes: {error}"))
}

fn code(actions: &[Action]) -> Option<i16> {
    actions.iter().find_map(|action| match action {
        Action::Error { code, .. } => Some(*code),
        Action::UnknownTopic => Some(UNKNOWN_TOPIC),
        _ => None,
    })
}

/// Answers a small request, unless the actions say otherwise.
fn finish(inner: &Inner, actions: &[Action], answer: impl FnOnce() -> bool) -> After {
    for action in actions {
        match action {
            Action::Delay { ms } => inner.sleep(Duration::from_millis(*ms)),
            Action::Drop { .. } => return After::Close,
            Action::NoAnswer { .. } => return After::GoOn,
            _ => {}
        }
    }
    answer();
    After::GoOn
}

fn metadata(inner: &Arc<Inner>, connection: &Connection, header: Header, asked: &MetadataRequest) -> After {
    let mut state = inner.state();
    let advertised = state.behaviour.advertised.clone();
    let broker = |(node, port): (usize, &u16)| {
        let own = || ("127.0.0.1".to_owned(), i32::from(*port));
        let (host, port) = advertised.clone().unwrap_or_else(own);
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(i32::try_from(node).unwrap_or(0)))
            .with_host(StrBytes::from_string(host))
            .with_port(port)
    };
    let mut answer = MetadataResponse::default()
        .with_brokers(inner.ports.iter().enumerate().map(broker).collect())
        .with_cluster_id(Some(StrBytes::from_static_str("liar")))
        .with_controller_id(BrokerId(0));
    let names: Vec<String> = match &asked.topics {
        Some(topics) if header.version > 0 || !topics.is_empty() => {
            topics.iter().filter_map(|topic| Some(topic.name.as_ref()?.0.as_str().to_owned())).collect()
        }
        _ => state.topics.keys().cloned().collect(),
    };
    let mut all = Vec::new();
    for name in names {
        let topic = describe(&mut state, &name, inner.now_us(), &mut all);
        answer.topics.push(topic);
    }
    drop(state);
    finish(inner, &all, || connection.answer(ApiKey::Metadata, header, &answer))
}

fn describe(state: &mut State, name: &str, at_us: u64, all: &mut Vec<Action>) -> MetadataResponseTopic {
    let mut topic =
        MetadataResponseTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))));
    let nodes = state.nodes();
    let count = state.topics.get(name).map_or(0, |topic| topic.partitions.len());
    let marked = state.markers;
    // Rules without a partition are about the topic as a whole.
    let whole = state.fire(Request { api: Api::Metadata, partition: -1, marked, again: false }, at_us);
    if count == 0 {
        topic.error_code = UNKNOWN_TOPIC;
        return topic;
    }
    for number in 0..i32::try_from(count).unwrap_or(0) {
        let own = state.fire(Request { api: Api::Metadata, partition: number, marked, again: false }, at_us);
        state.strike(name, number, &whole, at_us);
        state.strike(name, number, &own, at_us);
        let Some(found) = state.partition(name, number) else { continue };
        let error = code(&own).unwrap_or(0);
        let leader = if error == 0 { i32::try_from(found.leader).unwrap_or(0) } else { -1 };
        topic.partitions.push(
            MetadataResponsePartition::default()
                .with_partition_index(number)
                .with_error_code(error)
                .with_leader_id(BrokerId(leader))
                .with_leader_epoch(found.epoch())
                .with_replica_nodes(
                    (0..nodes).map(|node| BrokerId(i32::try_from(node).unwrap_or(0))).collect(),
                )
                .with_isr_nodes((0..nodes).map(|node| BrokerId(i32::try_from(node).unwrap_or(0))).collect()),
        );
        all.extend(own);
    }
    if let Some(found) = state.topics.get(name) {
        topic.topic_id = found.id;
    }
    if let Some(code) = code(&whole) {
        topic.error_code = code;
        topic.partitions.clear();
    }
    all.extend(whole);
    topic
}

fn list_offsets(
    inner: &Arc<Inner>,
    connection: &Connection,
    header: Header,
    asked: &ListOffsetsRequest,
) -> After {
    let mut state = inner.state();
    let mut answer = ListOffsetsResponse::default();
    let mut all = Vec::new();
    for topic in &asked.topics {
        let name = topic.name.0.as_str();
        let mut out = ListOffsetsTopicResponse::default().with_name(topic.name.clone());
        for partition in &topic.partitions {
            let number = partition.partition_index;
            let mut row = ListOffsetsPartitionResponse::default()
                .with_partition_index(number)
                .with_timestamp(-1)
                .with_offset(-1);
            let marked = state.partition(name, number).is_some_and(|found| found.marked);
            let request = Request { api: Api::ListOffsets, partition: number, marked, again: false };
            let actions = state.fire(request, inner.now_us());
            state.strike(name, number, &actions, inner.now_us());
            match state.partition(name, number) {
                None => row.error_code = UNKNOWN_TOPIC,
                Some(found) if found.leader != connection.node => row.error_code = NOT_LEADER,
                Some(found) => {
                    let mut end = found.end;
                    for action in &actions {
                        match action {
                            Action::EndAt { offset, .. } => end = end.min(*offset),
                            Action::LastStable { offset } if asked.isolation_level == 1 => {
                                end = end.min(*offset);
                            }
                            _ => {}
                        }
                    }
                    row.leader_epoch = found.epoch();
                    row.offset = match partition.timestamp {
                        -1 => end,
                        -2 => found.start,
                        time => {
                            let read = found.batches.iter().filter_map(|batch| {
                                let read = Batch::read(&batch.bytes)?;
                                let first = read.records.iter().find(|it| read.time_of(it) >= time)?;
                                row.timestamp = read.time_of(first);
                                Some(batch.base + first.offset_delta)
                            });
                            read.min().unwrap_or(-1)
                        }
                    };
                }
            }
            row.error_code = code(&actions).unwrap_or(row.error_code);
            all.extend(actions);
            out.partitions.push(row);
        }
        answer.topics.push(out);
    }
    drop(state);
    finish(inner, &all, || connection.answer(ApiKey::ListOffsets, header, &answer))
}

fn epoch_ends(
    inner: &Arc<Inner>,
    connection: &Connection,
    header: Header,
    asked: &OffsetForLeaderEpochRequest,
) -> After {
    let mut state = inner.state();
    let mut answer = OffsetForLeaderEpochResponse::default();
    let mut all = Vec::new();
    for topic in &asked.topics {
        let name = topic.topic.0.as_str();
        let mut out = OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone());
        for partition in &topic.partitions {
            let mut row = EpochEndOffset::default().with_partition(partition.partition);
            let marked = state.partition(name, partition.partition).is_some_and(|found| found.marked);
            let request =
                Request { api: Api::EpochEnd, partition: partition.partition, marked, again: false };
            let actions = state.fire(request, inner.now_us());
            match state.partition(name, partition.partition) {
                None => row.error_code = UNKNOWN_TOPIC,
                Some(found) if found.leader != connection.node => row.error_code = NOT_LEADER,
                Some(found) => {
                    (row.leader_epoch, row.end_offset) = found.epoch_end(partition.leader_epoch);
                    for action in &actions {
                        if let Action::EndTooLow { by } = action {
                            row.end_offset = (row.end_offset - by).max(0);
                        }
                    }
                }
            }
            row.error_code = code(&actions).unwrap_or(row.error_code);
            all.extend(actions);
            out.partitions.push(row);
        }
        answer.topics.push(out);
    }
    drop(state);
    finish(inner, &all, || connection.answer(ApiKey::OffsetForLeaderEpoch, header, &answer))
}
