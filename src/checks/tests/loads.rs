//! Synthetic loads for tests: when each message was due and when it ended, and what a client reports about
//! them.

use std::time::Duration;

use super::ms;
use crate::metrics::{ClientMetrics, Recorder, Snapshot};

/// One message. Times are in microseconds from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) due_us: u64,
    /// When it was acked, read or failed. `None` if it never was.
    pub(super) end_us: Option<u64>,
    pub(super) failed: bool,
}

/// The reports of one client about its messages, ordered by time, from `begun` to `until`.
pub(super) fn counted(messages: &[Message], begun: Duration, until: Duration, latency_us: u64) -> Snapshot {
    let (begun, until) = (us(begun), us(until));
    let metrics = ClientMetrics::default();
    let mut recorder = Recorder::new(&metrics);
    let dues = messages.iter().map(|it| (it.due_us, 0, it));
    let ends = messages.iter().filter_map(|it| Some((it.end_us?, 1, it)));
    let looks = (0..=until / 50_000 + 2).map(|at| (at * 50_000, 2, &messages[0]));
    let mut events: Vec<(u64, u8, &Message)> = dues.chain(ends).chain(looks).collect();
    events.sort_by_key(|(at, kind, _)| (*at, *kind));
    let (mut open, mut waiting) = (0, Some(begun));
    let (mut acked, mut failed) = (0, 0);
    metrics.waits(begun);
    for (at, kind, message) in events {
        recorder.turn(at);
        match kind {
            0 => {
                open += 1;
                waiting.get_or_insert(at);
            }
            1 if message.failed => {
                (open, failed) = (open - 1, failed + 1);
                recorder.failed(at, 1);
                recorder.error(at, "BROKEN");
            }
            1 => {
                (open, acked) = (open - 1, acked + 1);
                recorder.latency(at, latency_us);
                recorder.done(at, 1);
                waiting = (open > 0).then_some(at);
            }
            _ => {}
        }
        recorder.open(open);
        if let Some(since) = waiting {
            metrics.waits(since);
        }
    }
    drop(recorder);
    let snapshot = metrics.snapshot();
    let sent = messages.len() as u64;
    Snapshot { sent, acked, failed, received: acked, records: acked, bytes: acked * 100, ..snapshot }
}

/// A message is due every 10 ms. In each tenth of a second, `per_bucket` of them are acked, evenly and in
/// order.
pub(super) fn counts(per_bucket: impl Fn(u64) -> u64, buckets: u64, latency_us: u64) -> Snapshot {
    let acks = (0..buckets).flat_map(|bucket| {
        let n = per_bucket(bucket);
        (0..n).map(move |i| bucket * 100_000 + i * 100_000 / n)
    });
    let mut acks: Vec<Option<u64>> = acks.map(Some).collect();
    acks.resize(acks.len().max(usize::try_from(buckets * 10).unwrap()), None);
    let message = |(number, end_us): (u64, Option<u64>)| {
        let due_us = end_us.map_or(number * 10_000, |end| end.min(number * 10_000));
        Message { due_us, end_us, failed: false }
    };
    let messages: Vec<Message> = (0..).zip(acks).map(message).collect();
    counted(&messages, ms(0), ms(buckets * 100), latency_us)
}

pub(super) fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}
