//! One partition's reader: a librdkafka client, its position, and what to do if the broker rejects the
//! position.
//!
//! An offset inside the log is always requested again and never skipped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::brake::Brake;
use super::fetch_log::FetchLog;
use super::read_event::{ReadEvent, Record};
use crate::ids::{Offset, Partition};
use crate::kafka::client::metadata;
use crate::kafka::ffi::{ClientKind, OFFSET_BEGINNING, Queue, TopicHandle};
use crate::kafka::{Client, Code, Error, Waits};
use crate::plan::StartOffset;

const AUTO_OFFSET_RESET: Code = Code(-140);
const PARTITION_EOF: Code = Code(-191);
pub(crate) const UNKNOWN_PARTITION: Code = Code(3);
const TIMED_OUT: Code = Code(-185);

/// OFFSET_OUT_OF_RANGE. The next constant is librdkafka's code for an answer to OffsetForLeaderEpoch that ends before
/// the reader's offset.
pub(crate) const OUT_OF_RANGE: Code = Code(1);
const LOG_TRUNCATION: Code = Code(-139);

/// Options for opening a reader of one partition.
pub(crate) struct Opening<'a> {
    pub(crate) client: &'a Client,
    pub(crate) properties: &'a [(&'a str, String)],
    pub(crate) topic: &'a str,
    pub(crate) partition: Partition,
    pub(crate) start: StartOffset,
    /// Accept an unknown partition. It is read when the broker knows it.
    pub(crate) unknown_too: bool,
    pub(crate) deadline: Instant,
    /// Receives the client's log lines about its fetches, if its properties enable them.
    pub(crate) fetches: Option<Arc<FetchLog>>,
}

/// The client and the position of one partition.
pub(crate) struct PartitionReader {
    pub(crate) partition: Partition,
    pub(crate) topic: TopicHandle,
    pub(crate) queue: Queue,
    pub(crate) started_at: Option<Offset>,
    /// The offset after the last returned record. The start offset if there is none.
    pub(crate) position: Option<Offset>,
    pub(crate) epoch: u32,
    /// Whether the reader is in the set's list of ready readers.
    pub(crate) listed: bool,
    /// The broker did not know the partition when it was opened.
    pub(crate) unknown: bool,
    /// When fetching restarts; `None` while the reader fetches.
    pub(crate) starts_at: Option<Instant>,
    /// The last pause, while the broker keeps rejecting the offset.
    pause: Option<Duration>,
    /// The reader's offset when the log last ended before it.
    cut_from: Option<Offset>,
}

/// The reasons why a reader cannot continue by itself.
pub(crate) enum Halt {
    /// The broker rejected its offset.
    Refused(OffsetRefusal),
    /// The reader cannot pass a batch. Records fetched after it are fetched again.
    Bad(BadBatch),
}

/// A batch that its reader cannot pass.
pub(crate) struct BadBatch {
    /// The batch's first offset according to librdkafka. Less than the reader's offset if the reader started in the
    /// middle.
    pub(crate) base: Offset,
    /// librdkafka's error text; `None` if librdkafka is stuck without an error.
    pub(crate) reported: Option<String>,
}

/// The rejection of a reader's offset.
pub(crate) struct OffsetRefusal {
    pub(crate) code: Code,
    /// librdkafka's offset, used if the reader has no position yet.
    pub(crate) offset: Offset,
    pub(crate) text: String,
}

impl PartitionReader {
    pub(crate) fn open(opening: &Opening<'_>) -> Result<Self, Error> {
        let Opening { client, properties, topic: name, partition, start, unknown_too, deadline, .. } =
            *opening;
        let request = |what: &str| {
            let what = format!("{what} {name}/{partition}");
            move |code| Error::Request { what, code }
        };
        let brake = Brake::new(client.waits().fetch_backoff);
        let fetches = opening.fetches.clone();
        let handle = client.handle(ClientKind::Consumer, properties, move |_, facility, text| {
            brake.see(text);
            if let Some(fetches) = &fetches {
                fetches.line(facility, text);
            }
        })?;
        let topic = TopicHandle::open(&handle, name).map_err(request("open"))?;
        let known = match metadata::of_topic(&topic, deadline) {
            Ok(known) if known.partitions.iter().any(|info| info.id == partition) => Ok(()),
            Ok(_) => Err(request("find")(UNKNOWN_PARTITION)),
            Err(error) => Err(error),
        };
        // A start offset that must be requested needs a broker that knows the partition.
        let needs_nobody = matches!(start, StartOffset::Earliest | StartOffset::At(_));
        let unknown = match known {
            Ok(()) => false,
            Err(error) if unknown_too && needs_nobody && error.code().is_some_and(Code::means_gone) => true,
            Err(error) => return Err(error),
        };
        let started_at = match start {
            StartOffset::Earliest => None,
            StartOffset::At(offset) => Some(offset),
            StartOffset::Latest => {
                let end = retried(deadline, |left| handle.watermarks(name, partition, left));
                Some(end.map_err(request("find the end of"))?.1)
            }
            StartOffset::Timestamp(time) => {
                let at = retried(deadline, |left| handle.offset_at(name, partition, time, left));
                match at.map_err(request("find a time in"))? {
                    Some(offset) => Some(offset),
                    None => {
                        let end = retried(deadline, |left| handle.watermarks(name, partition, left));
                        Some(end.map_err(request("find the end of"))?.1)
                    }
                }
            }
        };
        let queue = Queue::new(&handle);
        Ok(Self {
            partition,
            topic,
            queue,
            started_at,
            position: started_at,
            epoch: 0,
            listed: false,
            unknown,
            starts_at: None,
            pause: None,
            cut_from: None,
        })
    }

    /// Takes the position of the reader that it replaces. Does not fetch yet.
    pub(crate) fn in_place_of(self, old: &Self) -> Self {
        Self {
            started_at: old.started_at,
            position: old.position,
            epoch: old.epoch,
            listed: old.listed,
            unknown: old.unknown,
            pause: old.pause,
            cut_from: old.cut_from,
            ..self
        }
    }

    /// Starts to fetch at the reader's position.
    pub(crate) fn start(&mut self) -> Result<(), Code> {
        self.starts_at = None;
        self.topic.start(self.partition, self.position.unwrap_or(OFFSET_BEGINNING), &self.queue)
    }

    /// Stops fetching. Records that were fetched and not returned are fetched again.
    pub(crate) fn stop(&mut self) {
        self.topic.stop(self.partition);
        self.starts_at = None;
    }

    /// Passes up to `limit` records and errors to `on`. Returns their number, and the reason if the reader cannot
    /// continue by itself.
    pub(crate) fn hand_out(
        &mut self,
        limit: usize,
        on: &mut dyn FnMut(ReadEvent<'_>),
    ) -> (usize, Option<Halt>) {
        let Self { partition, queue, position, epoch, .. } = self;
        let (partition, epoch, before) = (*partition, *epoch, *position);
        let mut halt = None;
        let got = queue.serve(limit, &mut |message| {
            if matches!(halt, Some(Halt::Bad(_))) {
                return;
            }
            let code = message.code();
            if code.is_none() {
                let offset = message.offset();
                *position = Some(offset + 1);
                on(ReadEvent::Record(Record {
                    partition,
                    offset,
                    timestamp_ms: message.timestamp_ms(),
                    key: message.key(),
                    value: message.value(),
                    epoch,
                    message,
                }));
                return;
            }
            let text = || String::from_utf8_lossy(message.value().unwrap_or_default()).into_owned();
            match code {
                PARTITION_EOF => {}
                AUTO_OFFSET_RESET => {
                    let text = text();
                    // Only librdkafka's text contains the reason.
                    let truncated = text.contains("truncation") || text.contains("No epoch found");
                    let code = if truncated { LOG_TRUNCATION } else { OUT_OF_RANGE };
                    halt = Some(Halt::Refused(OffsetRefusal { code, offset: message.offset(), text }));
                }
                code if code.means_bad_batch() => {
                    halt = Some(Halt::Bad(BadBatch { base: message.offset(), reported: Some(text()) }));
                }
                code => on(ReadEvent::Error { partition, code, text: text() }),
            }
        });
        if *position != before {
            self.pause = None;
            self.unknown = false;
        }
        (got, halt)
    }

    /// Handles a rejected offset: requests the log's offsets, and continues accordingly.
    pub(crate) fn refused(
        &mut self,
        topic: &str,
        waits: &Waits,
        refusal: OffsetRefusal,
        on: &mut dyn FnMut(ReadEvent<'_>),
    ) {
        self.stop();
        let partition = self.partition;
        // A recreated topic has another id. If this fails, the next fetch reports it.
        let _ = metadata::of_topic(&self.topic, Instant::now() + waits.restart);
        let marks = self.topic.handle().watermarks(topic, partition, waits.restart);
        let at = self.position.unwrap_or(refusal.offset);
        let (low, high) = match marks {
            Ok(marks) => marks,
            Err(code) => {
                let text = format!(
                    "the broker refused offset {at} ({}), and the log's start and end are unknown",
                    refusal.code
                );
                on(ReadEvent::Error { partition, code, text });
                return self.pause(waits);
            }
        };
        match next_step(at, low, high, self.cut_from) {
            NextStep::Retry => {
                let offset = if at < 0 { low } else { at };
                on(ReadEvent::Refused { partition, offset, code: refusal.code, low, high });
                self.pause(waits);
            }
            NextStep::Moved => self.go_to(Some(low), at, false, refusal.text, on),
            NextStep::Restart => {
                self.cut_from = Some(at);
                self.go_to(Some(low), at, true, refusal.text, on);
            }
        }
    }

    /// Continues at the log start, in a new epoch, whatever end the broker reports.
    pub(crate) fn reset(
        &mut self,
        topic: &str,
        waits: &Waits,
        text: String,
        on: &mut dyn FnMut(ReadEvent<'_>),
    ) {
        self.stop();
        // As in `refused`.
        let _ = metadata::of_topic(&self.topic, Instant::now() + waits.restart);
        let low = self.topic.handle().watermarks(topic, self.partition, waits.restart);
        let from = self.position.unwrap_or(0);
        self.go_to(low.ok().map(|(low, _)| low), from, true, text, on);
    }

    fn go_to(
        &mut self,
        to: Option<Offset>,
        from: Offset,
        anew: bool,
        text: String,
        on: &mut dyn FnMut(ReadEvent<'_>),
    ) {
        self.epoch += u32::from(anew);
        self.position = to;
        let partition = self.partition;
        on(ReadEvent::Reset { partition, from, to, anew, epoch: self.epoch, text });
        if let Err(code) = self.start() {
            on(ReadEvent::Error { partition, code, text: "reading could not restart".into() });
        }
    }

    /// Schedules a restart after a pause, twice as long as the last one.
    fn pause(&mut self, waits: &Waits) {
        let pause = self.pause.map_or(waits.refused_first, |last| (last * 2).min(waits.refused_most));
        self.pause = Some(pause);
        self.starts_at = Some(Instant::now() + pause);
    }
}

/// How a reader continues after its offset was rejected.
#[derive(Debug, PartialEq, Eq)]
enum NextStep {
    /// Its offset is inside the log: fetch again.
    Retry,
    /// The log now starts after it.
    Moved,
    /// The log ends before it: it was truncated or recreated.
    Restart,
}

/// Decides how to continue. If a broker has returned all records up to an offset twice, and still reports an end before
/// it, that end is ignored.
fn next_step(at: Offset, low: Offset, high: Offset, cut_from: Option<Offset>) -> NextStep {
    if at < 0 {
        // It has no position yet: the log start was rejected.
        NextStep::Retry
    } else if at < low {
        NextStep::Moved
    } else if at > high && cut_from != Some(at) {
        NextStep::Restart
    } else {
        NextStep::Retry
    }
}

/// Retries until the deadline: a broker that has just started, or a new leader, may not answer immediately.
fn retried<T>(deadline: Instant, mut ask: impl FnMut(Duration) -> Result<T, Code>) -> Result<T, Code> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(TIMED_OUT);
        }
        match ask(left) {
            Err(_) if Instant::now() + Duration::from_millis(100) < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_inside_the_log_is_asked_for_again_and_never_jumped_over() {
        for at in [5, 7, 20] {
            assert_eq!(next_step(at, 5, 20, None), NextStep::Retry, "{at}");
        }
        assert_eq!(next_step(-2, 5, 20, None), NextStep::Retry, "it has no place yet");
        assert_eq!(next_step(4, 5, 20, None), NextStep::Moved);
        assert_eq!(next_step(21, 5, 20, None), NextStep::Restart);
        assert_eq!(next_step(21, 5, 20, Some(21)), NextStep::Retry, "it was there twice");
        assert_eq!(next_step(21, 5, 20, Some(30)), NextStep::Restart);
    }
}
