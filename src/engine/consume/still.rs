//! Readers that stand still or crawl: why, by a look of kaf6's own, and what helps.

use std::time::{Duration, Instant};

use super::consumer::Consumer;
use crate::ids::{Offset, Partition};
use crate::kafka::{self, Code, ReaderSet};
use crate::observe::Note;

/// A broker's answer to a reader that stands outside of the log.
const OFFSET_OUT_OF_RANGE: Code = Code(1);

/// A reader with its fence before it crawls where it comes no further than this in that time: what it reads is all there.
const CRAWL: Offset = 1000;

/// How a reader of one partition gets on.
pub(super) struct Pace {
    since: Instant,
    from: Offset,
    /// The broker has all the time that it will get.
    patient: bool,
    /// How often it could not be given: it is tried more and more rarely, as nothing else is read meanwhile.
    failed: u32,
    still: Duration,
}

impl Pace {
    /// It stands at this offset.
    pub(super) fn new(from: Offset, still: Duration, now: Instant) -> Self {
        Self { since: now, from, patient: false, failed: 0, still }
    }

    /// A window begins here, in which it can come further.
    pub(super) fn restart(&mut self, from: Offset, now: Instant) {
        (self.since, self.from) = (now, from);
    }

    /// Whether it should leave the broker more time for each answer: it crawls to its fence, or, as long as that is not
    /// known, stands still although the broker tells that the log goes on. Then how far it came, and in what time.
    pub(super) fn is_too_slow(
        &mut self,
        position: Offset,
        idle: Duration,
        fence: Option<Offset>,
        told_end: impl FnOnce() -> Option<Offset>,
        now: Instant,
    ) -> Option<(Offset, Duration)> {
        // One that stood still before its fence was known is not made to wait a window more.
        let window = match self.failed {
            0 if fence.is_some() && idle >= self.still => self.still / 3,
            failed => self.still * (1 << failed.min(5)),
        };
        let time = now.saturating_duration_since(self.since);
        if self.patient || time < window {
            return None;
        }
        let gained = position - self.from;
        self.restart(position, now);
        let too_slow = match fence {
            Some(fence) => gained < CRAWL && position <= fence,
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
                "the reader of partition {partition} of `{}` got {gained} records in {:.1} s, at offset {}: from then on kaf6 left the \
                 broker a second for each answer (`fetch.wait.max.ms`), since one whose store is slow may answer with little or \
                 nothing",
                consumer.name,
                time.as_secs_f64(),
                self.from
            )));
        }
    }
}

/// Why a reader stands still, as far as the broker tells.
pub(super) enum Cause {
    /// It stands outside of the log.
    Outside,
    /// Anything else; where the broker merely answers with nothing, a reader's pace makes it wait longer.
    Other,
}

/// A reader stands still before its fence: one Fetch of kaf6's own shows the code that librdkafka could not.
pub(super) fn explain(
    client: &kafka::Client,
    consumer: &Consumer,
    set: &ReaderSet,
    partition: Partition,
    still: Duration,
) -> Cause {
    let position = set.position(partition).unwrap_or(0);
    let until = Instant::now() + client.waits().answer;
    let probe = kafka::probe::probe_fetch(client, &consumer.name, partition, position, until);
    let cause = match &probe {
        Ok(probe) if probe.code == OFFSET_OUT_OF_RANGE => Cause::Outside,
        _ => Cause::Other,
    };
    let text = match probe {
        Ok(probe) if !probe.code.is_none() => {
            let null = if probe.null_records { ", with null records" } else { "" };
            format!(
                "the broker refuses to hand out its records: {} ({}){null}",
                probe.code.text(),
                probe.code
            )
        }
        Ok(probe) if probe.record_bytes > 0 => {
            set.refresh(partition);
            "the broker does hand out records: the reader is slow, or the topic was made anew under it"
                .to_owned()
        }
        Ok(probe) => format!(
            "the broker answers without records{}",
            if probe.null_records { " (null ones, where Kafka sends empty ones)" } else { "" }
        ),
        Err(why) => format!("and a look at the cause failed: {why}"),
    };
    consumer.shared.note(Note::warning(format!(
        "the reader of partition {partition} of `{}` stood still for {} s at offset {position}: {text}",
        consumer.name,
        still.as_secs()
    )));
    cause
}
