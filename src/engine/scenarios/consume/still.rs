//! Readers that stand still or crawl: why, by a look of kaf6's own, and what helps.

use std::time::{Duration, Instant};

use super::consumer::Consumer;
use crate::ids::{Offset, Partition};
use crate::kafka::probe::{FetchProbe, NoFetch};
use crate::kafka::{Code, Error, ReaderSet, Waits};
use crate::observe::Note;

/// A reader with its end marker before it crawls where it comes no further than this in that time: what it reads is all there.
const CRAWL: Offset = 1000;

/// How a reader of one partition gets on.
pub(super) struct ReadPace {
    since: Instant,
    from: Offset,
    /// The broker has all the time that it will get.
    patient: bool,
    /// How often it could not be given: it is tried more and more rarely, as nothing else is read meanwhile.
    failed: u32,
    still: Duration,
}

impl ReadPace {
    /// It stands at this offset.
    pub(super) fn new(from: Offset, still: Duration, now: Instant) -> Self {
        Self { since: now, from, patient: false, failed: 0, still }
    }

    /// A window begins here, in which it can come further.
    pub(super) fn restart(&mut self, from: Offset, now: Instant) {
        (self.since, self.from) = (now, from);
    }

    /// Whether it should leave the broker more time for each answer: it crawls to its end marker, or, as long as that is not
    /// known, stands still although the broker tells that the log goes on. Then how far it came, and in what time.
    pub(super) fn is_too_slow(
        &mut self,
        position: Offset,
        idle: Duration,
        end_marker: Option<Offset>,
        told_end: impl FnOnce() -> Option<Offset>,
        now: Instant,
    ) -> Option<(Offset, Duration)> {
        // One that stood still before its end marker was known is not made to wait a window more.
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

    /// Lets it read on by a client that leaves the broker more time. Where none could be made, it is tried again later.
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
            consumer.shared.note(Note::hint(format!(
                "the reader of partition {partition} of `{}` got only {gained} records in {:.1} s, \
                at offset {}: from then on kaf6 allows the broker 1 s per response \
                (`fetch.wait.max.ms`), because a broker with slow storage may return little or \
                nothing",
                consumer.name,
                time.as_secs_f64(),
                self.from
            )));
        }
    }
}

/// Notes that a reader makes no progress before an acked record, and what the broker answers: librdkafka may not have shown it.
pub(super) fn note(
    consumer: &Consumer,
    set: &ReaderSet,
    (partition, at): (Partition, Offset),
    waits: &Waits,
    found: &Result<FetchProbe, NoFetch>,
) {
    let retried = |code: Code| consumer.shared.live.metrics(consumer.index).retried(&code.name());
    let text = match found {
        Ok(probe) if !probe.code.is_none() => {
            retried(probe.code);
            let null = if probe.null_records { ", with null records" } else { "" };
            format!(
                "the broker refuses to return records: {} {}{null}",
                probe.code.text(),
                probe.code.aside()
            )
        }
        // A reader asks where the log lies before it fetches, and librdkafka asks again in silence.
        Ok(probe) if probe.record_bytes > 0 => match set.watermarks(partition, waits.answer) {
            Err(Error::Request { code, .. }) if !code.is_local() => {
                retried(code);
                format!(
                    "the broker refuses to report the start and end of its log: {} {}",
                    code.text(),
                    code.aside()
                )
            }
            _ => "the broker does return records: the reader is slow, or the topic was recreated".to_owned(),
        },
        Ok(probe) => format!(
            "the broker answers without records{}",
            if probe.null_records { " (null ones instead of Kafka's empty ones)" } else { "" }
        ),
        Err(why) => format!("kaf6 could not find the cause: {why}"),
    };
    consumer.shared.note(Note::warning(format!(
        "the reader of partition {partition} of `{}` made no progress for {} s at offset {at}: \
        {text}",
        consumer.name,
        waits.still.as_secs_f64()
    )));
}
