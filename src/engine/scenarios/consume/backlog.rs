//! What a reading thread has to read: acked messages that lie ahead of it, seen at each turn of its loop.
//!
//! So a pause of its producers is told from one of the broker.

use super::place::PartitionPosition;
use crate::engine::messages::booking::HighestAcks;
use crate::kafka::ReaderSet;
use crate::metrics::{RESOLUTION, Recorder};

/// The thread's view of its partitions.
pub(super) struct Backlog {
    /// How far acks have come; none where that is unknown, so that there is always something to read.
    acks: Option<HighestAcks>,
    /// Since when something was ahead.
    since_us: Option<u64>,
    looked_us: u64,
}

impl Backlog {
    pub(super) const fn new(acks: Option<HighestAcks>) -> Self {
        Self { acks, since_us: None, looked_us: 0 }
    }

    /// Tells how much is to be read, and since when.
    pub(super) fn look(
        &mut self,
        recorder: &mut Recorder<'_>,
        places: &[PartitionPosition],
        set: &ReaderSet,
        now_us: u64,
    ) {
        let metrics = recorder.metrics();
        let Some(acks) = &self.acks else {
            // Nobody knows when its first record is to come.
            if let Some(last_us) = metrics.last_us() {
                metrics.waits(last_us);
            }
            return;
        };
        // Many partitions are many looks; but none is left to a later turn where this is the last.
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
            // What it read may be no message that it counts.
            metrics.rests(now_us);
        }
    }
}
