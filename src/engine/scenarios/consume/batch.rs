//! What one drain of a reader counted, handed over at once: counters are shared, and a message costs none of them.

use std::sync::atomic::Ordering;

use crate::metrics::Recorder;

#[derive(Default)]
pub(super) struct DrainCounts {
    pub(super) received: u64,
    pub(super) records: u64,
    pub(super) foreign: u64,
    pub(super) bytes: u64,
}

impl DrainCounts {
    /// Adds it to the scenario's counts.
    pub(super) fn hand_over(&self, recorder: &mut Recorder<'_>, now_us: u64) {
        let counters = &recorder.metrics().counters;
        for (counter, count) in [
            (&counters.received, self.received),
            (&counters.records, self.records.max(self.received)),
            (&counters.foreign, self.foreign),
            (&counters.bytes, self.bytes),
        ] {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
        if self.received > 0 {
            recorder.done(now_us, self.received);
        }
    }
}
