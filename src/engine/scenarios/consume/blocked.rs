//! Blocked readers: the broker does not know their partition, or answers without a record.
//!
//! Decides when to send which request, and evaluates the answers.

use std::time::Instant;

use super::consumer::Consumer;
use super::place::{PartitionPosition, seconds};
use super::prober::{Fresh, ProbeAnswer, Prober};
use super::still;
use super::window::BrokerAnswer;
use crate::engine::messages::ends::Unreadable;
use crate::ids::{Offset, Partition};
use crate::kafka::probe::{FetchProbe, NoFetch};
use crate::kafka::{self, Code, ReaderSet};
use crate::observe::Note;

const OUT_OF_RANGE: Code = Code(1);

/// The next action for a blocked reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockedAction {
    /// The broker rejects the offset as out of range: request the start and the end of the log.
    AskWhere(Partition),
    /// No client can read the batch at this offset: continue after it.
    Pass(Partition),
}

/// The blocked readers of one thread.
pub(super) struct Blocked<'a> {
    consumer: &'a Consumer,
    client: &'a kafka::Client,
    prober: Prober,
    /// Whether the reader reads only committed records.
    committed: bool,
    /// Whether SASL is enabled, which the wire probe does not support. Then only librdkafka reports errors.
    sasl: bool,
    known_asked: Instant,
}

impl<'a> Blocked<'a> {
    pub(super) fn new(consumer: &'a Consumer, client: &'a kafka::Client) -> Self {
        Self {
            consumer,
            client,
            prober: Prober::default(),
            committed: client.reads_committed(),
            sasl: false,
            known_asked: Instant::now(),
        }
    }

    /// Whether a reader waits for something that only the broker can provide: a partition that it does not know, or a
    /// record within `run.unreadable_after`. `idle_timeout` does not end such a reader.
    pub(super) fn holds(places: &[PartitionPosition], set: &ReaderSet) -> bool {
        places.iter().any(|place| {
            let unknown = place.unknown.is_some_and(|unknown| unknown.confirmed);
            !place.over && (unknown || (place.waits_for_records(set) && place.window.is_open()))
        })
    }

    /// Processes an answer and sends the next request. Returns the action for a reader.
    pub(super) fn turn(
        &mut self,
        set: &mut ReaderSet,
        places: &mut [PartitionPosition],
        now: Instant,
    ) -> Option<BlockedAction> {
        let mut way = None;
        match self.prober.take() {
            Some((_, _, ProbeAnswer::Known(Some(partitions)))) => self.known(set, places, &partitions, now),
            Some((_, _, ProbeAnswer::Known(None))) => {
                for unknown in places.iter_mut().filter_map(|place| place.unknown.as_mut()) {
                    unknown.counted_from = now;
                }
            }
            None => {}
            Some((partition, at, found)) => {
                let place = places.iter_mut().find(|place| place.partition == partition);
                if let Some(place) = place.filter(|p| p.waits_for_records(set) && p.at(set) == at) {
                    match found {
                        ProbeAnswer::Look(found) => {
                            way = self.look(set, place, at, found, now).map(BlockedAction::AskWhere);
                        }
                        ProbeAnswer::Fresh(found) => {
                            way = self.fresh(set, place, at, &found, now).map(BlockedAction::Pass);
                        }
                        ProbeAnswer::Known(_) => {}
                    }
                }
            }
        }
        if self.prober.is_free() {
            self.ask(set, places, now);
        }
        way
    }

    fn ask(&mut self, set: &ReaderSet, places: &mut [PartitionPosition], now: Instant) {
        let waits = *self.client.waits();
        let unknown = places.iter().any(|place| !place.over && place.unknown.is_some());
        if unknown && now.saturating_duration_since(self.known_asked) >= waits.ask {
            self.known_asked = now;
            self.prober.known(self.client, &self.consumer.name);
            return;
        }
        let due = places.iter_mut().filter(|place| {
            now.saturating_duration_since(place.looked) >= waits.ask
                && now.saturating_duration_since(place.still_since) >= waits.still
                && place.waits_for_records(set)
        });
        let Some(place) = due.min_by_key(|place| place.looked) else { return };
        place.looked = now;
        if place.still_since > place.window.since {
            place.window.restart(place.still_since);
        }
        let at = place.at(set);
        let name = &self.consumer.name;
        if place.window.is_over(self.consumer.context.plan.unreadable_after, now) {
            self.prober.fresh(self.client, name, place.partition, at);
        } else if self.sasl {
            self.look_by_librdkafka(set, place, at, now);
        } else {
            self.prober.look(self.client, name, place.partition, at);
        }
    }

    fn look(
        &mut self,
        set: &ReaderSet,
        place: &mut PartitionPosition,
        at: Offset,
        found: Result<FetchProbe, NoFetch>,
        now: Instant,
    ) -> Option<Partition> {
        if matches!(found, Err(NoFetch::Sasl)) {
            self.sasl = true;
            return None;
        }
        if !std::mem::replace(&mut place.still_told, true) {
            still::note(self.consumer, set, (place.partition, at), self.client.waits(), &found);
        }
        let probe = match found {
            Ok(probe) => probe,
            Err(why) => {
                place.window.not_counted(now);
                if matches!(why, NoFetch::Unknown(_)) {
                    place.is_unknown(self.consumer.context.clock.us(now), true);
                }
                return None;
            }
        };
        let mut look = BrokerAnswer::of(&probe, at, self.committed);
        if look.records {
            set.refresh(place.partition);
        }
        if look.code == OUT_OF_RANGE {
            // A broker's error may hide that the log has moved. The reader requests its offsets, and then gets an error
            // or continues at another offset.
            let waits = self.client.waits();
            let Some((low, high)) = place.refused_within(waits.still.max(waits.ask * 3), now) else {
                return Some(place.partition);
            };
            (look.start, look.end) = (Some(low), Some(high));
        }
        self.count(place, &look, at, now);
        None
    }

    /// Without the probe: if the broker answers an offset request on the reader's own connection, it has
    /// answered the fetch before it, and librdkafka has reported its error.
    fn look_by_librdkafka(&self, set: &ReaderSet, place: &mut PartitionPosition, at: Offset, now: Instant) {
        let error = place.error.take();
        match set.watermarks(place.partition, self.client.waits().answer) {
            Ok((low, high)) if !error.is_some_and(Code::is_local) => {
                let stable = Some(high).filter(|_| self.committed);
                let code = error.unwrap_or(Code::NONE);
                let look = BrokerAnswer { code, records: false, start: Some(low), end: Some(high), stable };
                self.count(place, &look, at, now);
            }
            _ => place.window.not_counted(now),
        }
    }

    fn count(&self, place: &mut PartitionPosition, look: &BrokerAnswer, at: Offset, now: Instant) {
        let held_up = place.window.see(look, (at, place.wanted.unwrap_or(at)), now);
        if let (Some(stable), None) = (held_up, place.last_stable) {
            self.consumer.context.notes.add(Note::warning(format!(
                "partition {} of `{}`: an open transaction blocks the reader at offset {stable}, \
                the last stable offset; with `isolation.level: read_committed` it cannot read any \
                further",
                place.partition, self.consumer.name
            )));
        }
        place.last_stable = held_up;
    }

    /// Evaluates the result of a fresh client at the end of the time. Returns the partition if the fresh client could
    /// not read what the broker returns either.
    fn fresh(
        &self,
        set: &mut ReaderSet,
        place: &mut PartitionPosition,
        at: Offset,
        found: &Fresh,
        now: Instant,
    ) -> Option<Partition> {
        match found {
            Fresh::Nothing if place.window.is_given() => {
                place.window.restart(now);
                return Some(place.partition);
            }
            Fresh::Record => {
                place.window.restart(now);
                set.restart(place.partition);
            }
            Fresh::Unreached => place.window.not_counted(now),
            Fresh::Nothing => {
                let clock = &self.consumer.context.clock;
                let unreadable = Unreadable {
                    from: at,
                    answers: place.window.answers(),
                    since_us: clock.us(place.window.since),
                    until_us: clock.us(now),
                };
                self.consumer.context.notes.add(Note::error(format!(
                    "partition {} of `{}`: a reachable broker returned no record from offset {at} \
                    on for {:.1} s ({}), neither to the reader nor to a fresh client",
                    place.partition,
                    self.consumer.name,
                    seconds(unreadable.until_us.saturating_sub(unreadable.since_us)),
                    unreadable.answers
                )));
                place.unreadable = Some(unreadable);
                place.over = true;
            }
        }
        None
    }

    /// Evaluates which partitions the broker knows now.
    fn known(
        &self,
        set: &mut ReaderSet,
        places: &mut [PartitionPosition],
        partitions: &[Partition],
        now: Instant,
    ) {
        let now_us = self.consumer.context.clock.us(now);
        for place in places.iter_mut().filter(|place| !place.over) {
            let Some(unknown) = &mut place.unknown else { continue };
            if !partitions.contains(&place.partition) {
                unknown.confirmed = true;
                self.consumer.tell_unknown();
                // For a run, the file limits the reader's time. For `kaf6 verify`, it is one hour, which the user did
                // not choose.
                let context = &self.consumer.context;
                place.over = context.saved.is_some() && place.is_gone(context.plan.unreadable_after, now);
                continue;
            }
            if unknown.confirmed {
                self.consumer.context.notes.add(Note::warning(format!(
                    "partition {} of `{}` was unknown to the broker from {:.1} s to {:.1} s; its reader then continued",
                    place.partition,
                    self.consumer.name,
                    seconds(unknown.since_us),
                    seconds(now_us)
                )));
            }
            place.unknown = None;
            place.window.restart(now);
            place.still_since = now;
            set.restart(place.partition);
        }
    }
}
