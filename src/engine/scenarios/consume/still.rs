//! Readers that make no progress or are slow: finds the cause with the wire probe, and gives the broker more time.

use std::time::{Duration, Instant};

use super::consumer::Consumer;
use crate::ids::{Offset, Partition};
use crate::kafka::probe::{FetchProbe, NoFetch};
use crate::kafka::{Code, Error, ReaderSet, Waits};
use crate::observe::Note;

/// Minimum number of records per window for a reader whose end marker is written. With fewer, it is slow, because
/// everything it reads already exists.
const CRAWL: Offset = 1000;

/// The progress of one reader.
pub(super) struct ReadPace {
    since: Instant,
    from: Offset,
    /// Whether the reader uses the longest fetch timeout.
    patient: bool,
    /// How often setting the longer timeout failed. Each failure delays the next attempt further, because nothing else
    /// is read during an attempt.
    failed: u32,
    still: Duration,
}

impl ReadPace {
    /// Starts at this offset.
    pub(super) fn new(from: Offset, still: Duration, now: Instant) -> Self {
        Self { since: now, from, patient: false, failed: 0, still }
    }

    /// Starts a new window at this offset.
    pub(super) fn restart(&mut self, from: Offset, now: Instant) {
        (self.since, self.from) = (now, from);
    }

    /// Whether the reader should give the broker more time per answer. This is the case if it is slow before its end
    /// marker. It is also the case if the end marker is not known yet, and the reader is stuck although the broker
    /// reports a later end. Returns how far it got, and in what time.
    pub(super) fn is_too_slow(
        &mut self,
        position: Offset,
        idle: Duration,
        end_marker: Option<Offset>,
        told_end: impl FnOnce() -> Option<Offset>,
        now: Instant,
    ) -> Option<(Offset, Duration)> {
        // A reader that made no progress before its end marker was known does not wait for another window.
        let window = match self.failed {
            0 if end_marker.is_some() && idle >= self.still => self.still / 3,
            failed => self.still * (1 << failed.min(5)),
        };
        let time = now.saturating_duration_since(self.since);
        if self.patient || time < window {
            return None;
        }
        let gained = position - self.from;
        self.restart(position, now);
        let too_slow = match end_marker {
            Some(end_marker) => gained < CRAWL && position <= end_marker,
            None => gained == 0 && told_end().is_some_and(|end| position < end),
        };
        too_slow.then_some((gained.max(0), time))
    }

    /// Reopens the reader with a longer fetch timeout. If that fails, it tries again later.
    pub(super) fn leave_time(
        &mut self,
        consumer: &Consumer,
        set: &mut ReaderSet,
        partition: Partition,
        (gained, time): (Offset, Duration),
    ) {
        self.patient = set.be_patient(partition);
        self.failed += u32::from(!self.patient);
        if self.patient {
            consumer.context.notes.add(Note::hint(format!(
                "the reader of partition {partition} of `{}` got only {gained} records in {:.1} s, \
                at offset {}: from then on, kaf6 waits up to 1 s for each response (`fetch.wait.max.ms`), because a broker with slow storage may return little or nothing",
                consumer.name,
                time.as_secs_f64(),
                self.from
            )));
        }
    }
}

/// Notes that a reader is stuck before an acked record, and the broker's answer, which librdkafka may not have
/// reported.
pub(super) fn note(
    consumer: &Consumer,
    set: &ReaderSet,
    (partition, at): (Partition, Offset),
    waits: &Waits,
    found: &Result<FetchProbe, NoFetch>,
) {
    let retried = |code: Code| consumer.context.live.metrics(consumer.index).retried(&code.name());
    let text = match found {
        Ok(probe) if !probe.code.is_none() => {
            retried(probe.code);
            let null = if probe.null_records { ", with null records" } else { "" };
            format!("the broker refuses to return records: {}{null}", probe.code.in_words())
        }
        // A reader requests the log's offsets before it fetches, and librdkafka repeats the request silently.
        Ok(probe) if probe.record_bytes > 0 => match set.watermarks(partition, waits.answer) {
            Err(Error::Request { code, .. }) if !code.is_local() => {
                retried(code);
                format!("the broker refuses to report the start and end of its log: {}", code.in_words())
            }
            _ => "the broker does return records: the reader is slow, or the topic was recreated".to_owned(),
        },
        Ok(probe) => format!(
            "the broker answers without records{}",
            if probe.null_records { " (null ones instead of Kafka's empty ones)" } else { "" }
        ),
        Err(why) => format!("kaf6 could not find the cause: {why}"),
    };
    consumer.context.notes.add(Note::warning(format!(
        "the reader of partition {partition} of `{}` made no progress for {} s at offset {at}: \
        {text}",
        consumer.name,
        waits.still.as_secs_f64()
    )));
}
