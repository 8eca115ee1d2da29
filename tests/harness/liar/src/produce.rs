//! Produce: what the broker stores, its response, and when it responds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ApiKey, ProduceRequest, ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::Inner;
use crate::batch::{self, Batch, Record};
use crate::behaviour::{Action, Api};
use crate::log::Produced;
use crate::serve::{After, Connection, Header};
use crate::state::{Request, State, now_ms};

/// How long a batch waits for the one that is to be stored before it.
const HELD: Duration = Duration::from_millis(300);

const NOT_LEADER: i16 = 6;
const UNKNOWN_TOPIC: i16 = 3;
const CORRUPT: i16 = 2;
const OUT_OF_ORDER: i16 = 45;
const DUPLICATE: i16 = 46;
const INVALID_RECORD: i16 = 87;

/// A batch that waits to be stored behind the next one.
pub struct Held {
    batch: Batch,
    /// None where it has its answer.
    reply: Option<Arc<Reply>>,
    slot: usize,
    entry: usize,
}

/// The answer to a request, once each of its partitions has one.
pub struct Reply {
    connection: Arc<Connection>,
    header: Header,
    acks: i16,
    slots: Mutex<Vec<Slot>>,
}

struct Slot {
    topic: String,
    partition: i32,
    entry: usize,
    /// Error code and base offset.
    answer: Option<(i16, i64)>,
}

enum Decision {
    Answer(i16, i64),
    Wait,
    Never,
    Drop,
}

/// Handles a request; its answer may come later, or not at all.
pub fn handle(
    inner: &Arc<Inner>,
    connection: &Arc<Connection>,
    header: Header,
    request: &ProduceRequest,
) -> After {
    let parts: Vec<(String, i32, Vec<u8>)> = request
        .topic_data
        .iter()
        .flat_map(|topic| {
            let name = topic.name.0.as_str().to_owned();
            topic.partition_data.iter().map(move |partition| {
                let bytes = partition.records.as_ref().map_or(Vec::new(), |bytes| bytes.to_vec());
                (name.clone(), partition.index, bytes)
            })
        })
        .collect();
    let reply = Arc::new(Reply {
        connection: Arc::clone(connection),
        header,
        acks: request.acks,
        slots: Mutex::default(),
    });
    let (mut after, mut never) = (After::GoOn, false);
    for (slot, (topic, partition, bytes)) in parts.into_iter().enumerate() {
        let batch = Batch::read(&bytes);
        let (entry, actions) = {
            let mut state = inner.state();
            let entry = state.log.produced.len();
            state.log.produced.push(coming(inner, &reply, &topic, partition, batch.as_ref()));
            reply.slots().push(Slot { topic: topic.clone(), partition, entry, answer: None });
            let Some(batch) = &batch else {
                reply.slots()[slot].answer = Some((CORRUPT, -1));
                continue;
            };
            let code = unusable(&mut state, connection.node, &topic, partition);
            if code != 0 {
                reply.slots()[slot].answer = Some((code, -1));
                continue;
            }
            let actions = fire(&mut state, &topic, partition, batch, inner.now_us());
            state.log.produced[entry].did = actions.iter().map(Action::name).collect();
            (entry, actions)
        };
        for action in &actions {
            if let Action::Delay { ms } = action {
                inner.sleep(Duration::from_millis(*ms));
            }
        }
        let Some(batch) = batch else { continue };
        let mut state = inner.state();
        // The leader may have moved while this was delayed; one that is no longer the leader writes nothing.
        let code = unusable(&mut state, connection.node, &topic, partition);
        if code != 0 {
            reply.slots()[slot].answer = Some((code, -1));
            continue;
        }
        let place = Place { topic: &topic, partition, entry, slot };
        let decision = decide(&mut state, inner, &place, batch, bytes, &actions, &reply);
        drop(state);
        inner.changed.notify_all();
        match decision {
            Decision::Answer(code, offset) => reply.slots()[slot].answer = Some((code, offset)),
            Decision::Wait => {}
            Decision::Never => never = true,
            Decision::Drop => after = After::Close,
        }
    }
    if matches!(after, After::GoOn) && !never {
        reply.send_if_whole(inner);
    }
    after
}

struct Place<'a> {
    topic: &'a str,
    partition: i32,
    entry: usize,
    slot: usize,
}

fn coming(inner: &Inner, reply: &Reply, topic: &str, partition: i32, batch: Option<&Batch>) -> Produced {
    Produced {
        at_us: inner.now_us(),
        node: reply.connection.node,
        connection: reply.connection.number,
        topic: topic.to_owned(),
        partition,
        acks: reply.acks,
        producer_id: batch.map_or(-1, |batch| batch.producer().0),
        base_sequence: batch.map_or(-1, Batch::base_sequence),
        marker: batch.is_some_and(Batch::is_marker),
        records: batch.map(|batch| batch.stored(0)).unwrap_or_default(),
        stored: Vec::new(),
        code: None,
        base_offset: -1,
        answering_us: None,
        answered_us: None,
        did: Vec::new(),
    }
}

/// The code with which a request is answered that cannot be served here, or 0.
fn unusable(state: &mut State, node: usize, topic: &str, partition: i32) -> i16 {
    match state.partition(topic, partition) {
        None => UNKNOWN_TOPIC,
        Some(found) if found.leader != node => NOT_LEADER,
        Some(_) => 0,
    }
}

fn fire(state: &mut State, topic: &str, partition: i32, batch: &Batch, at_us: u64) -> Vec<Action> {
    let Some(found) = state.partition(topic, partition) else { return Vec::new() };
    let marker = batch.is_marker();
    let again = batch.producer().0 >= 0 && found.known(batch).is_some();
    let request = Request {
        api: if marker { Api::ProduceMarker } else { Api::Produce },
        partition,
        marked: found.marked,
        again,
    };
    if marker {
        found.marked = true;
        state.markers = true;
    }
    state.fire(request, at_us)
}

/// Stores a batch as the actions say, and says how to answer.
fn decide(
    state: &mut State,
    inner: &Arc<Inner>,
    place: &Place<'_>,
    mut batch: Batch,
    raw: Vec<u8>,
    actions: &[Action],
    reply: &Arc<Reply>,
) -> Decision {
    let Place { topic, partition, entry, slot } = *place;
    if state.strike(topic, partition, actions, inner.now_us()) {
        return Decision::Answer(NOT_LEADER, -1);
    }
    let Some(found) = state.partition(topic, partition) else { return Decision::Answer(UNKNOWN_TOPIC, -1) };
    if found.keep.compact && batch.records.iter().any(|record| record.key.is_none()) {
        return Decision::Answer(INVALID_RECORD, -1);
    }
    let idempotent = batch.producer().0 >= 0;
    let has = |wanted: fn(&Action) -> bool| actions.iter().any(wanted);
    if idempotent && let Some(offset) = found.known(&batch) {
        if has(|action| *action == Action::WriteRetries) {
            let base = found.append(raw, batch.width());
            state.log.produced[entry].stored.push((partition, base));
        } else if has(|action| *action == Action::DuplicateToRetries) {
            return Decision::Answer(DUPLICATE, -1);
        }
        return Decision::Answer(0, offset);
    }
    // The batch that waits behind this one comes before it in sequence.
    if idempotent && found.held.is_none() && found.out_of_order(&batch) {
        return Decision::Answer(OUT_OF_ORDER, -1);
    }
    // What is answered, what is stored, and how often.
    let mut answer = None;
    let (mut write, mut twice, mut gap, mut other, mut by) = (true, false, false, None, 0);
    let (mut never, mut drops, mut altered, mut fix_crc, mut spoil) = (false, false, false, true, false);
    let mut behind = Vec::new();
    for action in actions {
        match action {
            Action::Error { code, written } => {
                write &= written;
                answer = Some((*code, None));
            }
            Action::NoAnswer { written } => {
                write &= written;
                never = true;
            }
            Action::Drop { written } => {
                write &= written;
                drops = true;
            }
            Action::Twice => twice = true,
            Action::AckUnwritten { gap: with_gap } => {
                write = false;
                gap |= with_gap;
                answer = Some((0, Some(found.end)));
            }
            Action::AckWithoutOffset { written } => {
                write &= written;
                answer = Some((0, None));
            }
            Action::AckDuplicate { written } => {
                write &= written;
                answer = Some((DUPLICATE, None));
            }
            Action::AckOffset { by: more } => by += more,
            Action::DropRecord { index } if batch.records.len() > 1 => {
                let at = *index as usize % batch.records.len();
                batch.records.remove(at);
                altered = true;
            }
            Action::DropRecord { .. } => {
                write = false;
                gap = true;
                answer = Some((0, Some(found.end)));
            }
            Action::FlipOnWrite { index, part, byte, fix_crc: fixed } => {
                altered |= batch.alter(*index, |record| record.flip(*part, *byte as usize));
                fix_crc = *fixed;
            }
            Action::StripHeader { index } => altered |= batch.alter(*index, Record::strip),
            Action::AddHeader { index } => altered |= batch.alter(*index, Record::add_header),
            Action::SwapHeaders { index } => altered |= batch.alter(*index, Record::swap_headers),
            Action::NullHeader { index } => altered |= batch.alter(*index, Record::null_header),
            Action::NullValue { index } => altered |= batch.alter(*index, Record::null_value),
            Action::EmptyKey { index } => altered |= batch.alter(*index, Record::empty_key),
            Action::ShiftTime { by_ms } => {
                batch.shift_time(*by_ms);
                altered = true;
            }
            Action::BadCrc => spoil = true,
            Action::OtherPartition { to } => other = Some(*to),
            Action::ControlRecord => behind.push((control(), 1)),
            Action::ForeignRecords { count } => {
                behind.push((foreign(*count, 0, 0), i64::from((*count).max(1))));
            }
            Action::OddRecords { count, bytes, age_ms } => {
                behind.push((foreign(*count, *bytes, *age_ms), i64::from((*count).max(1))));
            }
            _ => {}
        }
    }
    let acked = answer.is_none_or(|(code, _)| code == 0 || code == DUPLICATE);
    let after_ack = has(|action| *action == Action::SwapAfterAck);
    let swap = after_ack || has(|action| *action == Action::Swap);
    if write && !never && !drops && acked && swap && found.held.is_none() {
        let decision =
            if after_ack { Decision::Answer(0, found.end + batch.width()) } else { Decision::Wait };
        let reply = (!after_ack).then(|| Arc::clone(reply));
        found.held = Some(Held { batch, reply, slot, entry });
        let (inner, topic) = (Arc::clone(inner), topic.to_owned());
        std::thread::spawn(move || {
            inner.sleep(HELD);
            let mut state = inner.state();
            // Another one may wait there by now; then it waits shorter.
            let ready = release(&mut state, &topic, partition);
            drop(state);
            inner.changed.notify_all();
            if let Some(reply) = ready {
                reply.send_if_whole(&inner);
            }
        });
        return decision;
    }
    let width = batch.width();
    let mut bytes = if altered { batch.write(fix_crc) } else { raw };
    if spoil {
        batch::spoil_crc(&mut bytes);
    }
    let end = found.end;
    let mut stored = Vec::new();
    if write {
        if let Some(to) = other {
            found.end += width;
            let target = state.partition(topic, to);
            if let Some(target) = target {
                stored.push((to, target.append(bytes, width)));
            }
        } else {
            for _ in 0..=usize::from(twice) {
                stored.push((partition, found.append(bytes.clone(), width)));
            }
        }
    } else if gap {
        found.end += width;
    }
    let Some(found) = state.partition(topic, partition) else { return Decision::Never };
    if write || (acked && !drops && !never) {
        found.remember(&batch, end);
    }
    for (bytes, width) in behind {
        found.append(bytes, width);
    }
    let ready = release(state, topic, partition);
    state.log.produced[entry].stored.extend(stored);
    if let Some(ready) = ready {
        // Not from under the state's lock.
        let inner = Arc::clone(inner);
        std::thread::spawn(move || ready.send_if_whole(&inner));
    }
    match answer {
        _ if drops => Decision::Drop,
        _ if never => Decision::Never,
        Some((code, offset)) => Decision::Answer(code, offset.map_or(-1, |offset| (offset + by).max(0))),
        None => Decision::Answer(0, (end + by).max(0)),
    }
}

/// Stores the batch that waits in a partition; gives its reply.
fn release(state: &mut State, topic: &str, partition: i32) -> Option<Arc<Reply>> {
    let found = state.partition(topic, partition)?;
    let held = found.held.take()?;
    let base = found.append(held.batch.write(true), held.batch.width());
    found.remember(&held.batch, base);
    state.log.produced[held.entry].stored.push((partition, base));
    let reply = held.reply?;
    reply.slots()[held.slot].answer = Some((0, base));
    Some(reply)
}

/// The end of somebody's transaction: version 0, type 1 (commit).
fn control() -> Vec<u8> {
    let record = Record {
        time_delta: 0,
        offset_delta: 0,
        key: Some(vec![0, 0, 0, 1]),
        value: Some(vec![0, 0, 0, 0, 0, 0]),
        headers: Vec::new(),
    };
    Batch::of(vec![record], now_ms(), 0x30, 77).write(true)
}

/// Records of somebody else, each of so many bytes at least.
fn foreign(count: u32, bytes: u32, age_ms: i64) -> Vec<u8> {
    let value = |n| format!("{:<1$}", format!("foreign {n}"), bytes as usize).into_bytes();
    let records = (0..count.max(1)).map(|n| Record::value(value(n), i64::from(n)));
    Batch::of(records.collect(), now_ms() - age_ms, 0, -1).write(true)
}

impl Reply {
    fn slots(&self) -> std::sync::MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the answer where each partition has one.
    fn send_if_whole(&self, inner: &Inner) {
        let mut response =
            ProduceResponse::default().with_throttle_time_ms(inner.state().behaviour.throttle_ms);
        let mut entries = Vec::new();
        {
            let slots = self.slots();
            for slot in slots.iter() {
                let Some((code, offset)) = slot.answer else { return };
                let partition = PartitionProduceResponse::default()
                    .with_index(slot.partition)
                    .with_error_code(code)
                    .with_base_offset(offset)
                    .with_log_append_time_ms(-1)
                    .with_log_start_offset(-1);
                response.responses.push(
                    TopicProduceResponse::default()
                        .with_name(TopicName(StrBytes::from_string(slot.topic.clone())))
                        .with_partition_responses(vec![partition]),
                );
                entries.push((slot.entry, code, offset));
            }
        }
        // Before the answer goes out: who gets it may be done, and have the log read, at once.
        let answers = self.acks != 0;
        let note = |answering_us: Option<u64>, answered_us: Option<u64>| {
            let mut state = inner.state();
            for (entry, code, offset) in &entries {
                let entry = &mut state.log.produced[*entry];
                (entry.code, entry.base_offset) = (Some(*code), *offset);
                (entry.answering_us, entry.answered_us) = (answering_us, answered_us);
            }
        };
        let answering_us = answers.then(|| inner.now_us());
        note(answering_us, None);
        if answers {
            // On a busy machine it goes out late.
            let sent = self.connection.answer(ApiKey::Produce, self.header, &response);
            note(answering_us.filter(|_| sent), sent.then(|| inner.now_us()));
        }
    }
}
