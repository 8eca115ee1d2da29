//! Decodes records of Produce requests, and replaces records in Fetch responses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use kafka_protocol::messages::{ApiKey, FetchResponse, ProduceRequest};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions,
};

use crate::lab::{Relay, Request, Response, Verdict};

/// The key of kaf6's fences.
const FENCE: &[u8] = b"kaf6-fence";

/// Decodes the batches in these bytes.
pub(super) fn decode(bytes: &[u8]) -> Vec<Record> {
    let sets = RecordBatchDecoder::decode_all(&mut &*bytes).expect("record batches decode");
    sets.into_iter().flat_map(|set| set.records).collect()
}

/// The whole batches at the start of these bytes: a fetch answer may end within one.
pub(super) fn whole(bytes: &[u8]) -> &[u8] {
    let mut end = 0;
    while let Some(length) = bytes.get(end + 8..end + 12) {
        let length = length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        if bytes.len() < end + 12 + length {
            break;
        }
        end += 12 + length;
    }
    &bytes[..end]
}

/// Encodes records as batches that are valid, checksum and all.
pub(super) fn encode(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, records, &options).expect("records encode");
    bytes
}

/// The records of a Produce request that are not fences.
pub(super) fn load(request: &Request) -> Vec<Record> {
    if request.api != ApiKey::Produce {
        return Vec::new();
    }
    let produce: ProduceRequest = request.decode();
    produce
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data)
        .filter_map(|partition| partition.records.as_ref())
        .flat_map(|bytes| decode(bytes))
        .filter(|record| record.key.as_deref() != Some(FENCE))
        .collect()
}

/// What of the load a relay saw, so that a test knows how many records an answer speaks of.
#[derive(Clone, Default)]
pub(super) struct Load(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Records in each Produce request, by connection and number.
    open: HashMap<(u64, i32), u64>,
    requests: u64,
    touched: u64,
}

impl Load {
    /// Watches a relay's Produce requests; `judge` decides on those that hold load, which are numbered from 1. What
    /// it does not pass counts as touched.
    pub(super) fn on_requests(
        relay: &Relay,
        judge: impl Fn(u64, &Request) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let seen = Self::default();
        let sees = seen.clone();
        relay.on_request(move |request| {
            let records = load(request).len() as u64;
            if records == 0 {
                return Verdict::Pass;
            }
            let mut state = sees.lock();
            state.requests += 1;
            state.open.insert((request.connection, request.correlation_id), records);
            let verdict = judge(state.requests, request);
            if verdict != Verdict::Pass {
                state.touched += records;
            }
            verdict
        });
        seen
    }

    /// As [`Load::on_requests`], but `judge` decides on the answers to them.
    pub(super) fn on_answers(
        relay: &Relay,
        judge: impl Fn(u64, &Response) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let seen = Self::on_requests(relay, |_, _| Verdict::Pass);
        let sees = seen.clone();
        let answers = Mutex::new(0);
        relay.on_response(move |response| {
            let id = (response.request.connection, response.request.correlation_id);
            if response.request.api != ApiKey::Produce {
                return Verdict::Pass;
            }
            let Some(records) = sees.lock().open.remove(&id) else { return Verdict::Pass };
            let mut answers = answers.lock().expect("no thread panics here");
            *answers += 1;
            let verdict = judge(*answers, response);
            if verdict != Verdict::Pass {
                sees.lock().touched += records;
            }
            verdict
        });
        seen
    }

    /// Records in the frames that did not simply pass.
    pub(super) fn touched(&self) -> u64 {
        self.lock().touched
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no thread panics here")
    }
}

/// Changes the records of fetch answers that hold some. `change` gets the connection and the records, and says
/// whether it changed them.
pub(super) fn on_fetched(
    relay: &Relay,
    change: impl Fn(u64, &mut Vec<Record>) -> bool + Send + Sync + 'static,
) {
    relay.on_response(move |response| {
        if response.request.api != ApiKey::Fetch {
            return Verdict::Pass;
        }
        let mut fetched: FetchResponse = response.decode();
        let mut changed = false;
        for partition in fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
            let Some(bytes) = partition.records.as_ref().filter(|bytes| !bytes.is_empty()) else { continue };
            // Drop an incomplete batch at the end, so that its records do not pass unchanged.
            let kept = whole(bytes);
            let mut records = decode(kept);
            let cut = kept.len() < bytes.len();
            if change(response.request.connection, &mut records) || cut {
                changed = true;
                partition.records = Some(encode(&records).into());
            }
        }
        if changed { Verdict::Replace(response.encode(&fetched)) } else { Verdict::Pass }
    });
}
