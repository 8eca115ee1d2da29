//! The audit: a fresh client reads a written partition from its first acked offset to its end marker.
//!
//! A fault may remove messages that a live reader had read before it. The audit also reads partitions that no reader of
//! the file reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::engine::messages::ends::EndMarkerSeen;
use crate::engine::messages::sight;
use crate::engine::messages::sight::RecordMatcher;
use crate::ids::{Offset, Partition};
use crate::kafka::{self, Client, Range, RangeEnd, ReadEvent, Record};
use crate::ledger::PartitionReads;
use crate::observe::NOT_KNOWN;
use crate::plan::Work;

/// A range of a log that a fresh client reads.
pub(crate) struct Reread<'a> {
    pub(crate) client: &'a Client,
    pub(crate) place: (usize, Partition),
    pub(crate) from: Offset,
    pub(crate) to: Offset,
    /// An end marker after all acked messages. A client that reads it has read everything.
    pub(crate) mark: Option<EndMarkerSeen>,
    pub(crate) until: Instant,
    pub(crate) deadline: &'a VerificationDeadline,
    /// Its name in progress lines: `audit` or `re-read`.
    pub(crate) what: &'static str,
}

/// The result of a fresh client, and how far it got.
pub(crate) struct AuditResult {
    pub(crate) reads: PartitionReads,
    pub(crate) from: Offset,
    /// Whether it read past the last offset.
    pub(crate) passed: bool,
    /// The first offset that it did not pass.
    pub(crate) at: Offset,
    /// Whether each answer of the broker said that it does not know the partition.
    pub(crate) gone: bool,
    /// Whether it read the whole log.
    pub(crate) whole: bool,
    /// The reason why it did not reach the end; empty if it did.
    pub(crate) why: String,
}

impl Reread<'_> {
    /// Reads the range, and checks each record like a live reader. `on_key` receives each key and its offset.
    pub(crate) fn read(
        &self,
        context: &RunContext,
        topology: &Topology,
        mut on_key: impl FnMut(&[u8], Offset),
    ) -> AuditResult {
        let (topic, partition) = self.place;
        let name = &topology.topics[topic].name;
        let mut reads = PartitionReads::new(context.run_tag, topic, partition);
        let sight = RecordMatcher::of(context, topology, topic);
        let marker = self.mark;
        let is_marker = |record: &Record<'_>| {
            marker.is_some_and(|marker| {
                record.offset >= marker.offset && sight::is_end_marker(context, marker, record)
            })
        };
        // A recreated log may end before the range. In this case, only its end marker can be read.
        let from = marker.map_or(self.from, |marker| self.from.min(marker.offset));
        let to = self.to;
        let timeout = self.until.saturating_duration_since(Instant::now());
        let over = |why: &str| AuditResult { from, at: from, ..self.nothing(context, why) };
        if context.stop.is_stopped() {
            return over("the run was stopped");
        }
        if timeout < Duration::from_millis(1) {
            return over("no time was left for it");
        }
        let is_over = || context.stop.is_stopped() || self.deadline.is_over();
        let progress = |at| {
            let what = self.what;
            context.live.say(format!("{what} of partition {partition} of `{name}`: at offset {at} of {to}"));
        };
        let range = Range {
            topic: name,
            partition,
            from,
            to,
            is_mark: marker.is_some().then_some(&is_marker as &dyn Fn(&Record<'_>) -> bool),
            is_over: &is_over,
            progress: &progress,
        };
        let result = kafka::read_range(self.client, &range, timeout, &mut |event| match event {
            ReadEvent::Record(record) => {
                self.deadline.progressed();
                let now_us = context.clock.now_us();
                sight.see(&mut reads, &record, sight::open(&record), now_us, |_| {});
                if let Some(key) = record.key {
                    on_key(key, record.offset);
                }
            }
            ReadEvent::Reset { anew: true, .. } => reads.reset(),
            ReadEvent::BadBatch { from, to, text, .. } => {
                reads.see_bad_batch(from, to, context.clock.now_us());
                sight::note_bad_batch(context, name, partition, (from, to), &text);
            }
            ReadEvent::Reset { .. } | ReadEvent::Refused { .. } | ReadEvent::Error { .. } => {}
        });
        match result {
            Ok(end) => {
                // Records after the range were not returned, however far the client got. An end marker, or the end of
                // the log, is after the whole range.
                let at = if end.passed { to + 1 } else { end.at.min(to + 1) };
                AuditResult { reads, passed: end.passed, at, why: self.why(context, &end), ..over("") }
            }
            // More answers may have differed.
            Err(_) if context.stop.is_stopped() => over("the run was stopped"),
            Err(error) if error.code().is_some_and(kafka::Code::means_gone) => {
                AuditResult { gone: true, ..over(NOT_KNOWN) }
            }
            Err(error) => over(&error.to_string()),
        }
    }

    /// The result if the broker does not know the partition.
    pub(super) fn gone(&self, context: &RunContext) -> AuditResult {
        AuditResult { gone: true, ..self.nothing(context, NOT_KNOWN) }
    }

    fn nothing(&self, context: &RunContext, why: &str) -> AuditResult {
        let (topic, partition) = self.place;
        AuditResult {
            reads: PartitionReads::new(context.run_tag, topic, partition),
            from: self.from,
            passed: false,
            at: self.from,
            gone: false,
            whole: false,
            why: why.to_owned(),
        }
    }

    fn why(&self, context: &RunContext, end: &RangeEnd) -> String {
        if end.passed {
            return String::new();
        }
        if context.stop.is_stopped() {
            return "the run was stopped".to_owned();
        }
        if let Some(stable) = end.last_stable {
            return format!(
                "an open transaction blocks readers with `isolation.level: read_committed` at offset \
                {stable} (the last stable offset); end the transaction, or read uncommitted"
            );
        }
        if end.hides {
            return format!(
                "the broker reports {} as the end of the log, but answers fetches beyond it with \
                neither an error nor a record",
                end.end.unwrap_or(end.at)
            );
        }
        let (at, to) = (end.at, self.to);
        match self.deadline.idle() {
            Some(idle) => {
                let idle = crate::units::Duration::from(idle);
                format!("no record arrived for {idle} at offset {at} of {to}")
            }
            None => format!("timed out at offset {at} of {to}; increase `run.timeout`"),
        }
    }
}

/// When verification ends: at the run's timeout, or earlier if no record of any partition has arrived for as long as
/// the producers took, at least a minute.
pub(crate) struct VerificationDeadline {
    start: Instant,
    /// The run's timeout.
    pub(crate) timeout: Instant,
    max_idle: Duration,
    /// Time of the last record, in microseconds since `start`.
    last_us: AtomicU64,
}

impl VerificationDeadline {
    pub(crate) fn of(context: &RunContext) -> Self {
        let sends = |work: &Work| matches!(work, Work::Produce(_) | Work::Roundtrip(_));
        let sending = context.plan.scenarios.iter().enumerate().filter(|(_, s)| sends(&s.work));
        let longest = sending.filter_map(|(index, _)| context.live.length(index)).max().unwrap_or_default();
        Self {
            start: Instant::now(),
            timeout: context.clock.zero() + context.plan.timeout,
            max_idle: longest.max(context.client.waits().recheck),
            last_us: AtomicU64::default(),
        }
    }

    /// The run's timeout, or the end of this time if that is earlier.
    pub(crate) fn within(&self, time: Duration) -> Instant {
        self.timeout.min(Instant::now() + time)
    }

    fn progressed(&self) {
        let now_us = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_us.fetch_max(now_us, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.timeout || self.idle().is_some()
    }

    /// The maximum time without a record, if it has passed.
    fn idle(&self) -> Option<Duration> {
        let last = self.start + Duration::from_micros(self.last_us.load(Ordering::Relaxed));
        (last.elapsed() >= self.max_idle).then_some(self.max_idle)
    }
}
