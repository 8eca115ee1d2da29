//! One reading thread: waits for records, books them, and knows when it has read enough.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use super::batch::Batch;
use super::consumer::{Consumer, End};
use super::still::{self, Cause, Pace};
use crate::engine::ends::{Fence, PartitionEnd};
use crate::engine::fence::FenceState;
use crate::engine::shared::LOOK;
use crate::ids::{Identity, Offset, Partition};
use crate::kafka::{self, ReadEvent, ReaderOptions, ReaderSet, Record};
use crate::ledger::envelope::{self, HEADER};
use crate::ledger::{Checked, PartitionReads, Seen, Streams};
use crate::metrics::Recorder;
use crate::observe::Note;
use crate::plan::{ConsumePlan, From, StartOffset, Work};

/// Bytes prefetched over all readers of the run.
const PREFETCH: u64 = 32 << 20;
/// Events handled before counts are handed over and bounds looked at.
const BATCH: usize = 10_000;

/// One thread's part of a consumer.
pub(super) struct Task {
    pub(super) consumer: Arc<Consumer>,
    pub(super) partitions: Vec<Partition>,
    /// Partitions read in the whole run.
    pub(super) readers: u64,
    pub(super) deadline: Instant,
}

impl Task {
    /// Reads to the end. Says by `open` when it stands at its start, and then learns of its fence.
    ///
    /// # Errors
    /// Why it could not read.
    pub(super) fn run(
        self,
        open: oneshot::Sender<()>,
        fence: oneshot::Receiver<watch::Receiver<FenceState>>,
    ) -> Result<End, String> {
        let consumer = Arc::clone(&self.consumer);
        let shared = &consumer.shared;
        let Work::Consume(plan) = &shared.plan.scenarios[consumer.index].work else { return Ok(End::Done) };
        let client = shared.client_of(consumer.index);
        let options = ReaderOptions {
            topic: consumer.name.clone(),
            partitions: self.partitions.clone(),
            start: plan.offset,
            prefetch_bytes: (PREFETCH / self.readers).max(64 << 10) * self.partitions.len() as u64,
            patient: false,
            open_timeout: client.waits().open.min(self.deadline.saturating_duration_since(Instant::now())),
        };
        let mut set = match ReaderSet::open(&client, &options) {
            Ok(set) => set,
            Err(error)
                if plan.from == From::Run
                    && kafka::is_gone(&client, &consumer.name, self.partitions[0], &error) =>
            {
                shared.note(Note::error(format!(
                    "topic `{}`: the broker can be reached and no longer knows it; all that it acked there is lost",
                    consumer.name
                )));
                self.all_gone();
                return Ok(End::Done);
            }
            Err(error) => return Err(error.to_string()),
        };
        let places: Vec<Place> = self.partitions.iter().map(|p| self.place(&set, *p, plan.offset)).collect();
        let _ = open.send(());
        let empty = Streams::default();
        let mut reader = Reader {
            task: &self,
            plan,
            streams: shared.topology().map_or(&empty, |t| &t.streams),
            recorder: Recorder::new(shared.live.metrics(consumer.index)),
            places,
            client,
            touched: Instant::now(),
            compared: 0,
            wrong: 0,
        };
        let end = reader.read(&mut set, fence);
        consumer.compared.fetch_add(reader.compared, Ordering::Relaxed);
        consumer.wrong.fetch_add(reader.wrong, Ordering::Relaxed);
        for place in reader.places {
            let end = PartitionEnd {
                reads: place.reads,
                start: place.start,
                reached_fence: place.reached_fence,
                gone: place.gone,
                finished: place.finished && !place.gone,
                unreadable: None,
                last_stable: None,
            };
            shared.hand_in_end(consumer.index, end);
        }
        set.close();
        Ok(end)
    }

    fn place(&self, set: &ReaderSet, partition: Partition, start: StartOffset) -> Place {
        let consumer = &self.consumer;
        let start = match start {
            StartOffset::Earliest => 0,
            _ => set.started_at(partition).unwrap_or(0),
        };
        // What lies in the log now was sent before this reader stood here: its age says nothing of the broker.
        let end = set.watermarks(partition, consumer.shared.client.waits().answer).map(|(_, end)| end).ok();
        let caught_up_us = end.is_some_and(|end| end <= start).then(|| consumer.shared.clock.now_us());
        Place {
            partition,
            start,
            reads: PartitionReads::new(consumer.shared.run_tag, consumer.topic, partition),
            end_at_start: end,
            caught_up_us,
            fence: None,
            reached_fence: false,
            sent_back: false,
            gone: false,
            unknown_since: None,
            finished: false,
            asked: Instant::now(),
            still_since: Instant::now(),
            still_told: false,
            pace: Pace::new(start, consumer.shared.client.waits().still, Instant::now()),
        }
    }

    fn all_gone(&self) {
        let consumer = &self.consumer;
        for partition in &self.partitions {
            let reads = PartitionReads::new(consumer.shared.run_tag, consumer.topic, *partition);
            let end = PartitionEnd {
                reads,
                start: 0,
                reached_fence: false,
                gone: true,
                finished: false,
                unreadable: None,
                last_stable: None,
            };
            consumer.shared.hand_in_end(consumer.index, end);
        }
    }
}

/// One partition, as this thread reads it.
struct Place {
    partition: Partition,
    start: Offset,
    reads: PartitionReads,
    /// The log's end when the reader started; none where the broker did not tell.
    end_at_start: Option<Offset>,
    /// When it had read all that was there at its start.
    caught_up_us: Option<u64>,
    /// The fence that ends it, or that there is none.
    fence: Option<Option<Fence>>,
    reached_fence: bool,
    /// It stood behind its fence without having read it, and was sent back to the log's start.
    sent_back: bool,
    gone: bool,
    /// Since when the broker says that it does not know it.
    unknown_since: Option<Instant>,
    finished: bool,
    /// When the broker was last asked about it.
    asked: Instant,
    /// When its last record came.
    still_since: Instant,
    still_told: bool,
    pace: Pace,
}

/// A thread at work.
struct Reader<'a> {
    task: &'a Task,
    plan: &'a ConsumePlan,
    streams: &'a Streams,
    recorder: Recorder<'a>,
    places: Vec<Place>,
    client: kafka::Client,
    /// When a record came last, or the fence was decided.
    touched: Instant,
    compared: u64,
    wrong: u64,
}

impl Reader<'_> {
    fn read(
        &mut self,
        set: &mut ReaderSet,
        mut fence: oneshot::Receiver<watch::Receiver<FenceState>>,
    ) -> End {
        let shared = Arc::clone(&self.task.consumer.shared);
        let mut state: Option<watch::Receiver<FenceState>> = None;
        let mut decided = self.plan.from == From::Any;
        loop {
            if set.wait(LOOK.min(self.task.deadline.saturating_duration_since(Instant::now()))) {
                self.drain(set);
            }
            let now = Instant::now();
            self.recorder.turn(shared.clock.us(now));
            if !decided {
                state = state.or_else(|| fence.try_recv().ok());
                if let Some(FenceState::Decided(at, numbers)) = state.as_ref().map(|s| s.borrow().clone()) {
                    decided = true;
                    self.touched = self.touched.max(at);
                    for place in &mut self.places {
                        place.fence = numbers.get(&place.partition).map(|r| r.as_ref().ok().copied());
                        // An idle partition stands still for good until its fence is there.
                        place.still_since = place.still_since.max(at);
                        place.pace.restart(set.position(place.partition).unwrap_or(place.start), now);
                    }
                }
            }
            self.look(set, decided, now);
            if self.places.iter().all(|place| place.finished) || self.limit_reached() {
                return End::Done;
            }
            if shared.stop.is_stopped() {
                return End::Done;
            }
            if now >= self.task.deadline {
                return End::Timeout;
            }
            if decided && now.saturating_duration_since(self.touched) >= self.plan.idle_timeout {
                return End::Idle;
            }
        }
    }

    /// The limit, but for a reader that has to see all that was sent.
    fn limit(&self) -> Option<u64> {
        let judges = self.plan.from == From::Run && !self.plan.producers.is_empty() && !self.plan.partial;
        self.plan.limit.filter(|_| !judges)
    }

    fn limit_reached(&self) -> bool {
        self.limit().is_some_and(|limit| self.task.consumer.taken.load(Ordering::Relaxed) >= limit)
    }

    /// Takes one more of what the limit leaves to all clients; false where nothing is left.
    fn may_take(&self) -> bool {
        let Some(limit) = self.limit() else { return true };
        let more = |taken| (taken < limit).then_some(taken + 1);
        self.task.consumer.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn drain(&mut self, set: &mut ReaderSet) {
        let now = Instant::now();
        let now_us = self.task.consumer.shared.clock.us(now);
        let mut batch = Batch::default();
        let mut gone = Vec::new();
        set.drain(BATCH, &mut |event| match event {
            ReadEvent::Record(record) => self.record(&record, now, now_us, &mut batch),
            ReadEvent::Reset { partition, from, to, text, .. } => {
                self.reset(partition, from, to, &text);
                self.recorder.error(now_us, "OFFSET_RESET");
            }
            ReadEvent::Refused { .. } => {}
            ReadEvent::Error { partition, code, .. } => {
                self.recorder.error(now_us, &code.name());
                if code.means_gone() {
                    gone.push(partition);
                } else if code.means_unreadable()
                    && let Some(place) = self.places.iter_mut().find(|p| p.partition == partition)
                {
                    place.reads.see_unreadable(place.start, now_us);
                }
            }
        });
        batch.hand_over(&mut self.recorder, now_us);
        for partition in gone {
            self.maybe_gone(partition, now);
        }
    }

    fn record(&mut self, record: &Record<'_>, now: Instant, now_us: u64, batch: &mut Batch) {
        let Some(at) = self.places.iter().position(|p| p.partition == record.partition) else { return };
        if self.places[at].finished {
            return;
        }
        let opened = envelope::open(record.key, record.value, || record.header(HEADER));
        let counts = match self.plan.from {
            From::Any => !opened.is_fence(),
            From::Run => self.limit().is_some() && self.places[at].reads.is_new(self.streams, &opened),
        };
        if counts && !self.may_take() {
            // It lies beyond the limit, wherever the others got to.
            return;
        }
        let place = &mut self.places[at];
        self.touched = now;
        place.still_since = now;
        let bytes = (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
        if self.plan.from == From::Any {
            place
                .reads
                .see(self.streams, record.offset, envelope::Opened::Foreign, now_us, |_| Checked::Fine);
            if counts {
                batch.received += 1;
                batch.bytes += bytes;
            }
        } else {
            let (compared, wrong) = (&mut self.compared, &mut self.wrong);
            let seen = place.reads.see(self.streams, record.offset, opened, now_us, |identity| {
                *compared += 1;
                let fine = holds_uuid(record.value.unwrap_or_default(), identity);
                *wrong += u64::from(!fine);
                if fine { Checked::Fine } else { Checked::Wrong }
            });
            if seen.is_strange() {
                place.reads.show(record.offset, record.value.unwrap_or_default());
            }
            match seen {
                Seen::Fresh { due_us } => {
                    batch.received += 1;
                    batch.records += 1;
                    batch.bytes += bytes;
                    let due = self.task.consumer.shared.clock.of_run(due_us);
                    if place.caught_up_us.is_some_and(|caught_up| due >= caught_up) {
                        self.recorder.latency(now_us, now_us.saturating_sub(due));
                    }
                }
                Seen::Repeat | Seen::Corrupt | Seen::Stray => {
                    batch.records += 1;
                    batch.bytes += bytes;
                }
                Seen::Foreign => batch.foreign += 1,
                Seen::Roundtrip | Seen::OldFence | Seen::Fence(_) => {}
            }
        }
        if place.caught_up_us.is_none() && place.end_at_start.is_some_and(|end| record.offset + 1 >= end) {
            place.caught_up_us = Some(now_us);
        }
        place.look_at_fence();
    }

    fn reset(&mut self, partition: Partition, from: Offset, to: Option<Offset>, text: &str) {
        let Some(place) = self.places.iter_mut().find(|p| p.partition == partition) else { return };
        place.reads.reset();
        let name = &self.task.consumer.name;
        let onward = to.map_or_else(|| "its start".to_owned(), |to| format!("offset {to}"));
        let embedded = if self.client.is_embedded() {
            "; the embedded broker keeps the newest 5 MiB or so of a partition, and forgets the rest"
        } else {
            ""
        };
        self.task.consumer.shared.note(Note::warning(format!(
            "partition {partition} of `{name}` was cut or begun anew under the reader at offset {from} ({text}); it reads on from {onward}{embedded}"
        )));
    }

    /// A broker says that it does not know the partition: believed when metadata says so too, and still does after a
    /// while, since one that was just started may not have learned of its topics yet.
    fn maybe_gone(&mut self, partition: Partition, now: Instant) {
        let name = &self.task.consumer.name;
        let Some(place) = self.places.iter_mut().find(|p| p.partition == partition) else { return };
        if place.finished || now.saturating_duration_since(place.asked) < self.client.waits().ask {
            return;
        }
        place.asked = now;
        if kafka::metadata::knows(&self.client, name, partition) {
            place.unknown_since = None;
        } else if now.saturating_duration_since(*place.unknown_since.get_or_insert(now))
            >= self.client.waits().gone
        {
            place.gone = true;
            place.finished = true;
            self.task.consumer.shared.note(Note::error(format!(
                "partition {partition} of `{name}`: the broker can be reached and no longer knows it; all that it acked there is lost"
            )));
        }
    }

    /// Looks at what no record tells: a decided fence that was read before, a watermark that ends the reading, a
    /// reader that stands still.
    fn look(&mut self, set: &mut ReaderSet, decided: bool, now: Instant) {
        let ends_by_watermark = self.plan.from == From::Run || self.plan.limit.is_none();
        let mut given_time = false;
        for at in 0..self.places.len() {
            let place = &mut self.places[at];
            place.look_at_fence();
            if let Some(Some(fence)) = place.fence
                && !place.finished
                && set.position(place.partition).is_some_and(|position| position > fence.offset)
            {
                // The log was begun anew, and no answer of the broker says so. Or the fence itself is gone: then its
                // place is passed a second time.
                if place.sent_back {
                    place.reached_fence = true;
                    place.finished = true;
                } else {
                    self.send_back(
                        set,
                        at,
                        &format!("the end of the log was acked at offset {} after that", fence.offset),
                    );
                }
                continue;
            }
            if place.finished || now.saturating_duration_since(place.asked) < self.client.waits().ask {
                continue;
            }
            if place.unknown_since.is_some() {
                let partition = place.partition;
                self.maybe_gone(partition, now);
                if self.places[at].unknown_since.is_none() {
                    set.refresh(partition);
                }
                continue;
            }
            let (partition, fence) = (place.partition, place.fence.flatten());
            let position = set.position(partition).unwrap_or(place.start);
            let idle = now.saturating_duration_since(place.still_since);
            let told_end = || set.told_end(partition);
            // One at a time, as the others are not read meanwhile.
            if !given_time
                && let Some(gained) =
                    place.pace.is_too_slow(position, idle, fence.map(|fence| fence.offset), told_end, now)
            {
                given_time = true;
                place.pace.leave_time(&self.task.consumer, set, partition, gained);
            }
            if decided && place.fence.flatten().is_none() && ends_by_watermark && idle >= LOOK {
                place.asked = now;
                let position = set.position(place.partition).unwrap_or(place.start);
                if let Ok((_, end)) = set.watermarks(place.partition, self.client.waits().answer) {
                    let may_end = self.plan.from == From::Run || self.plan.offset != StartOffset::Latest;
                    place.finished = may_end && position >= end;
                }
            } else if place.fence.flatten().is_some()
                && idle >= self.client.waits().still
                && !place.still_told
            {
                place.still_told = true;
                let (partition, sent_back) = (place.partition, place.sent_back);
                match still::explain(
                    &self.client,
                    &self.task.consumer,
                    set,
                    partition,
                    self.client.waits().still,
                ) {
                    Cause::Outside if !sent_back => {
                        self.send_back(set, at, "the broker says that this offset is not in the log");
                    }
                    Cause::Outside | Cause::Other => {}
                }
            }
        }
    }

    /// Lets a reader that stands where the log is not read on from the log's start, in a new epoch.
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
            self.reset(partition, from, to, why);
            self.recorder.error(self.task.consumer.shared.clock.now_us(), "OFFSET_RESET");
        }
    }
}

impl Place {
    /// It is finished when a fence at or behind its own was read.
    fn look_at_fence(&mut self) {
        if let Some(Some(wanted)) = self.fence
            && self.reads.fence().is_some_and(|read| read >= wanted.number)
        {
            self.reached_fence = true;
            self.finished = true;
        }
    }
}

/// Whether a value holds the UUID of this identity, as text.
fn holds_uuid(value: &[u8], identity: &Identity) -> bool {
    let mut buffer = uuid::Uuid::encode_buffer();
    let wanted = identity.uuid().hyphenated().encode_lower(&mut buffer).as_bytes();
    value.windows(wanted.len()).any(|window| window == wanted)
}
