//! Lets clients count without a lock per message: each client has a recorder that passes its counts on in
//! batches.
//!
//! Counters that are read during the run (progress, `when`) are atomics and are updated once per batch.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::gaps::{GapWatch, Gaps};
use super::{Latency, Timeline};

/// Maximum number of latencies in a recorder before it takes the lock. Consecutive equal latencies count as
/// one.
const BATCH: usize = 4096;

/// Minimum time over which a rate is computed. A rate over 20 ms would show the time of the first connection
/// instead.
pub const RATE_OVER: Duration = Duration::from_millis(200);

/// Counters that can be read during the run.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages passed to the client.
    pub sent: AtomicU64,
    pub acked: AtomicU64,
    /// Messages known not to be in the log.
    pub failed: AtomicU64,
    /// Messages that may or may not be in the log.
    pub unknown: AtomicU64,
    pub received: AtomicU64,
    /// Records read, including repeats.
    pub records: AtomicU64,
    pub foreign: AtomicU64,
    /// Bytes of keys and values that were acked or read.
    pub bytes: AtomicU64,
    pub errors: AtomicU64,
}

impl Counters {
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// The metrics of one scenario over all its clients.
#[derive(Debug, Default)]
pub struct ClientMetrics {
    pub counters: Counters,
    watched: GapWatch,
    /// When the first client had no more messages to send, in microseconds plus one. 0 before.
    sent_all_us: AtomicU64,
    inner: Mutex<RecorderState>,
}

/// The metrics that need a lock.
#[derive(Debug, Default, Clone)]
struct RecorderState {
    latency: Latency,
    late: Latency,
    timeline: Timeline,
    errors: BTreeMap<String, u64>,
    retries: BTreeMap<String, u64>,
    span_us: Option<(u64, u64)>,
}

impl ClientMetrics {
    fn lock(&self) -> std::sync::MutexGuard<'_, RecorderState> {
        // A panic in another client must not discard the counts.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A percentile up to now in milliseconds, without copying the histogram.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        self.lock().latency.quantile_ms(quantile)
    }

    /// Counts an error at this time, in microseconds from the start of the run.
    pub fn error(&self, at_us: u64, code: &str) {
        self.counters.errors.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.lock();
        count(&mut inner.errors, code);
        inner.timeline.record(Timeline::grid(at_us), (0, 0), 1, &[]);
    }

    /// Counts a broker error after which the client retries. It is not yet an error of the scenario.
    pub fn retried(&self, code: &str) {
        count(&mut self.lock().retries, code);
    }

    /// Reports that an ack or read is expected since this time.
    pub fn waits(&self, since_us: u64) {
        self.watched.waits(since_us);
    }

    /// Time of the last ack or read, in microseconds from the start of the run.
    pub fn last_us(&self) -> Option<u64> {
        self.watched.last_us()
    }

    /// Reports that no ack or read is expected after this time, although none has arrived.
    pub fn rests(&self, at_us: u64) {
        self.watched.rests(at_us);
    }

    /// Reports that a client has no more messages to send from this time on.
    pub fn sent_all(&self, at_us: u64) {
        let first = |known| (known == 0 || at_us + 1 < known).then_some(at_us + 1);
        let _ = self.sent_all_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, first);
    }

    /// A copy of the current metrics.
    pub fn snapshot(&self) -> Snapshot {
        let get = Counters::get;
        let c = &self.counters;
        let inner = self.lock().clone();
        Snapshot {
            sent: get(&c.sent),
            acked: get(&c.acked),
            failed: get(&c.failed),
            unknown: get(&c.unknown),
            received: get(&c.received),
            records: get(&c.records),
            foreign: get(&c.foreign),
            bytes: get(&c.bytes),
            errors: get(&c.errors),
            latency: inner.latency,
            late: inner.late,
            timeline: inner.timeline,
            errors_by_code: inner.errors,
            retries_by_code: inner.retries,
            span_us: inner.span_us,
            gaps: self.watched.snapshot(),
            sent_all: Counters::get(&self.sent_all_us).checked_sub(1).map(Duration::from_micros),
        }
    }
}

fn count(all: &mut BTreeMap<String, u64>, code: &str) {
    if let Some(count) = all.get_mut(code) {
        *count += 1;
    } else {
        all.insert(code.to_owned(), 1);
    }
}

/// The metrics of a scenario at one time.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Messages passed to the client.
    pub sent: u64,
    pub acked: u64,
    /// Messages known not to be in the log.
    pub failed: u64,
    /// Messages that may or may not be in the log.
    pub unknown: u64,
    pub received: u64,
    /// Records read, including repeats.
    pub records: u64,
    pub foreign: u64,
    /// Bytes of keys and values that were acked or read.
    pub bytes: u64,
    pub errors: u64,
    /// Latencies of acks or reads.
    pub latency: Latency,
    /// How late each message of an open loop was sent.
    pub late: Latency,
    /// Rates, latencies and errors over time.
    pub timeline: Timeline,
    pub errors_by_code: BTreeMap<String, u64>,
    /// Errors after which the client retried, by code.
    pub retries_by_code: BTreeMap<String, u64>,
    /// Time of the first and last ack or read, in microseconds from the start of the run.
    pub span_us: Option<(u64, u64)>,
    /// Periods without an ack or read.
    pub gaps: Gaps,
    /// When the first client had no more messages to send.
    pub sent_all: Option<Duration>,
}

impl Snapshot {
    /// Messages per second between the first and the last of `count` messages. `None` if that is less than
    /// [`RATE_OVER`], or if there are too few messages to compute a rate.
    pub fn rate_per_s(&self, count: u64) -> Option<f64> {
        let (first, last) = self.span_us?;
        let long_enough = Duration::from_micros(last.saturating_sub(first)) >= RATE_OVER;
        #[expect(clippy::cast_precision_loss, reason = "counts and times stay below 2^53")]
        (count > 1 && long_enough).then(|| (count - 1) as f64 * 1e6 / (last - first) as f64)
    }
}

/// One client's counts since it last passed them on.
#[derive(Debug)]
pub struct Recorder<'a> {
    metrics: &'a ClientMetrics,
    grid: u64,
    count: u64,
    failed: u64,
    open: u64,
    /// Each latency with the number of consecutive times it occurred.
    latencies_us: Vec<(u32, u32)>,
    late_us: Vec<u32>,
    span_us: Option<(u64, u64)>,
}

impl<'a> Recorder<'a> {
    /// A recorder that passes its counts to `metrics`.
    pub fn new(metrics: &'a ClientMetrics) -> Self {
        Self {
            metrics,
            grid: 0,
            count: 0,
            failed: 0,
            open: 0,
            latencies_us: Vec::with_capacity(BATCH),
            late_us: Vec::new(),
            span_us: None,
        }
    }

    /// The metrics that it passes its counts to.
    pub const fn metrics(&self) -> &'a ClientMetrics {
        self.metrics
    }

    /// Counts `count` messages acked or read at this time, in microseconds from the start of the run.
    pub fn done(&mut self, at_us: u64, count: u64) {
        self.turn(at_us);
        self.metrics.watched.done(at_us);
        self.count += count;
        self.span_us = Some(self.span_us.map_or((at_us, at_us), |(a, b)| (a.min(at_us), b.max(at_us))));
    }

    /// Counts `count` messages at this time that failed, or whose result is unknown.
    pub fn failed(&mut self, at_us: u64, count: u64) {
        self.turn(at_us);
        self.failed += count;
    }

    /// Sets the number of messages that are due or acked, but not yet answered or read.
    pub const fn open(&mut self, open: u64) {
        self.open = open;
    }

    /// Counts one latency, measured at this time.
    pub fn latency(&mut self, at_us: u64, micros: u64) {
        self.latencies(at_us, micros, 1);
    }

    /// Counts the same latency `count` times, measured at this time.
    pub fn latencies(&mut self, at_us: u64, micros: u64, count: u32) {
        self.turn(at_us);
        let micros = u32::try_from(micros).unwrap_or(u32::MAX);
        match self.latencies_us.last_mut() {
            Some((last, times)) if *last == micros => {
                *times = times.saturating_add(count);
                return;
            }
            _ => self.latencies_us.push((micros, count)),
        }
        if self.latencies_us.len() >= BATCH {
            self.hand_over();
        }
    }

    /// Counts how late one message of an open loop was sent.
    pub fn late(&mut self, micros: u64) {
        self.late_us.push(u32::try_from(micros).unwrap_or(u32::MAX));
        if self.late_us.len() >= BATCH {
            self.hand_over();
        }
    }

    pub fn error(&mut self, at_us: u64, code: &str) {
        self.metrics.error(at_us, code);
    }

    /// Passes the counts on when time has reached the next cell. Call it from time to time while nothing
    /// happens.
    pub fn turn(&mut self, at_us: u64) {
        let grid = Timeline::grid(at_us);
        if grid != self.grid {
            self.hand_over();
            if self.open > 0 {
                let mut inner = self.metrics.lock();
                (self.grid..grid).for_each(|ended| inner.timeline.open(ended, self.open));
            }
            self.grid = grid;
        }
    }

    fn hand_over(&mut self) {
        if self.count + self.failed == 0 && self.latencies_us.is_empty() && self.late_us.is_empty() {
            return;
        }
        let mut inner = self.metrics.lock();
        for (micros, count) in &self.latencies_us {
            inner.latency.record_n_us(u64::from(*micros), *count);
        }
        for micros in &self.late_us {
            inner.late.record_us(u64::from(*micros));
        }
        inner.timeline.record(self.grid, (self.count, self.failed), 0, &self.latencies_us);
        if let Some((first, last)) = self.span_us.take() {
            inner.span_us = Some(inner.span_us.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        }
        drop(inner);
        (self.count, self.failed) = (0, 0);
        self.latencies_us.clear();
        self.late_us.clear();
    }
}

impl Drop for Recorder<'_> {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_arrives_whole() {
        let metrics = ClientMetrics::default();
        {
            let mut r = Recorder::new(&metrics);
            for i in 0..10_000_u64 {
                r.done(i * 100, 1);
                r.latency(i * 100, i);
                r.late(5);
            }
            r.error(3, "_TRANSPORT");
        }
        let seen = metrics.snapshot();
        assert_eq!(seen.latency.count(), 10_000);
        assert_eq!(seen.late.count(), 10_000);
        assert_eq!(seen.timeline.cells().iter().map(|c| c.count).sum::<u64>(), 10_000);
        assert_eq!(seen.timeline.cells().len(), 10);
        assert_eq!(seen.span_us, Some((0, 999_900)));
        assert_eq!(seen.gaps.last(), Some(Duration::from_micros(999_900)));
        assert_eq!(seen.errors_by_code.get("_TRANSPORT"), Some(&1));
    }

    #[test]
    fn a_rate_needs_some_time() {
        let rate = |last_us| Snapshot { span_us: Some((0, last_us)), ..Snapshot::default() }.rate_per_s(101);
        assert_eq!([rate(20_000), rate(199_999), rate(200_000)], [None, None, Some(500.0)]);
    }

    #[test]
    fn a_client_that_stands_still_has_its_open_messages_in_each_bucket() {
        let metrics = ClientMetrics::default();
        let mut recorder = Recorder::new(&metrics);
        recorder.turn(1_000_000);
        recorder.open(5);
        recorder.failed(1_050_000, 2);
        // Nothing for 3 s: the thread slept.
        recorder.turn(4_010_000);
        recorder.open(0);
        recorder.turn(4_110_000);
        drop(recorder);
        metrics.sent_all(9_000_000);
        metrics.sent_all(7_000_000);
        let seen = metrics.snapshot();
        let open: Vec<u64> = seen.timeline.cells().iter().map(|cell| cell.open).collect();
        assert_eq!((&open[..10], &open[10..]), ([0; 10].as_slice(), [5; 30].as_slice()));
        assert_eq!(seen.timeline.cells()[10].failed, 2);
        assert_eq!(seen.sent_all, Some(Duration::from_secs(7)));
    }
}
