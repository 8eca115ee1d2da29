//! Tests a broker that skips records in its responses. kaf6 finds each of them, compared with the recorded responses.
//!
//! Tansu does this: while several clients write, a reader at the end of the log can get a batch before an earlier one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use kafka_protocol::messages::{ApiKey, FetchResponse};

use crate::lab::{Relay, Storage, Tansu, Verdict};
use crate::runs::{Kaf6, Ran};

/// The offsets that Fetch answers held, by connection in the order in which those came.
#[derive(Clone, Default)]
pub struct Handed(Arc<Mutex<Connections>>);

#[derive(Default)]
struct Connections {
    order: Vec<u64>,
    offsets: HashMap<u64, BTreeSet<i64>>,
}

impl Handed {
    /// Watches a topic of one partition.
    pub fn watch(relay: &Relay) -> Self {
        let handed = Self::default();
        let sees = handed.clone();
        relay.on_response(move |response| {
            if response.request.api == ApiKey::Fetch {
                let fetched: FetchResponse = response.decode();
                let mut seen = sees.0.lock().expect("no thread panics here");
                let connection = response.request.connection;
                if !seen.offsets.contains_key(&connection) {
                    seen.order.push(connection);
                }
                let offsets = seen.offsets.entry(connection).or_default();
                for partition in fetched.responses.iter().flat_map(|topic| &topic.partitions) {
                    offsets.extend(partition.records.as_deref().into_iter().flat_map(offsets_of));
                }
            }
            Verdict::Pass
        });
        handed
    }

    /// The run is red for nothing but what the broker passed over.
    pub fn excuses(&self, ran: &Ran) -> bool {
        let missing = self.passed_over().len() as u64;
        ran.status() == "fail" && missing > 0 && ran.anomaly("skipped") == Some(missing)
    }

    /// The offsets below the last one that the first reader was never handed.
    fn passed_over(&self) -> BTreeSet<i64> {
        let seen = self.0.lock().expect("no thread panics here");
        let reader = &seen.offsets[seen.order.first().expect("somebody reads")];
        let end = reader.last().copied().unwrap_or(0);
        (0..end).filter(|offset| !reader.contains(offset)).collect()
    }
}

/// The offsets of whole batches: base offset (8 bytes), length (4), then at byte 23 the last one's distance.
fn offsets_of(mut bytes: &[u8]) -> Vec<i64> {
    let mut offsets = Vec::new();
    while let (Some(base), Some(length), Some(last)) = (bytes.get(..8), bytes.get(8..12), bytes.get(23..27)) {
        let base = i64::from_be_bytes(base.try_into().expect("8 bytes"));
        let length = u32::from_be_bytes(length.try_into().expect("4 bytes")) as usize;
        let last = i32::from_be_bytes(last.try_into().expect("4 bytes"));
        let Some(rest) = bytes.get(12 + length..) else { break };
        offsets.extend(base..=base + i64::from(last));
        bytes = rest;
    }
    offsets
}

/// The verdict is what the answers say, and each piece of evidence is one of the gaps.
fn hold(ran: &Ran, handed: &Handed, messages: u64) {
    let gaps = handed.passed_over();
    let missing = gaps.len() as u64;
    assert_eq!(ran.count("write", "acked"), messages, "{ran}");
    assert_eq!(ran.count("read", "received"), messages - missing, "{gaps:?} {ran}");
    assert_eq!((ran.anomaly("skipped"), ran.anomaly("lost")), (Some(missing), Some(0)), "{gaps:?} {ran}");
    assert_eq!(ran.status(), if gaps.is_empty() { "pass" } else { "fail" }, "{gaps:?} {ran}");
    for piece in ran.summary["anomalies"]["skipped"]["evidence"].as_array().expect("it is a list") {
        let offset = piece["offset"].as_i64().expect("it has a place");
        assert!(gaps.contains(&offset), "{piece} is one of {gaps:?}");
    }
}

#[test]
fn records_that_a_broker_passes_over_are_called_skipped_to_the_record() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let file = "topics: [{name: 'gaps-{{run_id}}'}]\n\
                scenarios:\n  write: {type: produce, clients: 8, messages: 10000, rate: 5000/s}\n  read: {type: consume}\n\
                checks: [{type: count_equals, expected: 10000}]\n";
    let relay = Relay::start(&tansu.address());
    let handed = Handed::watch(&relay);
    let ran = Kaf6::file(file).brokers(&relay.address()).run();
    hold(&ran, &handed, 10000);
}

#[test]
fn s3_multi_producer_is_as_green_as_tansu_is_right() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    let handed = Handed::watch(&relay);
    let ran = Kaf6::example("multi-producer.yaml").brokers(&relay.address()).run();
    hold(&ran, &handed, 1000);
    for check in ["produced_all", "no_duplicate_uuids", "no_corruption", "in_order"] {
        assert_eq!(ran.check(check), "pass", "{check}: {ran}");
    }
}
