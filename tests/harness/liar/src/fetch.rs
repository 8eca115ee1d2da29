//! Fetch: the returned records, and the offsets in the response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{ApiKey, BrokerId, FetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::Inner;
use crate::batch::{self, Batch, Record};
use crate::behaviour::{Action, Api};
use crate::log::Fetched;
use crate::serve::{After, Connection, Header};
use crate::state::{Partition, Request, State};

const OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC: i16 = 3;
const NOT_LEADER: i16 = 6;
const FENCED_EPOCH: i16 = 74;
const UNKNOWN_EPOCH: i16 = 76;

/// One partition of a request, with what rules do to it.
struct Asked {
    topic: String,
    partition: i32,
    offset: i64,
    epoch: i32,
    max_bytes: usize,
    actions: Vec<Action>,
}

/// Which of the batches that lie ahead are handed out.
#[derive(Clone, Copy)]
enum Take {
    All,
    First,
    AllButFirst,
}

/// Handles a request; waits for data as long as it says.
pub fn handle(
    inner: &Arc<Inner>,
    connection: &Arc<Connection>,
    header: Header,
    request: &FetchRequest,
) -> After {
    let mut asked = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            asked.push(ask(inner, topic.topic.0.as_str(), partition));
        }
    }
    let actions = || asked.iter().flat_map(|one| &one.actions);
    let delay: u64 = actions().map(|action| if let Action::Delay { ms } = action { *ms } else { 0 }).sum();
    inner.sleep(Duration::from_millis(delay));
    if actions().any(|action| matches!(action, Action::Drop { .. })) {
        return After::Close;
    }
    if actions().any(|action| matches!(action, Action::NoAnswer { .. })) {
        return After::GoOn;
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait;
    let mut state = inner.state();
    let answers = loop {
        let answers: Vec<(PartitionData, Fetched)> = asked
            .iter()
            .map(|one| answer(&mut state, inner, connection, request.isolation_level, one))
            .collect();
        let at_once = answers.iter().any(|(data, _)| {
            data.error_code != 0 || data.records.as_ref().is_some_and(|records| !records.is_empty())
        });
        let left = deadline.saturating_duration_since(Instant::now());
        if at_once || left.is_zero() || inner.is_stopped() {
            break answers;
        }
        state = inner.changed.wait_timeout(state, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
    };
    let mut response = FetchResponse::default().with_throttle_time_ms(state.behaviour.throttle_ms);
    let mut entries = Vec::new();
    for (one, (data, fetched)) in asked.iter().zip(answers) {
        if let Some(found) = state.partition(&one.topic, one.partition) {
            for (offset, ..) in &fetched.records {
                *found.sights.entry(*offset).or_default() += 1;
            }
        }
        entries.push(state.log.fetched.len());
        // As with Produce: before the answer goes out.
        state.log.fetched.push(Fetched { answered: true, ..fetched });
        response.responses.push(
            FetchableTopicResponse::default()
                .with_topic(TopicName(StrBytes::from_string(one.topic.clone())))
                .with_partitions(vec![data]),
        );
    }
    drop(state);
    if !connection.answer(ApiKey::Fetch, header, &response) {
        let mut state = inner.state();
        for entry in entries {
            state.log.fetched[entry].answered = false;
        }
    }
    After::GoOn
}

fn ask(inner: &Inner, topic: &str, partition: &FetchPartition) -> Asked {
    let mut state = inner.state();
    let number = partition.partition;
    let mut actions = Vec::new();
    if let Some(marked) = state.partition(topic, number).map(|found| found.marked) {
        let request = Request { api: Api::Fetch, partition: number, marked, again: false };
        actions = state.fire(request, inner.now_us());
    }
    state.strike(topic, number, &actions, inner.now_us());
    Asked {
        topic: topic.to_owned(),
        partition: number,
        offset: partition.fetch_offset,
        epoch: partition.current_leader_epoch,
        max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
        actions,
    }
}

/// The answer as it would be now; nothing is counted or logged yet.
fn answer(
    state: &mut State,
    inner: &Inner,
    connection: &Connection,
    isolation: i8,
    asked: &Asked,
) -> (PartitionData, Fetched) {
    let mut fetched = Fetched {
        at_us: inner.now_us(),
        node: connection.node,
        connection: connection.number,
        topic: asked.topic.clone(),
        partition: asked.partition,
        offset: asked.offset,
        isolation,
        code: 0,
        high_watermark: -1,
        last_stable: -1,
        records: Vec::new(),
        bad_crc: Vec::new(),
        bad_offsets: Vec::new(),
        answered: false,
        did: asked.actions.iter().map(Action::name).collect(),
    };
    let mut data = PartitionData::default()
        .with_partition_index(asked.partition)
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_aborted_transactions(None)
        .with_preferred_read_replica(BrokerId(-1))
        .with_records(Some(Vec::new().into()));
    let null_when_empty = state.behaviour.null_when_empty;
    let Some(found) = state.partition(&asked.topic, asked.partition) else {
        fetched.code = UNKNOWN_TOPIC;
        data.error_code = UNKNOWN_TOPIC;
        return (data, fetched);
    };
    let (mut high, mut stable, mut limit) = (found.end, found.end, found.end);
    let mut from = asked.partition;
    let (mut code, mut null, mut empty, mut take) = (0, null_when_empty, false, Take::All);
    let mut alter: Vec<&Action> = Vec::new();
    for action in &asked.actions {
        match action {
            Action::Error { code: wanted, .. } => code = *wanted,
            Action::Empty => empty = true,
            Action::NullRecords => (empty, null) = (true, true),
            Action::EndAt { offset, hide } if *offset < found.end => {
                (high, stable) = (high.min(*offset), stable.min(*offset));
                if *hide {
                    limit = limit.min(*offset);
                }
            }
            Action::OutOfRange { from, to } if (*from..*to).contains(&asked.offset) => code = OUT_OF_RANGE,
            Action::OutOfRange { from, .. } if asked.offset < *from => limit = limit.min(*from),
            Action::FromPartition { partition } => from = *partition,
            Action::SkipBatch => take = Take::AllButFirst,
            Action::OneBatch => take = Take::First,
            Action::LastStable { offset } => stable = stable.min(*offset),
            Action::FlipOnRead { .. } | Action::StripHeaderOnRead { .. } | Action::BadCrcOnRead { .. } => {
                alter.push(action)
            }
            _ => {}
        }
    }
    if code == 0 {
        code = if found.leader != connection.node {
            NOT_LEADER
        } else if asked.epoch >= 0 && asked.epoch < found.epoch() {
            FENCED_EPOCH
        } else if asked.epoch > found.epoch() {
            UNKNOWN_EPOCH
        } else if asked.offset < found.start || asked.offset > found.end {
            OUT_OF_RANGE
        } else {
            0
        };
    }
    if isolation == 1 {
        limit = limit.min(stable);
    }
    let start = found.start;
    let mut bytes = Vec::new();
    if code == 0 && !empty {
        let partitions = &state.topics[&asked.topic].partitions;
        let own = &partitions[usize::try_from(asked.partition).unwrap_or(0)];
        if let Some(source) = partitions.get(usize::try_from(from).unwrap_or(usize::MAX)) {
            let limit = if from == asked.partition { limit } else { source.end };
            bytes = hand_out(source, asked, limit, take, &alter, &own.sights, &mut fetched);
        }
    }
    fetched.code = code;
    (fetched.high_watermark, fetched.last_stable) = (high, stable);
    data.error_code = code;
    data.high_watermark = high;
    data.last_stable_offset = stable;
    data.log_start_offset = start;
    data.records = if bytes.is_empty() && null { None } else { Some(bytes.into()) };
    (data, fetched)
}

fn hand_out(
    source: &Partition,
    asked: &Asked,
    limit: i64,
    take: Take,
    alter: &[&Action],
    sights: &std::collections::HashMap<i64, u32>,
    fetched: &mut Fetched,
) -> Vec<u8> {
    let mut batches: Vec<_> =
        source.batches.iter().filter(|batch| batch.end > asked.offset && batch.base < limit).collect();
    match take {
        Take::All => {}
        Take::AllButFirst if batches.len() > 1 => drop(batches.remove(0)),
        Take::AllButFirst => {}
        Take::First => batches.truncate(1),
    }
    let mut out = Vec::new();
    for batch in batches {
        if !out.is_empty() && out.len() + batch.bytes.len() > asked.max_bytes {
            break;
        }
        let mut bytes = batch.bytes.clone();
        if let Some(mut read) = Batch::read(&bytes) {
            let (mut altered, mut fixed) = (false, true);
            for record in &mut read.records {
                let at = batch.base + record.offset_delta;
                for action in alter {
                    match action {
                        Action::FlipOnRead { offset, sights: least, fix_crc }
                            if *offset == at && sights.get(&at).copied().unwrap_or(0) >= *least =>
                        {
                            altered |= record.flip(crate::Part::Value, 0);
                            fixed = *fix_crc;
                        }
                        Action::StripHeaderOnRead { offset } if *offset == at => {
                            altered |= Record::strip(record);
                        }
                        _ => {}
                    }
                }
            }
            if altered {
                bytes = read.write(fixed);
                batch::place(&mut bytes, batch.base, source.epoch());
            }
            let spoils = |action: &&&Action| matches!(action, Action::BadCrcOnRead { offset } if (batch.base..batch.end).contains(offset));
            if alter.iter().any(|action| spoils(&action)) {
                batch::spoil_crc(&mut bytes);
            }
            if !read.is_control() {
                let stored = read.stored(batch.base);
                if !batch::crc_fits(&bytes) {
                    let all = stored.iter().map(|record| (record.offset, record.digest.clone()));
                    fetched.bad_crc.push(all.collect());
                    fetched.bad_offsets.push((batch.base, batch.end));
                }
                let asked_for = stored.into_iter().filter(|record| record.offset >= asked.offset);
                fetched.records.extend(asked_for.map(|it| (it.offset, it.digest, it.time_ms)));
            }
        }
        out.extend(bytes);
    }
    out
}
