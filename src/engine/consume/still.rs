//! Readers that stand still or crawl: why, by a look of kaf6's own, and what helps.

use std::time::{Duration, Instant};

use super::consumer::Consumer;
use crate::ids::{Offset, Partition};
use crate::kafka::{self, Code, ReaderSet};
use crate::observe::Note;

/// A broker's answer to a reader that stands outside of the log.
const OFFSET_OUT_OF_RANGE: Code = Code(1);

/// How long a reader with records before it may stand still before its cause is looked for.
pub(super) const STILL: Duration = Duration::from_secs(3);
/// A reader with its fence before it crawls where it comes no further than this in that time: what it reads is all there.
const CRAWL: Offset = 1000;

/// How a reader of one partition gets on.
pub(super) struct Pace {
    since: Instant,
    from: Offset,
    /// The broker has all the time that it will get.
    patient: bool,
}

impl Pace {
    /// It stands at this offset.
    pub(super) fn new(from: Offset, now: Instant) -> Self {
        Self { since: now, from, patient: false }
    }

    /// Whether it should leave the broker more time for each answer: it crawls to its fence, or, as long as that is not
    /// known, stands still although the broker tells that the log goes on. True once.
    pub(super) fn is_too_slow(
        &mut self,
        position: Offset,
        fence: Option<Offset>,
        told_end: impl FnOnce() -> Option<Offset>,
        now: Instant,
    ) -> bool {
        if self.patient || now.saturating_duration_since(self.since) < STILL {
            return false;
        }
        let gained = position - self.from;
        (self.since, self.from) = (now, position);
        self.patient = match fence {
            Some(fence) => gained < CRAWL && position <= fence,
            None => gained == 0 && told_end().is_some_and(|end| position < end),
        };
        self.patient
    }
}

/// Lets a reader that is too slow read on by a client that leaves the broker more time.
pub(super) fn leave_time(consumer: &Consumer, set: &mut ReaderSet, partition: Partition, position: Offset) {
    consumer.shared.note(Note::hint(format!(
        "the reader of partition {partition} of `{}` got no further than offset {position} for {} s: from then on kaf6 left the \
         broker a second for each answer (`fetch.wait.max.ms`), since one whose store is slow may answer with little or nothing",
        consumer.name,
        STILL.as_secs()
    )));
    set.be_patient(partition);
}

/// Why a reader stands still, as far as the broker tells.
pub(super) enum Cause {
    /// It stands outside of the log.
    Outside,
    /// The broker answers, and does not refuse.
    Answers,
    /// It refuses, or gave no answer.
    Unknown,
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
    let until = Instant::now() + Duration::from_secs(2);
    let probe = kafka::probe::probe_fetch(client, &consumer.name, partition, position, until);
    let cause = match &probe {
        Ok(probe) if probe.code == OFFSET_OUT_OF_RANGE => Cause::Outside,
        Ok(probe) if probe.code.is_none() => Cause::Answers,
        _ => Cause::Unknown,
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
