//! The re-read: a fresh client reads a range of a log again.
//!
//! Keeps no state between calls; the engine judges the results.

use std::time::{Duration, Instant};

use super::partition::OUT_OF_RANGE;
use crate::ids::{Offset, Partition};
use crate::kafka::client::metadata;
use crate::kafka::probe::{FetchProbe, NoFetch};
use crate::kafka::{Client, Code, Error, ReadEvent, ReaderOptions, ReaderSet, Record, probe};
use crate::plan::StartOffset;

/// An offset after the end of any log.
const FAR: Offset = 1 << 40;

/// A range of offsets to re-read.
#[derive(Clone, Copy)]
pub struct Range<'a> {
    pub topic: &'a str,
    pub partition: Partition,
    pub from: Offset,
    pub to: Offset,
    /// Whether a record is the end marker, if there is one. A broker may report an end that is too low, and may send
    /// nothing for a second for many reasons.
    pub is_mark: Option<&'a dyn Fn(&Record<'_>) -> bool>,
    /// Whether to stop early, for example on timeout.
    pub is_over: &'a dyn Fn() -> bool,
    /// Called every [`Waits::tell`](crate::kafka::Waits::tell) with the current offset, also if no record arrives.
    pub progress: &'a dyn Fn(Offset),
}

/// How far a re-read got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeEnd {
    /// Whether it read past the last offset: a record at or after it arrived, or the reported end of the log is at or
    /// before the reader's position.
    pub passed: bool,
    /// Whether a record proves this, and not only the reported end of the log.
    pub by_record: bool,
    /// The first offset that was not passed.
    pub at: Offset,
    /// The end of the log, requested because no records arrived.
    pub end: Option<Offset>,
    /// Whether the broker reports an end at or before the reader's position, and its fetch answers contradict it.
    pub hides: bool,
    /// The last stable offset that blocked it (`isolation.level: read_committed`).
    pub last_stable: Option<Offset>,
}

/// Reads a range of a log with a separate client and returns its records, and none outside the range. If the broker
/// does not know the partition or does not answer, retries until `timeout`.
///
/// # Errors
///
/// [`Error::Property`] and [`Error::Client`], as for [`ReaderSet::open`](crate::kafka::ReaderSet::open).
/// [`Error::Request`] if reading could not start: with a code that [means gone](Code::means_gone) if every answer said
/// that the broker does not know the partition, and with another code if no broker answered.
pub fn read_range(
    client: &Client,
    range: &Range<'_>,
    timeout: Duration,
    on: &mut dyn FnMut(ReadEvent<'_>),
) -> Result<RangeEnd, Error> {
    let deadline = Instant::now() + timeout;
    let mut reporter = ProgressReporter { range, every: client.waits().tell, last: Instant::now() };
    let mut readers = open(client, range, deadline, &mut reporter)?;
    let mut reading = Recheck {
        client,
        range,
        quiet: match range.is_mark {
            Some(_) => client.waits().quiet_before_marker,
            None => client.waits().quiet,
        },
        given: None,
        behind_control: range.from,
        out: RangeEnd {
            passed: false,
            by_record: false,
            at: range.from,
            end: None,
            hides: false,
            last_stable: None,
        },
    };
    let mut last_answer = Instant::now();
    while !reading.out.passed {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || (range.is_over)() {
            break;
        }
        reporter.at(reading.out.at);
        if readers.wait(left.min(client.waits().quiet).min(client.waits().tell)) {
            if reading.drain(&mut readers, on) {
                last_answer = Instant::now();
            }
        } else if last_answer.elapsed() >= reading.quiet {
            match reading.is_given(&readers, left) {
                // Wait the same time again: the machine may be slow.
                Given::Once => last_answer = Instant::now(),
                Given::Refused => {
                    let before = readers.position(range.partition);
                    readers.refused(range.partition, &mut |event| reading.take(event, on));
                    if readers.position(range.partition) == before {
                        reading.look_at_end(&readers, left);
                    } else {
                        last_answer = Instant::now();
                    }
                }
                Given::Again => {
                    readers.pass_bad_batch(range.partition, &mut |event| reading.take(event, on));
                    reading.given = None;
                    last_answer = Instant::now();
                }
                Given::No => reading.look_at_end(&readers, left),
            }
            // A recreated topic has another id, and a topic that was unknown for a while must be requested again.
            readers.refresh(range.partition);
        }
    }
    Ok(reading.out)
}

/// Reports the progress at intervals.
struct ProgressReporter<'a> {
    range: &'a Range<'a>,
    every: Duration,
    last: Instant,
}

impl ProgressReporter<'_> {
    fn at(&mut self, at: Offset) {
        if self.last.elapsed() >= self.every {
            self.last = Instant::now();
            (self.range.progress)(at);
        }
    }
}

/// Opens the reader in short attempts, so that it can be canceled while the broker is down.
fn open(
    client: &Client,
    range: &Range<'_>,
    deadline: Instant,
    reporter: &mut ProgressReporter<'_>,
) -> Result<ReaderSet, Error> {
    let waits = client.waits();
    // Set if each answer so far said that the partition is unknown.
    let mut unknown: Option<Error> = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let options = ReaderOptions {
            topic: range.topic.into(),
            partitions: vec![range.partition],
            start: StartOffset::At(range.from),
            prefetch_bytes: 4 << 20,
            patient: true,
            open_timeout: left.min(waits.reopen),
        };
        let error = match ReaderSet::open(client, &options) {
            Ok(readers) => return Ok(readers),
            Err(error) => error,
        };
        let Some(code) = error.code() else { return Err(error) };
        let last = Instant::now() + waits.ask >= deadline || (range.is_over)();
        if code.means_gone() {
            unknown = Some(error);
        } else if last {
            // The last attempt may simply have timed out.
            return Err(unknown.filter(|_| code.is_timeout()).unwrap_or(error));
        } else if !code.is_timeout() {
            unknown = None;
        }
        reporter.at(range.from);
        if last {
            return Err(unknown.unwrap_or(Error::Request { what: "read again".into(), code }));
        }
        std::thread::sleep(waits.ask);
    }
}

struct Recheck<'a> {
    client: &'a Client,
    range: &'a Range<'a>,
    quiet: Duration,
    /// The reader's offset when the broker last returned records of which the reader got none.
    given: Option<Offset>,
    /// Up to this offset, there are only control records after the reader's offset. The client has skipped them without
    /// an event.
    behind_control: Offset,
    out: RangeEnd,
}

/// Whether a broker returns records at the offset of a reader that gets none.
enum Given {
    No,
    Once,
    /// For the second time at the same offset.
    Again,
    /// The broker rejects the offset, but the reader's client does not notice because the records are null.
    Refused,
}

impl Recheck<'_> {
    /// Processes available records and errors. Returns whether there were any.
    fn drain(&mut self, readers: &mut ReaderSet, on: &mut dyn FnMut(ReadEvent<'_>)) -> bool {
        // A broker that rejects the offset has answered. Only silence suggests that the log may end here.
        readers.drain(usize::MAX, &mut |event| self.take(event, on)) > 0
    }

    fn take(&mut self, event: ReadEvent<'_>, on: &mut dyn FnMut(ReadEvent<'_>)) {
        let Self { range, out, .. } = self;
        match event {
            ReadEvent::Record(record) => {
                out.passed |=
                    record.offset >= range.to || range.is_mark.is_some_and(|is_mark| is_mark(&record));
                out.by_record = out.passed;
                out.at = record.offset + 1;
                if (range.from..=range.to).contains(&record.offset) {
                    on(ReadEvent::Record(record));
                }
            }
            event => {
                match &event {
                    ReadEvent::Reset { to, anew, .. } => {
                        out.at = to.unwrap_or(0);
                        // The whole range was removed: the log starts after it.
                        out.passed |= !anew && out.at > range.to;
                    }
                    ReadEvent::BadBatch { to, .. } => {
                        out.passed |= *to >= range.to;
                        out.by_record = out.passed;
                        out.at = to + 1;
                    }
                    _ => {}
                }
                on(event);
            }
        }
    }

    /// Probes the broker at the reader's offset. A batch that cannot be decoded is an answer, although the reader's
    /// client reports nothing.
    fn is_given(&mut self, readers: &ReaderSet, left: Duration) -> Given {
        let Range { topic, partition, from, .. } = *self.range;
        let position = readers.position(partition).unwrap_or(from);
        let until = Instant::now() + left.min(self.client.waits().answer);
        let probe = probe::probe_fetch(self.client, topic, partition, position, until).ok();
        if !probe.as_ref().is_some_and(|probe| probe.gives(position)) {
            self.given = None;
            let behind = probe.as_ref().and_then(|probe| probe.behind_control);
            self.behind_control = behind.unwrap_or(position);
            let refused = probe.is_some_and(|probe| probe.code == OUT_OF_RANGE && probe.null_records);
            return if refused { Given::Refused } else { Given::No };
        }
        if self.given.replace(position) == Some(position) { Given::Again } else { Given::Once }
    }

    /// Decides whether no records arrive because the log ends here. The reported end is believed only if
    /// nothing exists after it (no records arrive), and if fetch answers agree with it. Under
    /// `read_committed`, the reader's own request returns the last stable offset, so another client requests
    /// the end.
    fn look_at_end(&mut self, readers: &ReaderSet, left: Duration) {
        let Range { topic, partition, from, to, .. } = *self.range;
        let wait = left.min(self.client.waits().answer);
        let position = readers.position(partition).unwrap_or(from).max(self.behind_control);
        let end = if self.client.reads_committed() {
            let stable = readers.watermarks(partition, wait);
            let end = metadata::watermarks(&self.client.reading_uncommitted(), topic, partition, wait);
            if let (Ok((_, stable)), Ok((_, end))) = (&stable, &end) {
                self.out.last_stable = Some(*stable).filter(|stable| stable < end && *stable <= to);
            }
            end
        } else {
            readers.watermarks(partition, wait)
        };
        if let Ok((_, end)) = end {
            self.out.end = Some(end);
            let before = end <= position.min(to);
            self.out.passed = before && self.is_confirmed(end, readers, left);
            self.out.hides = before && !self.out.passed;
        }
    }

    /// Whether the broker's fetch answers after the range agree with the end that it reports.
    fn is_confirmed(&self, end: Offset, readers: &ReaderSet, left: Duration) -> bool {
        let Range { topic, partition, to, .. } = *self.range;
        let until = Instant::now() + left.min(self.client.waits().answer);
        let fetch = |offset| probe::probe_fetch(self.client, topic, partition, offset, until);
        match fetch(to.saturating_add(1)) {
            Ok(behind) => agree(end, &behind, || fetch(to.saturating_add(FAR)).ok()),
            // The probe does not support SASL.
            Err(NoFetch::Sasl) => readers.told_end(partition).is_none_or(|reported| reported <= end),
            Err(_) => false,
        }
    }
}

/// Whether a fetch answer at an offset after the end agrees with it: the broker rejects that offset. If a broker
/// rejects no offset at all, even a distant one, it must report the same end.
fn agree(end: Offset, behind: &FetchProbe, far: impl FnOnce() -> Option<FetchProbe>) -> bool {
    if behind.behind_control.is_some() {
        return false;
    }
    if behind.code == OUT_OF_RANGE {
        return true;
    }
    let nothing = behind.code.is_none() && behind.record_bytes == 0;
    let same = behind.high_watermark.is_none_or(|reported| reported == end);
    nothing && same && far().is_some_and(|far| far.code != OUT_OF_RANGE)
}

impl Code {
    /// Whether this is librdkafka's code for a missing answer.
    const fn is_timeout(self) -> bool {
        matches!(self.0, -185 | -192)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i32, high_watermark: Option<Offset>, record_bytes: usize) -> FetchProbe {
        FetchProbe {
            code: Code(code),
            null_records: false,
            record_bytes,
            behind_control: None,
            high_watermark,
            log_start: Some(0),
            last_stable_offset: None,
            batch: None,
            version: 12,
        }
    }

    #[test]
    fn an_end_is_one_where_fetches_from_behind_it_agree() {
        let refused = || answer(1, None, 0);
        assert!(agree(50, &refused(), || None));
        // A broker that rejects no offset.
        let empty = |end| answer(0, end, 0);
        let takes_all = |end| agree(50, &empty(end), || Some(empty(end)));
        assert!(takes_all(Some(50)) && takes_all(None));
        assert!(!takes_all(Some(60)) && !takes_all(Some(3)), "its two ends differ");
        // One that rejects a distant offset, but not this one: the log continues.
        assert!(!agree(50, &empty(Some(50)), || Some(refused())));
        assert!(!agree(50, &empty(Some(50)), || None), "no answer");
        let control = FetchProbe { behind_control: Some(60), ..empty(Some(50)) };
        for strange in [answer(6, None, 0), answer(-1, None, 0), answer(0, Some(50), 70), control] {
            assert!(!agree(50, &strange, || Some(empty(Some(50)))), "{strange:?}");
        }
    }
}
