//! The state of one partition that is being read: its position, its end, and what blocks it.
//!
//! Returns the partition's result at the end.

use std::time::{Duration, Instant};

use super::consumer::Consumer;
use super::still::ReadPace;
use super::window::AnswerWindow;
use crate::engine::messages::ends::{EndMarkerSeen, PartitionEnd, Unreadable};
use crate::ids::{Offset, Partition};
use crate::kafka::{Code, ReaderSet, code_words};
use crate::ledger::PartitionReads;
use crate::observe::Note;
use crate::units::times;

/// How many more end markers are written if a reader does not find its own.
const MARKERS: u32 = 2;

/// The state of one partition that this thread reads.
pub(super) struct PartitionPosition {
    pub(super) partition: Partition,
    pub(super) start: Offset,
    pub(super) reads: PartitionReads,
    /// The log start when the reader started, or its start offset, whichever is higher.
    low: Offset,
    /// The end of the log when the reader started; `None` if the broker did not report it.
    pub(super) end_at_start: Option<Offset>,
    /// When it had read everything that existed at its start.
    pub(super) caught_up_us: Option<u64>,
    /// The end marker that ends it; `Some(None)` if none was written.
    pub(super) end_marker: Option<Option<EndMarkerSeen>>,
    pub(super) reached_end_marker: bool,
    /// Whether it passed its end marker without reading it, and was sent back to the log start.
    pub(super) sent_back: bool,
    /// Whether it is no longer read.
    pub(super) over: bool,
    /// Whether it read everything it had to.
    pub(super) complete: bool,
    /// The highest acked offset of a message here; known once the end marker is decided.
    acked: Option<Offset>,
    /// The highest acked offset of messages and end markers.
    pub(super) wanted: Option<Offset>,
    /// How many more end markers were written because it did not find its own.
    markers_again: u32,
    /// Set while the broker reports that it does not know the partition.
    pub(super) unknown: Option<UnknownSince>,
    /// When the end of the log was last requested.
    pub(super) asked: Instant,
    /// When the broker was last probed because no record arrives.
    pub(super) looked: Instant,
    /// When its last record arrived.
    pub(super) still_since: Instant,
    pub(super) still_told: bool,
    pub(super) pace: ReadPace,
    /// The period in which the broker answers without records.
    pub(super) window: AnswerWindow,
    /// The last error that librdkafka reported and that was not evaluated yet.
    pub(super) error: Option<Code>,
    pub(super) last_stable: Option<Offset>,
    pub(super) unreadable: Option<Unreadable>,
    pub(super) refusals: Vec<Refusals>,
}

/// Since when the broker does not know a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnknownSince {
    pub(super) since_us: u64,
    /// Whether metadata confirms it.
    pub(super) confirmed: bool,
    /// Since when each answer has confirmed it, with a decided end marker.
    pub(super) counted_from: Instant,
}

/// An offset inside the log that the broker rejected.
#[derive(Debug, Clone)]
pub(super) struct Refusals {
    code: Code,
    offset: Offset,
    pub(super) low: Offset,
    pub(super) high: Offset,
    times: u64,
    first: Instant,
    pub(super) last: Instant,
}

impl PartitionPosition {
    pub(super) fn new(
        consumer: &Consumer,
        partition: Partition,
        start: Offset,
        marks: Option<(Offset, Offset)>,
    ) -> Self {
        let now = Instant::now();
        let end = marks.map(|(_, end)| end);
        // What is in the log now was sent before this reader started, so its age says nothing about the
        // broker.
        let caught_up_us = end.is_some_and(|end| end <= start).then(|| consumer.context.clock.now_us());
        Self {
            partition,
            start,
            reads: PartitionReads::new(consumer.context.run_tag, consumer.topic, partition),
            low: marks.map_or(start, |(low, _)| low.max(start)),
            end_at_start: end,
            caught_up_us,
            end_marker: None,
            reached_end_marker: false,
            sent_back: false,
            over: false,
            complete: false,
            acked: None,
            wanted: None,
            markers_again: 0,
            unknown: None,
            asked: now,
            looked: now,
            still_since: now,
            still_told: false,
            pace: ReadPace::new(start, consumer.context.client.waits().still, now),
            window: AnswerWindow::new(now),
            error: None,
            last_stable: None,
            unreadable: None,
            refusals: Vec::new(),
        }
    }

    /// The next offset that it reads.
    pub(super) fn at(&self, set: &ReaderSet) -> Offset {
        set.position(self.partition).unwrap_or(self.low)
    }

    /// Sets the end marker, decided at this instant, and the highest acked offset of the partition.
    pub(super) fn decide(
        &mut self,
        end_marker: Option<Option<EndMarkerSeen>>,
        acked: Option<Offset>,
        at: Instant,
    ) {
        self.end_marker = end_marker;
        self.acked = acked;
        self.wanted = acked.max(end_marker.flatten().map(|end_marker| end_marker.offset));
        // An idle partition has no records until its end marker is written.
        self.still_since = self.still_since.max(at);
        self.window.restart(self.still_since);
        if let Some(unknown) = &mut self.unknown {
            unknown.counted_from = unknown.counted_from.max(at);
        }
    }

    /// Whether all acked messages were read, but the end marker after them does not arrive. Another end marker will
    /// show whether it is in the log.
    pub(super) fn lacks_its_marker(&self, set: &ReaderSet, idle: Duration, still: Duration) -> bool {
        let at = self.at(set);
        let marker = self.end_marker.flatten().is_some_and(|end_marker| end_marker.offset >= at);
        let read = self.acked.is_none_or(|acked| acked < at);
        !self.over
            && self.unknown.is_none()
            && marker
            && read
            && self.markers_again < MARKERS
            && idle >= still
    }

    /// Records that another end marker was written, or failed.
    pub(super) fn marked_again(&mut self, end_marker: Option<EndMarkerSeen>, now: Instant) {
        self.markers_again += 1;
        if let Some(end_marker) = end_marker {
            self.end_marker = Some(Some(end_marker));
            self.wanted = self.wanted.max(Some(end_marker.offset));
            self.still_since = now;
        }
    }

    /// Ends the reading if its end marker or a later one was read.
    pub(super) fn look_at_end_marker(&mut self) {
        if let Some(Some(wanted)) = self.end_marker
            && self.reads.end_marker().is_some_and(|read| read >= wanted.number)
        {
            self.reached_end_marker = true;
            self.finish();
        }
    }

    /// Marks it as complete.
    pub(super) fn finish(&mut self) {
        self.over = true;
        self.complete = true;
    }

    /// Whether an acked record is next, and only the broker can be the reason that it does not arrive.
    pub(super) fn waits_for_records(&self, set: &ReaderSet) -> bool {
        !self.over && self.unknown.is_none() && self.wanted.is_some_and(|wanted| wanted >= self.at(set))
    }

    /// Records that the broker does not know the partition.
    pub(super) fn is_unknown(&mut self, since_us: u64, confirmed: bool) {
        let counted_from = Instant::now();
        let unknown = self.unknown.get_or_insert(UnknownSince { since_us, confirmed, counted_from });
        unknown.confirmed |= confirmed;
    }

    /// Whether each answer for this long has said that the broker does not know the partition, and nothing more will be
    /// written.
    pub(super) fn is_gone(&self, after: Duration, now: Instant) -> bool {
        let lasts =
            |it: UnknownSince| it.confirmed && now.saturating_duration_since(it.counted_from) >= after;
        self.end_marker.is_some() && self.unknown.is_some_and(lasts)
    }

    /// Records that the broker rejected an offset inside its log.
    pub(super) fn refused(&mut self, offset: Offset, code: Code, (low, high): (Offset, Offset)) {
        let now = Instant::now();
        match self.refusals.iter_mut().find(|it| it.code == code) {
            Some(known) => {
                (known.low, known.high, known.last) = (low, high, now);
                known.times += 1;
            }
            None => self.refusals.push(Refusals { code, offset, low, high, times: 1, first: now, last: now }),
        }
    }

    /// If the broker rejected the offset within this time, the start and the end of the log that it reported.
    pub(super) fn refused_within(&self, time: Duration, now: Instant) -> Option<(Offset, Offset)> {
        let last = self.refusals.iter().max_by_key(|it| it.last)?;
        (now.saturating_duration_since(last.last) <= time).then_some((last.low, last.high))
    }

    /// Notes what blocked it, and returns the result.
    pub(super) fn end(self, consumer: &Consumer) -> PartitionEnd {
        let (partition, name) = (self.partition, &consumer.name);
        for it in &self.refusals {
            let time = it.last.saturating_duration_since(it.first).as_secs_f64();
            consumer.context.notes.add(Note::warning(format!(
                "partition {partition} of `{name}`: the broker refused offset {} although its log \
                ranges from {} to {} ({}); kaf6 retried ({} in {time:.1} s)",
                it.offset,
                it.low,
                it.high,
                code_words(&it.code.name()),
                times(it.times),
            )));
        }
        let gone = self.unknown.filter(|unknown| unknown.confirmed);
        if let Some(unknown) = gone {
            consumer.context.notes.add(Note::error(format!(
                "partition {partition} of `{name}`: a reachable broker did not know it from \
                {:.1} s until its reader ended",
                seconds(unknown.since_us)
            )));
        }
        PartitionEnd {
            reached_end_marker: self.reached_end_marker,
            finished: self.complete,
            gone: gone.is_some(),
            unreadable: self.unreadable,
            last_stable: self.last_stable.filter(|_| !self.complete),
            ..PartitionEnd::new(self.reads, self.start)
        }
    }
}

/// Converts microseconds to seconds.
#[expect(clippy::cast_precision_loss, reason = "for people; a run of 285 years is exact")]
pub(super) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
