//! The backlog of a reading thread: acked messages that it has not read yet, checked in every loop.
//!
//! This distinguishes a pause of the producers from a pause of the broker.

use super::place::PartitionPosition;
use crate::engine::messages::booking::HighestAcks;
use crate::kafka::ReaderSet;
use crate::metrics::{RESOLUTION, Recorder};

/// The backlog of the thread's partitions.
pub(super) struct Backlog {
    /// The highest acked offsets; `None` if unknown, which counts as a constant backlog.
    acks: Option<HighestAcks>,
    /// When the backlog started.
    since_us: Option<u64>,
    looked_us: u64,
}

impl Backlog {
    pub(super) const fn new(acks: Option<HighestAcks>) -> Self {
        Self { acks, since_us: None, looked_us: 0 }
    }

    /// Records how many messages are left to read, and since when.
    pub(super) fn look(
        &mut self,
        recorder: &mut Recorder<'_>,
        places: &[PartitionPosition],
        set: &ReaderSet,
        now_us: u64,
    ) {
        let metrics = recorder.metrics();
        let Some(acks) = &self.acks else {
            // It is unknown when the first record was written.
            if let Some(last_us) = metrics.last_us() {
                metrics.waits(last_us);
            }
            return;
        };
        // Checking many partitions is expensive, so it is done less often, but never skipped in the last loop.
        let lately = u128::from(now_us.saturating_sub(self.looked_us)) < RESOLUTION.as_micros();
        if lately && !places.iter().all(|place| place.over) {
            return;
        }
        self.looked_us = now_us;
        let ahead = |place: &&PartitionPosition| acks.ahead_of(place.partition, place.at(set));
        let open: u64 = places.iter().filter(|place| !place.over).map(|place| ahead(&place)).sum();
        recorder.open(open);
        if open > 0 {
            metrics.waits(*self.since_us.get_or_insert(now_us));
        } else if self.since_us.take().is_some() {
            // A record that it read may be one that it does not count.
            metrics.rests(now_us);
        }
    }
}
