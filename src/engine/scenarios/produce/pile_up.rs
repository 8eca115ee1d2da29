//! Detects unacked messages that accumulate during a run with a rate: the broker cannot keep up, often
//! because requests are small.

use std::time::Duration;

use crate::metrics::{Snapshot, Timeline};
use crate::units::{grouped, thousands};

/// Shorter runs are not evaluated.
const LEAST: Duration = Duration::from_secs(3);
/// The run is divided into this number of parts; unacked messages must grow in each of them.
const PARTS: usize = 4;
/// A request with fewer messages than this is small, if its bytes leave room for many more.
const SMALL: f64 = 10.0;
const SMALL_BYTES: f64 = 16.0 * 1024.0;

/// Messages that accumulated while messages became due.
#[derive(Debug, PartialEq)]
pub(super) struct PileUp {
    /// Messages per second that became due, and that were acked.
    pub(super) due: f64,
    pub(super) acked: f64,
    /// Messages without an answer when the last one became due.
    pub(super) open: u64,
    /// Bytes per message.
    pub(super) bytes: f64,
}

impl PileUp {
    /// `None` if the broker kept up, or fell behind only temporarily.
    pub(super) fn of(counts: &Snapshot) -> Option<Self> {
        let timeline = &counts.timeline;
        let due = |bucket: usize| timeline.buckets(bucket, bucket + 1).due() > 0;
        let buckets = 0..timeline.cells().len();
        let (first, last) = (buckets.clone().find(|at| due(*at))?, buckets.rev().find(|at| due(*at))? + 1);
        let whole = timeline.buckets(first, last);
        let seconds = whole.length.as_secs_f64();
        if whole.length < LEAST {
            return None;
        }
        let [due, acked] = [whole.due(), whole.total.count].map(|count| per_second(count, seconds));
        let bytes = per_second(counts.bytes, per_second(counts.acked.max(1), 1.0));
        let found = Self { due, acked, open: whole.total.open, bytes };
        // More than a second's messages are waiting, and each part of the run added more.
        let much = per_second(found.open, 1.0) >= due && acked < 0.9 * due;
        (much && grows(timeline, first, last)).then_some(found)
    }

    /// The note's text. Each of the `senders` (a client and a partition) waits `linger` to fill a batch.
    pub(super) fn note(&self, name: &str, senders: u64, linger: Duration) -> String {
        let Self { due, acked, open, bytes } = self;
        let in_request = (due / per_second(senders, 1.0) * linger.as_secs_f64()).max(1.0);
        let behind = format!(
            "`{name}`: the broker acked {} of {} messages/s due, and {} messages \
            were unacked when the last one became due",
            grouped(&format!("{acked:.0}")),
            grouped(&format!("{due:.0}")),
            thousands(*open)
        );
        if in_request >= SMALL || in_request * bytes >= SMALL_BYTES {
            return format!("{behind}: it cannot keep up with this rate. Lower `rate`");
        }
        // Estimates how many requests per second the broker can answer, with half of them left for its other work.
        let enough = 2000.0 * per_second(senders, 1.0) / (acked / in_request).max(1.0);
        let enough = (enough / 10.0).ceil() * 10.0;
        let messages = if in_request < 1.5 { "message" } else { "messages" };
        format!(
            "{behind}: it cannot keep up with such small requests at this rate. At `linger.ms` {}, \
            a request has about {in_request:.0} {messages}. Increase `linger.ms` under \
            `client.properties`, for example to {enough:.0}, or lower `rate`",
            linger.as_millis()
        )
    }
}

/// Whether each part of this time ended with more unacked messages than the one before.
fn grows(timeline: &Timeline, first: usize, last: usize) -> bool {
    let open = |part: usize| timeline.buckets(first, first + (last - first) * part / PARTS).total.open;
    let steps = (0..PARTS).map(|part| (open(part), open(part + 1)));
    let least = open(PARTS) / (2 * PARTS as u64);
    steps.into_iter().all(|(before, after)| after > before + least)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ClientMetrics, Recorder};

    /// 200 messages per second for 10 s. `acked` returns how many are acked in each second, as long as any are left.
    fn counts(acked: impl Fn(u64) -> u64) -> Snapshot {
        let metrics = ClientMetrics::default();
        let mut recorder = Recorder::new(&metrics);
        let mut open = 0;
        for tenth in 0..400_u64 {
            let at = tenth * 100_000;
            open += if tenth < 100 { 20 } else { 0 };
            let now = (acked(tenth / 10) / 10).min(open);
            open -= now;
            recorder.done(at, now);
            recorder.open(open);
        }
        drop(recorder);
        metrics.snapshot()
    }

    #[test]
    fn what_piles_up_through_the_run_is_noted_and_no_stall() {
        let found = PileUp::of(&counts(|_| 70)).unwrap();
        assert_eq!(found, PileUp { due: 200.0, acked: 70.0, open: 1300, bytes: 0.0 });
        for follows in [
            PileUp::of(&counts(|_| 200)),
            PileUp::of(&counts(|_| 190)),
            // The broker stalled for 4 s, and has caught up or is about to.
            PileUp::of(&counts(|second| if (3..7).contains(&second) { 0 } else { 300 })),
            PileUp::of(&counts(|second| if second >= 6 { 0 } else { 200 })),
        ] {
            assert_eq!(follows, None);
        }
    }

    #[test]
    fn the_note_has_both_figures_and_what_helps() {
        let found = PileUp { due: 200.0, acked: 70.0, open: 1300, bytes: 200.0 };
        assert_eq!(
            found.note("write", 1, Duration::ZERO),
            "`write`: the broker acked 70 of 200 messages/s due, and 1,300 messages were unacked when the last one became due: it cannot keep up with such small requests at this rate. At `linger.ms` 0, a request has about 1 message. Increase `linger.ms` under `client.properties`, for example to 30, or lower `rate`"
        );
        let many = found.note("write", 1, Duration::from_millis(100));
        assert!(many.ends_with("it cannot keep up with this rate. Lower `rate`"), "{many}");
        let large = PileUp { bytes: 102_400.0, ..found }.note("write", 1, Duration::ZERO);
        assert!(large.ends_with("it cannot keep up with this rate. Lower `rate`"), "{large}");
    }
}
