//! Counts of one batch of a reader. They are added to the shared counters together, so a single message does not use
//! shared counters.

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
    /// Adds the counts to the scenario's.
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
