//! Tests what is removed, what remains, and the batches afterwards.

use std::collections::BTreeMap;

use crate::batch::{self, Batch, Record};
use crate::behaviour::{Action, Behaviour};
use crate::state::{Partition, State, now_ms};

/// A topic `t` of one partition with these settings.
fn state(settings: &[(&str, &str)]) -> State {
    let mut state = State::new(Behaviour { brokers: 2, ..Behaviour::default() });
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    state.create("t", 1, settings, false, 0);
    state
}

fn partition(state: &mut State) -> &mut Partition {
    state.partition("t", 0).expect("it was made")
}

/// Appends a batch of records with these keys, so old.
fn append(state: &mut State, keys: &[&str], age_ms: i64) {
    let record = |(at, key): (i64, &&str)| Record::value(key.as_bytes().to_vec(), at);
    let records: Vec<Record> = (0..).zip(keys).map(record).collect();
    let width = i64::try_from(records.len()).expect("few");
    let bytes = Batch::of(records, now_ms() - age_ms, 0, -1).write(true);
    partition(state).append(bytes, width);
}

fn offsets(state: &State) -> (i64, Vec<i64>) {
    let partition = &state.export().topics["t"][0];
    (partition.start, partition.records.iter().map(|record| record.offset).collect())
}

fn removed(state: &State) -> Vec<(i64, &'static str)> {
    state.log.removed.iter().map(|removed| (removed.offset, removed.why)).collect()
}

#[test]
fn whole_batches_go_once_their_newest_record_is_too_old() {
    let mut state = state(&[("retention.ms", "1000")]);
    append(&mut state, &["a", "b"], 5000);
    append(&mut state, &["c"], 0);
    assert!(state.clean(1));
    assert_eq!(offsets(&state), (2, vec![2]));
    assert_eq!(removed(&state), [(0, "retention"), (1, "retention")]);
    assert!(!state.clean(2), "there is no more");
}

#[test]
fn the_oldest_batches_go_while_enough_is_left() {
    let size = Batch::of(vec![Record::value(b"a".to_vec(), 0)], 0, 0, -1).write(true).len();
    let mut state = state(&[("retention.bytes", &(2 * size).to_string())]);
    for _ in 0..4 {
        append(&mut state, &["a"], 0);
    }
    state.clean(1);
    assert_eq!(offsets(&state), (2, vec![2, 3]));
}

#[test]
fn nothing_is_too_old_where_only_compaction_cleans() {
    let mut state = state(&[("retention.ms", "1000"), ("cleanup.policy", "compact")]);
    append(&mut state, &["a", "b"], 5000);
    assert!(!state.clean(1));
}

#[test]
fn records_go_whose_key_is_there_later_but_none_of_the_newest_batch() {
    let mut state = state(&[("cleanup.policy", "compact")]);
    append(&mut state, &["a", "b"], 0);
    append(&mut state, &["b"], 0);
    append(&mut state, &["b", "b"], 0);
    state.clean(1);
    assert_eq!(offsets(&state), (0, vec![0, 3, 4]));
    assert_eq!(partition(&mut state).batches.len(), 2, "an empty one goes away");
    assert!(partition(&mut state).batches.iter().all(|batch| batch::crc_fits(&batch.bytes)));
    append(&mut state, &["c"], 0);
    state.clean(2);
    assert_eq!(offsets(&state), (0, vec![0, 4, 5]));
}

#[test]
fn the_last_record_of_a_key_is_removed_by_a_lie_alone() {
    let mut compacted = state(&[("cleanup.policy", "compact")]);
    append(&mut compacted, &["a", "b"], 0);
    compacted.strike("t", 0, &[Action::CompactLast { index: 3 }], 1);
    assert_eq!(removed(&compacted), [(1, "compact_last")]);
    let mut other = state(&[]);
    append(&mut other, &["a"], 0);
    other.strike("t", 0, &[Action::CompactLast { index: 0 }], 1);
    assert!(removed(&other).is_empty());
}

#[test]
fn a_tail_is_lost_in_a_new_leader_epoch_and_written_again() {
    let mut state = state(&[]);
    for _ in 0..3 {
        append(&mut state, &["a"], 0);
    }
    assert!(state.strike("t", 0, &[Action::LoseTail { batches: 2 }], 1));
    append(&mut state, &["b"], 0);
    assert_eq!(offsets(&state), (0, vec![0, 1]));
    let found = partition(&mut state);
    assert_eq!((found.leader, found.epoch(), found.epoch_end(0)), (1, 1, (0, 1)));
    assert_eq!(removed(&state), [(1, "lose_tail"), (2, "lose_tail")]);
}

#[test]
fn a_topic_that_is_made_again_is_empty_unless_its_records_come_back() {
    for resurrect in [false, true] {
        let mut state = state(&[]);
        append(&mut state, &["a", "b"], 0);
        assert!(state.delete("t") && !state.delete("t"));
        state.create("t", 1, BTreeMap::new(), resurrect, 1);
        let old = if resurrect { vec![0, 1] } else { vec![] };
        assert_eq!(state.log.created[1].old, old.len() as u64);
        assert_eq!(offsets(&state), (0, old));
    }
}

#[test]
fn a_batch_under_log_append_time_has_the_time_of_its_storing() {
    let mut state = state(&[("message.timestamp.type", "LogAppendTime")]);
    append(&mut state, &["a"], 100_000);
    let bytes = &partition(&mut state).batches[0].bytes;
    assert!(batch::crc_fits(bytes));
    assert!(now_ms() - Batch::read(bytes).expect("it reads").newest() < 50_000);
}

#[test]
fn null_is_not_empty_and_the_order_of_headers_counts() {
    let mut record = Record::value(Vec::new(), 0);
    record.key = None;
    record.headers = ["a", "kaf6", "b"].map(|name| (name.into(), Some(b"1".to_vec()))).to_vec();
    let alterations = [
        Record::null_value,
        Record::empty_key,
        Record::add_header,
        Record::swap_headers,
        Record::null_header,
    ];
    let mut digests = vec![record.digest()];
    for alter in alterations {
        let mut altered = record.clone();
        assert!(alter(&mut altered));
        digests.push(altered.digest());
    }
    record.swap_headers();
    assert_eq!(record.headers[1].0, b"kaf6", "kaf6's own stays where it is");
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 6);
}

#[test]
fn a_spoilt_crc_never_fits() {
    let mut bytes = Batch::of(vec![Record::value(b"a".to_vec(), 0)], 5, 0, -1).write(true);
    for _ in 0..2 {
        batch::spoil_crc(&mut bytes);
        assert!(!batch::crc_fits(&bytes));
    }
    batch::stamp(&mut bytes, 7);
    assert!(!batch::crc_fits(&bytes), "it is not put right");
}
