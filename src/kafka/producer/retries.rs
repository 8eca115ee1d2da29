//! Producer events that explain duplicates and reorderings, parsed from librdkafka's log lines.
//!
//! librdkafka has no callback for a batch that it sends again, and its statistics do not count them
//! (`txretries` excludes Produce). But `debug=msg` logs each such batch. For an idempotent producer,
//! `debug=eos` is added: it logs when a partition continues with another producer id or epoch, and when a
//! rejected sequence number requeues a batch. Both contexts log a few lines per batch at most, and none per
//! message. Memory is bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::delivery::excludes_write;
use crate::ids::Partition;
use crate::kafka::client::code::Code;

/// Maximum number of events kept between two calls of `take`.
const MOST_EVENTS: usize = 10_000;

const OUT_OF_ORDER: Code = Code(45);
const DUPLICATE: Code = Code(46);
const UNKNOWN_PRODUCER: Code = Code(59);
/// librdkafka's text before the error because of which it has no producer id.
const NO_IDENTITY: &str = "Failed to acquire PID: ";

/// A producer event that may explain a duplicate or a reordering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerEvent {
    pub at: Instant,
    /// The earliest time at which it can have happened: `at`, except for merged events.
    pub since: Instant,
    pub kind: ProducerEventKind,
    /// The partition; `None` for any of the producer's.
    pub partition: Option<Partition>,
    /// librdkafka's error text.
    pub text: String,
    /// The error code, if it is a broker's.
    pub code: Option<Code>,
}

/// The kinds of [`ProducerEvent`]. Only `Retried` and `Many` can have led to a repeat or a reordering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProducerEventKind {
    /// A connection broke or could not be opened.
    Disconnected,
    /// Requests timed out.
    TimedOut,
    /// A batch was requeued. librdkafka does not report which messages it contains. They are messages of this partition
    /// that were sent before the event and had not ended at this time.
    Retried {
        /// The number of messages in the batch.
        messages: u32,
        /// Whether an earlier attempt may have been written, so that a duplicate is legal, and not only a
        /// reordering.
        maybe_written: bool,
    },
    /// An idempotent producer continues in this partition with another id or epoch: the broker cannot
    /// recognize batches that were requeued before. At this event, nothing of the partition is in flight.
    IdentityChanged,
    /// A broker answered an idempotent producer that it already has this batch (46, DUPLICATE_SEQUENCE_NUMBER). Its
    /// messages are acked, and the offsets of that answer are unusable.
    Duplicate {
        /// The first message, counted from 0 over all messages that librdkafka accepted for this partition.
        first: u64,
        messages: u32,
    },
    /// The broker gave an idempotent producer no id; the producer retries.
    NoIdentity,
    /// Too many events occurred: any message of this time may have been resent.
    Many,
}

/// What the log callback of one producer collects.
#[derive(Default)]
pub(crate) struct RetryLog(Mutex<RetryEvents>);

#[derive(Default)]
struct RetryEvents {
    events: VecDeque<ProducerEvent>,
    merged: Option<ProducerEvent>,
    /// When the last answer arrived that librdkafka treats as "not written" without proof.
    doubt: Option<Instant>,
}

impl RetryLog {
    fn lock(&self) -> MutexGuard<'_, RetryEvents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Processes a log line. librdkafka's threads call it twice per batch in the normal case, and it then takes no
    /// lock.
    pub(crate) fn line(&self, facility: &str, text: &str) {
        let now = Instant::now();
        let event = |kind, partition, text: &str| ProducerEvent {
            at: now,
            since: now,
            kind,
            partition,
            text: text.into(),
            code: Code::of_text(text),
        };
        let (event, doubt) = match facility {
            "MSGSET" => {
                let Some(batch) = FailedBatch::parse(text) else { return };
                let code = batch.code();
                if code == Some(DUPLICATE) && batch.first > 0 {
                    let kind =
                        ProducerEventKind::Duplicate { first: batch.first - 1, messages: batch.messages };
                    (Some(event(kind, Some(batch.partition), batch.error)), false)
                } else {
                    let doubt = batch.again && !batch.maybe_written && !code.is_some_and(is_proof);
                    let kind = ProducerEventKind::Retried {
                        messages: batch.messages,
                        maybe_written: batch.maybe_written || doubt,
                    };
                    (batch.again.then(|| event(kind, Some(batch.partition), batch.error)), doubt)
                }
            }
            "ERRSEQ" | "UNKPID" => {
                let Some((partition, messages)) = refused(text) else { return };
                let code = if facility == "ERRSEQ" { OUT_OF_ORDER } else { UNKNOWN_PRODUCER };
                // Both codes mean that the broker wrote nothing.
                let kind = ProducerEventKind::Retried { messages, maybe_written: false };
                (Some(event(kind, Some(partition), &code.text())), false)
            }
            "NEWPID" => {
                let Some(partition) = new_identity(text) else { return };
                (Some(event(ProducerEventKind::IdentityChanged, Some(partition), text)), false)
            }
            "GETPID" => {
                let Some(error) = text.rsplit_once(NO_IDENTITY).map(|(_, error)| error) else { return };
                (Some(event(ProducerEventKind::NoIdentity, None, error)), false)
            }
            "REQTMOUT" => (Some(event(ProducerEventKind::TimedOut, None, text)), false),
            "FAIL" | "ERROR" => (Some(event(ProducerEventKind::Disconnected, None, text)), false),
            _ => return,
        };
        let mut seen = self.lock();
        if doubt {
            seen.doubt = Some(now);
        }
        let Some(event) = event else { return };
        if seen.events.len() == MOST_EVENTS
            && let Some(oldest) = seen.events.pop_front()
        {
            let since = seen.merged.take().map_or(oldest.since, |merged| merged.since);
            let text = "more events than could be kept".into();
            seen.merged = Some(ProducerEvent {
                at: oldest.at,
                since,
                kind: ProducerEventKind::Many,
                partition: None,
                text,
                code: None,
            });
        }
        seen.events.push_back(event);
    }

    /// Moves the events out, in order of time.
    pub(crate) fn take(&self) -> Vec<ProducerEvent> {
        let mut seen = self.lock();
        let mut events: Vec<_> = seen.merged.take().into_iter().collect();
        events.extend(seen.events.drain(..));
        events
    }

    /// Whether a doubtful answer came at or after this instant.
    pub(crate) fn doubt_since(&self, instant: Instant) -> bool {
        self.lock().doubt.is_some_and(|at| at >= instant)
    }
}

/// Partition and size of a batch that an idempotent producer resends although the broker rejected its sequence numbers:
/// `ProduceRequest for orders [2] with 10 message(s) failed due to ...: ... retrying`. The MSGSET line about this batch
/// reports the error as final.
fn refused(text: &str) -> Option<(Partition, u32)> {
    let (place, rest) = text.strip_suffix("retrying")?.split_once("] with ")?;
    let partition = place.rsplit_once('[')?.1.trim().parse().ok()?;
    Some((partition, rest.split_once(' ')?.0.parse().ok()?))
}

/// `orders [2] changed PID{Id:1,Epoch:0} -> PID{Id:1,Epoch:1} with base MsgId 7`. The first id of a partition is not a
/// change.
fn new_identity(text: &str) -> Option<Partition> {
    let (place, _) = text.split_once("] changed PID{Id:")?;
    place.rsplit_once('[')?.1.trim().parse().ok()
}

/// Whether librdkafka's "not written" is reliable for this error of a batch.
fn is_proof(code: Code) -> bool {
    // _TIMED_OUT_QUEUE, _RETRY (its broker has changed), _DESTROY_BROKER: the request was never sent.
    excludes_write(code) || [-166, -153, -137].map(Code).contains(&code)
}

/// `127.0.0.1:9092/0: orders [2]: MessageSet with 10 message(s) (MsgId 0, BaseSeq -1) encountered error: E (actions A,B)`
struct FailedBatch<'a> {
    partition: Partition,
    messages: u32,
    /// The number of its first message, counted from 1 within the partition; 0 if the producer is not idempotent.
    first: u64,
    error: &'a str,
    again: bool,
    maybe_written: bool,
}

impl<'a> FailedBatch<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (before, after) = text.split_once(" encountered error: ")?;
        let (place, counts) = before.split_once("]: MessageSet with ")?;
        let partition = place.rsplit_once('[')?.1.trim().parse().ok()?;
        let (messages, numbers) = counts.split_once(' ')?;
        let (_, numbers) = numbers.split_once("(MsgId ")?;
        let (error, actions) = after.rsplit_once(" (actions ")?;
        let actions: Vec<&str> = actions.split(')').next()?.split(',').collect();
        Some(Self {
            partition,
            messages: messages.parse().ok()?,
            first: numbers.split_once(',')?.0.parse().ok()?,
            error,
            again: actions.iter().any(|action| matches!(*action, "Retry" | "Refresh")),
            maybe_written: actions.contains(&"MsgPossiblyPersisted"),
        })
    }

    /// The code of the error text, if it is a broker's or one of those that matter here.
    fn code(&self) -> Option<Code> {
        let local = [-166, -153, -137].map(Code);
        Code::of_text(self.error).or_else(|| local.into_iter().find(|code| code.text() == self.error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(error: i32, actions: &str) -> String {
        let text = Code(error).text();
        format!(
            "127.0.0.1:40123/1: a [b]: c [12]: MessageSet with 3 message(s) (MsgId 0, BaseSeq -1) encountered error: {text} (actions {actions})"
        )
    }

    #[test]
    fn a_batch_sent_again_is_known_by_partition_and_size() {
        let retries = RetryLog::default();
        retries.line("MSGSET", &line(7, "Retry,MsgPossiblyPersisted"));
        retries.line("MSGSET", &line(3, "Refresh,MsgNotPersisted"));
        retries.line("MSGSET", &line(6, "Refresh,MsgNotPersisted"));
        let seen = retries.take();
        let kinds: Vec<_> = seen.iter().map(|event| (event.partition, event.kind)).collect();
        let again = |maybe_written| (Some(12), ProducerEventKind::Retried { messages: 3, maybe_written });
        assert_eq!(kinds, [again(true), again(false), again(true)]);
        let codes: Vec<_> = seen.iter().map(|event| event.code).collect();
        assert_eq!(codes, [7, 3, 6].map(|code| Some(Code(code))));
        assert!(retries.take().is_empty());
    }

    #[test]
    fn of_an_idempotent_producer_changes_of_its_identity_are_known() {
        let retries = RetryLog::default();
        retries.line("NEWPID", "a [b] [3] changed PID{Invalid} -> PID{Id:7,Epoch:0} with base MsgId 1");
        retries.line(
            "NEWPID",
            "t [3] will not change PID{Id:7,Epoch:0} -> PID{Id:7,Epoch:1} yet: 3 message(s) still in-flight from current epoch",
        );
        assert!(retries.take().is_empty());
        retries.line("NEWPID", "t [3] changed PID{Id:7,Epoch:0} -> PID{Id:7,Epoch:1} with base MsgId 12");
        retries.line(
            "ERRSEQ",
            "127.0.0.1:9092/1: ProduceRequest for t [4] with 10 message(s) failed due to skipped sequence numbers (PID{Id:7,Epoch:0}, base seq 10 > next seq 0) caused by previous failed request (UNKNOWN, actions Retry, base seq 0..9, base msgid 1, 3ms ago): recovering and retrying",
        );
        retries.line(
            "UNKPID",
            "127.0.0.1:9092/1: ProduceRequest for t [5] with 2 message(s) failed due to unknown producer id (PID{Id:7,Epoch:0}, base seq 0, 0 retries): no risk of duplication/reordering: resetting PID and retrying",
        );
        let text = Code(46).text();
        retries.line(
            "MSGSET",
            &format!("127.0.0.1:1/1: t [6]: MessageSet with 8 message(s) (MsgId 21, BaseSeq 20) encountered error: {text} (actions Permanent,MsgPossiblyPersisted)"),
        );
        let kinds: Vec<_> = retries.take().iter().map(|event| (event.partition, event.kind)).collect();
        let again = |messages| ProducerEventKind::Retried { messages, maybe_written: false };
        assert_eq!(
            kinds,
            [
                (Some(3), ProducerEventKind::IdentityChanged),
                (Some(4), again(10)),
                (Some(5), again(2)),
                (Some(6), ProducerEventKind::Duplicate { first: 20, messages: 8 }),
            ]
        );
    }

    #[test]
    fn only_answers_that_prove_nothing_leave_a_doubt() {
        let start = Instant::now();
        let retries = RetryLog::default();
        retries.line("MSGSET", &line(3, "Refresh,MsgNotPersisted"));
        retries.line("MSGSET", &line(19, "Retry,MsgNotPersisted"));
        assert!(!retries.doubt_since(start));
        retries.line("MSGSET", &line(56, "Refresh,Retry,MsgNotPersisted"));
        assert!(retries.doubt_since(start));
        assert!(!retries.doubt_since(Instant::now() + std::time::Duration::from_millis(1)));
    }

    #[test]
    fn batches_that_arrive_and_batches_that_fail_for_good_are_no_events() {
        let retries = RetryLog::default();
        retries.line("MSGSET", "x: t [0]: MessageSet with 3 message(s) (MsgId 0, BaseSeq -1) delivered");
        retries.line("MSGSET", &line(10, "Permanent,MsgNotPersisted"));
        retries.line("GETPID", &format!("127.0.0.1:1/1: Failed to acquire PID: {}", Code(15).text()));
        let unnamed = retries.take();
        assert_eq!((unnamed[0].kind, unnamed[0].code), (ProducerEventKind::NoIdentity, Some(Code(15))));
        for odd in [
            "",
            "encountered error: ",
            " encountered error: ]: MessageSet with [",
            "]: MessageSet with  encountered error:  (actions ",
            "] with retrying",
            "[1] with x retrying",
            "] changed PID{Id:",
        ] {
            for facility in ["MSGSET", "ERRSEQ", "UNKPID", "NEWPID", "GETPID"] {
                retries.line(facility, odd);
            }
        }
        assert!(retries.take().is_empty());
    }

    #[test]
    fn more_events_than_are_kept_become_one() {
        let retries = RetryLog::default();
        for _ in 0..MOST_EVENTS + 50 {
            retries.line("REQTMOUT", "Timed out 1 in-flight requests");
        }
        let events = retries.take();
        assert_eq!(events.len(), MOST_EVENTS + 1);
        assert_eq!(events[0].kind, ProducerEventKind::Many);
        assert!(events[0].since <= events[0].at && events[0].at <= events[1].at);
    }
}
