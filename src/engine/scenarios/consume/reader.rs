//! The loop of a reading thread: books records, and detects ends and stalls that no record shows.
//!
//! `blocked` decides when to send requests about a blocked reader.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use super::backlog::Backlog;
use super::batch::DrainCounts;
use super::blocked::{Blocked, BlockedAction};
use super::consumer::{Consumer, End};
use super::place::PartitionPosition;
use crate::engine::context::stop::LOOK;
use crate::engine::messages::end_marker::{DecidedMarkers, EndMarkerState};
use crate::engine::messages::sight;
use crate::engine::messages::sight::RecordMatcher;
use crate::ids::{Offset, Partition};
use crate::kafka::{self, ReadEvent, ReaderSet, Record};
use crate::ledger::envelope::Opened;
use crate::ledger::{CheckedUuid, Seen};
use crate::metrics::Recorder;
use crate::observe::Note;
use crate::plan::{ConsumePlan, From, StartOffset};

/// Events per loop, after which counts are added and timeouts are checked.
const BATCH: usize = 10_000;

pub(super) struct ReadLoop<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) deadline: Instant,
    pub(super) plan: &'a ConsumePlan,
    pub(super) sight: RecordMatcher<'a>,
    pub(super) recorder: Recorder<'a>,
    pub(super) places: Vec<PartitionPosition>,
    pub(super) client: &'a kafka::Client,
    /// When the last record arrived, or when the end marker was decided.
    pub(super) touched: Instant,
    pub(super) compared: u64,
    pub(super) wrong: u64,
    pub(super) backlog: Backlog,
}

impl ReadLoop<'_> {
    /// Reads until everything is read or the timeout.
    pub(super) fn read(
        &mut self,
        set: &mut ReaderSet,
        mut end_marker: oneshot::Receiver<watch::Receiver<EndMarkerState>>,
    ) -> End {
        let context = Arc::clone(&self.consumer.context);
        let mut state: Option<watch::Receiver<EndMarkerState>> = None;
        let mut decided = self.plan.from == From::Any;
        let mut blocked = Blocked::new(self.consumer, self.client);
        loop {
            if set.wait(LOOK.min(self.deadline.saturating_duration_since(Instant::now()))) {
                self.drain(set);
            }
            let now = Instant::now();
            self.recorder.turn(context.clock.us(now));
            if !decided {
                state = state.or_else(|| end_marker.try_recv().ok());
                if let Some(EndMarkerState::Decided(found)) = state.as_ref().map(|s| s.borrow().clone()) {
                    let DecidedMarkers { at, markers, acked } = found;
                    decided = true;
                    self.touched = self.touched.max(at);
                    for place in &mut self.places {
                        let end_marker = markers.get(&place.partition).map(|r| r.as_ref().ok().copied());
                        place.decide(end_marker, acked.get(&place.partition).copied(), at);
                        place.pace.restart(set.position(place.partition).unwrap_or(place.start), now);
                    }
                }
            }
            self.look(set, decided, now);
            if let Some(way) = blocked.turn(set, &mut self.places, now) {
                self.go(set, way);
            }
            if self.limit_reached() {
                self.places.iter_mut().filter(|place| !place.over).for_each(PartitionPosition::finish);
            } else {
                self.backlog.look(&mut self.recorder, &self.places, set, context.clock.us(now));
            }
            if self.places.iter().all(|place| place.over) {
                return End::Done;
            }
            if context.stop.is_stopped() {
                return End::Done;
            }
            if now >= self.deadline {
                return End::Timeout;
            }
            if decided && Blocked::holds(&self.places, set) {
                // Its idle time starts when it waits for nothing else.
                self.touched = now;
            }
            if decided && now.saturating_duration_since(self.touched) >= self.plan.idle_timeout {
                return End::Idle;
            }
        }
    }

    /// The message limit; `None` for a reader that must see everything that was sent.
    fn limit(&self) -> Option<u64> {
        let judges = self.plan.from == From::Run && !self.plan.producers.is_empty() && !self.plan.partial;
        self.plan.limit.filter(|_| !judges)
    }

    fn limit_reached(&self) -> bool {
        self.limit().is_some_and(|limit| self.consumer.taken.load(Ordering::Relaxed) >= limit)
    }

    /// Takes one message of the limit that all clients share. Returns false if the limit is reached.
    fn may_take(&self) -> bool {
        let Some(limit) = self.limit() else { return true };
        let more = |taken| (taken < limit).then_some(taken + 1);
        self.consumer.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn drain(&mut self, set: &mut ReaderSet) {
        let now = Instant::now();
        let now_us = self.consumer.context.clock.us(now);
        let mut batch = DrainCounts::default();
        set.drain(BATCH, &mut |event| self.event(event, now, now_us, &mut batch));
        batch.hand_over(&mut self.recorder, now_us);
    }

    fn event(&mut self, event: ReadEvent<'_>, now: Instant, now_us: u64, batch: &mut DrainCounts) {
        match event {
            ReadEvent::Record(record) => self.record(&record, now, now_us, batch),
            ReadEvent::Reset { partition, from, to, anew, text, .. } => {
                self.reset(partition, from, to, anew, &text);
                self.recorder.error(now_us, "OFFSET_RESET");
            }
            ReadEvent::Refused { partition, offset, code, low, high } => {
                self.recorder.error(now_us, &code.name());
                if let Some(place) = self.places.iter_mut().find(|p| p.partition == partition) {
                    place.refused(offset, code, (low, high));
                }
            }
            ReadEvent::BadBatch { partition, from, to, text } => {
                self.recorder.error(now_us, "BAD_BATCH");
                let Some(place) = self.places.iter_mut().find(|p| p.partition == partition) else { return };
                place.reads.see_bad_batch(from, to, now_us);
                place.still_since = now;
                self.touched = now;
                sight::note_bad_batch(
                    &self.consumer.context,
                    &self.consumer.name,
                    partition,
                    (from, to),
                    &text,
                );
            }
            ReadEvent::Error { partition, code, .. } => {
                self.recorder.error(now_us, &code.name());
                let Some(place) = self.places.iter_mut().find(|p| p.partition == partition) else { return };
                place.error = Some(code);
                if code.means_gone() {
                    place.is_unknown(now_us, false);
                }
            }
        }
    }

    fn record(&mut self, record: &Record<'_>, now: Instant, now_us: u64, batch: &mut DrainCounts) {
        let Some(at) = self.places.iter().position(|p| p.partition == record.partition) else { return };
        // After its limit, the reader ignores all records, including the end marker. Otherwise it would count as having
        // read everything in between.
        if self.places[at].over || self.limit_reached() {
            return;
        }
        let opened = sight::open(record);
        let counts = match self.plan.from {
            From::Any => !opened.is_end_marker(),
            From::Run => self.limit().is_some() && self.places[at].reads.is_new(self.sight.streams, &opened),
        };
        if counts && !self.may_take() {
            // The record is beyond the limit, regardless of the other clients.
            return;
        }
        let place = &mut self.places[at];
        self.touched = now;
        place.still_since = now;
        let bytes = (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
        if self.plan.from == From::Any {
            place
                .reads
                .see(self.sight.streams, record.offset, Opened::Foreign, now_us, |_| CheckedUuid::Fine);
            if counts {
                batch.received += 1;
                batch.bytes += bytes;
            }
        } else {
            let (compared, wrong) = (&mut self.compared, &mut self.wrong);
            let seen = self.sight.see(&mut place.reads, record, opened, now_us, |checked| {
                *compared += 1;
                *wrong += u64::from(checked == CheckedUuid::Wrong);
            });
            match seen {
                Seen::Fresh { due_us } => {
                    batch.received += 1;
                    batch.records += 1;
                    batch.bytes += bytes;
                    let due = self.consumer.context.clock.of_run(due_us);
                    if place.caught_up_us.is_some_and(|caught_up| due >= caught_up) {
                        self.recorder.latency(now_us, now_us.saturating_sub(due));
                    }
                }
                Seen::Repeat | Seen::Corrupt | Seen::Stray => {
                    batch.records += 1;
                    batch.bytes += bytes;
                }
                Seen::Foreign => batch.foreign += 1,
                // Only a reader that kaf6 added counts these messages.
                Seen::Roundtrip { fresh } if self.plan.readback => {
                    batch.received += u64::from(fresh);
                    batch.records += 1;
                    batch.bytes += bytes;
                }
                Seen::Roundtrip { .. } | Seen::OldEndMarker | Seen::EndMarker(_) => {}
            }
        }
        if place.caught_up_us.is_none() && place.end_at_start.is_some_and(|end| record.offset + 1 >= end) {
            place.caught_up_us = Some(now_us);
        }
        place.look_at_end_marker();
    }

    fn reset(&mut self, partition: Partition, from: Offset, to: Option<Offset>, anew: bool, text: &str) {
        let Some(place) = self.places.iter_mut().find(|p| p.partition == partition) else { return };
        let name = &self.consumer.name;
        let onward = to.map_or_else(|| "its start".to_owned(), |to| format!("offset {to}"));
        let embedded = if self.client.is_embedded() {
            "; the embedded broker keeps only the newest 5 MiB or so of a partition"
        } else {
            ""
        };
        let text = if anew {
            place.reads.reset();
            format!(
                "partition {partition} of `{name}`: the log was truncated or recreated at offset \
                {from} ({text}); reading continues at {onward}{embedded}"
            )
        } else {
            format!(
                "partition {partition} of `{name}`: the broker had removed the records before \
                {onward} when its reader reached offset {from}; reading continues there{embedded}"
            )
        };
        self.consumer.context.notes.add(Note::warning(text));
    }

    /// Lets a blocked reader continue.
    fn go(&mut self, set: &mut ReaderSet, way: BlockedAction) {
        let now = Instant::now();
        let now_us = self.consumer.context.clock.us(now);
        let mut batch = DrainCounts::default();
        let on = &mut |event: ReadEvent<'_>| self.event(event, now, now_us, &mut batch);
        match way {
            BlockedAction::AskWhere(partition) => set.refused(partition, on),
            BlockedAction::Pass(partition) => set.pass_bad_batch(partition, on),
        }
        batch.hand_over(&mut self.recorder, now_us);
    }

    /// Checks for states that no record shows: an end marker that was read before it was known, the end of the log, a
    /// slow reader.
    fn look(&mut self, set: &mut ReaderSet, decided: bool, now: Instant) {
        let ends_by_watermark = self.plan.from == From::Run || self.plan.limit.is_none();
        let mut given_time = false;
        // After its limit, a reader's position does not show what it has processed.
        let limited = self.limit_reached();
        for at in 0..self.places.len() {
            let place = &mut self.places[at];
            place.look_at_end_marker();
            if let Some(Some(end_marker)) = place.end_marker
                && !place.over
                && !limited
                && set.position(place.partition).is_some_and(|position| position > end_marker.offset)
            {
                // Either the log was recreated and no answer of the broker reveals it, or the end marker itself is
                // missing. In the second case, the reader passes its offset again.
                if place.sent_back {
                    place.reached_end_marker = true;
                    place.finish();
                } else {
                    self.send_back(
                        set,
                        at,
                        &format!("the end marker was acked later, at offset {}", end_marker.offset),
                    );
                }
                continue;
            }
            if place.over
                || place.unknown.is_some()
                || now.saturating_duration_since(place.asked) < self.client.waits().ask
            {
                continue;
            }
            let (partition, end_marker) = (place.partition, place.end_marker.flatten());
            let position = set.position(partition).unwrap_or(place.start);
            let idle = now.saturating_duration_since(place.still_since);
            let told_end = || set.told_end(partition);
            // One at a time, because the other partitions are not read during this.
            if !given_time
                && let Some(gained) = place.pace.is_too_slow(
                    position,
                    idle,
                    end_marker.map(|end_marker| end_marker.offset),
                    told_end,
                    now,
                )
            {
                given_time = true;
                place.pace.leave_time(self.consumer, set, partition, gained);
            }
            if place.lacks_its_marker(set, idle, self.client.waits().still) {
                let consumer = self.consumer;
                let again =
                    consumer.end_markers.mark_again(&consumer.marked_topic(), partition, self.deadline);
                place.marked_again(again, Instant::now());
            }
            if decided && place.end_marker.flatten().is_none() && ends_by_watermark && idle >= LOOK {
                place.asked = now;
                let position = set.position(place.partition).unwrap_or(place.start);
                if let Ok((_, end)) = set.watermarks(place.partition, self.client.waits().answer) {
                    let may_end = self.plan.from == From::Run || self.plan.offset != StartOffset::Latest;
                    // An end below an acked offset is wrong.
                    let acked = place.wanted.is_some_and(|wanted| wanted >= position);
                    if may_end && position >= end && !acked {
                        place.finish();
                    }
                }
            }
        }
    }

    /// Sends a reader whose position is outside the log back to the log start, in a new epoch.
    fn send_back(&mut self, set: &mut ReaderSet, at: usize, why: &str) {
        let place = &mut self.places[at];
        place.sent_back = true;
        let partition = place.partition;
        let mut sent_back = None;
        set.reset(partition, why, &mut |event| {
            if let ReadEvent::Reset { from, to, .. } = event {
                sent_back = Some((from, to));
            }
        });
        if let Some((from, to)) = sent_back {
            self.reset(partition, from, to, true, why);
            self.recorder.error(self.consumer.context.clock.now_us(), "OFFSET_RESET");
        }
    }
}
