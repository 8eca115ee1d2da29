//! The ledger against a slow, obvious model of the definitions: random histories, equal on every count.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::envelope::{Envelope, Kind, Opened};
use super::{
    Bits, Checked, PartitionReads, ReaderEnd, Resent, Scope, SentLog, StreamInfo, Streams, judge, missing,
    wanted,
};
use crate::anomaly::Anomaly;
use crate::ids::{Identity, RunTag, StreamId};

/// What happened to one message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Acked, at the offset of its last copy in the log, or where it would have been.
    Acked,
    /// Acked at an offset where something else lies.
    AckedElsewhere,
    Failed,
    Unknown,
}

/// One record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Message(u32, u64),
    Corrupt(u32, u64),
    Foreign,
    Fence,
}

/// A history: fates and disturbances by (stream, seq), the log, how far the reader came, what a second look finds.
#[derive(Debug, Clone)]
struct History {
    fates: BTreeMap<(u32, u64), (Fate, Resent)>,
    log: Vec<Slot>,
    read: usize,
    start: usize,
    again: BTreeSet<(u32, u64)>,
    /// The log as an audit found it.
    audit: Option<Vec<Slot>>,
    /// The log's end in the broker's words.
    told_end: i64,
}

const STREAMS: u32 = 3;
const SEQS: u64 = 12;

fn history() -> impl Strategy<Value = History> {
    let fate = prop_oneof![
        6 => Just(Fate::Acked), 1 => Just(Fate::AckedElsewhere), 1 => Just(Fate::Failed), 2 => Just(Fate::Unknown)
    ];
    let resent =
        prop_oneof![8 => Just(Resent::No), 1 => Just(Resent::Unwritten), 1 => Just(Resent::MaybeWritten)];
    let fates = prop::collection::vec((fate, resent), (STREAMS as usize) * (SEQS as usize));
    let slot = prop_oneof![
        20 => (0..STREAMS, 0..SEQS).prop_map(|(s, q)| Slot::Message(s, q)),
        1 => (0..STREAMS, 0..SEQS).prop_map(|(s, q)| Slot::Corrupt(s, q)),
        2 => Just(Slot::Foreign),
        1 => Just(Slot::Fence),
    ];
    // A log in order with some disorder in it, or none at all.
    let orderly: Vec<Slot> = (0..SEQS).flat_map(|q| (0..STREAMS).map(move |s| Slot::Message(s, q))).collect();
    let log = (
        prop::collection::vec((0..orderly.len(), slot), 0..8),
        prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    )
        .prop_map(move |(changes, removed)| {
            let mut log = orderly.clone();
            for (at, slot) in changes {
                if at % 2 == 0 { log.insert(at, slot) } else { log[at] = slot }
            }
            for index in removed {
                let at = index.index(log.len());
                log.remove(at);
            }
            log
        });
    let log = log.boxed();
    (
        fates,
        log.clone(),
        any::<prop::sample::Index>(),
        0_usize..4,
        prop::collection::btree_set((0..STREAMS, 0..SEQS), 0..6),
        prop::option::of((log, any::<bool>())),
    )
        .prop_map(|(fates, log, read, start, again, audit)| {
            let fates = fates
                .into_iter()
                .enumerate()
                .map(|(i, fate)| ((i as u32 / SEQS as u32, i as u64 % SEQS), fate))
                .collect();
            let read = if read.index(3) == 0 { read.index(log.len() + 1) } else { log.len() };
            let start = start.saturating_sub(1);
            // Mostly the log is still as it was.
            let audit = audit.map(|(other, same)| if same { log.clone() } else { other });
            let told_end = log.len() as i64 - i64::from(again.len() as u32 % 5);
            History { fates, start: start.min(read), log, read, again, audit, told_end }
        })
}

/// Offsets are places in the log; a message that is not in it was acked behind or before it, at a place of its own.
fn acked_at(h: &History, message: (u32, u64), fate: Fate) -> i64 {
    let last = h
        .log
        .iter()
        .rposition(|s| matches!(s, Slot::Message(a, b) | Slot::Corrupt(a, b) if (*a, *b) == message));
    let own = 1000 + i64::from(message.0) * 100 + message.1 as i64;
    match (fate, last) {
        (Fate::Acked, Some(at)) => at as i64,
        _ => own,
    }
}

/// The definitions, word for word.
fn model(h: &History, fenced: bool) -> BTreeMap<&'static str, (u64, u64)> {
    let mut out: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    let mut add = |name: &'static str, explained: bool| {
        let counts = out.entry(name).or_default();
        if explained { counts.1 += 1 } else { counts.0 += 1 }
    };
    let seen: Vec<(i64, Slot)> =
        h.log.iter().enumerate().take(h.read).skip(h.start).map(|(at, slot)| (at as i64, *slot)).collect();
    let places = |message: (u32, u64)| -> Vec<i64> {
        seen.iter().filter(|(_, s)| *s == Slot::Message(message.0, message.1)).map(|(at, _)| *at).collect()
    };
    let corrupt: Vec<i64> =
        seen.iter().filter(|(_, s)| matches!(s, Slot::Corrupt(..))).map(|(at, _)| *at).collect();
    for _ in &corrupt {
        add("corrupt", false);
    }
    for _ in seen.iter().filter(|(_, s)| *s == Slot::Foreign) {
        add("foreign", false);
    }
    let position = seen.last().map_or(h.start as i64, |(at, _)| at + 1);
    let audited: Option<Vec<(i64, Slot)>> =
        h.audit.as_ref().map(|log| log.iter().enumerate().map(|(at, slot)| (at as i64, *slot)).collect());
    let is_corrupt = |list: &[(i64, Slot)], offset: i64| {
        list.iter().any(|(at, slot)| *at == offset && matches!(slot, Slot::Corrupt(..)))
    };
    for (at, slot) in &seen {
        if *at >= h.told_end && matches!(slot, Slot::Message(..) | Slot::Foreign) {
            add("watermark_lie", false);
        }
    }
    if let Some(audited) = &audited {
        // Two different messages at one offset, of which a corrupt record is none.
        for at in 0..100 {
            let held: BTreeSet<Option<(u32, u64)>> = seen
                .iter()
                .chain(audited)
                .filter(|(place, _)| *place == at)
                .filter_map(|(_, slot)| match slot {
                    Slot::Message(stream, seq) => Some(Some((*stream, *seq))),
                    Slot::Foreign => Some(None),
                    Slot::Corrupt(..) | Slot::Fence => None,
                })
                .collect();
            if held.len() > 1 {
                add("rewritten", false);
            }
        }
    }
    for (message, (fate, resent)) in &h.fates {
        let at = places(*message);
        let acked = matches!(fate, Fate::Acked | Fate::AckedElsewhere);
        let ack = acked_at(h, *message, *fate);
        let found_at = |list: &[(i64, Slot)]| -> Vec<i64> {
            list.iter()
                .filter(|(_, s)| *s == Slot::Message(message.0, message.1))
                .map(|(at, _)| *at)
                .collect()
        };
        let there = audited.as_ref().is_none_or(|list| !found_at(list).is_empty());
        let spared = corrupt.contains(&ack) || audited.as_ref().is_some_and(|list| is_corrupt(list, ack));
        if acked && ack >= h.start as i64 && !spared && (at.is_empty() || !there) {
            if fenced || ack < position || !there {
                add(if h.again.contains(message) { "skipped" } else { "lost" }, false);
            } else {
                add("unread", false);
            }
        }
        if at.len() > 1 {
            add("duplicate", *resent == Resent::MaybeWritten);
        }
        if *fate == Fate::Failed && !at.is_empty() {
            add("phantom", false);
        }
        let last_look = audited.as_ref().map_or_else(|| at.clone(), |list| found_at(list));
        if acked && !last_look.is_empty() && !last_look.contains(&ack) {
            add("misplaced", false);
        }
        // Behind a message of its stream that was sent later, first copies only.
        if let Some(first) = at.first() {
            let later: Vec<u64> = seen
                .iter()
                .filter_map(|(place, s)| match s {
                    Slot::Message(stream, seq)
                        if *stream == message.0 && place < first && *seq > message.1 =>
                    {
                        Some(*seq)
                    }
                    _ => None,
                })
                .collect();
            if let Some(highest) = later.iter().max() {
                let other = h.fates[&(message.0, *highest)];
                let touched = |(fate, resent): (Fate, Resent)| resent != Resent::No || fate == Fate::Unknown;
                add("reordered", touched((*fate, *resent)) || touched(other));
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_ledger_agrees_with_the_definitions(h in history(), fenced in any::<bool>()) {
        let run = RunTag::from_bits(42);
        let mut streams = Streams::default();
        let info = StreamInfo { scenario: 0, client: 0, topic: 0, partition: 0, has_uuid: false, roundtrip: false };
        for client in 0..STREAMS {
            streams.add(&StreamInfo { client, ..info.clone() }, [0]);
        }
        let mut sent: HashMap<StreamId, SentLog> = HashMap::new();
        for ((stream, seq), (fate, resent)) in &h.fates {
            let log = sent.entry(StreamId(*stream)).or_default();
            prop_assert_eq!(log.next_seq(), *seq);
            match fate {
                Fate::Acked | Fate::AckedElsewhere => log.acked(*seq, acked_at(&h, (*stream, *seq), *fate), *resent),
                Fate::Failed => log.failed(*seq, *resent),
                Fate::Unknown => log.unknown(*seq, *resent),
            }
        }
        let read = |log: &[Slot], from: usize, to: usize| {
            let mut reads = PartitionReads::new(run, 0, 0);
            for (at, slot) in log.iter().enumerate().take(to).skip(from) {
                let open = |kind, stream, seq, intact| Opened::Kaf6 {
                    envelope: Envelope { kind, identity: Identity { run, stream: StreamId(stream), seq }, due_us: 0 },
                    intact,
                };
                let opened = match slot {
                    Slot::Message(stream, seq) => open(Kind::Message, *stream, *seq, true),
                    Slot::Corrupt(stream, seq) => open(Kind::Message, *stream, *seq, false),
                    Slot::Foreign => Opened::Foreign,
                    Slot::Fence => open(Kind::Fence, 0, 0, true),
                };
                reads.see(&streams, at as i64, opened, 0, |_| Checked::Fine);
            }
            reads
        };
        let reads = read(&h.log, h.start, h.read);
        let audit = h.audit.as_ref().map(|log| read(log, 0, log.len()));
        let end = ReaderEnd {
            reads: &reads,
            start: h.start as i64,
            reached_fence: fenced,
            gone: false,
            scope: Scope::Full,
            producers: &[0],
            audit: audit.as_ref(),
            told_end: Some(h.told_end),
        };
        let gaps = missing(&streams, &sent, &end);
        let mut again: HashMap<StreamId, Bits> = HashMap::new();
        for (stream, seq) in &h.again {
            again.entry(StreamId(*stream)).or_default().insert(*seq);
        }
        let judgement = judge(&streams, &sent, &end, &gaps, Some(&again));
        let expected = model(&h, fenced);
        for anomaly in Anomaly::ALL {
            let Some(counts) = judgement.counts.get(&anomaly) else { continue };
            let (count, explained) = expected.get(anomaly.name()).copied().unwrap_or_default();
            prop_assert_eq!((counts.count, counts.explained), (count, explained), "{}", anomaly.name());
            let shown = judgement.evidence.iter().filter(|e| e.anomaly == anomaly).count() as u64;
            prop_assert_eq!(shown, (count + explained).min(20), "evidence of {}", anomaly.name());
        }
        let acked = h.fates.iter().filter(|(m, (f, _))| {
            matches!(f, Fate::Acked | Fate::AckedElsewhere) && acked_at(&h, **m, *f) >= h.start as i64
        });
        prop_assert_eq!(wanted(&streams, &sent, &end), acked.count() as u64);
    }
}
