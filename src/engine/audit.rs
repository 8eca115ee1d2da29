//! The audit: a fresh reader reads each written partition from its first acked offset to its fence.
//!
//! What a live reader saw before a fault can be gone after it; so the last look decides.

use std::collections::HashMap;
use std::time::Instant;

use super::shared::{Shared, Topology};
use crate::ids::Partition;
use crate::kafka::{self, Range, ReadEvent, Record};
use crate::ledger::envelope::{self, HEADER};
use crate::ledger::{Checked, PartitionReads};
use crate::observe::{Note, PartitionSeen};

/// Reads those of these partitions that hold acked messages; those that could not be read to their end are left out, and noted.
pub(super) fn all<'a>(
    shared: &Shared,
    topology: &Topology,
    partitions: impl Iterator<Item = &'a PartitionSeen>,
) -> HashMap<(usize, Partition), PartitionReads> {
    let until = Instant::now() + shared.client.waits().audit;
    let mut out = HashMap::new();
    for seen in partitions {
        let Some((first, last)) = seen.acked_offsets else { continue };
        let place = (seen.topic, seen.partition);
        let name = &topology.topics[seen.topic].name;
        match one(shared, topology, place, (first, seen.fence.unwrap_or(last).max(last)), until) {
            Ok(reads) => {
                out.insert(place, reads);
            }
            Err(why) => shared.note(Note::warning(format!(
                "the audit of partition {} of `{name}` failed ({why}); what its readers saw decides alone",
                seen.partition
            ))),
        }
    }
    out
}

fn one(
    shared: &Shared,
    topology: &Topology,
    place: (usize, Partition),
    (from, to): (i64, i64),
    until: Instant,
) -> Result<PartitionReads, String> {
    let timeout = until.saturating_duration_since(Instant::now());
    if shared.stop.is_stopped() {
        return Err("the run was stopped".to_owned());
    }
    if timeout.is_zero() {
        return Err("time ran out before it".to_owned());
    }
    let mut reads = PartitionReads::new(shared.run_tag, place.0, place.1);
    let name = &topology.topics[place.0].name;
    let fence = shared.fence(place.0, place.1);
    let is_fence = |record: &Record<'_>| fence.is_some_and(|fence| shared.is_fence(fence, record));
    let is_mark = fence.is_some().then_some(&is_fence as &dyn Fn(&Record<'_>) -> bool);
    // A log that was begun anew may end before the place: then its fence is all there is to see.
    let from = fence.map_or(from, |fence| from.min(fence.offset));
    let is_over = || shared.stop.is_stopped();
    let range = Range { topic: name, partition: place.1, from, to, is_mark, is_over: &is_over };
    let (mut told, mut at) = (Instant::now(), from);
    let passed = kafka::read_range(&shared.client, &range, timeout, &mut |event| match event {
        ReadEvent::Record(record) => {
            at = record.offset;
            if told.elapsed() >= shared.client.waits().tell {
                told = Instant::now();
                shared
                    .live
                    .say(format!("audit of partition {} of `{name}`: at offset {at} of {to}", place.1));
            }
            let opened = envelope::open(record.key, record.value, || record.header(HEADER));
            let now_us = shared.clock.now_us();
            reads.see(&topology.streams, record.offset, opened, now_us, |_| Checked::Fine);
        }
        ReadEvent::Reset { .. } => reads.reset(),
        ReadEvent::Error { .. } => {}
    });
    match passed {
        Ok(true) => Ok(reads),
        Ok(false) if shared.stop.is_stopped() => Err("the run was stopped".to_owned()),
        Ok(false) => Err(format!("time ran out at offset {at} of {to}")),
        // A broker that can be reached and does not know the partition has nothing left of it.
        Err(error) if kafka::is_gone(&shared.client, name, place.1, &error) => Ok(reads),
        Err(error) => Err(error.to_string()),
    }
}
