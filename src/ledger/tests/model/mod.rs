//! The ledger against a slow, literal model of the account's definitions: random histories, with equal counts.

mod history;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use self::history::{Fate, History, Msg, Reading, STRAY, Sent, Slot, history, reread};
use crate::anomaly::Anomaly;
use crate::ids::{Identity, RunTag, StreamId};
use crate::ledger::sent::envelope::{Envelope, Opened, RecordKind};
use crate::ledger::{
    Account, CheckedUuid, Counts, Judgement, Marker, Observer, PartitionCase, PartitionReads, Pass,
    RemovalReason, Resent, SentLog, StreamInfo, Streams, judge,
};

const RUN: RunTag = RunTag::from_bits(42);

/// The questions about one observer's reading.
impl Reading {
    fn records(&self) -> impl Iterator<Item = (i64, Slot)> {
        self.epochs.iter().flatten().copied()
    }

    /// The offsets of a message in each epoch, each once, in the order of reading.
    fn places(&self, message: Msg) -> Vec<Vec<i64>> {
        let of = |epoch: &Vec<(i64, Slot)>| {
            let mut places: Vec<i64> = Vec::new();
            for (at, slot) in epoch {
                if *slot == Slot::Message(message) && !places.contains(at) {
                    places.push(*at);
                }
            }
            places
        };
        self.epochs.iter().map(of).collect()
    }

    fn found(&self, message: Msg) -> bool {
        self.records().any(|(_, slot)| slot == Slot::Message(message))
    }

    fn place_of(&self, message: Msg) -> Option<i64> {
        self.records().find(|(_, slot)| *slot == Slot::Message(message)).map(|(offset, _)| offset)
    }

    fn found_at(&self, message: Msg, offset: i64) -> bool {
        self.records().any(|record| record == (offset, Slot::Message(message)))
    }

    /// Whether it read past this offset.
    fn passed(&self, offset: i64) -> bool {
        let last = self.epochs.last().and_then(|epoch| epoch.iter().map(|(at, _)| *at).max());
        let position = last.map_or(self.start, |at| at + 1).max(self.passed_to.unwrap_or(self.start));
        offset >= self.start && (self.to_end || offset < position)
    }

    /// Whether it had to find this scenario's message that was acked there.
    fn wants(&self, scenario: usize, offset: i64) -> bool {
        offset >= self.start && self.producers.as_ref().is_none_or(|list| list.contains(&scenario))
    }

    fn has_marker(&self, (number, offset): (u64, i64)) -> bool {
        self.records().any(|record| record == (offset, Slot::Marker(number)))
    }

    /// Whether it read past the offset of an end marker without finding it.
    fn missed_marker(&self, marker: (u64, i64)) -> bool {
        self.passed(marker.1) && !self.has_marker(marker)
    }

    fn is_recheck(&self) -> bool {
        self.observer == Observer::Recheck
    }

    /// Whether its client was created after all scenarios had ended.
    fn is_fresh(&self) -> bool {
        matches!(self.observer, Observer::Audit | Observer::Recheck)
    }
}

/// A history with its re-reads.
struct Model<'a> {
    history: &'a History,
    readings: Vec<Reading>,
    /// Offsets at which any reading found an altered record.
    corrupt: BTreeSet<i64>,
    /// The different records of each offset. Altered records are omitted, and all foreign records are equal.
    held: BTreeMap<i64, BTreeSet<Option<Msg>>>,
}

impl<'a> Model<'a> {
    fn new(history: &'a History, again: Vec<Reading>) -> Self {
        let readings: Vec<Reading> = history.readings.iter().cloned().chain(again).collect();
        let mut corrupt = BTreeSet::new();
        let mut held: BTreeMap<i64, BTreeSet<Option<Msg>>> = BTreeMap::new();
        for (at, slot) in readings.iter().flat_map(Reading::records) {
            let thing = match slot {
                Slot::Message(message) => Some(message),
                Slot::Foreign | Slot::Resurrected | Slot::Stray(_) => None,
                Slot::Corrupt(_) => {
                    corrupt.insert(at);
                    continue;
                }
                Slot::Marker(_) => continue,
            };
            held.entry(at).or_default().insert(thing);
        }
        Self { history, readings, corrupt, held }
    }

    /// Whether the offset had two different records at two times. A message that only its leader acked may be lost, and
    /// its offset reused.
    fn rewritten(&self, offset: i64) -> bool {
        let holds = |thing: &&Option<Msg>| {
            thing.is_none_or(|(stream, _)| {
                !self.by_leader_alone(self.history.streams[stream as usize].scenario)
            })
        };
        self.held.get(&offset).is_some_and(|things| things.iter().filter(holds).count() > 1)
    }

    fn by_leader_alone(&self, scenario: usize) -> bool {
        self.history.leaders_alone.contains(&scenario)
    }

    /// Whether anything can be read at two times.
    fn read_twice(&self) -> bool {
        self.readings.len() > 1 || self.readings.iter().any(|reading| reading.epochs.len() > 1)
    }

    /// The acked offsets of these scenarios, once for each message and each end marker.
    fn acked(&self, of: impl Fn(usize) -> bool) -> Vec<i64> {
        let messages = self.messages().filter_map(|(_, sent, fate, _)| match fate {
            Fate::Acked(offset) if of(sent.scenario) => Some(offset),
            _ => None,
        });
        messages.chain(self.history.markers.iter().map(|(_, offset)| *offset)).collect()
    }

    /// How often each offset was acked, counting only acks that remain valid.
    fn acked_twice(&self) -> BTreeMap<i64, u64> {
        let mut times = BTreeMap::new();
        for offset in self.acked(|scenario| !self.by_leader_alone(scenario)) {
            *times.entry(offset).or_default() += 1;
        }
        times.retain(|_, times| *times > 1);
        times
    }

    /// Whether the offset had this message, and nothing else, when it was last read.
    fn holds_now(&self, message: Msg, offset: i64) -> bool {
        let looks = self.readings.iter().rev().flat_map(|reading| reading.epochs.iter().rev());
        for look in looks {
            let mut things = Vec::new();
            for (_, slot) in look.iter().filter(|(at, _)| *at == offset) {
                match slot {
                    Slot::Message(other) => things.push(Some(*other)),
                    Slot::Foreign | Slot::Resurrected | Slot::Stray(_) => things.push(None),
                    Slot::Corrupt(_) | Slot::Marker(_) => {}
                }
            }
            if !things.is_empty() {
                return things.iter().all(|thing| *thing == Some(message));
            }
        }
        false
    }

    fn messages(&self) -> impl Iterator<Item = (Msg, &Sent, Fate, Resent)> {
        let streams = self.history.streams.iter().enumerate();
        streams.flat_map(|(stream, sent)| {
            let messages = sent.messages.iter().enumerate();
            messages.map(move |(seq, (fate, resent))| ((stream as u32, seq as u64), sent, *fate, *resent))
        })
    }

    /// Whether a re-read of one log that missed the message acked at this offset found another record there, so that
    /// nothing was removed.
    fn holds_other(&self, offset: i64, missed: &dyn Fn(&Reading) -> bool) -> bool {
        let holds =
            |it: &Reading| it.records().any(|(at, slot)| at == offset && !matches!(slot, Slot::Corrupt(_)));
        let rereads = self.readings.iter().filter(|it| it.is_recheck() && it.epochs.len() == 1);
        self.history.one_log && rereads.into_iter().any(|it| missed(it) && holds(it))
    }

    /// The name of the class of an acked message, according to these readings. `removed` is verified, and `dropped` is
    /// unread.
    fn class(&self, readings: &[&Reading], message: Msg, sent: &Sent, fate: Fate) -> &'static str {
        if self.history.excluded.contains(&sent.scenario) {
            return "excluded";
        }
        match fate {
            Fate::Acked(offset) => self.placed(readings, message, sent.scenario, offset),
            _ => self.placeless(readings, message, sent.scenario),
        }
    }

    /// The class of a message that a re-read did not find. It is lost, unless the topic's settings or a change of
    /// leader explain it.
    fn gone(&self, message: Msg, scenario: usize, read: bool, place: Option<i64>) -> &'static str {
        let other = place.is_some_and(|place| self.holds_other(place, &|it| !it.found(message)));
        match self.history.settings.message(message).filter(|_| !other) {
            // Whether it was read or not, it is unknown whether it had to be there.
            Some(RemovalReason::Unclear) => "unclear",
            Some(_) if read => "removed",
            Some(RemovalReason::Superseded) => "superseded",
            Some(RemovalReason::Expired) => "expired",
            None if self.by_leader_alone(scenario) => "dropped",
            None => "lost",
        }
    }

    /// The number of acked messages of a class for which the account has no such name.
    fn count(&self, name: &str) -> u64 {
        let all: Vec<&Reading> = self.readings.iter().collect();
        let acked = self.messages().filter(|(_, _, fate, _)| matches!(fate, Fate::Acked(_) | Fate::Nowhere));
        acked.filter(|(message, sent, fate, _)| self.class(&all, *message, sent, *fate) == name).count()
            as u64
    }

    fn accounts(&self) -> BTreeMap<usize, BTreeMap<&'static str, u64>> {
        let all: Vec<&Reading> = self.readings.iter().collect();
        let mut out: BTreeMap<usize, BTreeMap<&'static str, u64>> = BTreeMap::new();
        for (message, sent, fate, _) in self.messages() {
            let account = out.entry(sent.scenario).or_default();
            let mut add = |name| *account.entry(name).or_default() += 1;
            add("sent");
            match fate {
                Fate::Acked(_) | Fate::Nowhere => {
                    add("acked");
                    add(in_account(self.class(&all, message, sent, fate)));
                }
                Fate::Failed => add("failed"),
                Fate::Unknown => {
                    add("unknown");
                    add(if all.iter().any(|reading| reading.found(message)) {
                        "found"
                    } else if self.looked_for(sent.scenario) {
                        "absent"
                    } else {
                        "unchecked"
                    });
                }
            }
        }
        out
    }

    /// Whether some reading read the whole log, to an end that was set after the scenario's last message.
    fn looked_for(&self, scenario: usize) -> bool {
        let waits =
            |reading: &Reading| reading.producers.as_ref().is_none_or(|list| list.contains(&scenario));
        let marked =
            !self.history.markers.is_empty() && self.readings.iter().any(|it| !it.is_fresh() && waits(it));
        let mut whole = self.readings.iter().filter(|it| it.to_end && it.start == 0);
        whole.any(|it| if it.is_fresh() { marked } else { waits(it) })
    }

    /// The anomalies in these readings. `by_class` are the messages of classes that are anomalies.
    fn anomalies(
        &self,
        readings: &[&Reading],
        by_class: &BTreeMap<&'static str, u64>,
    ) -> BTreeMap<&'static str, Counts> {
        let all: Vec<&Reading> = self.readings.iter().collect();
        let mut out: BTreeMap<&'static str, Counts> =
            Anomaly::ALL.iter().map(|anomaly| (anomaly.name(), Counts::default())).collect();
        let mut add = |name, count| out.entry(name).or_default().count += count;
        for name in ["lost", "skipped", "unreadable", "unread", "misplaced"] {
            add(name, by_class.get(name).copied().unwrap_or_default());
        }
        add("lost", self.lost_markers());
        add("unread", self.unread_markers());
        add("corrupt", offsets(readings, |_, slot| matches!(slot, Slot::Corrupt(_))));
        // Messages of another partition are misplaced.
        add("misplaced", offsets(readings, |_, slot| matches!(slot, Slot::Stray(_))));
        let foreign =
            |reading: &&Reading| reading.records().filter(|(_, slot)| *slot == Slot::Foreign).count();
        let whole = readings.iter().filter(|reading| !reading.is_recheck());
        add("foreign", whole.map(foreign).max().unwrap_or(0) as u64);
        add("resurrected", offsets(readings, |_, slot| slot == Slot::Resurrected));
        add("nonmonotonic", readings.iter().map(|reading| nonmonotonic(reading)).sum());
        // These need two readings, and the broker reports one end, so all readers share them.
        add("rewritten", self.held.keys().filter(|at| self.rewritten(**at)).count() as u64);
        if let Some(end) = self.history.reported_end {
            let above: BTreeSet<i64> = self.acked(|_| true).into_iter().filter(|at| *at >= end).collect();
            add("stale_end", above.len() as u64);
        }
        add("collided", self.acked_twice().len() as u64);
        let holding = self.history.streams.iter().filter(|sent| !self.by_leader_alone(sent.scenario));
        add("overtaken", holding.map(|sent| sent.overtaken.len() as u64).sum());
        let read = |message| readings.iter().any(|reading| reading.found(message));
        let phantoms =
            self.messages().filter(|(message, _, fate, _)| *fate == Fate::Failed && read(*message));
        add("phantom", phantoms.count() as u64);
        for stream in 0..self.history.streams.len() as u32 {
            for (name, seen) in [("duplicate", twice as fn(&Reading, Msg) -> bool), ("reordered", behind)] {
                let counts = out.entry(name).or_default();
                let sent = &self.history.streams[stream as usize];
                let by = |readings: &[&Reading]| -> Vec<u64> {
                    let seen = |seq: &u64| readings.iter().any(|reading| seen(reading, (stream, *seq)));
                    (0..sent.messages.len() as u64).filter(seen).collect()
                };
                let explained = explained(sent, &by(&all), name == "duplicate");
                for seq in by(readings) {
                    if explained.contains(&seq) {
                        counts.explained += 1;
                    } else if sent.lines_lost && may_be_explained(sent, seq, name == "duplicate") {
                        counts.undecided += 1;
                    } else {
                        counts.count += 1;
                    }
                }
            }
        }
        // Anomalies that were not measured have no count.
        let measured = |name: &str| match name {
            "rewritten" => self.read_twice(),
            "stale_end" => self.history.reported_end.is_some() && self.history.one_log,
            "collided" | "overtaken" => self.history.one_log,
            _ => true,
        };
        out.retain(|name, _| measured(name));
        out
    }

    /// The first class of the account's list that matches a message acked at an offset.
    ///
    /// Altered and rewritten records are the same for all. The rest depends on these readings.
    fn placed(&self, readings: &[&Reading], message: Msg, scenario: usize, offset: i64) -> &'static str {
        let any = |is: &dyn Fn(&Reading) -> bool| readings.iter().any(|reading| is(reading));
        let wants = |reading: &Reading| reading.wants(scenario, offset);
        let read = any(&|reading| reading.found_at(message, offset));
        let passed_without = |reading: &Reading| reading.passed(offset) && !reading.found_at(message, offset);
        // The newest of the clients that read past the offset.
        let last = readings.iter().rev().find(|reading| reading.is_fresh() && reading.passed(offset));
        let lies_there = last.is_some_and(|reading| reading.found_at(message, offset));
        if self.corrupt.contains(&offset) {
            "corrupt"
        } else if !lies_there && any(&|reading| passed_without(reading) && reading.found(message)) {
            // If a retry wrote two copies, the acked one may be removed.
            let twice = |(it, _, _, resent): (Msg, &Sent, Fate, Resent)| {
                it == message && resent == Resent::MaybeWritten
            };
            let other = self.holds_other(offset, &|it| !it.found_at(message, offset));
            match self.history.settings.message(message).filter(|_| !other) {
                Some(RemovalReason::Superseded) if self.messages().any(twice) => "superseded",
                Some(RemovalReason::Expired) if self.messages().any(twice) => "expired",
                Some(RemovalReason::Unclear) if self.messages().any(twice) => "unclear",
                _ => "misplaced",
            }
        } else if read && self.rewritten(offset) {
            match self.holds_now(message, offset) {
                true => "verified",
                false if self.by_leader_alone(scenario) => "dropped",
                false => "rewritten",
            }
        } else if any(&|reading| reading.is_recheck() && reading.passed(offset) && !reading.found(message)) {
            // A message that was removed after it was read keeps its class.
            match self.gone(message, scenario, read, Some(offset)) {
                "removed" | "unclear"
                    if missed_before(readings, &|it| wants(it) && passed_without(it), &|it| {
                        it.found_at(message, offset)
                    }) =>
                {
                    "skipped"
                }
                "removed"
                    if any(&|it| {
                        wants(it) && it.full && !it.passed(offset) && !it.found_at(message, offset)
                    }) =>
                {
                    "unread"
                }
                class => class,
            }
        } else if !read
            && any(&|reading| wants(reading) && reading.unreadable.is_some_and(|from| from <= offset))
        {
            "unreadable"
        } else if any(&|reading| wants(reading) && passed_without(reading))
            && any(&|reading| reading.is_fresh() && reading.found_at(message, offset))
        {
            "skipped"
        } else if any(&|reading| {
            wants(reading) && !reading.found_at(message, offset) && (reading.full || reading.passed(offset))
        }) {
            "unread"
        } else if read {
            "verified"
        } else {
            "unassigned"
        }
    }

    /// The same for a message that was acked without an offset: verified if it was found. Duplicates are judged
    /// separately, because a second copy may be legal.
    fn placeless(&self, readings: &[&Reading], message: Msg, scenario: usize) -> &'static str {
        let any = |is: &dyn Fn(&Reading) -> bool| readings.iter().any(|reading| is(reading));
        // Only a reading from the log start can miss a message that may be anywhere.
        let wants = |reading: &Reading| reading.wants(scenario, 0);
        let read = any(&|reading| reading.found(message));
        let missed = |reading: &Reading| reading.to_end && !reading.found(message);
        // Its place is where it was first read.
        let place = self.readings.iter().find_map(|reading| reading.place_of(message));
        if place.is_some_and(|place| self.corrupt.contains(&place)) {
            "corrupt"
        } else if any(&|reading| wants(reading) && reading.is_recheck() && missed(reading)) {
            match self.gone(message, scenario, read, place) {
                "removed" | "unclear"
                    if missed_before(readings, &|it| wants(it) && missed(it), &|it| it.found(message)) =>
                {
                    "skipped"
                }
                "removed" if any(&|it| wants(it) && it.full && !it.to_end && !it.found(message)) => "unread",
                class => class,
            }
        } else if any(&|reading| wants(reading) && missed(reading))
            && any(&|reading| reading.is_fresh() && reading.found(message))
        {
            "skipped"
        } else if any(&|reading| wants(reading) && missed(reading)) {
            "unread"
        } else if let Some(stuck) =
            readings.iter().find(|reading| wants(reading) && reading.full && !reading.found(message))
        {
            // The first one decides.
            if stuck.unreadable.is_some() && !read { "unreadable" } else { "unread" }
        } else if read {
            "verified"
        } else {
            "unassigned"
        }
    }

    fn lost_markers(&self) -> u64 {
        let lost = |marker: &&(u64, i64)| self.is_lost(**marker);
        self.history.markers.iter().filter(lost).count() as u64
    }

    /// End markers that an observer missed, that no fresh client found, and that could not be re-read. Also those that
    /// were not read although all messages were, because the audit ended between the messages and the end marker.
    ///
    /// If the topic's settings may have removed an end marker, it is unread too, unless the same applies to messages.
    fn unread_markers(&self) -> u64 {
        let unread = |marker: &&(u64, i64)| {
            let found =
                self.readings.iter().any(|reading| reading.is_fresh() && reading.has_marker(**marker));
            let missed = self.readings.iter().any(|reading| reading.missed_marker(**marker));
            let read = self.readings.iter().any(|reading| reading.has_marker(**marker));
            let stuck =
                |it: &Reading| it.observer == Observer::Audit && marker.1 >= it.start && !it.passed(marker.1);
            let alone = !self.accounts().values().any(|account| account.contains_key("unread"));
            let unclear = self.removed(**marker) == Some(RemovalReason::Unclear);
            (missed || !read && alone && self.readings.iter().any(stuck)) && !found && !self.is_gone(**marker)
                || unclear && self.is_gone(**marker) && self.count("unclear") == 0
        };
        self.history.markers.iter().filter(unread).count() as u64
    }

    fn is_lost(&self, marker: (u64, i64)) -> bool {
        self.is_gone(marker) && self.removed(marker).is_none()
    }

    /// The reason for the removal of an end marker.
    fn removed(&self, marker: (u64, i64)) -> Option<RemovalReason> {
        let other = self.holds_other(marker.1, &|it| it.missed_marker(marker));
        self.history.settings.marker(marker.0).filter(|_| !other)
    }

    /// Whether a re-read did not find it.
    fn is_gone(&self, marker: (u64, i64)) -> bool {
        self.readings.iter().any(|reading| reading.is_recheck() && reading.missed_marker(marker))
    }
}

/// Whether one of these readings missed it, and a fresh client found it later.
fn missed_before(
    readings: &[&Reading],
    missed: &dyn Fn(&Reading) -> bool,
    found: &dyn Fn(&Reading) -> bool,
) -> bool {
    let later = |at: usize| readings[at + 1..].iter().any(|reading| reading.is_fresh() && found(reading));
    readings.iter().enumerate().any(|(at, reading)| missed(reading) && later(at))
}

/// The name of the class in the account.
fn in_account(class: &'static str) -> &'static str {
    match class {
        "removed" => "verified",
        "dropped" => "unread",
        "unclear" => "expired",
        class => class,
    }
}

/// The number of offsets at which any of these readings found such a record.
fn offsets(readings: &[&Reading], is: impl Fn(i64, Slot) -> bool) -> u64 {
    let records = readings.iter().flat_map(|reading| reading.records());
    records.filter(|(at, slot)| is(*at, *slot)).map(|(at, _)| at).collect::<BTreeSet<_>>().len() as u64
}

/// Whether a message is at two or more offsets of one epoch.
fn twice(reading: &Reading, message: Msg) -> bool {
    reading.places(message).iter().any(|places| places.len() > 1)
}

/// Whether the first copy is after a later message of its stream in one epoch.
fn behind(reading: &Reading, (stream, seq): Msg) -> bool {
    let in_epoch = |epoch: &Vec<(i64, Slot)>| {
        let before =
            epoch.iter().map(|(_, slot)| *slot).take_while(|slot| *slot != Slot::Message((stream, seq)));
        let is_later = |slot| matches!(slot, Slot::Message((s, q)) if s == stream && q > seq);
        before.clone().count() < epoch.len() && before.into_iter().any(is_later)
    };
    reading.epochs.iter().any(in_epoch)
}

/// Whether a retry may have written it twice, or out of order. An unknown message may be written at any later time.
fn may_be_explained(sent: &Sent, seq: u64, twice: bool) -> bool {
    let (fate, resent) = sent.messages[seq as usize];
    resent == Resent::MaybeWritten || (!twice && (resent != Resent::No || fate == Fate::Unknown))
}

/// Those of a stream's messages that were resent: at most as many as were requeued, in at most as many consecutive runs
/// as batches were requeued. An unknown message may be late without a retry.
fn explained(sent: &Sent, seen: &[u64], twice: bool) -> BTreeSet<u64> {
    let (late, resent): (Vec<u64>, Vec<u64>) = seen
        .iter()
        .filter(|seq| may_be_explained(sent, **seq, twice))
        .partition(|seq| !twice && sent.messages[**seq as usize].0 == Fate::Unknown);
    let back: Vec<u64> =
        sent.back.iter().filter(|(_, maybe)| *maybe || !twice).map(|(messages, _)| *messages).collect();
    let mut runs: Vec<Vec<u64>> = Vec::new();
    for seq in resent {
        match runs.last_mut().filter(|run| run.last() == Some(&(seq - 1))) {
            Some(run) => run.push(seq),
            None => runs.push(vec![seq]),
        }
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs.truncate(back.len());
    let most = back.iter().sum::<u64>() as usize;
    late.into_iter().chain(runs.into_iter().flatten().take(most)).collect()
}

/// The number of records at or below an earlier offset of their epoch.
fn nonmonotonic(reading: &Reading) -> u64 {
    let in_epoch = |epoch: &Vec<(i64, Slot)>| {
        let back =
            |(index, (at, _)): &(usize, &(i64, Slot))| epoch[..*index].iter().any(|(other, _)| other >= at);
        epoch.iter().enumerate().filter(back).count() as u64
    };
    reading.epochs.iter().map(in_epoch).sum()
}

/// Passes a reading to the ledger, record by record.
fn reads(streams: &Streams, reading: &Reading) -> PartitionReads {
    let mut reads = PartitionReads::new(RUN, 0, 0);
    let open = |kind, stream, seq, intact| {
        let identity = Identity { run: RUN, stream: StreamId(stream), seq };
        Opened::Kaf6 { envelope: Envelope { kind, identity, due_us: 0 }, intact }
    };
    for (number, epoch) in reading.epochs.iter().enumerate() {
        if number > 0 {
            reads.reset();
        }
        for (at, slot) in epoch {
            let opened = match slot {
                Slot::Message((stream, seq)) => open(RecordKind::Message, *stream, *seq, true),
                Slot::Corrupt((stream, seq)) => open(RecordKind::Message, *stream, *seq, false),
                Slot::Stray(seq) => open(RecordKind::Message, STRAY, *seq, true),
                Slot::Foreign | Slot::Resurrected => Opened::Foreign,
                Slot::Marker(number) => open(RecordKind::EndMarker, 0, *number, true),
            };
            reads.see(streams, *at, opened, 0, |_| CheckedUuid::Fine);
            if *slot == Slot::Resurrected {
                reads.see_resurrected(*at);
            }
        }
    }
    reads
}

fn pass<'a>(reading: &'a Reading, reads: &'a PartitionReads) -> Pass<'a> {
    Pass {
        to_end: reading.to_end,
        passed_to: reading.passed_to,
        full: reading.full,
        unreadable: reading.unreadable,
        producers: reading.producers.as_deref(),
        ..Pass::new(reading.observer, reads, reading.start)
    }
}

/// All streams of the run: those of this partition, and one of another partition.
fn streams(history: &History) -> Streams {
    let mut streams = Streams::default();
    for number in 0..=STRAY {
        let scenario = history.streams.get(number as usize).map_or(0, |sent| sent.scenario);
        let info = StreamInfo {
            scenario,
            client: number,
            topic: 0,
            partition: 0,
            has_uuid: false,
            roundtrip: false,
        };
        streams.add(&info, [i32::from(number == STRAY)]);
    }
    streams
}

fn sent_log(sent: &Sent) -> SentLog {
    let mut log = SentLog::default();
    for (messages, maybe_written) in &sent.back {
        log.went_back(0, "x", *messages, *maybe_written);
    }
    if sent.lines_lost {
        log.lost_lines(0, "x");
    }
    for (fate, resent) in &sent.messages {
        let seq = log.next_seq();
        match fate {
            Fate::Acked(offset) => log.acked(seq, *offset, *resent),
            Fate::Nowhere => log.acked_nowhere(seq, 1, *resent),
            Fate::Failed => log.failed(seq, *resent),
            Fate::Unknown => log.unknown(seq, *resent),
        }
    }
    for (seq, offset, ahead) in &sent.overtaken {
        log.was_overtaken(*seq, *offset, *ahead, false);
    }
    log
}

fn named(account: &Account) -> BTreeMap<&'static str, u64> {
    Account::CLASSES.iter().map(|(name, count)| (*name, count(account))).filter(|(_, n)| *n > 0).collect()
}

fn counted(judgement: &Judgement) -> BTreeMap<&'static str, Counts> {
    judgement.counts.iter().map(|(anomaly, counts)| (anomaly.name(), *counts)).collect()
}

/// The result of a partition: accounts, measured anomalies, those of each reader with the number of messages it had to
/// find, and further counts.
type Outcome = (
    BTreeMap<usize, BTreeMap<&'static str, u64>>,
    BTreeMap<&'static str, Counts>,
    Vec<(u64, BTreeMap<&'static str, Counts>)>,
    BTreeMap<&'static str, u64>,
);

/// The offsets of messages and end markers that one reading passed without finding them; `None` for messages that may
/// be anywhere.
fn missed(history: &History, reading: &Reading) -> Vec<Option<i64>> {
    let judged =
        history.streams.iter().enumerate().filter(|(_, sent)| !history.excluded.contains(&sent.scenario));
    let mut out = Vec::new();
    for (stream, sent) in judged {
        for (seq, (fate, _)) in sent.messages.iter().enumerate() {
            let place = match fate {
                Fate::Acked(offset) => Some(*offset),
                Fate::Nowhere => None,
                Fate::Failed | Fate::Unknown => continue,
            };
            let passed = place.map_or(reading.to_end, |offset| reading.passed(offset));
            let message = (stream as u32, seq as u64);
            let altered = |(at, slot)| Some(at) == place && matches!(slot, Slot::Corrupt(_));
            if passed
                && reading.wants(sent.scenario, place.unwrap_or(0))
                && !place.map_or_else(|| reading.found(message), |offset| reading.found_at(message, offset))
                && !reading.records().any(altered)
            {
                out.push(place);
            }
        }
    }
    for (number, offset) in &history.markers {
        if reading.passed(*offset)
            && !reading.records().any(|record| record == (*offset, Slot::Marker(*number)))
        {
            out.push(Some(*offset));
        }
    }
    out
}

/// The ledger's result, and the re-reads that it requested.
fn ledger(history: &History) -> Result<(Outcome, Vec<Reading>), TestCaseError> {
    let streams = streams(history);
    let sent: HashMap<StreamId, SentLog> =
        (0..).map(StreamId).zip(history.streams.iter().map(sent_log)).collect();
    let ids: Vec<StreamId> = (0..history.streams.len() as u32).map(StreamId).collect();
    let markers: Vec<Marker> =
        history.markers.iter().map(|(number, offset)| Marker { number: *number, offset: *offset }).collect();
    let found: Vec<PartitionReads> =
        history.readings.iter().map(|reading| reads(&streams, reading)).collect();
    let mut passes: Vec<Pass<'_>> =
        history.readings.iter().zip(&found).map(|(reading, reads)| pass(reading, reads)).collect();
    let unread = PartitionCase {
        streams: &streams,
        sent: &sent,
        place: (0, 0),
        ids: &ids,
        passes: &[],
        excluded: &history.excluded,
        markers: &markers,
        leaders_alone: &history.leaders_alone,
        leader_changed: true,
        one_log: history.one_log,
        earlier: None,
        removals: &history.settings,
        reported_end: history.reported_end,
    };
    let case = PartitionCase { passes: &passes, ..unread };
    let mut again = Vec::new();
    for (number, pass) in passes.iter().enumerate() {
        let suspects = case.suspects(pass);
        let missed = missed(history, &history.readings[number]);
        prop_assert_eq!(suspects.count, missed.len() as u64, "suspects of {:?}", pass.observer);
        prop_assert_eq!(suspects.anywhere, missed.contains(&None), "suspects of {:?}", pass.observer);
        let places = || missed.iter().flatten().copied();
        let (first, last) = suspects.range.unwrap_or((i64::MAX, i64::MIN));
        if suspects.anywhere {
            let end = history.markers.iter().map(|(_, at)| *at).max().unwrap_or(0);
            prop_assert!(
                first == 0 && places().all(|at| at <= last) && end <= last,
                "a re-read of the whole log"
            );
        } else {
            prop_assert_eq!((places().min(), places().max()), suspects.range.unzip());
        }
        if let Some(range) = suspects.range {
            again.push(reread(
                &history.again,
                range,
                suspects.anywhere,
                history.agains[number],
                &history.markers,
            ));
        }
    }
    let found: Vec<PartitionReads> = again.iter().map(|reading| reads(&streams, reading)).collect();
    passes.extend(again.iter().zip(&found).map(|(reading, reads)| pass(reading, reads)));
    let judged = judge(&PartitionCase { passes: &passes, ..unread });
    for account in judged.accounts.values() {
        prop_assert_eq!(account.check_sent(), Ok(()));
    }
    for anomaly in Anomaly::ALL {
        let counts = judged.judgement.counts.get(&anomaly).copied().unwrap_or_default();
        let rows: Vec<_> =
            judged.judgement.evidence.iter().filter(|piece| piece.anomaly == anomaly).collect();
        let shown: u64 = rows.iter().map(|piece| piece.messages()).sum();
        let all = counts.count + counts.explained + counts.undecided;
        prop_assert!(rows.len() <= 20, "evidence of {}", anomaly.name());
        match anomaly {
            // The highest count of one observer, with evidence of all observers.
            Anomaly::Foreign => {}
            // One piece of evidence for each message that was acked at the offset.
            Anomaly::StaleEnd | Anomaly::Collided => {
                prop_assert!(shown >= all.min(20), "evidence of {}", anomaly.name());
            }
            // Not all of them are kept as evidence.
            Anomaly::Overtaken | Anomaly::Corrupt | Anomaly::Misplaced | Anomaly::Resurrected => {
                prop_assert!((all.min(20)..=all).contains(&shown), "evidence of {}", anomaly.name());
            }
            _ if rows.len() == 20 => {
                prop_assert!((20..=all).contains(&shown), "evidence of {}", anomaly.name());
            }
            _ => prop_assert_eq!(shown, all, "evidence of {}", anomaly.name()),
        }
    }
    let accounts = judged.accounts.iter().map(|(scenario, account)| (*scenario, named(account)));
    let readers = judged.readers.iter().map(|reader| (reader.wanted, counted(&reader.judgement)));
    let beside = BTreeMap::from([
        ("lost markers", judged.lost_markers),
        ("unread markers", judged.unread_markers),
        ("removed later", judged.removed_later),
        ("dropped", judged.accounts.values().map(|account| account.dropped).sum()),
        ("unclear", judged.accounts.values().map(|account| account.unclear).sum()),
    ]);
    Ok(((accounts.collect(), counted(&judged.judgement), readers.collect(), beside), again))
}

/// The model's result.
fn model(history: &History, again: Vec<Reading>) -> Outcome {
    let model = Model::new(history, again);
    let accounts = model.accounts();
    let mut by_class: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (name, count) in accounts.values().flatten() {
        *by_class.entry(name).or_default() += count;
    }
    let all: Vec<&Reading> = model.readings.iter().collect();
    let anomalies = model.anomalies(&all, &by_class);
    let mut readers = Vec::new();
    for own in model.readings.iter().filter(|reading| !reading.is_fresh()) {
        // The reader's own reading, and those of fresh clients.
        let view: Vec<&Reading> =
            model.readings.iter().filter(|other| std::ptr::eq(*other, own) || other.is_fresh()).collect();
        let mut by_class: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut wanted = 0;
        for (message, sent, fate, _) in model.messages() {
            let (offset, reached) = match fate {
                Fate::Acked(offset) => (offset, own.passed(offset)),
                Fate::Nowhere => (own.start, own.to_end),
                Fate::Failed | Fate::Unknown => continue,
            };
            if !own.wants(sent.scenario, offset) || history.excluded.contains(&sent.scenario) {
                continue;
            }
            wanted += 1;
            // Its own reading decides about what it did not reach. For the rest, fresh clients decide too.
            let class = if reached || own.found(message) {
                model.class(&view, message, sent, fate)
            } else if own.unreadable.is_some_and(|from| from <= offset) {
                "unreadable"
            } else if own.full {
                "unread"
            } else {
                "unassigned"
            };
            *by_class.entry(in_account(class)).or_default() += 1;
        }
        readers.push((wanted, model.anomalies(&view, &by_class)));
    }
    let beside = BTreeMap::from([
        ("lost markers", model.lost_markers()),
        ("unread markers", model.unread_markers()),
        ("removed later", model.count("removed")),
        ("dropped", model.count("dropped")),
        ("unclear", model.count("unclear")),
    ]);
    (accounts, anomalies, readers, beside)
}

/// Random histories to compare: few, so that unit tests take seconds, and many with `KAF6_LONG=1`, as in CI.
fn cases() -> u32 {
    if std::env::var_os("KAF6_LONG").is_some_and(|long| long == "1") { 2000 } else { 200 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn the_ledger_agrees_with_the_definitions(history in history()) {
        let (found, again) = ledger(&history)?;
        let expected = model(&history, again.clone());
        prop_assert_eq!(&found.0, &expected.0, "accounts; re-reads: {:?}", again);
        prop_assert_eq!(&found.3, &expected.3, "re-reads: {:?}", again);
        prop_assert_eq!(&found.1, &expected.1, "anomalies; re-reads: {:?}", again);
        prop_assert_eq!(&found.2, &expected.2, "readers; re-reads: {:?}", again);
    }
}

/// Classes and anomalies that never occur would never be compared.
#[test]
fn the_histories_hold_every_class_and_every_anomaly() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut classes, mut anomalies) = (BTreeSet::new(), BTreeSet::new());
    let (mut beside, mut not_measured) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..400 {
        let history = history().new_tree(&mut runner).expect("a history").current();
        let (_, again) = ledger(&history).expect("judged");
        let (accounts, seen, _, others) = model(&history, again);
        classes.extend(accounts.into_values().flat_map(BTreeMap::into_keys));
        not_measured.extend(Anomaly::ALL.iter().map(|it| it.name()).filter(|name| !seen.contains_key(name)));
        for (name, counts) in seen {
            let each =
                [("", counts.count), ("explained ", counts.explained), ("undecided ", counts.undecided)];
            anomalies.extend(each.iter().filter(|(_, n)| *n > 0).map(|(how, _)| format!("{how}{name}")));
        }
        beside.extend(others.into_iter().filter(|(_, n)| *n > 0).map(|(name, _)| name));
    }
    let never = ["planned", "unsent", "permitted"];
    let made = Account::CLASSES.iter().map(|(name, _)| *name).filter(|name| !never.contains(name));
    assert_eq!(classes, made.collect());
    let retries =
        ["duplicate", "reordered"].map(|name| [format!("explained {name}"), format!("undecided {name}")]);
    let all = Anomaly::ALL.iter().map(|anomaly| anomaly.name().to_owned());
    assert_eq!(anomalies, all.chain(retries.into_iter().flatten()).collect());
    let all = ["lost markers", "unread markers", "removed later", "dropped", "unclear"];
    assert_eq!(beside, BTreeSet::from(all));
    assert_eq!(not_measured, BTreeSet::from(["rewritten", "stale_end", "collided", "overtaken"]));
}
