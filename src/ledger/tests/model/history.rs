//! Random histories of one partition: what was sent, the logs that observers find at different times, and how they
//! read.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::ids::{Offset, Seq, StreamId};
use crate::ledger::{Marker, Observer, RemovalReason, Removals, Resent};

/// A stream's number, and a message's number in it.
pub(super) type Msg = (u32, u64);

/// The outcome of a message for its producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Acked(i64),
    Nowhere,
    Failed,
    Unknown,
}

/// One record of a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Message(Msg),
    /// The identity that it claims.
    Corrupt(Msg),
    Stray(u64),
    Foreign,
    /// A foreign record that is older than the topic.
    Resurrected,
    Marker(u64),
}

/// A log by offset; `None` for offsets without a record.
pub(super) type Log = Vec<Option<Slot>>;

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) scenario: usize,
    pub(super) messages: Vec<(Fate, Resent)>,
    /// Requeued batches: the number of messages, and whether they may have been written.
    pub(super) back: Vec<(u64, bool)>,
    pub(super) lines_lost: bool,
    /// Messages that were sent after a higher offset had been acked: sequence, offset, and the higher offset.
    pub(super) overtaken: Vec<(u64, i64, i64)>,
}

/// The records that one observer received, by epoch, and how far it got.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) observer: Observer,
    pub(super) start: i64,
    pub(super) epochs: Vec<Vec<(i64, Slot)>>,
    pub(super) to_end: bool,
    pub(super) passed_to: Option<i64>,
    pub(super) full: bool,
    pub(super) unreadable: Option<i64>,
    pub(super) producers: Option<Vec<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Passed,
    /// The part of its range that was read, in 256ths.
    Failed(u8),
    Gone,
}

#[derive(Clone)]
pub(super) struct History {
    pub(super) streams: Vec<Sent>,
    pub(super) excluded: Vec<usize>,
    /// Acked end markers: number and offset.
    pub(super) markers: Vec<(u64, i64)>,
    /// The live readers, and the audit if there is one.
    pub(super) readings: Vec<Reading>,
    pub(super) again: Log,
    /// How the re-reads end, in order.
    pub(super) agains: Vec<Again>,
    pub(super) reported_end: Option<i64>,
    /// Scenarios whose acks a change of leader may have undone.
    pub(super) leaders_alone: Vec<usize>,
    pub(super) one_log: bool,
    pub(super) settings: Settings,
}

/// Which records the topic's settings let the broker remove: about every other one, at random.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings(u8, u8);

impl Settings {
    pub(super) fn message(self, (stream, seq): Msg) -> Option<RemovalReason> {
        match (u64::from(self.1) + 3 * u64::from(stream) + 5 * seq) % 4 {
            _ if self.0 < 130 => None,
            0 => Some(RemovalReason::Expired),
            1 => Some(RemovalReason::Superseded),
            2 => Some(RemovalReason::Unclear),
            _ => None,
        }
    }

    pub(super) fn marker(self, number: u64) -> Option<RemovalReason> {
        match (u64::from(self.1) + number) % 3 {
            _ if self.0 < 130 => None,
            0 => Some(RemovalReason::Expired),
            1 => Some(RemovalReason::Unclear),
            _ => None,
        }
    }
}

impl Removals for Settings {
    fn of_message(&self, stream: StreamId, seq: Seq, _: Option<Offset>) -> Option<RemovalReason> {
        self.message((stream.0, seq))
    }

    fn of_marker(&self, marker: Marker) -> Option<RemovalReason> {
        self.marker(marker.number)
    }
}

const SEQS: usize = 12;
/// In addition to the run's streams, there is one of another partition.
pub(super) const STRAY: u32 = 9;

/// What a broker or a retry does to the log while it is written.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Copies of a stream's messages, this number of offsets later.
    Copy {
        first: Msg,
        len: u64,
        gap: usize,
        resent: bool,
    },
    /// Messages that moved by this number of offsets.
    Move {
        first: Msg,
        len: u64,
        gap: usize,
        resent: bool,
    },
    Foreign(u8, bool),
    Marker(u8),
}

/// The record at an offset instead of the original one.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Gap,
    Corrupt(Msg),
    Stray(u64),
    Foreign,
    Resurrected,
    Message(Msg),
    Marker(u64),
}

type RawStream = (u8, usize, Vec<(u8, u8)>, Vec<(u64, bool)>, u8);
/// Start, how far, a step back, a reset, and other choices.
type RawReader = (u8, u8, Option<(u8, u8)>, Option<(u8, u8)>, u8, u8);

#[derive(Debug, Clone)]
struct Raw {
    profile: u8,
    streams: Vec<RawStream>,
    shapes: Vec<Shape>,
    damages: Vec<(u8, u8, Damage)>,
    second: (u8, u8),
    readers: Vec<RawReader>,
    audit: Option<u8>,
    agains: Vec<u8>,
    excluded: u8,
    end: u8,
    /// Which acks were overtaken, remain valid, and are from one log.
    acks: (u8, u8, u8),
    settings: (u8, u8),
}

fn message() -> impl Strategy<Value = Msg> {
    (0_u32..4, 0..SEQS as u64)
}

fn raw() -> impl Strategy<Value = Raw> {
    let messages = prop::collection::vec(any::<(u8, u8)>(), SEQS);
    let back = prop::collection::vec((0_u64..6, any::<bool>()), 0..3);
    let stream = (0_u8..3, 0..=SEQS, messages, back, any::<u8>());
    let block = || (message(), 1_u64..4, 0_usize..6, any::<bool>());
    let shape = prop_oneof![
        4 => block().prop_map(|(first, len, gap, resent)| Shape::Copy { first, len, gap, resent }),
        3 => block().prop_map(|(first, len, gap, resent)| Shape::Move { first, len, gap, resent }),
        1 => any::<(u8, bool)>().prop_map(|(at, old)| Shape::Foreign(at, old)),
        1 => any::<u8>().prop_map(Shape::Marker),
    ];
    let damage = prop_oneof![
        4 => Just(Damage::Gap),
        2 => message().prop_map(Damage::Corrupt),
        1 => (0_u64..3).prop_map(Damage::Stray),
        1 => Just(Damage::Foreign),
        1 => Just(Damage::Resurrected),
        3 => message().prop_map(Damage::Message),
        1 => (0_u64..3).prop_map(Damage::Marker),
    ];
    let step = || prop::option::weighted(0.15, any::<(u8, u8)>());
    let reader = (any::<u8>(), any::<u8>(), step(), step(), any::<u8>(), any::<u8>());
    (
        any::<u8>(),
        prop::collection::vec(stream, 3..=4),
        prop::collection::vec(shape, 0..5),
        prop::collection::vec((1_u8..16, any::<u8>(), damage), 0..7),
        any::<(u8, u8)>(),
        prop::collection::vec(reader, 1..=3),
        prop::option::of(any::<u8>()),
        prop::collection::vec(any::<u8>(), 4),
        (any::<u8>(), any::<u8>()),
        any::<((u8, u8, u8), (u8, u8))>(),
    )
        .prop_map(|(profile, streams, shapes, damages, second, readers, audit, agains, last, topic)| {
            let ((excluded, end), (acks, settings)) = (last, topic);
            Raw {
                profile,
                streams,
                shapes,
                damages,
                second,
                readers,
                audit,
                agains,
                excluded,
                end,
                acks,
                settings,
            }
        })
}

pub(super) fn history() -> impl Strategy<Value = History> {
    raw().prop_map(|raw| build(&raw))
}

/// A part of the length, in 256ths.
fn share(len: usize, part: u8) -> usize {
    len * usize::from(part) / 256
}

/// An outcome without its offset: acked, acked at an offset with another record, and so on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Acked,
    Elsewhere(u8),
    Nowhere,
    Failed,
    Unknown { written: bool },
}

fn kind(profile: u8, code: u8) -> Kind {
    match code {
        250.. if profile & 1 != 0 => Kind::Elsewhere(code),
        242..250 if profile & 2 != 0 && profile & 8 != 0 => Kind::Nowhere,
        190..230 if profile & 2 != 0 && profile & 8 != 0 && profile & 32 != 0 => Kind::Nowhere,
        230..242 if profile & 4 != 0 => Kind::Failed,
        210..230 if profile & 4 != 0 => Kind::Unknown { written: code.is_multiple_of(2) },
        _ => Kind::Acked,
    }
}

fn resent(profile: u8, code: u8) -> Resent {
    match code {
        210..230 if profile & 16 != 0 => Resent::Unwritten,
        230.. if profile & 16 != 0 => Resent::MaybeWritten,
        _ => Resent::No,
    }
}

fn build(raw: &Raw) -> History {
    let streams: Vec<u32> = (0..raw.streams.len() as u32).collect();
    let len = |stream: u32| raw.streams[stream as usize].1.max(1);
    let mut kinds = BTreeMap::new();
    for stream in &streams {
        for (seq, code) in raw.streams[*stream as usize].2.iter().take(len(*stream)).enumerate() {
            kinds.insert((*stream, seq as u64), (kind(raw.profile, code.0), resent(raw.profile, code.1)));
        }
    }
    // Maps numbers to existing messages.
    let real = |(stream, seq): Msg| {
        let stream = stream % streams.len() as u32;
        (stream, seq % len(stream) as u64)
    };
    let mut log = write(raw, &mut kinds, &real);
    log.push(Slot::Marker(0));
    let markers: Vec<(u64, i64)> = (0..3)
        .filter_map(|number| Some((number, log.iter().rposition(|slot| *slot == Slot::Marker(number))?)))
        .map(|(number, at)| (number, at as i64))
        .collect();

    let acked_at = |message: Msg, kind: Kind| {
        let mut places = log.iter().enumerate().filter(|(_, slot)| **slot == Slot::Message(message));
        let (first, last) = (places.clone().next(), places.next_back());
        match kind {
            Kind::Elsewhere(code) => (usize::from(code) * 7 + message.1 as usize) % (log.len() + 3),
            _ if message.1.is_multiple_of(3) => first.map_or(log.len(), |(at, _)| at),
            _ => last.map_or(log.len(), |(at, _)| at),
        }
    };
    let sent = streams
        .iter()
        .map(|stream| {
            let (scenario, _, _, back, lost) = &raw.streams[*stream as usize];
            let of = kinds.range((*stream, 0)..(*stream + 1, 0));
            let messages: Vec<_> = of
                .map(|(message, (kind, resent))| {
                    let fate = match kind {
                        Kind::Acked | Kind::Elsewhere(_) => Fate::Acked(acked_at(*message, *kind) as i64),
                        Kind::Nowhere => Fate::Nowhere,
                        Kind::Failed => Fate::Failed,
                        Kind::Unknown { .. } => Fate::Unknown,
                    };
                    (fate, *resent)
                })
                .collect();
            Sent {
                scenario: usize::from(*scenario),
                overtaken: overtaken(raw.acks.0, *stream, &messages),
                messages,
                back: back.clone(),
                lines_lost: *lost > 220,
            }
        })
        .collect::<Vec<_>>();

    let base: Log = log.iter().copied().map(Some).collect();
    let cut = share(base.len(), raw.second.0);
    // A recreated log, or one from which a record was removed.
    let second: Log = if raw.second.0.is_multiple_of(2) {
        base[cut..].to_vec()
    } else {
        base[..cut].iter().chain(&base[cut + 1..]).copied().collect()
    };
    let late = |bits: u8| if raw.second.1 & bits == bits { &second } else { &base };
    let mut logs = [base.clone(), second.clone(), late(0b111).clone(), late(0b1011).clone()];
    for (mask, at, damage) in &raw.damages {
        for (_, log) in logs.iter_mut().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0) {
            let at = share(log.len(), *at);
            if let Some(slot) = log.get_mut(at) {
                *slot = match *damage {
                    Damage::Gap => None,
                    Damage::Corrupt(message) => Some(Slot::Corrupt(message)),
                    Damage::Stray(seq) => Some(Slot::Stray(seq)),
                    Damage::Foreign => Some(Slot::Foreign),
                    Damage::Resurrected => Some(Slot::Resurrected),
                    Damage::Message(message) => Some(Slot::Message(real(message))),
                    Damage::Marker(number) => Some(Slot::Marker(number)),
                };
            }
        }
    }
    let [live, second, audit, again] = logs;
    let mut readings: Vec<Reading> =
        raw.readers.iter().enumerate().map(|(number, raw)| read(number, raw, &live, &second)).collect();
    let unreset = readings.iter().all(|reading| reading.epochs.len() == 1);
    readings.extend(raw.audit.and_then(|part| audited(part, &sent, &markers, &audit)));
    let reported_end =
        (unreset && raw.end % 2 == 1).then(|| (live.len() as i64 - i64::from(raw.end % 7)).max(0));
    let agains = raw.agains.iter().map(|code| match code {
        0..180 => Again::Passed,
        180..245 => Again::Failed(code.wrapping_mul(29)),
        _ => Again::Gone,
    });
    let scenario = |code: u8| if code >= 180 { vec![usize::from(code % 3)] } else { Vec::new() };
    History {
        streams: sent,
        excluded: scenario(raw.excluded),
        markers,
        readings,
        again,
        agains: agains.collect(),
        reported_end,
        leaders_alone: scenario(raw.acks.1),
        one_log: raw.acks.2 < 200,
        settings: Settings(raw.settings.0, raw.settings.1),
    }
}

/// The overtaken ones of a stream's acked messages.
fn overtaken(code: u8, stream: u32, messages: &[(Fate, Resent)]) -> Vec<(u64, i64, i64)> {
    let chosen = |seq: u64| code >= 150 && (u64::from(code) + u64::from(stream) + seq).is_multiple_of(5);
    let places = (0..).zip(messages).filter_map(|(seq, (fate, _))| match fate {
        Fate::Acked(at) => Some((seq, *at, at + 3)),
        _ => None,
    });
    places.filter(|(seq, ..)| chosen(*seq)).collect()
}

/// The log as it was written: streams in turn, with the errors that occurred.
fn write(raw: &Raw, kinds: &mut BTreeMap<Msg, (Kind, Resent)>, real: &impl Fn(Msg) -> Msg) -> Vec<Slot> {
    let mut log = Vec::new();
    for seq in 0..SEQS as u64 {
        for stream in 0..raw.streams.len() as u32 {
            match kinds.get(&(stream, seq)) {
                None | Some((Kind::Failed | Kind::Unknown { written: false }, _)) => {}
                Some(_) => log.push(Slot::Message((stream, seq))),
            }
        }
    }
    for shape in &raw.shapes {
        match *shape {
            Shape::Copy { first, len, gap, resent } | Shape::Move { first, len, gap, resent } => {
                let (stream, seq) = real(first);
                let block: Vec<Msg> = (seq..seq + len)
                    .map(|seq| (stream, seq))
                    .filter(|message| kinds.contains_key(message))
                    .collect();
                if matches!(shape, Shape::Move { .. }) {
                    log.retain(|slot| !block.iter().any(|message| *slot == Slot::Message(*message)));
                }
                let behind = log.iter().rposition(
                    |slot| matches!(slot, Slot::Message((s, q)) if *s == stream && *q < seq + len),
                );
                let at = (behind.map_or(0, |at| at + 1) + gap).min(log.len());
                for (further, message) in block.iter().enumerate() {
                    log.insert(at + further, Slot::Message(*message));
                    if let Some(kind) = kinds.get_mut(message).filter(|_| resent) {
                        kind.1 = Resent::MaybeWritten;
                    }
                }
            }
            Shape::Foreign(at, old) => {
                log.insert(share(log.len(), at), if old { Slot::Resurrected } else { Slot::Foreign });
            }
            Shape::Marker(at) => log.insert(share(log.len(), at), Slot::Marker(u64::from(at % 2) + 1)),
        }
    }
    log
}

/// The records of a part of a log.
pub(super) fn part(log: &Log, from: i64, to: i64) -> Vec<(i64, Slot)> {
    let places = log.iter().enumerate().map(|(at, slot)| (at as i64, *slot));
    places.filter(|(at, _)| *at >= from && *at < to).filter_map(|(at, slot)| Some((at, slot?))).collect()
}

fn read(number: usize, raw: &RawReader, live: &Log, second: &Log) -> Reading {
    let (start, upto, back, reset, flags, producers) = *raw;
    let start = if start < 180 { 0 } else { i64::from(start % 10) };
    let whole = upto < 190;
    let upto =
        if whole { live.len() as i64 } else { share(live.len(), upto.wrapping_mul(5)) as i64 }.max(start);
    let mut first = part(live, start, upto);
    if let Some((at, by)) = back {
        // Some records are returned twice.
        let at = share(first.len(), at);
        let again = first[at.saturating_sub(usize::from(by % 5))..at].to_vec();
        first.splice(at..at, again);
    }
    let mut epochs = vec![first];
    let mut whole = whole;
    if let Some((at, upto)) = reset {
        let at = share(epochs[0].len(), at.saturating_mul(2));
        epochs[0].truncate(at);
        whole = upto < 190;
        let upto = if whole { second.len() } else { share(second.len(), upto.wrapping_mul(5)) };
        epochs.push(part(second, 0, upto as i64));
    }
    let to_end = (whole && flags % 8 != 7) || flags % 32 == 6;
    let position = epochs.last().and_then(|epoch| epoch.iter().map(|(at, _)| at + 1).max()).unwrap_or(start);
    let unreadable = (!to_end && flags % 3 == 2).then(|| position.max(start) + i64::from(flags % 2));
    let scenarios = |mask: u8| (0..3).filter(|bit| mask & (1 << bit) != 0).collect();
    Reading {
        observer: Observer::Reader(10 + number),
        start,
        epochs,
        to_end,
        passed_to: None,
        full: flags % 5 != 4,
        unreadable,
        producers: match producers {
            0..60 => None,
            60..180 => Some(scenarios(0b111)),
            _ => Some(scenarios(producers % 8)),
        },
    }
}

/// The audit reads from the first acked offset, or from 0, to the last end marker.
fn audited(code: u8, sent: &[Sent], markers: &[(u64, i64)], log: &Log) -> Option<Reading> {
    let fates = || sent.iter().flat_map(|sent| &sent.messages).map(|(fate, _)| *fate);
    let acked = || fates().filter_map(|fate| if let Fate::Acked(at) = fate { Some(at) } else { None });
    let placeless = fates().any(|fate| fate == Fate::Nowhere);
    let marker = markers.iter().map(|(_, at)| *at).max()?;
    let from = if placeless { 0 } else { acked().min()?.min(marker) };
    let to = acked().max().unwrap_or(0).max(marker);
    let passed = code < 200;
    let at = if passed { to + 1 } else { from + share((to - from) as usize, code.wrapping_mul(5)) as i64 };
    Some(Reading {
        observer: Observer::Audit,
        start: from,
        epochs: vec![part(log, from, at)],
        to_end: passed,
        passed_to: Some(at),
        full: true,
        unreadable: None,
        producers: None,
    })
}

/// A re-read of a range, like the engine's.
pub(super) fn reread(
    log: &Log,
    (from, to): (i64, i64),
    anywhere: bool,
    end: Again,
    markers: &[(u64, i64)],
) -> Reading {
    let from = markers.iter().map(|(_, at)| *at).max().map_or(from, |marker| from.min(marker));
    let at = match end {
        Again::Passed => to + 1,
        Again::Failed(part) => from + share((to - from) as usize, part) as i64,
        Again::Gone => from,
    };
    Reading {
        observer: Observer::Recheck,
        start: from,
        epochs: vec![part(log, from, at)],
        to_end: end == Again::Gone || (end == Again::Passed && anywhere),
        passed_to: Some(at),
        full: false,
        unreadable: None,
        producers: None,
    }
}

/// One line for each part, as proptest's output for a failing history.
impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (stream, sent) in self.streams.iter().enumerate() {
            write!(f, "\nstream {stream} of scenario {}:", sent.scenario)?;
            for (seq, (fate, resent)) in sent.messages.iter().enumerate() {
                write!(f, " {seq}:{fate:?}")?;
                if *resent != Resent::No {
                    write!(f, " {resent:?}")?;
                }
            }
            write!(f, "; back {:?}{}", sent.back, if sent.lines_lost { ", lines lost" } else { "" })?;
            write!(f, ", overtaken {:?}", sent.overtaken)?;
        }
        write!(f, "\nexcluded {:?}, markers {:?}, end {:?}", self.excluded, self.markers, self.reported_end)?;
        write!(f, "\nleaders alone {:?}, one log {}, {:?}", self.leaders_alone, self.one_log, self.settings)?;
        for reading in &self.readings {
            write!(f, "\n{reading:?}")?;
        }
        write!(f, "\nre-reads {:?} of", self.agains)?;
        part(&self.again, 0, i64::MAX).iter().try_for_each(|(at, slot)| write!(f, " {at}:{slot:?}"))
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { observer, start, epochs, to_end, passed_to, full, unreadable, producers } = self;
        write!(
            f,
            "{observer:?} from {start} to_end={to_end} passed_to={passed_to:?} full={full} \
             unreadable={unreadable:?} producers={producers:?}"
        )?;
        for (number, epoch) in epochs.iter().enumerate() {
            write!(f, "{}", if number > 0 { " | reset |" } else { ":" })?;
            epoch.iter().try_for_each(|(at, slot)| write!(f, " {at}:{slot:?}"))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message((stream, seq)) => write!(f, "{stream}/{seq}"),
            Self::Corrupt((stream, seq)) => write!(f, "corrupt-{stream}/{seq}"),
            Self::Stray(seq) => write!(f, "stray-{seq}"),
            Self::Foreign => write!(f, "foreign"),
            Self::Resurrected => write!(f, "resurrected"),
            Self::Marker(number) => write!(f, "marker-{number}"),
        }
    }
}
